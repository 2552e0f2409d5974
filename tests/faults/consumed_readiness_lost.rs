//! A tracer that waits for samples in a perf ring with `readable()` sleeps with samples in front of it.
//! The ring's `poll` says "readable" once for each sample and forgets it, whoever asks. So an event that
//! is delivered and not believed is gone, and the next one comes with the next sample only. Upstream does
//! not believe an event that is harvested by the wait under way when the waiter began; and it does not
//! register while nobody waits, and then consumes by registering what came in between. Of 20 samples
//! `readable()` missed 20, and `poll_readable` 10, when they came while the waiter was still in its poll.
//! Ours counts a round when the wait returns, so that what is harvested after the waiter began is new;
//! stays registered; asks once when a wait begins; and remembers an event that nobody waited for. It once
//! took for old what a round had harvested and not delivered yet when the waiter asked, on a machine that
//! stalled in between, one time in some ten thousand; `src/reactor/models.rs` has every order of the two.
//!
//! The last two hold for edge triggering, which the epoll poller and the portable poller on Linux have. A
//! one-shot registration that waits for nothing is still asked by epoll at each wake-up, and arming it asks
//! again: what comes before a wait, or while it begins, may be consumed there unseen, whatever we do. Those
//! two tests are left out when `ASYNC_IO_POLLER=polling-oneshot`; the third holds there too.
#![cfg(target_os = "linux")]

use std::env;
use std::future::{poll_fn, Future};
use std::pin::pin;
use std::task::Context;
use std::thread;
use std::time::Duration;

use async_io::{block_on, Async};

use crate::util::child::own_process;
use crate::util::perf_ring::{Faulter, PerfRing};
use crate::util::{bounded, perf_ring, poller};

/// Long enough for the reactor to harvest what just happened, short enough to be slept a few dozen times.
/// Nothing is asserted about it.
const HARVEST: Duration = Duration::from_millis(2);

/// When a sample is made.
#[derive(Clone, Copy, PartialEq)]
enum Sample {
    /// When the waiter has been told `Pending` and is still within its poll.
    InThePoll,
    /// Before the wait begins, in time for the reactor to harvest it while nobody waits.
    BeforeTheWait,
    /// While the wait begins.
    AsTheWaitBegins,
}

/// By what means to wait.
#[derive(Clone, Copy, Debug)]
enum Wait {
    Readable,
    PollReadable,
}

/// The ring to wait on and its sampled thread; nothing where the kernel does not give us one.
fn ring(test: &str) -> Option<(Async<PerfRing>, Faulter)> {
    match perf_ring::start() {
        Ok((ring, faulter)) => Some((Async::new(ring).expect("a ring can be waited on"), faulter)),
        Err(error) => {
            let message = format!("{test}: left out, no perf event can be opened: {error}");
            assert!(env::var("CI").as_deref() != Ok("true"), "{message}");
            eprintln!("{message}");
            None
        }
    }
}

/// One wait. `pending` is called within each poll that says `Pending`.
async fn ready(ring: &Async<PerfRing>, wait: Wait, mut pending: impl FnMut()) {
    let mut readable = pin!(ring.readable());
    let poll = |cx: &mut Context<'_>| {
        let ready = match wait {
            Wait::Readable => readable.as_mut().poll(cx),
            Wait::PollReadable => ring.poll_readable(cx),
        };
        if ready.is_pending() {
            pending();
        }
        ready
    };
    poll_fn(poll).await.expect("the wait succeeds");
}

/// Reads `count` samples, each made when the one before was read, so that nothing else can wake a reader
/// that missed one.
async fn read_samples(
    ring: &Async<PerfRing>,
    faulter: &Faulter,
    wait: Wait,
    sample: Sample,
    count: usize,
) {
    let mut read = ring.get_ref().drain();
    let mut made = 0;
    while made < count {
        // The sampled thread has faults of its own now and then; their samples are read and not counted.
        read += ring.get_ref().drain();
        let before = read;
        let mut made_now = sample != Sample::InThePoll;
        if made_now {
            faulter.fault();
        }
        if sample == Sample::BeforeTheWait {
            thread::sleep(HARVEST);
        }
        while read == before {
            let pending = || {
                if !made_now {
                    made_now = true;
                    faulter.fault();
                    thread::sleep(HARVEST);
                }
            };
            ready(ring, wait, pending).await;
            read += ring.get_ref().drain();
        }
        made += 1;
    }
}

/// Both means of waiting, on a foreign executor and on ours.
fn all_samples_are_read(test: &str, sample: Sample, count: usize) {
    let Some(_watchdog) = own_process(test) else {
        return;
    };
    for wait in [Wait::Readable, Wait::PollReadable] {
        let Some((ring, faulter)) = ring(test) else {
            return;
        };
        bounded::finish(
            &format!("the reader of a ring that holds a sample, by {wait:?}"),
            read_samples(&ring, &faulter, wait, sample, count),
        );
        block_on(read_samples(&ring, &faulter, wait, sample, count));
    }
}

#[test]
fn a_sample_in_the_poll_is_not_lost() {
    all_samples_are_read("a_sample_in_the_poll_is_not_lost", Sample::InThePoll, 20);
}

#[test]
fn a_sample_before_the_wait_is_not_lost() {
    let test = "a_sample_before_the_wait_is_not_lost";
    if poller::is_edge_triggered(test) {
        all_samples_are_read(test, Sample::BeforeTheWait, 20);
    }
}

#[test]
fn a_sample_as_the_wait_begins_is_not_lost() {
    let test = "a_sample_as_the_wait_begins_is_not_lost";
    if poller::is_edge_triggered(test) {
        all_samples_are_read(test, Sample::AsTheWaitBegins, 500);
    }
}
