//! Echo of small messages: the server on one executor, the clients on another.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use async_io::Async;
use futures::io::{AsyncReadExt, AsyncWriteExt};

use crate::pause::pause;

type Message = [u8; 64];

/// Serves so many connections, each in a tokio task of its own, and counts the messages.
pub async fn serve(listener: Async<TcpListener>, connections: u64) -> io::Result<u64> {
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let (stream, _) = listener.accept().await?;
        tasks.push(tokio::spawn(echo(stream)));
    }
    let mut messages = 0;
    for task in tasks {
        messages += task.await??;
    }
    Ok(messages)
}

async fn echo(mut stream: Async<TcpStream>) -> io::Result<u64> {
    let mut messages = 0;
    let mut message: Message = [0; 64];
    loop {
        match stream.read_exact(&mut message).await {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(messages),
            Err(error) => return Err(error),
        }
        // Every other answer waits for a timer that is not the reactor's.
        if messages % 2 == 1 {
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        stream.write_all(&message).await?;
        messages += 1;
    }
}

/// Sends messages one at a time, with pauses, and counts the answers.
pub async fn exchange(server: SocketAddr, messages: u64) -> io::Result<u64> {
    let mut stream = Async::<TcpStream>::connect(server).await?;
    for number in 0..messages {
        let sent: Message = [number as u8; 64];
        stream.write_all(&sent).await?;
        let mut answer: Message = [0; 64];
        stream.read_exact(&mut answer).await?;
        if answer != sent {
            return Err(io::Error::other(format!("message {number}: other bytes came back")));
        }
        pause(Duration::from_micros(number % 4 * 300)).await?;
    }
    Ok(messages)
}
