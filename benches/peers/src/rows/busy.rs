//! How late others are woken when a `block_on` thread, which has been driving the reactor, begins
//! to compute.
//!
//! A round: the thread sleeps in short timers, so that it drives; then it computes for 100 ms, or
//! until the others have had their message, which is sent soon after the computation begins.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::epoll::{events, Epoll, READ};
use crate::peer::tokio::Tokio;
use crate::peer::{ours, upstream};
use crate::reactor::{Reactor, Stream};
use crate::row::{Figure, Peer, Row, Sample, Target, Work};
use crate::rows::pingpong::RawChannel;
use crate::sockets::unix_pair;
use crate::stats::percentile;

/// How long a computation takes at most.
const COMPUTING: Duration = Duration::from_millis(100);
/// How often, and how long, the thread sleeps in the reactor before it computes. Together longer
/// than upstream's helper thread takes to its deepest sleep.
const DRIVING: (u32, Duration) = (50, Duration::from_micros(500));
/// When the message is sent: so long after the computation's begin, times 1 to 8.
const AFTER: Duration = Duration::from_micros(250);

pub(crate) fn row() -> Row {
    Row {
        name: "busy-driver",
        about: "latency of a message to a task elsewhere when a block_on thread computes 100 ms",
        ops: 12,
        quick_ops: 8,
        counted_ops: 0,
        starts: None,
        figures: vec![
            Figure::time("p50").uncounted(),
            Figure::time("p99").and(Target::AtMost(1e6)).uncounted(),
        ],
        cases: vec![
            (Peer::Raw, raw),
            (Peer::Ours, body::<ours::AsyncIo>),
            (Peer::Upstream, body::<upstream::AsyncIo>),
            (Peer::Tokio2w, body::<Tokio>),
        ],
    }
}

/// How far the three threads are, in rounds.
#[derive(Default)]
struct Rounds {
    /// Computations begun.
    computing: AtomicU64,
    /// Messages received.
    received: AtomicU64,
}

impl Rounds {
    /// Computes in vain, until the message of this round has been received.
    fn compute(&self, round: u64) {
        self.computing.store(round, Ordering::Release);
        let start = Instant::now();
        while start.elapsed() < COMPUTING && self.received.load(Ordering::Acquire) < round {
            std::hint::spin_loop();
        }
    }

    fn has_begun(&self, round: u64) -> bool {
        self.computing.load(Ordering::Acquire) >= round
    }
}

/// Sends a message in every computation: the nanoseconds since `epoch`.
fn write_stamps(
    mut stream: UnixStream,
    epoch: Instant,
    rounds: &Rounds,
    count: u64,
) -> io::Result<()> {
    for round in 1..=count {
        while !rounds.has_begun(round) {
            thread::sleep(Duration::from_micros(200));
        }
        thread::sleep(AFTER * (1 + round as u32 % 8));
        let stamp_ns = epoch.elapsed().as_nanos() as u64;
        stream.write_all(&stamp_ns.to_ne_bytes())?;
    }
    Ok(())
}

/// What the reader does with a message: notes how old it is, and lets the round end.
fn note(stamp: [u8; 8], epoch: Instant, rounds: &Rounds, late_ns: &mut Vec<f64>) {
    let now_ns = epoch.elapsed().as_nanos() as u64;
    late_ns.push(now_ns.saturating_sub(u64::from_ne_bytes(stamp)) as f64);
    rounds.received.fetch_add(1, Ordering::Release);
}

/// Runs `others` with the reading end while a thread of its own writes the stamps.
fn with_writer(
    count: u64,
    others: impl FnOnce(UnixStream, Instant, Arc<Rounds>) -> io::Result<Vec<f64>>,
) -> Result<Sample> {
    let rounds = Arc::new(Rounds::default());
    let (stream, writing) = unix_pair()?;
    let epoch = Instant::now();
    let writer = thread::spawn({
        let rounds = rounds.clone();
        move || write_stamps(writing, epoch, &rounds, count)
    });
    let late_ns = others(stream, epoch, rounds)?;
    writer.join().expect("the writer does not panic")?;
    Ok(vec![percentile(&late_ns, 0.5), percentile(&late_ns, 0.99)])
}

fn body<R: Reactor>(work: &Work) -> Result<Sample> {
    let count = work.ops;
    with_writer(count, |stream, epoch, rounds| {
        let busy = rounds.clone();
        let computing = async move {
            for round in 1..=count {
                for _ in 0..DRIVING.0 {
                    R::sleep(DRIVING.1).await;
                }
                busy.compute(round);
            }
        };
        let reading = async move {
            let mut stream = R::unix(stream)?;
            let mut late_ns = Vec::with_capacity(count as usize);
            let mut stamp = [0; 8];
            for _ in 0..count {
                let filled = stream.read(&mut stamp).await?;
                assert_eq!(filled, stamp.len(), "a stamp is written in one piece");
                note(stamp, epoch, &rounds, &mut late_ns);
            }
            io::Result::Ok(late_ns)
        };
        R::beside(computing, reading)
    })
}

/// The reader's own epoll, which nobody else can hold up.
fn raw(work: &Work) -> Result<Sample> {
    let count = work.ops;
    with_writer(count, |stream, epoch, rounds| {
        let busy = rounds.clone();
        let computing = thread::spawn(move || {
            for round in 1..=count {
                thread::sleep(DRIVING.0 * DRIVING.1);
                busy.compute(round);
            }
        });
        let poll = Epoll::new()?;
        poll.add(&stream, READ, 0)?;
        let mut events = events();
        let mut late_ns = Vec::with_capacity(count as usize);
        let mut stamp = [0; 8];
        for _ in 0..count {
            poll.wait(&mut events, -1)?;
            let filled = stream.receive(&mut stamp)?;
            assert_eq!(filled, stamp.len(), "a stamp is written in one piece");
            note(stamp, epoch, &rounds, &mut late_ns);
        }
        computing.join().expect("the computation does not panic");
        Ok(late_ns)
    })
}
