//! Questions and answers over UDP. A question whose answer does not come within a second is sent again.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use async_executor::Executor;
use async_io::{Async, Timer};
use futures_lite::future::or;

async fn answer(socket: Async<UdpSocket>) -> io::Result<()> {
    let mut buffer = [0; 1_500];
    loop {
        let (len, from) = socket.recv_from(&mut buffer).await?;
        socket.send_to(&buffer[..len], from).await?;
    }
}

async fn ask(server: SocketAddr) -> io::Result<()> {
    let socket = Async::<UdpSocket>::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut buffer = [0; 1_500];
    loop {
        socket.send_to(b"what time is it?", server).await?;
        let timeout = async {
            Timer::after(Duration::from_secs(1)).await;
            Ok((0, server))
        };
        or(socket.recv_from(&mut buffer), timeout).await?;
    }
}

pub async fn run(executor: &'static Executor<'static>) -> io::Result<()> {
    let server = Async::<UdpSocket>::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = server.get_ref().local_addr()?;
    (0..4).for_each(|_| executor.spawn(ask(address)).detach());
    answer(server).await
}
