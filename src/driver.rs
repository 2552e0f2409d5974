//! Driving the reactor: `block_on`, the helper thread, and who takes over from whom.
//!
//! A `block_on` thread drives the reactor when its future waits and nobody else drives; otherwise it
//! parks and stands in line. The helper thread `async-io` drives when no `block_on` thread does. See
//! [`right`] for how the right to poll changes hands, [`signal`] for how a thread is woken.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use parking::Parker;

use crate::reactor::{current, Reactor, Round};
use crate::sync::park_for;
use crate::trace;

pub(crate) mod right;
pub(crate) mod signal;
pub(crate) mod users;

use right::{Driving, Holder, Right};
use signal::Signal;

/// How often the helper looks whether somebody drives. Two looks without a round in between, and it
/// sees to it: others' events are late by less than a millisecond while a driver is busy. Each look
/// costs a running thread its turn, so there are no more of them than that takes.
const WATCH_PERIOD: Duration = Duration::from_micros(400);

/// The same while there are no others, see [`users`], or each of them is at work within its `block_on`, and
/// drives when it has to wait. It must look even then: what they poll may itself block on I/O, in another
/// crate's `block_on`.
const WATCH_PERIOD_AT_EASE: Duration = Duration::from_millis(10);

/// At so many looks in a row the only user is left alone because it has begun another wait: it has
/// hundreds of tasks to poll, say, and nobody else would be served sooner. After that it may be one that
/// tries again and again within one poll, and waits for an event that nobody harvests.
const LEFT_ALONE_MAX: u32 = 5;

/// How many close looks follow when the helper woke somebody, however much it could take its ease.
const WARY_LOOKS: u32 = 100;

/// How long a future that keeps waking itself is polled without a look at the poller.
const POLL_SPAN: Duration = Duration::from_micros(100);

/// Blocks the current thread on a future, and drives I/O and timers meanwhile.
///
/// While the future waits, this thread waits for I/O events and timers on behalf of the whole
/// process, unless another thread already does; it then sleeps until its future is woken or the other
/// thread stops. It may be called from anywhere: inside another `block_on`, in a waker, in a
/// destructor, in a forked child.
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
    let mut future = pin!(future);
    let mut cx = Context::from_waker(&caller.thread().waker);
    let mut looked: Option<Instant> = None;
    let mut waited = false;
    loop {
        caller.thread().signal.reset();
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            if !waited {
                caller.leave_without_a_wait();
            }
            return output;
        }
        if caller.thread().signal.is_woken() {
            caller.look_at_the_poller(&mut looked);
        } else {
            caller.wait();
            waited = true;
        }
    }
}

/// What a thread needs to block: kept from one `block_on` to the next.
struct Thread {
    parker: Parker,
    signal: Arc<Signal>,
    waker: Waker,
    /// Borrowed for the rounds of one `block_on`; one inside it has a `Thread` of its own.
    round: RefCell<Round>,
    /// When it last left without a wait: the reactor's tick, and its last look at the poller since then.
    left: Cell<(u64, Option<Instant>)>,
}

thread_local! {
    static SPARE: Cell<Option<Thread>> = const { Cell::new(None) };
}

/// A `block_on` under way.
struct Caller {
    /// `None` only at the end of `drop`.
    thread: Option<Thread>,
}

impl Thread {
    fn new() -> Thread {
        let (parker, unparker) = parking::pair();
        let signal = Arc::new(Signal::new(unparker));
        let waker = Waker::from(signal.clone());
        Thread { parker, signal, waker, round: RefCell::default(), left: Cell::default() }
    }
}

impl Caller {
    fn enter() -> Caller {
        // Nothing spare: the first call of this thread, a call within a call, or a call while the
        // thread's locals are being destroyed.
        let spare = SPARE.try_with(Cell::take).ok().flatten();
        let driving = &current::get().driving;
        if driving.users.enter_block_on() {
            driving.unpark_helper();
        }
        Caller { thread: Some(spare.unwrap_or_else(Thread::new)) }
    }

    fn thread(&self) -> &Thread {
        self.thread.as_ref().expect("it is there until the end of `drop`")
    }

    /// The future was ready before it waited. A thread that only ever looks in, once a frame, say, does no
    /// round, and would not see what has come if nobody else does any.
    fn leave_without_a_wait(&self) {
        let reactor = current::get();
        let left = &self.thread().left;
        let (tick, mut looked) = left.get();
        let now = reactor.tick();
        if now != tick {
            left.set((now, None));
        } else if reactor.has_poller() && reactor.driving.holder() == Holder::Nobody {
            self.look_at_the_poller(&mut looked);
            left.set((reactor.tick(), looked));
        }
    }

    /// The future woke itself: harvests what is there, if the last look is a while ago.
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
        let reactor = current::get();
        if let Some(right) = reactor.driving.try_acquire(Holder::BlockOn) {
            let round = &mut self.thread().round.borrow_mut();
            reactor.react(right, round, Some(Duration::ZERO), || {});
            if reactor.is_inherited() {
                return;
            }
            // Nothing says when this thread comes back: a helper that fell asleep meanwhile, because
            // it saw the right held, must watch.
            reactor.driving.rouse();
        } else {
            reactor.driving.miss();
        }
    }

    /// Waits until the future is woken, driving the reactor or parked.
    fn wait(&self) {
        while !self.thread().signal.is_woken() {
            let reactor = current::get();
            let gave = match reactor.driving.try_acquire(Holder::BlockOn) {
                Some(right) => self.drive(reactor, right),
                None => {
                    reactor.driving.miss();
                    false
                }
            };
            if reactor.is_inherited() {
                // A waker has forked, and this is the child. Polled again, the future joins its reactor.
                return;
            }
            if gave || reactor.driving.holder() != Holder::Nobody {
                self.park(reactor, gave);
            }
        }
    }

    /// Does rounds until the future is woken or somebody else got hold of the right. Returns whether
    /// it was given away: when a round's events were for others, and one of them is likely to be that
    /// of a thread in line, or of one that came by for the right in vain, that thread had better
    /// wait for its events itself.
    fn drive(&self, reactor: &Reactor, right: Right<'_>) -> bool {
        let (driving, signal) = (&reactor.driving, &self.thread().signal);
        let round = &mut self.thread().round.borrow_mut();
        let mut gives = false;
        trace::drive_begin();
        let mut held = Some(right);
        while let Some(right) = held.take() {
            if !signal.start_driving() {
                break;
            }
            // One that holds the right twice cannot give it away.
            let may_give = !right.is_nested();
            let woken = reactor.react(right, round, None, || signal.stop_driving());
            if reactor.is_inherited() {
                return false;
            }
            gives = may_give && woken > 0 && !signal.is_woken() && driving.give();
            if gives || signal.is_woken() {
                break;
            }
            held = driving.try_acquire(Holder::BlockOn);
        }
        drop(held);
        driving.rouse();
        trace::drive_end();
        gives
    }

    /// Sleeps until the future is woken or the right is offered. `gave`: the right may be free, but
    /// it is another thread's to take; should that one not, the helper offers it again.
    fn park(&self, reactor: &Reactor, gave: bool) {
        let Thread { parker, signal, .. } = self.thread();
        reactor.driving.enlist(signal);
        // A `block_on` thread drives before the helper does. And whoever let go since the right was
        // refused did not see this one in line.
        let holder = reactor.driving.holder();
        if holder == Holder::Helper {
            reactor.notify();
        }
        if (gave || holder != Holder::Nobody) && signal.start_parking() {
            trace::park_begin();
            if !park_for(parker, WATCH_PERIOD) {
                // As long as nobody was in line, the helper may have taken its ease. It is not called at
                // once: most threads that share their tasks park for less than that.
                reactor.driving.call_helper();
                parker.park();
            }
            trace::park_end();
            signal.stop_parking();
        }
        reactor.driving.delist(signal);
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let driving = &current::get().driving;
        if driving.holder() == Holder::Nobody {
            driving.offer();
        }
        driving.users.leave_block_on();
        trace::block_on_end();
        let thread = self.thread.take();
        // During the destruction of the thread's locals there is nowhere to keep it.
        let _ = SPARE.try_with(|spare| spare.set(thread));
    }
}

impl Driving {
    /// Somebody is about to wait: sees to it that the helper thread runs and watches as it must.
    #[inline]
    pub(crate) fn ensure_helper(&self) {
        let driving = &current::get().driving;
        if driving.users.wait() {
            driving.unpark_helper();
        }
        if self.must_start_helper() {
            start_helper(current::get());
        }
    }
}

#[cold]
fn start_helper(reactor: &'static Reactor) {
    let builder = thread::Builder::new().name("async-io".to_owned());
    if let Err(error) = builder.spawn(move || help(reactor)) {
        reactor.driving.helper_failed();
        trace::warn_once(
            trace::Warning::NoHelper,
            format_args!(
                "cannot start the helper thread ({error}): I/O and timers go on only while some \
                 thread is in async_io::block_on; raise the limit on threads (ulimit -u)"
            ),
        );
    }
}

/// The helper thread.
fn help(reactor: &Reactor) {
    let (parker, unparker) = parking::pair();
    let driving = &reactor.driving;
    driving.set_helper_unparker(unparker);
    let mut seen_tick = reactor.tick();
    let mut seen_begun = driving.users.begun();
    let mut wary_looks = 0u32;
    let mut left_alone = 0u32;
    // A waker may fork, and this be the child: what is here is its parent's.
    while !reactor.is_inherited() {
        let at_ease = match driving.users.is_one() {
            true => wary_looks == 0 || left_alone > 0,
            false => wary_looks == 0 && driving.users.are_inside() && !driving.has_line(),
        };
        park_for(&parker, if at_ease { WATCH_PERIOD_AT_EASE } else { WATCH_PERIOD });
        wary_looks = wary_looks.saturating_sub(1);
        let tick = reactor.tick();
        let stands_still = tick == seen_tick;
        seen_tick = tick;
        let begun = driving.users.begun();
        let goes_on = begun != seen_begun && driving.users.is_one();
        seen_begun = begun;
        let leaves_alone = stands_still && goes_on && left_alone < LEFT_ALONE_MAX;
        left_alone = if leaves_alone { left_alone + 1 } else { 0 };
        match driving.holder() {
            Holder::Nobody if stands_still && !leaves_alone && !driving.offer() => {
                let served = drive_for_others(reactor, wary_looks > 0);
                wary_looks = if served { WARY_LOOKS } else { wary_looks };
            }
            Holder::Nobody => {}
            _ if stands_still && driving.fall_asleep() => {
                parker.park();
                driving.wake_up();
            }
            _ => {}
        }
    }
}

/// Does rounds until a `block_on` thread takes over. Returns whether anybody was woken. `wary`: somebody was,
/// a moment ago.
fn drive_for_others(reactor: &Reactor, wary: bool) -> bool {
    let mut round = Round::default();
    let mut served = false;
    trace::drive_begin();
    while let Some(right) = reactor.driving.try_acquire(Holder::Helper) {
        if reactor.driving.has_line() {
            right.release(true);
            reactor.driving.offer();
            break;
        }
        let woken = reactor.react(right, &mut round, None, || {});
        served |= woken > 0;
        if reactor.is_inherited() {
            break;
        }
        // What happened concerns nobody who waits: the only user is at work on that very source, and
        // would be held up by each event of it, of which a read makes the next. Where somebody was served, it
        // may be blocked elsewhere instead, and wait for another source.
        let needed = served || wary;
        if woken == 0 && !needed && round.has_events() && reactor.driving.users.is_one() {
            // Who got in line meanwhile saw the right held.
            reactor.driving.offer();
            break;
        }
    }
    trace::drive_end();
    served
}
