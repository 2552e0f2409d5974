//! An echo server, a task a connection, against the raw load.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::thread;

use anyhow::Result;

use crate::affinity::Pinned;
use crate::epoll::{events, Epoll, READ};
use crate::load::Load;
use crate::peer::{ours, tokio, upstream};
use crate::reactor::{Executor, Reactor, Stream};
use crate::row::{Body, Figure, Peer, Row, Sample, Work};
use crate::sockets::{allow_fds, tcp_listener};

/// More than a message, so that a short read shows a drained queue to those who use that.
const BUFFER: usize = 1024;

pub(crate) fn rows() -> Vec<Row> {
    vec![
        one_thread_row::<1>("echo-1", 10_000),
        one_thread_row::<100>("echo-100", 60_000),
        one_thread_row::<1000>("echo-1000", 60_000),
        Row {
            name: "echo-2t-100",
            about: "echo server on two executor threads, 100 connections",
            ops: 60_000,
            quick_ops: 12_000,
            counted_ops: 2_000,
            starts: None,
            figures: vec![Figure::time("a message")],
            cases: vec![
                (Peer::Raw, raw_two::<100>),
                (Peer::Ours, unpinned::<ours::TwoThreads, 100>),
                (Peer::Upstream, unpinned::<upstream::TwoThreads, 100>),
                (Peer::Tokio2w, unpinned::<tokio::TwoThreads, 100>),
            ],
        },
    ]
}

fn one_thread_row<const CONNECTIONS: usize>(name: &'static str, ops: u64) -> Row {
    Row {
        name,
        about: "echo server against a raw load thread, one message in flight a connection",
        ops,
        quick_ops: ops / 5,
        counted_ops: 500.max(10 * CONNECTIONS as u64),
        starts: None,
        figures: vec![Figure::time("a message")],
        cases: vec![
            (Peer::Raw, raw_one::<CONNECTIONS> as Body),
            (Peer::Ours, server::<ours::OneThread, CONNECTIONS>),
            (Peer::Upstream, server::<upstream::OneThread, CONNECTIONS>),
            (Peer::Tokio, server::<tokio::OneThread, CONNECTIONS>),
            (Peer::Tokio2w, unpinned::<tokio::TwoThreads, CONNECTIONS>),
        ],
    }
}

/// Server and load share a core, since the load's thread inherits it: to wake one that sleeps on another
/// core takes a virtual machine longer than the work, and would be most of the figure.
pub(crate) fn server<E: Executor, const CONNECTIONS: usize>(work: &Work) -> Result<Sample> {
    let _with_the_load = Pinned::to(0);
    unpinned::<E, CONNECTIONS>(work)
}

fn unpinned<E: Executor, const CONNECTIONS: usize>(work: &Work) -> Result<Sample> {
    allow_fds(2 * CONNECTIONS as u64 + 100)?;
    let (listener, addr) = tcp_listener()?;
    listener.set_nonblocking(true)?;
    let load = Load::start(addr, CONNECTIONS, work);
    E::run(|executor| async move {
        let listener = E::Reactor::listener(listener)?;
        let mut connections = Vec::with_capacity(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            let stream = E::Reactor::accept(&listener).await?;
            connections.push(executor.spawn(echo(stream)));
        }
        for connection in connections {
            connection.await?;
        }
        io::Result::Ok(())
    })?;
    Ok(vec![load.finish()?])
}

async fn echo(mut stream: impl Stream) -> io::Result<()> {
    let mut buf = [0; BUFFER];
    loop {
        match stream.read(&mut buf).await? {
            0 => return Ok(()),
            n => stream.write_all(&buf[..n]).await?,
        }
    }
}

fn raw_one<const CONNECTIONS: usize>(work: &Work) -> Result<Sample> {
    let _with_the_load = Pinned::to(0);
    raw::<CONNECTIONS>(work, 1)
}

fn raw_two<const CONNECTIONS: usize>(work: &Work) -> Result<Sample> {
    raw::<CONNECTIONS>(work, 2)
}

/// Each thread has its own epoll and its share of the connections.
fn raw<const CONNECTIONS: usize>(work: &Work, threads: usize) -> Result<Sample> {
    allow_fds(2 * CONNECTIONS as u64 + 100)?;
    let (listener, addr) = tcp_listener()?;
    let load = Load::start(addr, CONNECTIONS, work);
    let mut shares: Vec<Vec<TcpStream>> = (0..threads).map(|_| Vec::new()).collect();
    for connection in 0..CONNECTIONS {
        let (stream, _) = listener.accept()?;
        stream.set_nonblocking(true)?;
        shares[connection % threads].push(stream);
    }
    let last = shares.pop().expect("there is one thread at least");
    thread::scope(|scope| {
        let others: Vec<_> =
            shares.into_iter().map(|share| scope.spawn(|| raw_echo(share))).collect();
        raw_echo(last)?;
        others.into_iter().try_for_each(|thread| thread.join().expect("a raw loop does not panic"))
    })?;
    Ok(vec![load.finish()?])
}

fn raw_echo(mut streams: Vec<TcpStream>) -> io::Result<()> {
    let epoll = Epoll::new()?;
    for (token, stream) in streams.iter().enumerate() {
        epoll.add(stream, READ, token as u64)?;
    }
    let mut open = streams.len();
    let mut events = events();
    let mut buf = [0; BUFFER];
    while open > 0 {
        let ready = epoll.wait(&mut events, -1)?;
        for event in &events[..ready] {
            let stream = &mut streams[event.u64 as usize];
            loop {
                match stream.read(&mut buf) {
                    Ok(0) => {
                        open -= 1;
                        epoll.delete(stream)?;
                        break;
                    }
                    Ok(n) => {
                        stream.write_all(&buf[..n])?;
                        if n < BUFFER {
                            break;
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
        }
    }
    Ok(())
}
