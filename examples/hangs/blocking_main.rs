//! A service starts its tasks, and its main function waits for the word to end as a program without tasks would: on a
//! channel of std. There is one thread. The calls arrive, the reactor wakes the task that accepts them, and nobody
//! polls it.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{channel, Receiver};
use std::thread;
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::AsyncWriteExt;

use crate::story::{executor, hangs_now};

async fn answer(listener: Async<TcpListener>) -> io::Result<()> {
    loop {
        let (mut stream, _) = listener.accept().await?; // waits meanwhile
        stream.write_all(b"at your service\n").await?;
    }
}

async fn serve(end: Receiver<()>) -> io::Result<()> {
    Timer::after(Duration::from_millis(200)).await; // hangs here
    end.recv().map_err(io::Error::other)
}

pub fn run() -> io::Result<()> {
    let listener = Async::<TcpListener>::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.get_ref().local_addr()?;
    let (ending, end) = channel();
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(500));
        let call = TcpStream::connect(address);
        hangs_now();
        thread::sleep(Duration::from_secs(3_600));
        drop((call, ending));
    });
    let executor = executor();
    executor.spawn(answer(listener)).detach();
    block_on(executor.run(serve(end)))
}
