//! Driving the reactor: `block_on`, the helper thread, and who takes over from whom.
//!
//! A `block_on` thread takes the driver lock and does rounds when its future waits and nobody else
//! does; otherwise it parks, in line for the lock. The [helper] thread `async-io` does rounds when no
//! `block_on` thread does, and [watches](watch) for that. See [`handover`] for how the lock changes
//! hands, [`signal`] for how a thread is woken.

use std::any::type_name_of_val;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::pin;
use std::ptr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use parking::Parker;

use crate::reactor::lock::{DriverGuard, Holder};
use crate::reactor::{current, demand, Driver, Reactor, Round};
use crate::sync::park_for;
use crate::trace;

mod cpu;
pub(crate) mod handover;
mod helper;
pub(crate) mod signal;
mod watch;

use handover::Handover;
pub(crate) use helper::ensure_helper;
use signal::Signal;

/// How long a future that keeps waking itself is polled without a look at the poller.
const POLL_SPAN: Duration = Duration::from_micros(100);

/// How long a thread is parked in line before it calls the helper, which may be in the midst of a long
/// nap. It is not called at once: most threads that share their tasks park for less than that.
const LINE_SPAN: Duration = watch::CLOSE;

/// Blocks the current thread on a future, and drives I/O and timers meanwhile.
///
/// While the future waits, this thread waits for I/O events and timers on behalf of the whole
/// process, unless another thread already does; it then sleeps until its future is woken or the other
/// thread stops. It may be called from anywhere: inside another `block_on`, in a waker, in a
/// destructor, in a forked child.
///
/// While the future computes, this thread serves nobody. If other threads wait meanwhile, the helper
/// thread `async-io` drives the reactor within a millisecond. If only this future's own tasks wait, the
/// helper thread drives after ten milliseconds: one of those tasks may block the thread, in another
/// crate's `block_on` for example. After it has woken such a task, the helper thread drives within a
/// millisecond for the next 40 milliseconds.
///
/// # Panics
///
/// If the future panics, with its panic. The reactor and other threads' futures go on.
///
/// # Cancel safety
///
/// The future is dropped before this function returns or unwinds.
///
/// # Examples
///
/// ```
/// use async_io::Timer;
/// use std::time::Duration;
///
/// let fired = async_io::block_on(async {
///     Timer::after(Duration::from_millis(1)).await;
///     "fired"
/// });
/// assert_eq!(fired, "fired");
/// ```
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    trace::refresh();
    trace::block_on_begin();
    let caller = Caller::enter();
    let name = type_name_of_val(&future);
    let mut future = pin!(trace::block_on_task(future));
    caller.thread().signal.polls(&raw const *future, name);
    let mut cx = Context::from_waker(&caller.thread().waker);
    let mut looked: Option<Instant> = None;
    loop {
        caller.thread().signal.reset();
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        if caller.thread().signal.is_woken() {
            caller.look_at_the_poller(&mut looked);
        } else {
            caller.wait();
        }
    }
}

/// What a thread needs to block: kept from one `block_on` to the next.
struct Thread {
    parker: Parker,
    signal: Arc<Signal>,
    waker: Waker,
    /// One `block_on` borrows it for its rounds. A nested `block_on` has a `Thread` of its own.
    round: RefCell<Round>,
    /// Where the thread is known.
    known: Cell<&'static Handover>,
}

thread_local! {
    static SPARE: Cell<Option<Thread>> = const { Cell::new(None) };
}

impl Thread {
    fn new(handover: &'static Handover) -> Thread {
        let (parker, unparker) = parking::pair();
        let signal = Arc::new(Signal::new(unparker));
        handover.insert_thread(signal.clone());
        let waker = Waker::from(signal.clone());
        Thread { parker, signal, waker, round: RefCell::default(), known: Cell::new(handover) }
    }

    /// The handover of this process. A forked child has its own, and the thread registers there again.
    fn handover(&self) -> &'static Handover {
        let handover = handover::get();
        if !ptr::eq(self.known.replace(handover), handover) {
            handover.insert_thread(self.signal.clone());
        }
        handover
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // A child's copy of its parent's list may be locked for ever.
        let handover = handover::get();
        if ptr::eq(self.known.get(), handover) {
            handover.remove_thread(&self.signal);
        }
    }
}

/// A `block_on` under way.
struct Caller {
    /// `None` only at the end of `drop`.
    thread: Option<Thread>,
}

/// What a `block_on` thread does in the midst of a round.
impl Driver for Thread {
    #[inline]
    fn is_awake(&self) {
        self.signal.stop_driving();
    }

    #[inline]
    fn unlock(&self, lock: DriverGuard<'_>, woken: usize) {
        drop(lock);
        // If nobody is woken, this thread takes the lock again at once, or sees to the helper itself.
        if woken > 0 {
            handover::get().wake_sleeping();
        }
    }
}

impl Caller {
    fn enter() -> Caller {
        let handover = handover::get();
        // None is spare in the first call of this thread, in a nested call, and while the thread's
        // locals are destroyed. A forked child does not use the one of its parent.
        let spare = SPARE.try_with(Cell::take).ok().flatten();
        let spare = spare.filter(|thread| ptr::eq(thread.known.get(), handover));
        let thread = spare.unwrap_or_else(|| Thread::new(handover));
        thread.signal.enter();
        demand::enter();
        Caller { thread: Some(thread) }
    }

    #[inline]
    fn thread(&self) -> &Thread {
        self.thread.as_ref().expect("it is there until the end of `drop`")
    }

    /// The future woke itself. Harvests the events that are there, if the last look was some time ago.
    #[inline]
    fn look_at_the_poller(&self, looked: &mut Option<Instant>) {
        let now = Instant::now();
        let last = *looked.get_or_insert(now);
        if now.duration_since(last) >= POLL_SPAN {
            *looked = Some(now);
            self.harvest();
        }
    }

    #[cold]
    fn harvest(&self) {
        let (reactor, thread) = (current::get(), self.thread());
        if let Some(lock) = reactor.lock().try_lock(Holder::BlockOn) {
            thread.handover().round_begins();
            reactor.react(lock, &mut thread.round.borrow_mut(), Some(Duration::ZERO), thread);
            if reactor.is_inherited() {
                return;
            }
            // Nobody knows when this thread drives again. The helper may have fallen asleep because it
            // saw the lock held: now it must watch.
            thread.handover().wake_sleeping();
        } else {
            thread.handover().want();
        }
    }

    /// Waits until the future is woken, driving the reactor or parked.
    fn wait(&self) {
        let thread = self.thread();
        while !thread.signal.is_woken() {
            let reactor = current::get();
            let left = match reactor.lock().try_lock(Holder::BlockOn) {
                Some(lock) => self.drive(reactor, lock),
                None => {
                    thread.handover().want();
                    false
                }
            };
            if reactor.is_inherited() {
                // A waker has forked, and this is the child. Polled again, the future joins its reactor.
                return;
            }
            if left || reactor.lock().holder() != Holder::Nobody {
                self.park(reactor, left);
            }
        }
    }

    /// Does rounds until the future is woken or another thread has the lock. Returns whether the lock
    /// was left to another thread. That happens after a round whose events were for others, if a thread
    /// is in line or came for the lock during the round: one of the events is likely its own, and it
    /// had better wait for its events itself.
    fn drive(&self, reactor: &Reactor, lock: DriverGuard<'_>) -> bool {
        let thread = self.thread();
        let (handover, signal) = (thread.handover(), &thread.signal);
        let round = &mut thread.round.borrow_mut();
        let mut leaves = false;
        trace::drive_begin();
        let mut held = Some(lock);
        while let Some(lock) = held.take() {
            if !signal.start_driving() {
                break;
            }
            // A nested guard does not release the lock, so it cannot leave it to others.
            let may_leave = !lock.is_nested();
            handover.round_begins();
            let woken = reactor.react(lock, round, None, thread);
            if reactor.is_inherited() {
                return false;
            }
            leaves = may_leave && woken > 0 && !signal.is_woken() && handover.leave_to_another();
            if leaves || signal.is_woken() {
                break;
            }
            held = reactor.lock().try_lock(Holder::BlockOn);
        }
        drop(held);
        handover.wake_sleeping();
        trace::drive_end();
        leaves
    }

    /// Sleeps until the future is woken or the lock is offered. `left`: the lock may be free, but
    /// another thread is to take it. If that thread does not, the helper offers the lock again.
    fn park(&self, reactor: &Reactor, left: bool) {
        let Thread { parker, signal, .. } = self.thread();
        let handover = self.thread().handover();
        handover.enlist(signal);
        // A `block_on` thread drives before the helper does. And a thread that released the lock before
        // this one got in line has not seen it there.
        let holder = reactor.lock().holder();
        // The helper may have begun to wake tasks before this thread got in line.
        let left = left && handover.is_watched();
        if holder == Holder::Helper {
            reactor.notify();
        }
        if (left || holder != Holder::Nobody) && signal.start_parking() {
            trace::park_begin();
            if !park_for(parker, LINE_SPAN) {
                handover.wake_napping();
                parker.park();
            }
            trace::park_end();
            signal.stop_parking();
        }
        handover.delist(signal);
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let thread = self.thread.take().expect("it is taken here alone");
        if current::get().lock().holder() == Holder::Nobody {
            handover::get().offer();
        }
        thread.signal.leave();
        demand::leave();
        trace::block_on_end();
        // While the thread's locals are destroyed, there is no place to keep it.
        let _ = SPARE.try_with(|spare| spare.set(Some(thread)));
    }
}
