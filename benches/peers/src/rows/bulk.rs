//! One way over TCP, as fast as it goes: two tasks on one thread, 64 KiB a call, no pacing.

use std::io::{self, Read, Write};

use anyhow::Result;

use crate::epoll::{events, Epoll, BOTH};
use crate::laps::Laps;
use crate::peer::{ours, tokio, upstream};
use crate::reactor::{Executor, Reactor, Stream};
use crate::row::{Body, Figure, Peer, Row, Sample, Work};
use crate::sockets::unpaced_tcp_pair;

/// Bytes of a write, and of the buffer of a read.
const CHUNK: usize = 64 * 1024;
/// Chunks of a lap: several times what the sockets hold between the two.
const WAVES: u64 = 256;
/// Chunks of a GiB.
const GIB: u64 = (1 << 30) / CHUNK as u64;

pub(crate) fn row() -> Row {
    let mut cases = vec![(Peer::Raw, raw as Body)];
    cases.extend(one_thread!(body));
    Row {
        name: "bulk",
        about: "1 GiB one way over TCP loopback (quick: 1/8 of it), two tasks on one thread",
        ops: GIB,
        quick_ops: GIB / 8,
        counted_ops: 1_000,
        starts: None,
        figures: vec![Figure::time("64 KiB")],
        cases,
    }
}

fn body<E: Executor>(work: &Work) -> Result<Sample> {
    let work = *work;
    let ns_per_op = E::run(|executor| async move {
        let (a, b) = unpaced_tcp_pair()?;
        let (mut sender, mut receiver) = (E::Reactor::tcp(a)?, E::Reactor::tcp(b)?);
        let sending = executor.spawn(async move {
            let chunk = vec![7; CHUNK];
            for _ in 0..work.total() {
                sender.write_all(&chunk).await?;
            }
            io::Result::Ok(())
        });
        let receiving = executor.spawn(async move {
            let mut buf = vec![0; CHUNK];
            let mut laps = Laps::of(&work, WAVES);
            for _ in 0..work.total() {
                receive_chunk(&mut receiver, &mut buf).await?;
                laps.op();
            }
            io::Result::Ok(laps.ns_per_op())
        });
        let ns_per_op = receiving.await?;
        sending.await?;
        io::Result::Ok(ns_per_op)
    })?;
    Ok(vec![ns_per_op])
}

async fn receive_chunk(stream: &mut impl Stream, buf: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while filled < CHUNK {
        match stream.read(&mut buf[filled..]).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => filled += n,
        }
    }
    Ok(())
}

const SENDER: u64 = 0;

/// Sends until the socket is full, then receives until it is empty, as the events say.
fn raw(work: &Work) -> Result<Sample> {
    Ok(vec![raw_transfer(work)?])
}

fn raw_transfer(work: &Work) -> io::Result<f64> {
    let (mut sender, mut receiver) = unpaced_tcp_pair()?;
    let epoll = Epoll::new()?;
    epoll.add(&sender, BOTH, SENDER)?;
    epoll.add(&receiver, BOTH, 1)?;
    let (chunk, mut buf) = (vec![7; CHUNK], vec![0; CHUNK]);
    let all = work.total() as usize * CHUNK;
    let (mut sent, mut received, mut filled) = (0, 0, 0);
    let mut laps = Laps::of(work, WAVES);
    let mut events = events();
    loop {
        let ready = epoll.wait(&mut events, -1)?;
        for event in &events[..ready] {
            if event.u64 == SENDER {
                while sent < all {
                    match sender.write(&chunk[..CHUNK.min(all - sent)]) {
                        Ok(n) => sent += n,
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                        Err(error) => return Err(error),
                    }
                }
                continue;
            }
            loop {
                let room = CHUNK - filled;
                let n = match receiver.read(&mut buf[filled..]) {
                    Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(n) => n,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                };
                received += n;
                filled = (filled + n) % CHUNK;
                if filled == 0 {
                    laps.op();
                }
                if received == all {
                    return Ok(laps.ns_per_op());
                }
                if n < room {
                    break;
                }
            }
        }
    }
}
