//! A ping-pong beside 10,000 sources that wait and are never ready, and what they cost in bytes.

use std::future::Future;
use std::os::unix::net::UnixDatagram;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::alloc::growth_bytes;
use crate::epoll::{Epoll, READ};
use crate::peer::{ours, tokio, upstream};
use crate::reactor::{Executor, Reactor};
use crate::row::{Body, Figure, Peer, Row, Sample, Target, Work};
use crate::rows::pingpong::{exchange, raw_exchange, Bytes};
use crate::sockets::{allow_fds, tcp_pair};

const SOURCES: usize = 10_000;

/// The deadline of the timers that are counted.
const FAR: Duration = Duration::from_secs(600);

const WITHOUT: usize = 0;
const WITH: usize = 1;
const SOURCE_BYTES: usize = 2;
const WAITING_BYTES: usize = 3;
const TIMER_BYTES: usize = 4;

pub(crate) fn row() -> Row {
    let mut cases = vec![(Peer::Raw, raw as Body)];
    cases.extend(one_thread!(body));
    Row {
        name: "idle-10k",
        about: "pingpong beside 10,000 idle sources that wait; bytes of handle and heap",
        ops: 15_000,
        quick_ops: 4_000,
        // Registering as many sources takes calls whose number varies.
        counted_ops: 3_000,
        starts: None,
        figures: vec![
            Figure::time("without them").uncounted(),
            Figure::time("with them").and(Target::OfFigure(WITHOUT, 1.05)),
            Figure::bytes("a source").and(Target::AtMost(243.0)),
            Figure::bytes("a source that waits").and(Target::AtMost(395.0)),
            Figure::bytes("a timer").and(Target::AtMost(133.0)),
        ],
        cases,
    }
}

fn sockets() -> Result<Vec<UnixDatagram>> {
    allow_fds(SOURCES as u64 + 200)?;
    let mut sockets = Vec::with_capacity(SOURCES);
    for number in 0..SOURCES {
        let socket = UnixDatagram::unbound()
            .with_context(|| format!("opening socket {number} of {SOURCES}"))?;
        socket.set_nonblocking(true)?;
        sockets.push(socket);
    }
    Ok(sockets)
}

fn body<E: Executor>(work: &Work) -> Result<Sample> {
    let sockets = sockets()?;
    E::run(|executor| E::Reactor::unthrottled(measure(executor, work, sockets)))
}

async fn measure<E: Executor>(
    executor: E,
    work: &Work,
    sockets: Vec<UnixDatagram>,
) -> Result<Sample> {
    let mut sample = vec![f64::NAN; 5];
    if work.wants(WITHOUT) {
        sample[WITHOUT] = pingpong(&executor, work).await?;
    }
    sample[TIMER_BYTES] = timer_bytes::<E::Reactor>();

    let mut sources = Vec::with_capacity(SOURCES);
    let (made, bytes) = growth_bytes(|| {
        sockets.into_iter().try_for_each(|socket| {
            sources.push(E::Reactor::idle(socket)?);
            std::io::Result::Ok(())
        })
    });
    made?;
    sample[SOURCE_BYTES] =
        bytes as f64 / SOURCES as f64 + size_of::<<E::Reactor as Reactor>::Idle>() as f64;

    // The futures are allocated before the count, and their sizes are added to it.
    let mut waits: Vec<_> =
        sources.iter().map(|source| Box::pin(E::Reactor::wait_idle(source))).collect();
    let bytes = poll_all(&mut waits) / SOURCES as f64 + size_of_val(&*waits[0]) as f64;
    sample[WAITING_BYTES] = sample[SOURCE_BYTES] + bytes;

    if work.wants(WITH) {
        sample[WITH] = pingpong(&executor, work).await?;
    }
    Ok(sample)
}

/// By how many bytes the heap grew while every future was polled once, to no avail.
fn poll_all<F: Future>(futures: &mut [Pin<Box<F>>]) -> f64 {
    let (_, bytes) = growth_bytes(|| {
        let mut cx = Context::from_waker(Waker::noop());
        for future in futures.iter_mut() {
            assert!(future.as_mut().poll(&mut cx).is_pending(), "it is idle");
        }
    });
    bytes as f64
}

async fn pingpong<E: Executor>(executor: &E, work: &Work) -> Result<f64> {
    let (a, b) = tcp_pair()?;
    let pair = (Bytes(E::Reactor::tcp(a)?), Bytes(E::Reactor::tcp(b)?));
    Ok(exchange(executor, pair, work).await?)
}

/// A timer that waits, and what it has on the heap.
fn timer_bytes<R: Reactor>() -> f64 {
    // In no order: deadlines that only grow are kinder to some structures than programs are.
    let mut timers: Vec<_> = (0..SOURCES)
        .map(|number| FAR + Duration::from_micros(number as u64 * 7_919 % 10_007))
        .map(|after| Box::pin(R::sleep(after)))
        .collect();
    poll_all(&mut timers) / SOURCES as f64 + size_of::<R::Timer>() as f64
}

fn raw(work: &Work) -> Result<Sample> {
    let sockets = sockets()?;
    let epoll = Epoll::new()?;
    let mut sample = vec![f64::NAN; 5];
    if work.wants(WITHOUT) {
        sample[WITHOUT] = raw_exchange(&epoll, tcp_pair()?, work, None)?;
    }
    for (token, socket) in sockets.iter().enumerate() {
        epoll.add(socket, READ, token as u64 + 2)?;
    }
    if work.wants(WITH) {
        sample[WITH] = raw_exchange(&epoll, tcp_pair()?, work, None)?;
    }
    Ok(sample)
}
