//! A run through every part of the reactor that leaves records, for tests whose subject is who listens.

use std::future::Future;
use std::io;
use std::task::Context;
use std::thread;
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::future;
use ticks_format::records::Kind;

use super::{counting_waker, tcp_pair, use_reactor};

/// How many operations [`exercise`] reports when each of them was completed.
pub const OPERATIONS: usize = 4 + 4 + THREADS * 4 + 3;

const THREADS: usize = 3;

/// Has sockets and timers waited for under an executor that leaves the driving to the helper thread,
/// under `block_on`, and under several `block_on` at once; then gives up a few waits.
///
/// Returns how many operations were completed.
pub fn exercise() -> io::Result<usize> {
    let mut completed = 0;
    for _ in 0..4 {
        future::block_on(use_reactor())?;
        block_on(use_reactor())?;
        completed += 2;
    }
    let together = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| (0..4).try_fold(0, |n, _| block_on(use_reactor()).map(|()| n + 1)))
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no thread panics"))
            .sum::<io::Result<usize>>()
    })?;
    completed += together;
    Ok(completed + give_up_waits()?)
}

/// Begins waits that are dropped, replaced or disarmed before anything happens.
fn give_up_waits() -> io::Result<usize> {
    let (near, _far) = tcp_pair()?;
    let near = Async::new(near)?;
    let mut readable = Box::pin(near.readable());
    let (waker, _) = counting_waker();
    let mut cx = Context::from_waker(&waker);
    assert!(readable.as_mut().poll(&mut cx).is_pending());
    drop(readable);

    let mut timer = Timer::after(Duration::from_secs(3600));
    assert!(super::poll_with(&mut timer, &waker).is_pending());
    timer.clear();
    drop(timer);

    // More tasks than share a direction's poll functions for long: the older ones are woken.
    let tasks: Vec<_> = (0..80).map(|_| counting_waker()).collect();
    for (waker, _) in &tasks {
        assert!(near.poll_readable(&mut Context::from_waker(waker)).is_pending());
    }
    assert!(tasks.iter().any(|(_, wakes)| wakes.get() > 0));
    near.into_inner()?;
    Ok(3)
}

/// The kind of a record, by its text.
pub fn kind_of(text: &str) -> Option<Kind> {
    let kinds = Kind::ALL.iter().copied().filter(|kind| text.starts_with(kind.name()));
    match kinds.max_by_key(|kind| kind.name().len())? {
        // The name of a delivered event, `ReactorLock::react: ev`, has the tick in its midst.
        Kind::ReactEvents if text.ends_with(" dropped (stale key)") => Some(Kind::ReactStale),
        Kind::ReactEvents if text.contains(" ev=Event ") => Some(Kind::ReactEvent),
        kind => Some(kind),
    }
}

/// The kinds of records that [`exercise`] leaves for certain, under every poller.
pub const KINDS: &[Kind] = &[
    Kind::Ticker,
    Kind::ReactBegin,
    Kind::ReactEvents,
    Kind::ReactEvent,
    Kind::ReactEnd,
    Kind::SourceNew,
    Kind::SourceDrop,
    Kind::PollBegin,
    Kind::PollEnd,
    Kind::SourceWaker,
    Kind::Wake,
    Kind::TimerInsert,
    Kind::TimerRemove,
    Kind::TimerFire,
    Kind::WaitBegin,
    Kind::WaitReturn,
    Kind::WaitEntry,
    Kind::WaitEnd,
    Kind::CtlBegin,
    Kind::CtlEnd,
    Kind::Notify,
    Kind::BlockOnBegin,
    Kind::BlockOnEnd,
    Kind::ParkBegin,
    Kind::ParkEnd,
    Kind::DriveBegin,
    Kind::DriveEnd,
];
