//! Connections are opened, used once and closed, by four clients.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use async_executor::Executor;
use async_io::Timer;

use crate::net::{ask_on, echo_server};

async fn client(server: SocketAddr) -> io::Result<()> {
    loop {
        ask_on(server, 1).await?;
        // The kernel keeps the ports of closed connections for a minute.
        Timer::after(Duration::from_millis(8)).await;
    }
}

pub async fn run(executor: &'static Executor<'static>) -> io::Result<()> {
    let server = echo_server(executor)?;
    (1..4).for_each(|_| executor.spawn(client(server)).detach());
    client(server).await
}
