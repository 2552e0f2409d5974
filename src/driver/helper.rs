//! The helper thread: it does rounds while no `block_on` thread does.

use std::thread;
use std::time::{Duration, Instant};

use parking::Parker;

use super::cpu::Clocks;
use super::handover::{self, Handover};
use super::watch::{Observed, Watch, CLOSE, SERVED};
use crate::reactor::lock::{DriverGuard, Holder};
use crate::reactor::{current, demand, Driver, Reactor, Round};
use crate::sync::park_for;
use crate::trace;

/// Somebody is about to wait: starts the helper thread if there is none, and ends a nap that is too
/// long for the waiter.
#[inline]
pub(crate) fn ensure_helper() {
    let handover = handover::get();
    if handover.must_start_helper() {
        start(current::get(), handover);
    } else if !demand::is_inside() {
        handover.wake_napping();
    }
}

#[cold]
fn start(reactor: &'static Reactor, handover: &'static Handover) {
    let builder = thread::Builder::new().name("async-io".to_owned());
    if let Err(error) = builder.spawn(move || help(reactor, handover)) {
        handover.helper_failed();
        trace::warn_once(
            trace::Warning::NoHelper,
            format_args!(
                "cannot start the helper thread ({error}): I/O and timers go on only while some \
                 thread is in async_io::block_on; raise the limit on threads (ulimit -u)"
            ),
        );
    }
}

/// What the helper does in the midst of a round.
impl Driver for Handover {
    fn is_awake(&self) {}

    fn unlock(&self, lock: DriverGuard<'_>, woken: usize) {
        if woken == 0 {
            return;
        }
        // A waker may take long, and nobody watches the lock meanwhile.
        self.begin_waking();
        drop(lock);
        self.offer();
    }
}

/// What the helper saw when it looked last.
struct Watcher {
    at: Instant,
    tick: u64,
    still_for: Duration,
    served_at: Option<Instant>,
    clocks: Clocks,
}

impl Watcher {
    /// Looks again.
    fn observe(&mut self, reactor: &Reactor, handover: &Handover) -> Observed {
        let now = Instant::now();
        let passed = now.duration_since(std::mem::replace(&mut self.at, now));
        let tick = reactor.tick();
        let is_still = std::mem::replace(&mut self.tick, tick) == tick;
        self.still_for = if is_still { self.still_for + passed } else { Duration::ZERO };
        let served = self.served_at.is_some_and(|at| now.duration_since(at) < SERVED);
        Observed {
            holder: reactor.lock().holder(),
            still_for: self.still_for,
            line: handover.has_line(),
            outsiders: reactor.has_outsiders(),
            served,
            // Only in this case does the answer make a difference.
            blocked: served && self.clocks.show_blocked(handover),
        }
    }
}

/// The helper thread.
fn help(reactor: &Reactor, handover: &Handover) {
    let (parker, unparker) = parking::pair();
    handover.become_helper(unparker);
    let mut watcher = Watcher {
        at: Instant::now(),
        tick: reactor.tick(),
        still_for: Duration::ZERO,
        served_at: None,
        clocks: Clocks::new(),
    };
    // A waker may fork, and this may be the child: everything here is its parent's.
    while !reactor.is_inherited() {
        match watcher.observe(reactor, handover).decide() {
            Watch::Nap(period) => nap(handover, &parker, period),
            Watch::Sleep if handover.fall_asleep(reactor.lock()) => {
                parker.park();
                handover.wake_up();
            }
            // The lock was let go just now.
            Watch::Sleep => {}
            // The thread that was offered the lock, or has taken it, gets a moment to begin.
            Watch::Offer => {
                handover.offer();
                nap(handover, &parker, CLOSE);
            }
            Watch::Drive => {
                if drive(reactor, handover) {
                    watcher.served_at = Some(Instant::now());
                }
                nap(handover, &parker, CLOSE);
            }
        }
    }
}

/// A nap. A waiter for whom it is too long may end it.
fn nap(handover: &Handover, parker: &Parker, period: Duration) {
    if period > CLOSE {
        handover.begin_nap();
    }
    park_for(parker, period);
    handover.wake_up();
}

/// Does rounds until a `block_on` thread takes over. Returns whether anybody was woken.
fn drive(reactor: &Reactor, handover: &Handover) -> bool {
    let mut round = Round::default();
    let mut served = false;
    trace::drive_begin();
    while let Some(lock) = reactor.lock().try_lock(Holder::Helper) {
        if handover.has_line() {
            drop(lock);
            handover.offer();
            break;
        }
        let woken = reactor.react(lock, &mut round, None, handover);
        if reactor.is_inherited() {
            break;
        }
        if woken > 0 {
            handover.wake_up();
            served = true;
        }
    }
    trace::drive_end();
    served
}
