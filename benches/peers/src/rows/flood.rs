//! A light connection beside a flood: one thread writes to 3,000 socket pairs without rest, each of them has a
//! task that reads, and all tasks run on one executor thread. One end of the ping-pong is a task among them,
//! the other is the main future.
//!
//! The figures say how often the light connection is served, and how long it has to wait at the worst. Readers
//! that fall behind the writer find longer queues at each turn, which makes the turn longer: what the reactor
//! takes from their thread is multiplied.

use std::io::{self, ErrorKind, Write};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::load::MESSAGE;
use crate::peer::{ours, tokio, upstream};
use crate::reactor::{Executor, Reactor, Stream};
use crate::row::{Figure, Peer, Row, Sample, Work};
use crate::rows::foreign::answer;
use crate::rows::pingpong::{Bytes, Channel};
use crate::sockets::{allow_fds, tcp_pairs, unix_pair};

/// How many socket pairs are written to.
const FLOODED: usize = 3_000;

pub(crate) fn row() -> Row {
    Row {
        name: "flood",
        about: "ping-pong beside 3,000 pairs written to without rest, for 3 s; tokio: one worker",
        // Milliseconds: the trips made in this time are what is measured.
        ops: 3_000,
        quick_ops: 1_000,
        counted_ops: 0,
        starts: Some(6),
        figures: vec![
            Figure::per_second("Unix, round trips"),
            Figure::time("Unix, the worst").uncounted(),
            Figure::per_second("TCP, round trips"),
            Figure::time("TCP, the worst").uncounted(),
        ],
        cases: vec![
            (Peer::Ours, body::<ours::Worker>),
            (Peer::Upstream, body::<upstream::Worker>),
            (Peer::Tokio, body::<tokio::Worker>),
        ],
    }
}

fn body<E: Executor>(work: &Work) -> Result<Sample> {
    let pairs = FLOODED + 1;
    allow_fds(2 * pairs as u64 + 100)?;
    let unix = (0..pairs).map(|_| unix_pair()).collect::<io::Result<_>>();
    let unix = flood::<E, _, _>(work, unix.context("opening Unix pairs")?, E::Reactor::unix)?;
    let tcp = tcp_pairs(pairs).context("opening TCP pairs")?;
    let tcp = flood::<E, _, _>(work, tcp, E::Reactor::tcp)?;
    Ok([unix, tcp].concat())
}

/// Floods all pairs but one. Returns that one's figures.
fn flood<E, W, S>(
    work: &Work,
    mut pairs: Vec<(W, W)>,
    open: fn(W) -> io::Result<S>,
) -> Result<Sample>
where
    E: Executor,
    W: Write + Send,
    S: Stream,
{
    let (asking, answering) = pairs.pop().expect("one pair is not flooded");
    let (written, read): (Vec<W>, Vec<W>) = pairs.into_iter().unzip();
    thread::scope(|scope| {
        let writer = scope.spawn(|| write_without_rest(written));
        let served = E::run(|executor| async move {
            let read = read.into_iter().map(|stream| Ok(executor.spawn(discard(open(stream)?))));
            let _readers = read.collect::<io::Result<Vec<_>>>()?;
            let mut answering = Bytes(open(answering)?);
            let _answerer = executor.spawn(async move { answer(&mut answering, u64::MAX).await });
            ask(Bytes(open(asking)?), work).await
        });
        // The readers have gone, and that is what ends the writer.
        writer.join().expect("the writer does not panic")?;
        Ok(served?)
    })
}

/// Writes a message to each stream in turn, and to those that are full in the next turn, until one is closed.
fn write_without_rest(mut streams: Vec<impl Write>) -> io::Result<()> {
    loop {
        for stream in &mut streams {
            // As much of a message as there is room for: the readers take any bytes.
            match stream.write(&[5; MESSAGE]).map(drop) {
                Ok(()) => {}
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => {}
                    ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => return Ok(()),
                    _ => return Err(error),
                },
            }
        }
    }
}

/// Reads a message at a time.
async fn discard(mut stream: impl Stream) -> io::Result<()> {
    let mut message = [0; MESSAGE];
    while stream.read(&mut message).await? > 0 {}
    Ok(())
}

/// Round trips a second, and nanoseconds of the longest.
async fn ask(mut channel: impl Channel, work: &Work) -> io::Result<Sample> {
    let begin = Instant::now() + Duration::from_millis(work.warm_up);
    let end = begin + Duration::from_millis(work.ops);
    let (mut trips, mut longest) = (0, Duration::ZERO);
    let mut buf = [7; 1024];
    loop {
        let start = Instant::now();
        channel.send(&buf[..MESSAGE]).await?;
        channel.receive(&mut buf).await?;
        let now = Instant::now();
        // One that began before counts as a whole: else a very long one might not count at all.
        if now > begin {
            trips += 1;
            longest = longest.max(now - start);
        }
        if now > end {
            let per_second = f64::from(trips) / (now - begin).as_secs_f64();
            return Ok(vec![per_second, longest.as_nanos() as f64]);
        }
    }
}
