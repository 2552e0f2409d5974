//! An echo server, a task a connection, on two threads: what the executor adds to I/O. Both
//! async-executors run on this repository's async-io.
//!
//! This file has unsafe code: the load's poller borrows its sockets by number.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use anyhow::{Context, Result};
use async_io::Async;
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use polling::{Event, Events, PollMode, Poller};

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

/// Starts a thread that sends: the next message on a connection when its last has come back. The returned
/// function waits for its end and gives nanoseconds a message.
fn load(work: &Work) -> Result<(TcpListener, impl FnOnce() -> Result<f64>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let addr = listener.local_addr()?;
    let work = *work;
    let thread = thread::spawn(move || send_all(addr, work));
    let finish = move || {
        let ended = thread.join().expect("the load thread does not panic");
        ended.context("the load")
    };
    Ok((listener, finish))
}

fn send_all(addr: SocketAddr, work: Work) -> io::Result<f64> {
    let mut streams = Vec::with_capacity(CONNECTIONS);
    let poller = Poller::new()?;
    for key in 0..CONNECTIONS {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        // SAFETY: the stream is taken out of the poller before it is dropped, below.
        unsafe { poller.add_with_mode(&stream, Event::readable(key), PollMode::Level)? };
        streams.push(stream);
    }
    let mut laps = Laps::of(&work, 4 * CONNECTIONS as u64);
    streams.iter_mut().try_for_each(|stream| stream.write_all(&[7; MESSAGE]))?;
    let (mut sent, mut received) = (CONNECTIONS as u64, 0);
    let mut events = Events::new();
    let mut buf = [0; MESSAGE];
    while received < work.total() {
        events.clear();
        poller.wait(&mut events, None)?;
        for event in events.iter() {
            let stream = &mut streams[event.key];
            // A message is sent in one piece, and comes in one.
            stream.read_exact(&mut buf)?;
            received += 1;
            laps.op();
            if sent < work.total() {
                sent += 1;
                stream.write_all(&buf)?;
            }
        }
    }
    streams.iter().try_for_each(|stream| poller.delete(stream))?;
    Ok(laps.ns_per_op::<tokio::TwoThreads>())
}
