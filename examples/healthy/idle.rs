//! A server whose clients are connected and have nothing to say. They are other programs, played by a thread.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use async_executor::Executor;
use async_io::Async;
use futures_lite::{AsyncReadExt, AsyncWriteExt};

async fn serve(mut stream: Async<TcpStream>) -> io::Result<()> {
    let mut buffer = [0; 64];
    stream.write_all(b"welcome\n").await?;
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}

pub async fn run(executor: &'static Executor<'static>) -> io::Result<()> {
    let listener = Async::<TcpListener>::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.get_ref().local_addr()?;
    thread::spawn(move || {
        let clients: Vec<_> = (0..3).map(|_| TcpStream::connect(address)).collect();
        thread::sleep(Duration::from_secs(3_600));
        drop(clients);
    });
    loop {
        let (stream, _) = listener.accept().await?;
        executor.spawn(serve(stream)).detach();
    }
}
