//! A connection made, accepted and closed, one at a time, by two tasks on one thread.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::AsFd;
use std::time::Duration;

use anyhow::{bail, Result};
use rustix::net::{
    accept_with, connect, ipproto, recv, socket_with, AddressFamily, RecvFlags, SocketFlags,
    SocketType,
};
use socket2::SockRef;

use crate::epoll::{Epoll, Event, BOTH, LISTEN};
use crate::laps::Laps;
use crate::peer::{ours, tokio, upstream};
use crate::reactor::{Executor, Reactor, Stream};
use crate::row::{Body, Figure, Peer, Row, Sample, Work};
use crate::sockets::tcp_listener;

pub(crate) fn row() -> Row {
    let mut cases = vec![(Peer::Raw, raw as Body)];
    cases.extend(one_thread!(body));
    Row {
        name: "accept",
        about: "connect + accept + close, TCP loopback, one thread",
        ops: 4_000,
        quick_ops: 1_000,
        counted_ops: 300,
        starts: None,
        figures: vec![Figure::time("a connection")],
        cases,
    }
}

/// Closing then resets the connection, so that its port does not linger in TIME_WAIT and a long
/// run does not use up the ports.
fn close_without_linger(stream: impl AsFd) -> io::Result<()> {
    SockRef::from(&stream.as_fd()).set_linger(Some(Duration::ZERO))
}

fn body<E: Executor>(work: &Work) -> Result<Sample> {
    let work = *work;
    let (listener, addr) = tcp_listener()?;
    listener.set_nonblocking(true)?;
    let ns_per_op = E::run(|executor| async move {
        let listener = E::Reactor::listener(listener)?;
        let accepting = executor.spawn(async move {
            for _ in 0..work.total() {
                drop(E::Reactor::accept(&listener).await?);
            }
            io::Result::Ok(())
        });
        let connecting = executor.spawn(async move {
            let mut laps = Laps::start(&work);
            for _ in 0..work.total() {
                let mut stream = E::Reactor::connect(addr).await?;
                // The end of the stream shows that the other side has accepted and closed.
                if stream.read(&mut [0]).await? != 0 {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                close_without_linger(&stream)?;
                drop(stream);
                laps.op();
            }
            io::Result::Ok(laps.ns_per_op())
        });
        let ns_per_op = connecting.await?;
        accepting.await?;
        io::Result::Ok(ns_per_op)
    })?;
    Ok(vec![ns_per_op])
}

const LISTENER: u64 = 0;
const CLIENT: u64 = 1;
const SERVER: u64 = 2;

/// Registers what it connects and accepts, as a server would that goes on to use them.
fn raw(work: &Work) -> Result<Sample> {
    let (listener, addr) = tcp_listener()?;
    listener.set_nonblocking(true)?;
    let SocketAddr::V4(addr) = addr else {
        bail!("expected an IPv4 listener, found {addr}");
    };
    debug_assert_eq!(*addr.ip(), Ipv4Addr::LOCALHOST);
    let epoll = Epoll::new()?;
    epoll.add(&listener, LISTEN, LISTENER)?;
    let mut laps = Laps::start(work);
    for _ in 0..work.total() {
        raw_connection(&epoll, &listener, addr)?;
        laps.op();
    }
    Ok(vec![laps.ns_per_op()])
}

fn raw_connection(epoll: &Epoll, listener: impl AsFd, addr: SocketAddrV4) -> Result<()> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let tcp = Some(ipproto::TCP);
    let client = socket_with(AddressFamily::INET, SocketType::STREAM, flags, tcp)?;
    match connect(&client, &addr) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
        Err(error) => return Err(error.into()),
    }
    epoll.add(&client, BOTH, CLIENT)?;
    let mut events = [Event { events: 0, u64: 0 }; 8];
    loop {
        let ready = epoll.wait(&mut events, -1)?;
        for event in &events[..ready] {
            let (token, flags) = (event.u64, event.events);
            if token == LISTENER {
                let accepted =
                    accept_with(&listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?;
                epoll.add(&accepted, BOTH, SERVER)?;
            } else if token == CLIENT && flags & libc::EPOLLIN as u32 != 0 {
                if recv(&client, &mut [0], RecvFlags::empty())?.0 != 0 {
                    bail!("data on a connection that carries none");
                }
                close_without_linger(&client)?;
                return Ok(());
            }
        }
    }
}
