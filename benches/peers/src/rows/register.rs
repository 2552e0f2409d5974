//! A source registered and deregistered, on one thread and on two at once.

use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Barrier;
use std::thread;

use anyhow::Result;

use crate::epoll::{Epoll, BOTH};
use crate::laps::Laps;
use crate::peer::tokio::Tokio;
use crate::peer::{ours, upstream};
use crate::reactor::Reactor;
use crate::row::{Figure, Peer, Row, Sample, Target, Work};

pub(crate) fn row() -> Row {
    Row {
        name: "register",
        about: "Async::new + drop of an open socket; two threads: of the throughput of both",
        ops: 30_000,
        quick_ops: 6_000,
        counted_ops: 1_000,
        starts: None,
        figures: vec![
            Figure::time("one thread"),
            // 1.6 times the throughput is 1 / 1.6 of the time.
            Figure::time("two threads").and(Target::OfFigure(0, 0.625)),
        ],
        cases: vec![
            (Peer::Raw, raw),
            (Peer::Ours, body::<ours::AsyncIo>),
            (Peer::Upstream, body::<upstream::AsyncIo>),
            (Peer::Tokio, tokio),
        ],
    }
}

/// Nanoseconds a call of `register` with the calls shared out over one thread and over two.
fn sample(
    work: &Work,
    register: impl Fn(BorrowedFd<'_>) -> io::Result<()> + Sync,
) -> Result<Sample> {
    let mut sample = vec![f64::NAN; 2];
    for threads in [1, 2] {
        if work.wants(threads - 1) {
            sample[threads - 1] = on_threads(work, threads, &register)?;
        }
    }
    Ok(sample)
}

fn on_threads(
    work: &Work,
    threads: usize,
    register: &(impl Fn(BorrowedFd<'_>) -> io::Result<()> + Sync),
) -> io::Result<f64> {
    let share = Work { ops: work.ops / threads as u64, ..*work };
    let barrier = Barrier::new(threads);
    let one = || {
        // A UDP socket of its own, so that threads meet in the reactor only.
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        barrier.wait();
        let mut laps = Laps::start(&share);
        for _ in 0..share.total() {
            register(socket.as_fd())?;
            laps.op();
        }
        io::Result::Ok(laps.ns_per_op())
    };
    let each = thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        all.into_iter()
            .map(|thread| thread.join().expect("registering does not panic"))
            .collect::<io::Result<Vec<_>>>()
    })?;
    // Calls a nanosecond add up.
    Ok(1.0 / each.iter().map(|ns_per_op| 1.0 / ns_per_op).sum::<f64>())
}

fn body<R: Reactor>(work: &Work) -> Result<Sample> {
    sample(work, |fd| R::register(fd).map(drop))
}

/// Every thread enters the runtime, which a further thread drives.
fn tokio(work: &Work) -> Result<Sample> {
    Tokio::driven(|| {
        let runtime = tokio::runtime::Handle::current();
        sample(work, |fd| {
            let _context = runtime.enter();
            Tokio::register(fd).map(drop)
        })
    })
}

/// Both threads register with the same epoll.
fn raw(work: &Work) -> Result<Sample> {
    let epoll = Epoll::new()?;
    sample(work, |fd| {
        rustix::io::ioctl_fionbio(fd, true)?;
        epoll.add(fd, BOTH, 0)?;
        epoll.delete(fd)
    })
}
