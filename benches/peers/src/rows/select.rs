//! One task that waits on 100 idle sockets and an active one.

use std::future::{poll_fn, Future};
use std::io::{self, Read, Write};
use std::task::Poll;

use anyhow::Result;

use crate::epoll::{events, Epoll, READ};
use crate::laps::Laps;
use crate::load::MESSAGE;
use crate::peer::{ours, tokio, upstream};
use crate::reactor::{Executor, Reactor, Stream};
use crate::row::{Body, Figure, Peer, Row, Sample, Target, Work};
use crate::rows::pingpong::{Buffer, Bytes, Channel};
use crate::sockets::{allow_fds, unix_pair};

/// How many sockets stay silent; the active one comes after them.
pub(crate) const IDLE: usize = 100;

pub(crate) fn row() -> Row {
    let mut cases = vec![(Peer::Raw, raw as Body)];
    cases.extend(one_thread!(reads));
    Row {
        name: "select-100",
        about: "a task that waits on 100 idle sockets and one active answers a message",
        ops: 2_000,
        quick_ops: 500,
        counted_ops: 200,
        starts: None,
        figures: vec![Figure::time("a round trip").only(Target::Of(Peer::Upstream, 0.6))],
        cases,
    }
}

/// How a task waits for the first message on any of its streams.
pub(crate) trait Wait {
    /// Which stream had it. It fills `buf` up to `MESSAGE`.
    fn first<S: Stream>(
        streams: &mut [S],
        buf: &mut Buffer,
    ) -> impl Future<Output = io::Result<usize>> + Send;
}

fn reads<E: Executor>(work: &Work) -> Result<Sample> {
    body::<E, Reads>(work)
}

pub(crate) fn body<E: Executor, W: Wait>(work: &Work) -> Result<Sample> {
    allow_fds(400)?;
    let work = *work;
    let ns_per_op = E::run(|executor| async move {
        let (mut silent, mut streams) = (Vec::new(), Vec::new());
        for _ in 0..=IDLE {
            let (a, b) = unix_pair()?;
            silent.push(E::Reactor::unix(a)?);
            streams.push(E::Reactor::unix(b)?);
        }
        let mut client = Bytes(silent.pop().expect("the active one is the last"));
        let answering = executor.spawn(async move {
            for _ in 0..work.total() {
                let mut buf = [0; 1024];
                let active = W::first(&mut streams, &mut buf).await?;
                streams[active].write_all(&buf[..MESSAGE]).await?;
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
        io::Result::Ok(ns_per_op)
    })?;
    Ok(vec![ns_per_op])
}

/// Polls the read of each stream at every turn, as a select over them does.
struct Reads;

impl Wait for Reads {
    async fn first<S: Stream>(streams: &mut [S], buf: &mut Buffer) -> io::Result<usize> {
        poll_fn(|cx| {
            for (number, stream) in streams.iter_mut().enumerate() {
                if let Poll::Ready(read) = stream.poll_read(cx, buf) {
                    return Poll::Ready(read.and_then(whole).map(|()| number));
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// A message comes in one piece.
pub(crate) fn whole(read: usize) -> io::Result<()> {
    match read {
        MESSAGE => Ok(()),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

pub(crate) fn raw(work: &Work) -> Result<Sample> {
    allow_fds(400)?;
    let epoll = Epoll::new()?;
    let (mut silent, mut streams) = (Vec::new(), Vec::new());
    for token in 0..=IDLE {
        let (a, b) = unix_pair()?;
        epoll.add(&b, READ, token as u64)?;
        silent.push(a);
        streams.push(b);
    }
    const CLIENT: usize = IDLE + 1;
    let client = silent.pop().expect("the active one is the last");
    epoll.add(&client, READ, CLIENT as u64)?;
    streams.push(client);
    let mut events = events();
    let mut buf = [7; MESSAGE];
    let mut laps = Laps::start(work);
    let mut rounds = 0;
    streams[CLIENT].write_all(&buf)?;
    loop {
        let ready = epoll.wait(&mut events, -1)?;
        for event in &events[..ready] {
            let active = event.u64 as usize;
            streams[active].read_exact(&mut buf)?;
            if active == CLIENT {
                rounds += 1;
                laps.op();
                if rounds == work.total() {
                    return Ok(vec![laps.ns_per_op()]);
                }
            }
            streams[active].write_all(&buf)?;
        }
    }
}
