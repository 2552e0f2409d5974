//! A client puts its question into a buffer, and does not flush it. It waits for the answer, and the server for the
//! question.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::io::BufWriter;
use futures_lite::{AsyncReadExt, AsyncWriteExt};

use crate::story::{executor, hangs_now};

async fn answer(listener: Async<TcpListener>) -> io::Result<()> {
    let (mut stream, _) = listener.accept().await?;
    let mut question = [0; 5];
    stream.read_exact(&mut question).await?; // waits meanwhile
    stream.write_all(b"world").await
}

async fn ask(server: SocketAddr) -> io::Result<()> {
    let stream = Async::<TcpStream>::connect(server).await?;
    BufWriter::new(&stream).write_all(b"hello").await?;
    hangs_now();
    let mut answer = [0; 5];
    (&stream).read_exact(&mut answer).await // hangs here
}

pub fn run() -> io::Result<()> {
    let listener = Async::<TcpListener>::bind((Ipv4Addr::LOCALHOST, 0))?;
    let server = listener.get_ref().local_addr()?;
    let executor = executor();
    executor.spawn(answer(listener)).detach();
    executor.spawn(ask(server)).detach();
    block_on(executor.run(async {
        loop {
            Timer::after(Duration::from_millis(100)).await;
        }
    }))
}
