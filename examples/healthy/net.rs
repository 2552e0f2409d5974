//! What the cases with connections share.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use async_executor::Executor;
use async_io::Async;
use futures_lite::{AsyncReadExt, AsyncWriteExt};

/// A server of this address sends back all that it is sent.
pub fn echo_server(executor: &'static Executor<'static>) -> io::Result<SocketAddr> {
    let listener = Async::<TcpListener>::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.get_ref().local_addr()?;
    executor.spawn(accept(executor, listener)).detach();
    Ok(address)
}

async fn accept(executor: &'static Executor<'static>, listener: Async<TcpListener>) {
    while let Ok((stream, _)) = listener.accept().await {
        executor.spawn(echo(stream)).detach();
    }
}

async fn echo(mut stream: Async<TcpStream>) -> io::Result<()> {
    let mut buffer = [0; 4_096];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            len => stream.write_all(&buffer[..len]).await?,
        }
    }
}

/// Sends and takes back.
pub async fn ask(stream: &mut Async<TcpStream>, question: &[u8]) -> io::Result<()> {
    stream.write_all(question).await?;
    let mut answer = vec![0; question.len()];
    stream.read_exact(&mut answer).await?;
    assert_eq!(answer, question, "what was sent comes back");
    Ok(())
}

/// Asks that many times, or until there is an error.
pub async fn ask_on(server: SocketAddr, times: usize) -> io::Result<()> {
    let mut stream = Async::<TcpStream>::connect(server).await?;
    for _ in 0..times {
        ask(&mut stream, &[7; 512]).await?;
    }
    Ok(())
}
