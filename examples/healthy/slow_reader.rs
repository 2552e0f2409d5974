//! An upload whose receiver takes its time, on purpose: it reads a piece each 100 ms. There is always more to read, so it
//! never waits for its socket, and the sender waits for room nearly always.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use async_executor::Executor;
use async_io::{Async, Timer};
use futures_lite::future::try_zip;
use futures_lite::{AsyncReadExt, AsyncWriteExt};

async fn send(mut to: Async<TcpStream>) -> io::Result<()> {
    let block = vec![7; 1 << 20];
    loop {
        to.write_all(&block).await?;
    }
}

async fn receive(mut from: Async<TcpStream>) -> io::Result<()> {
    let mut piece = vec![0; 64 << 10];
    while from.read(&mut piece).await? > 0 {
        Timer::after(Duration::from_millis(100)).await;
    }
    Ok(())
}

pub async fn run(_: &'static Executor<'static>) -> io::Result<()> {
    let listener = Async::<TcpListener>::bind((Ipv4Addr::LOCALHOST, 0))?;
    let to = Async::<TcpStream>::connect(listener.get_ref().local_addr()?).await?;
    let (from, _) = listener.accept().await?;
    try_zip(send(to), receive(from)).await.map(drop)
}
