//! A load test begins: one client after the other comes, and stays. Each asks on its own connection, and rests between two
//! questions. So there are more and more connections, and most of them wait for nobody.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use async_executor::Executor;
use async_io::{Async, Timer};

use crate::net::{ask, echo_server};

async fn client(server: SocketAddr) -> io::Result<()> {
    let mut stream = Async::<TcpStream>::connect(server).await?;
    loop {
        ask(&mut stream, b"ping").await?;
        Timer::after(Duration::from_millis(200)).await;
    }
}

pub async fn run(executor: &'static Executor<'static>) -> io::Result<()> {
    let server = echo_server(executor)?;
    loop {
        executor.spawn(client(server)).detach();
        Timer::after(Duration::from_millis(12)).await;
    }
}
