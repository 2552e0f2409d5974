//! A load test begins: one client after the other comes, and stays. Each asks on its own connection, and rests between two
//! questions. So there are more and more connections, and most of them wait for nobody.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use async_executor::Executor;
use async_io::{Async, Timer};
use futures_lite::{AsyncReadExt, AsyncWriteExt};

async fn serve(mut client: Async<TcpStream>) -> io::Result<()> {
    let mut question = [0; 4];
    loop {
        client.read_exact(&mut question).await?;
        client.write_all(&question).await?;
    }
}

async fn ask(server: SocketAddr) -> io::Result<()> {
    let mut server = Async::<TcpStream>::connect(server).await?;
    let mut answer = [0; 4];
    loop {
        server.write_all(b"ping").await?;
        server.read_exact(&mut answer).await?;
        Timer::after(Duration::from_millis(200)).await;
    }
}

async fn accept(
    executor: &'static Executor<'static>,
    listener: Async<TcpListener>,
) -> io::Result<()> {
    loop {
        let (client, _) = listener.accept().await?;
        executor.spawn(serve(client)).detach();
    }
}

pub async fn run(executor: &'static Executor<'static>) -> io::Result<()> {
    let listener = Async::<TcpListener>::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.get_ref().local_addr()?;
    executor.spawn(accept(executor, listener)).detach();
    loop {
        executor.spawn(ask(address)).detach();
        Timer::after(Duration::from_millis(12)).await;
    }
}
