//! A firewall forgets a connection and drops what belongs to it. Who writes sees its bytes unconfirmed and sent
//! again, who reads sees nothing. A filter on the reading socket that lets nothing pass stands for the firewall.

use std::io;
use std::net::TcpStream;

use async_io::{block_on, Async};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use socket2::{SockFilter, SockRef};

use crate::story::{connection, executor, hangs_now};

/// From now on nothing gets through to this socket.
fn forget(stream: &Async<TcpStream>) -> io::Result<()> {
    /// The filter's one instruction: return the constant 0, which is how much of a packet may pass.
    const RETURN: u16 = 0x06;
    SockRef::from(stream.get_ref()).attach_filter(&[SockFilter::new(RETURN, 0, 0, 0)])
}

async fn ask(mut stream: Async<TcpStream>) -> io::Result<()> {
    let mut answer = [0; 5];
    stream.write_all(b"hello").await?;
    stream.read_exact(&mut answer).await?; // hangs here
    Ok(())
}

async fn answer(mut stream: Async<TcpStream>) -> io::Result<()> {
    let mut question = [0; 5];
    stream.read_exact(&mut question).await?; // hangs here too
    stream.write_all(&question).await
}

pub fn run() -> io::Result<()> {
    let executor = executor();
    block_on(executor.run(async {
        let (near, far) = connection().await?;
        forget(&far)?;
        let answering = executor.spawn(answer(far));
        let asking = executor.spawn(ask(near));
        hangs_now();
        asking.await?;
        answering.await
    }))
}
