//! An echo server, a task a connection, on two threads: what the executor adds to I/O. Both
//! async-executors run on this repository's async-io.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use anyhow::{Context, Result};
use async_io::Async;
use futures_lite::{AsyncReadExt, AsyncWriteExt};

use crate::laps::Laps;
use crate::peer::{ours, tokio, upstream, Peer, Runtime};
use crate::row::{Body, Row, Work};

const CONNECTIONS: usize = 100;

/// Bytes of a message.
const MESSAGE: usize = 64;

/// More than a message, so that a short read shows a drained queue to those who use that.
const BUFFER: usize = 1024;

pub(crate) fn row() -> Row {
    Row {
        name: "echo-2t-100",
        about: "a message to an echo server on two threads, 100 connections",
        ops: 60_000,
        cases: vec![
            (Peer::Ours, on_async_io::<ours::TwoThreadsIo> as Body),
            (Peer::Upstream, on_async_io::<upstream::TwoThreadsIo>),
            (Peer::Tokio, on_tokio),
        ],
    }
}

fn on_async_io<R: Runtime>(work: &Work) -> Result<f64> {
    let (listener, load) = load(work)?;
    R::run(|runtime| async move {
        let listener = Async::<TcpListener>::new_nonblocking(listener)?;
        let mut connections = Vec::with_capacity(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            let (mut stream, _) = listener.accept().await?;
            connections.push(runtime.spawn(async move {
                let mut buf = [0; BUFFER];
                loop {
                    match stream.read(&mut buf).await? {
                        0 => return io::Result::Ok(()),
                        n => stream.write_all(&buf[..n]).await?,
                    }
                }
            }));
        }
        for connection in connections {
            connection.await?;
        }
        io::Result::Ok(())
    })?;
    load()
}

fn on_tokio(work: &Work) -> Result<f64> {
    use ::tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (listener, load) = load(work)?;
    tokio::TwoThreads::run(|runtime| async move {
        let listener = ::tokio::net::TcpListener::from_std(listener)?;
        let mut connections = Vec::with_capacity(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            let (mut stream, _) = listener.accept().await?;
            connections.push(runtime.spawn(async move {
                let mut buf = [0; BUFFER];
                loop {
                    match stream.read(&mut buf).await? {
                        0 => return io::Result::Ok(()),
                        n => stream.write_all(&buf[..n]).await?,
                    }
                }
            }));
        }
        for connection in connections {
            connection.await?;
        }
        io::Result::Ok(())
    })?;
    load()
}

/// Starts a thread that sends, a message in flight on each connection. The returned function waits for
/// its end and gives nanoseconds a message.
fn load(work: &Work) -> Result<(TcpListener, impl FnOnce() -> Result<f64>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let addr = listener.local_addr()?;
    let work = *work;
    let thread = thread::spawn(move || -> io::Result<f64> {
        let mut streams = Vec::with_capacity(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            let stream = TcpStream::connect(addr)?;
            stream.set_nodelay(true)?;
            streams.push(stream);
        }
        let mut laps = Laps::of(&work, 4 * CONNECTIONS as u64);
        let mut buf = [0; MESSAGE];
        for _ in 0..work.total() / CONNECTIONS as u64 {
            streams.iter_mut().try_for_each(|stream| stream.write_all(&[7; MESSAGE]))?;
            streams.iter_mut().try_for_each(|stream| stream.read_exact(&mut buf))?;
            laps.ops(CONNECTIONS as u64);
        }
        Ok(laps.ns_per_op::<tokio::TwoThreads>())
    });
    let finish = move || {
        let ended = thread.join().expect("the load thread does not panic");
        ended.context("the load")
    };
    Ok((listener, finish))
}
