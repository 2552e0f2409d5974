//! Two peers in one thread: each waits for the other's datagram.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use async_io::Async;
use futures::future::try_join;

use crate::pause::pause;

/// Exchanges so many datagrams in each direction, and counts them.
pub async fn exchange(datagrams: u64) -> io::Result<u64> {
    let (left, right) = (socket()?, socket()?);
    left.get_ref().connect(right.get_ref().local_addr()?)?;
    right.get_ref().connect(left.get_ref().local_addr()?)?;
    let (back, forth) = try_join(ask(&left, datagrams), answer(&right, datagrams)).await?;
    Ok(back + forth)
}

fn socket() -> io::Result<Async<UdpSocket>> {
    Async::<UdpSocket>::bind((Ipv4Addr::LOCALHOST, 0))
}

async fn ask(socket: &Async<UdpSocket>, datagrams: u64) -> io::Result<u64> {
    for number in 0..datagrams {
        socket.send(&number.to_be_bytes()).await?;
        expect(socket, number).await?;
        pause(Duration::from_micros(500)).await?;
    }
    Ok(datagrams)
}

async fn answer(socket: &Async<UdpSocket>, datagrams: u64) -> io::Result<u64> {
    for number in 0..datagrams {
        expect(socket, number).await?;
        socket.send(&number.to_be_bytes()).await?;
    }
    Ok(datagrams)
}

async fn expect(socket: &Async<UdpSocket>, number: u64) -> io::Result<()> {
    let mut found = [0; 16];
    let count = socket.recv(&mut found).await?;
    if found[..count] == number.to_be_bytes() {
        return Ok(());
    }
    Err(io::Error::other(format!("expected datagram {number}, found {:?}", &found[..count])))
}
