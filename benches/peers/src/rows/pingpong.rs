//! A message to and fro between two tasks on one thread.

use std::future::Future;
use std::io::{self, Read, Write};
use std::marker::PhantomData;
use std::net::{TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::epoll::{events, Epoll, READ};
use crate::laps::Laps;
use crate::load::MESSAGE;
use crate::peer::{ours, tokio, upstream};
use crate::reactor::{Datagram, Executor, Reactor, Stream};
use crate::row::{Body, Figure, Peer, Row, Sample, Target, Work};
use crate::sockets::{tcp_pair, udp_pair, unix_pair};

/// Longer than any run, so that the guard is never reached.
const GUARD: Duration = Duration::from_secs(30);

pub(crate) fn rows() -> Vec<Row> {
    let trip = || vec![Figure::time("a round trip")];
    vec![
        row(
            "pingpong",
            "64 B, two tasks on one thread, TCP loopback",
            vec![Figure::time("a round trip").and(Target::Of(Peer::Raw, 1.1))],
            raw_tcp,
            one_thread!(tcp),
        ),
        row("pingpong-unix", "the same over a socket pair", trip(), raw_unix, one_thread!(unix)),
        row("udp", "the same over UDP loopback", trip(), raw_udp, one_thread!(udp)),
        row(
            "pingpong-readable",
            "TCP, through readable().await and a plain read",
            trip(),
            raw_tcp,
            one_thread!(readable),
        ),
    ]
}

pub(crate) fn guard_row() -> Row {
    row(
        "guard",
        "pingpong-unix with a 30 s timeout around every receive",
        vec![Figure::time("a round trip")],
        raw_guarded,
        one_thread!(guarded),
    )
}

fn row(
    name: &'static str,
    about: &'static str,
    figures: Vec<Figure>,
    raw: Body,
    others: [(Peer, Body); 3],
) -> Row {
    let mut cases = vec![(Peer::Raw, raw)];
    cases.extend(others);
    Row {
        name,
        about,
        ops: 20_000,
        quick_ops: 4_000,
        counted_ops: 500,
        starts: None,
        figures,
        cases,
    }
}

/// What is read into. Longer than a message, as a program's buffer is, so that a short read shows
/// a drained queue to those who use that.
pub(crate) type Buffer = [u8; 1024];

/// One end of what the message travels through.
pub(crate) trait Channel: Send + 'static {
    /// Fills the first `MESSAGE` bytes. There is never more than one message under way.
    fn receive(&mut self, buf: &mut Buffer) -> impl Future<Output = io::Result<()>> + Send;
    fn send(&mut self, message: &[u8]) -> impl Future<Output = io::Result<()>> + Send;
}

/// A stream, read with the peer's own read.
pub(crate) struct Bytes<S>(pub(crate) S);

impl<S: Stream> Channel for Bytes<S> {
    async fn receive(&mut self, buf: &mut Buffer) -> io::Result<()> {
        let mut filled = 0;
        while filled < MESSAGE {
            match self.0.read(&mut buf[filled..]).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => filled += n,
            }
        }
        Ok(())
    }

    async fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.0.write_all(message).await
    }
}

/// A stream, waited for with `readable()` and then read with a plain system call.
struct Readiness<S>(S);

impl<S: Stream> Channel for Readiness<S> {
    async fn receive(&mut self, buf: &mut Buffer) -> io::Result<()> {
        let mut filled = 0;
        while filled < MESSAGE {
            self.0.readable().await?;
            match self.0.try_read(&mut buf[filled..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.0.write_all(message).await
    }
}

struct Packets<D>(D);

impl<D: Datagram> Channel for Packets<D> {
    async fn receive(&mut self, buf: &mut Buffer) -> io::Result<()> {
        match self.0.recv(buf).await? {
            MESSAGE => Ok(()),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    async fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.0.send(message).await.map(drop)
    }
}

/// A channel with a timeout around every receive.
struct Guarded<C, R>(C, PhantomData<R>);

impl<C: Channel, R: Reactor> Channel for Guarded<C, R> {
    fn receive(&mut self, buf: &mut Buffer) -> impl Future<Output = io::Result<()>> + Send {
        R::within(GUARD, self.0.receive(buf))
    }

    fn send(&mut self, message: &[u8]) -> impl Future<Output = io::Result<()>> + Send {
        self.0.send(message)
    }
}

/// Nanoseconds a round trip between two tasks.
pub(crate) async fn exchange<E: Executor, C: Channel>(
    executor: &E,
    (mut client, mut server): (C, C),
    work: &Work,
) -> io::Result<f64> {
    let work = *work;
    let answering = executor.spawn(async move {
        let mut buf = [0; 1024];
        for _ in 0..work.total() {
            server.receive(&mut buf).await?;
            server.send(&buf[..MESSAGE]).await?;
        }
        io::Result::Ok(())
    });
    let asking = executor.spawn(async move {
        let mut buf = [7; 1024];
        let mut laps = Laps::start(&work);
        for _ in 0..work.total() {
            client.send(&buf[..MESSAGE]).await?;
            client.receive(&mut buf).await?;
            laps.op();
        }
        io::Result::Ok(laps.ns_per_op())
    });
    let ns_per_op = asking.await?;
    answering.await?;
    Ok(ns_per_op)
}

/// Runs the exchange over the channel that `open` makes inside the peer's context.
fn sample<E: Executor, C: Channel>(
    work: &Work,
    open: impl FnOnce() -> io::Result<(C, C)>,
) -> Result<Sample> {
    let ns_per_op = E::run(|executor| async move { exchange(&executor, open()?, work).await })?;
    Ok(vec![ns_per_op])
}

pub(crate) fn tcp<E: Executor>(work: &Work) -> Result<Sample> {
    sample::<E, _>(work, || {
        let (a, b) = tcp_pair()?;
        Ok((Bytes(E::Reactor::tcp(a)?), Bytes(E::Reactor::tcp(b)?)))
    })
}

fn readable<E: Executor>(work: &Work) -> Result<Sample> {
    sample::<E, _>(work, || {
        let (a, b) = tcp_pair()?;
        let a = Readiness(E::Reactor::tcp(a)?);
        Ok((a, Readiness(E::Reactor::tcp(b)?)))
    })
}

fn unix<E: Executor>(work: &Work) -> Result<Sample> {
    sample::<E, _>(work, || {
        let (a, b) = unix_pair()?;
        Ok((Bytes(E::Reactor::unix(a)?), Bytes(E::Reactor::unix(b)?)))
    })
}

fn udp<E: Executor>(work: &Work) -> Result<Sample> {
    sample::<E, _>(work, || {
        let (a, b) = udp_pair()?;
        Ok((Packets(E::Reactor::udp(a)?), Packets(E::Reactor::udp(b)?)))
    })
}

fn guarded<E: Executor>(work: &Work) -> Result<Sample> {
    sample::<E, _>(work, || {
        let (a, b) = unix_pair()?;
        let guard = |stream| Guarded::<_, E::Reactor>(Bytes(stream), PhantomData);
        Ok((guard(E::Reactor::unix(a)?), guard(E::Reactor::unix(b)?)))
    })
}

/// A socket of the raw loop.
pub(crate) trait RawChannel: AsFd {
    fn receive(&self, buf: &mut [u8]) -> io::Result<usize>;
    fn send(&self, message: &[u8]) -> io::Result<usize>;
}

macro_rules! raw_stream {
    ($stream:ty) => {
        impl RawChannel for $stream {
            fn receive(&self, buf: &mut [u8]) -> io::Result<usize> {
                let mut stream = self;
                stream.read(buf)
            }

            fn send(&self, message: &[u8]) -> io::Result<usize> {
                let mut stream = self;
                stream.write(message)
            }
        }
    };
}

raw_stream!(TcpStream);
raw_stream!(UnixStream);

impl RawChannel for UdpSocket {
    fn receive(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.recv(buf)
    }

    fn send(&self, message: &[u8]) -> io::Result<usize> {
        self.send(message)
    }
}

/// The exchange as a raw loop: a hop is one wait, one read and one write. With `guard`, every
/// receive has a deadline, which the wait's timeout keeps.
pub(crate) fn raw_exchange<C: RawChannel>(
    epoll: &Epoll,
    pair: (C, C),
    work: &Work,
    guard: Option<Duration>,
) -> io::Result<f64> {
    let ends = [pair.0, pair.1];
    epoll.add(&ends[0], READ, 0)?;
    epoll.add(&ends[1], READ, 1)?;
    let mut events = events();
    let mut bufs = [[0; 1024]; 2];
    let mut filled = [0, 0];
    let mut deadlines = guard.map(|guard| [Instant::now() + guard; 2]);
    let mut laps = Laps::start(work);
    let mut rounds = 0;
    ends[0].send(&[7; MESSAGE])?;
    loop {
        let timeout_ms = match deadlines {
            Some([a, b]) => a.min(b).saturating_duration_since(Instant::now()).as_millis() as i32,
            None => -1,
        };
        let ready = epoll.wait(&mut events, timeout_ms)?;
        if ready == 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        for event in &events[..ready] {
            let end = (event.u64 & 1) as usize;
            // Never fills the buffer, and so shows that the queue is drained.
            match ends[end].receive(&mut bufs[end][filled[end]..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => filled[end] += n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            }
            if filled[end] < MESSAGE {
                continue;
            }
            filled[end] = 0;
            if let (Some(deadlines), Some(guard)) = (&mut deadlines, guard) {
                deadlines[end] = Instant::now() + guard;
            }
            if end == 0 {
                rounds += 1;
                laps.op();
                if rounds == work.total() {
                    return Ok(laps.ns_per_op());
                }
            }
            ends[end].send(&bufs[end][..MESSAGE])?;
        }
    }
}

fn raw<C: RawChannel>(work: &Work, pair: (C, C), guard: Option<Duration>) -> Result<Sample> {
    Ok(vec![raw_exchange(&Epoll::new()?, pair, work, guard)?])
}

pub(crate) fn raw_tcp(work: &Work) -> Result<Sample> {
    raw(work, tcp_pair()?, None)
}

fn raw_unix(work: &Work) -> Result<Sample> {
    raw(work, unix_pair()?, None)
}

fn raw_udp(work: &Work) -> Result<Sample> {
    raw(work, udp_pair()?, None)
}

fn raw_guarded(work: &Work) -> Result<Sample> {
    raw(work, unix_pair()?, Some(GUARD))
}
