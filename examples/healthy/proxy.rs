//! Clients ask a server through a proxy, which copies what comes on either side to the other.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use async_executor::Executor;
use async_io::Async;
use futures_lite::future::try_zip;
use futures_lite::io::copy;

use crate::net::{ask_on, echo_server};

async fn connect(near: Async<TcpStream>, server: SocketAddr) -> io::Result<()> {
    let far = Async::<TcpStream>::connect(server).await?;
    try_zip(copy(&near, &far), copy(&far, &near)).await.map(drop)
}

pub async fn run(executor: &'static Executor<'static>) -> io::Result<()> {
    let server = echo_server(executor)?;
    let listener = Async::<TcpListener>::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.get_ref().local_addr()?;
    (0..8).for_each(|_| executor.spawn(ask_on(address, usize::MAX)).detach());
    loop {
        let (near, _) = listener.accept().await?;
        executor.spawn(connect(near, server)).detach();
    }
}
