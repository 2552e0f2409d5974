//! A registered source: how a task comes to wait for it.
//!
//! There are three ways into a wait, and one way to go on with it:
//!
//! - *by request* ([`Source::poll_ready`]): the kernel is asked once;
//! - *after `WouldBlock` of a plain system call* ([`Source::poll_operation`] on a plain source), or after
//!   one that leaves its queue empty or, by level, is taken to: the ticks were read before the call, so
//!   nothing need be asked;
//! - *after `WouldBlock` of somebody else's code* (the same on any other source): the kernel is
//!   asked, and if it disagrees the task is woken for another turn;
//! - *going on*: the ticks decide, and no system call is made.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicU8, Ordering};
use std::sync::Arc;
use std::task::{ready, Context, Poll};

use ticks_format::{Direction, Key, Reason, Ticks, WakerChange};

use super::current::{self, Home};
use super::readiness::{delivered_alone, Displaced, Look, Readiness, Removed, WaiterId};
use super::registration::Registration;
use super::wakes::{self, Cause, Woken};
use super::{Reactor, NO_KEY};
use crate::poller::Level;
use crate::trace;

pub(crate) mod arming;
pub(crate) mod habit;
mod levels;

use arming::Arming;
use habit::Habit;

/// What is known of the thing behind a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nature {
    /// A socket or pipe of std: its operations are single system calls, so that `WouldBlock` is the
    /// kernel's own word, and reading is what consumes readiness.
    Plain,
    /// Plain, and a byte stream without message boundaries: a short read has drained it.
    Stream,
    /// Anything else: it may buffer, and its readiness may be consumed by asking.
    Unknown,
}

/// What a result says of what is left in the kernel's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    Untold,
    /// It is empty, if it is a byte stream.
    Empty,
    /// The same, by a dearer operation than is needed by level.
    #[allow(dead_code)] // Where there are Unix streams.
    EmptyDearly,
    /// It may well be empty: a message was taken out, or all bytes that there were.
    PerhapsEmpty,
}

/// A registered source.
#[derive(Debug)]
pub(crate) struct Source {
    registration: Registration,
    home: Home,
    key: AtomicU64,
    readiness: Readiness,
    arming: Arming,
    /// Whether the edges of the write direction are watched, which begins with the first wait for
    /// one: most sources never wait to write, and each would be reported as writable when it is
    /// made and whenever a datagram has left. Relaxed: a thread that misses it asks once more.
    writes: AtomicBool,
    /// Whether what is left to read had better be reported at each wait.
    habit: Habit,
    /// Whether it is a byte stream, once that was asked. Relaxed: each thread may ask.
    stream: AtomicU8,
    /// Whether it forgets what it has told whoever asked, once that was looked up. Relaxed: the same.
    forgets: AtomicU8,
}

const UNKNOWN: u8 = 0;
const YES: u8 = 1;
const NO: u8 = 2;

/// What `known` says, and if it says nothing yet, what `find_out` does from now on.
#[inline]
fn known_or(known: &AtomicU8, find_out: impl FnOnce() -> bool) -> bool {
    match known.load(Ordering::Relaxed) {
        UNKNOWN => {
            let is_so = find_out();
            known.store(if is_so { YES } else { NO }, Ordering::Relaxed);
            is_so
        }
        known => known == YES,
    }
}

impl Source {
    /// Registers a source with the process's reactor.
    pub(crate) fn new(registration: Registration) -> io::Result<Arc<Source>> {
        Source::new_in(current::get(), registration)
    }

    pub(crate) fn new_in(
        reactor: &'static Reactor,
        registration: Registration,
    ) -> io::Result<Arc<Source>> {
        trace::refresh();
        let source = Arc::new(Source {
            registration,
            home: Home::new(reactor),
            key: AtomicU64::new(NO_KEY.0),
            readiness: Readiness::new(),
            arming: Arming::new(),
            writes: AtomicBool::new(false),
            habit: Habit::new(),
            stream: AtomicU8::new(UNKNOWN),
            forgets: AtomicU8::new(UNKNOWN),
        });
        reactor.insert(&source)?;
        Ok(source)
    }

    #[inline]
    pub(crate) fn registration(&self) -> &Registration {
        &self.registration
    }

    /// The descriptor's number, for records.
    #[inline]
    pub(crate) fn number(&self) -> i64 {
        self.registration.number()
    }

    // Relaxed: whoever holds the source has it from where the key was set, and a forked child sets
    // it anew under a lock.
    #[inline]
    pub(crate) fn key(&self) -> Key {
        Key(self.key.load(Ordering::Relaxed))
    }

    pub(crate) fn set_key(&self, key: Key) {
        self.key.store(key.0, Ordering::Relaxed);
    }

    /// Deregisters the source. In a forked child an inherited source is its parent's: it is left
    /// alone.
    pub(crate) fn remove(&self) {
        let home = self.home.get();
        if !home.is_inherited() {
            home.remove(self);
        }
    }

    /// The reactor to wait with: in a forked child, the child's, which an inherited source joins now.
    #[inline]
    fn reactor(self: &Arc<Source>) -> io::Result<&'static Reactor> {
        let home = self.home.get();
        match home.is_inherited() {
            false => Ok(home),
            true => self.move_home(),
        }
    }

    #[cold]
    fn move_home(self: &Arc<Source>) -> io::Result<&'static Reactor> {
        /// Holding it grants the right to move sources. Nothing is recorded meanwhile: a listener
        /// may use an inherited source too.
        static MOVING: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let reactor = current::get();
        let lost = {
            let _moving = MOVING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            if !self.home.get().is_inherited() {
                return Ok(reactor);
            }
            self.arming.start_anew();
            self.habit.start_anew();
            let lost = trace::without_records(|| reactor.register(self))?;
            self.home.set(reactor);
            lost
        };
        reactor.settle_in(self, lost);
        Ok(reactor)
    }

    /// Asks whether the direction is ready, or goes on with the waiter's wait.
    pub(crate) fn poll_ready(
        self: &Arc<Source>,
        dir: Direction,
        waiter: &mut WaiterId,
        nature: Nature,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let reactor = self.reactor()?;
        if self.may_wait(dir, *waiter) {
            if let Some(poll) = self.go_on(reactor, dir, waiter, cx) {
                return poll;
            }
        }
        let ticks = self.readiness.ticks(reactor.ticker(), dir);
        trace::poll_begin(self, dir, ticks.b, None, *waiter);
        let level = self.ask(reactor, dir, ticks.b, *waiter)?;
        if let Some(reason) = self.why_ready(dir, nature, level) {
            trace::poll_ready(self, dir, ticks.b, *waiter, reason);
            return Poll::Ready(Ok(()));
        }
        let ticks = if self.tells_all(nature, level) { ticks } else { delivered_alone(ticks) };
        self.begin(reactor, dir, waiter, ticks, false, cx)
    }

    /// Does an operation once the direction is ready, or at once if nothing speaks against it.
    ///
    /// `WouldBlock` begins a wait. Any other result is the caller's, and `rest` tells what a success
    /// says of the kernel's queue.
    #[inline(always)] // Each caller's nature is a constant.
    pub(crate) fn poll_operation<R>(
        self: &Arc<Source>,
        dir: Direction,
        waiter: &mut WaiterId,
        nature: Nature,
        cx: &mut Context<'_>,
        operation: impl FnMut() -> io::Result<R>,
        rest: impl FnOnce(&R) -> Rest,
    ) -> Poll<io::Result<R>> {
        match nature {
            Nature::Plain | Nature::Stream => self.poll_plain(dir, waiter, cx, operation, rest),
            Nature::Unknown => self.poll_unknown(dir, waiter, cx, operation),
        }
    }

    /// An operation that is a plain system call.
    #[inline]
    fn poll_plain<R>(
        self: &Arc<Source>,
        dir: Direction,
        waiter: &mut WaiterId,
        cx: &mut Context<'_>,
        mut operation: impl FnMut() -> io::Result<R>,
        rest: impl FnOnce(&R) -> Rest,
    ) -> Poll<io::Result<R>> {
        let reactor = self.reactor()?;
        if self.may_wait(dir, *waiter) {
            if let Some(poll) = self.go_on(reactor, dir, waiter, cx) {
                ready!(poll)?;
            }
        }
        loop {
            if self.readiness.blocks(dir) {
                if let Some(poll) = self.begin_blocked(reactor, dir, waiter, cx) {
                    return poll
                        .map(|failed| Err(failed.expect_err("a wait that begins is not over")));
                }
            }
            let ticks = self.readiness.ticks(reactor.ticker(), dir);
            match operation() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => {
                    let rest = result.as_ref().map_or(Rest::Untold, rest);
                    if self.learn_from(reactor, rest) {
                        self.readiness.taken_for_empty(dir, ticks);
                    }
                    return Poll::Ready(result);
                }
            }
            if dir == Direction::Read && self.habit.found_nothing() {
                self.watch_by_level(reactor);
            }
            trace::poll_begin(self, dir, ticks.b, None, *waiter);
            if self.begin(reactor, dir, waiter, ticks, true, cx)?.is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Somebody else's code, which may have something left without the kernel knowing: so it is tried
    /// each time, though its waiter may go on waiting.
    fn poll_unknown<R>(
        self: &Arc<Source>,
        dir: Direction,
        waiter: &mut WaiterId,
        cx: &mut Context<'_>,
        mut operation: impl FnMut() -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        let reactor = self.reactor()?;
        if *waiter != WaiterId::SHARED && self.may_wait(dir, *waiter) {
            match operation() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => {
                    self.stop_waiting(dir, std::mem::replace(waiter, WaiterId::NONE));
                    return Poll::Ready(result);
                }
            }
            if let Some(poll) = self.go_on(reactor, dir, waiter, cx) {
                ready!(poll)?;
            }
        }
        loop {
            let ticks = self.readiness.ticks(reactor.ticker(), dir);
            match operation() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
            trace::poll_begin(self, dir, ticks.b, None, *waiter);
            if self.ask(reactor, dir, ticks.b, *waiter)? == Level::Ready {
                trace::poll_again(self, dir, ticks.b, *waiter);
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if self.begin(reactor, dir, waiter, ticks, false, cx)?.is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// A waiter stops waiting. Returns the reactor's tick when it began.
    fn stop_waiting(&self, dir: Direction, waiter: WaiterId) -> Option<u64> {
        trace::wait_over(self, dir, waiter);
        let Removed { waker, since } = self.readiness.remove(dir, waiter)?;
        trace::source_waker(self, WakerChange::Dropped, dir, waiter, waker.as_ref());
        wakes::drop_contained(waker);
        Some(since)
    }

    /// Ends all waits: the source cannot be waited for, and the next operation shall say why.
    pub(crate) fn fail(&self, wakers: &mut Vec<Woken>) {
        self.readiness.fail(wakers);
    }

    /// Whether it is what its type says: a socket of another kind, put into std's type by hand, keeps
    /// messages apart, and a short read says nothing about the next. Asked once.
    #[inline]
    fn is_byte_stream(&self) -> bool {
        known_or(&self.stream, || self.registration.is_byte_stream())
    }

    /// Whether polling it uses up what it reports. Asked once.
    fn is_consumed_by_asking(&self) -> bool {
        known_or(&self.forgets, || self.registration.is_consumed_by_asking())
    }

    /// Asks the kernel, within a poll that has begun: an error ends it.
    fn ask(
        &self,
        reactor: &Reactor,
        dir: Direction,
        tick: u64,
        waiter: WaiterId,
    ) -> io::Result<Level> {
        let level = reactor.poller().and_then(|poller| poller.level(&self.registration, dir));
        if level.is_err() {
            trace::poll_failed(self, dir, tick, waiter);
        }
        level
    }

    /// Why the direction is ready without waiting, if it is, by the kernel's answer.
    ///
    /// An event that came while nobody waited counts for what the kernel no longer says: the
    /// readiness that polling such a file consumes, and an error, once.
    fn why_ready(&self, dir: Direction, nature: Nature, level: Level) -> Option<Reason> {
        if nature != Nature::Unknown && level != Level::ErrorAlone {
            return (level == Level::Ready).then_some(Reason::ReadyWhenAsked);
        }
        let unclaimed = self.readiness.take_unclaimed(dir);
        match level {
            Level::Ready => Some(Reason::ReadyWhenAsked),
            Level::ErrorAlone => unclaimed.then_some(Reason::Unclaimed),
            Level::Idle if unclaimed && self.is_consumed_by_asking() => Some(Reason::Unclaimed),
            Level::Idle => None,
        }
    }

    /// Whether the kernel's answer covers all that the reactor has harvested before it was asked: not
    /// what polling has consumed, and not whether a standing error is a new one.
    fn tells_all(&self, nature: Nature, level: Level) -> bool {
        match level {
            Level::ErrorAlone => false,
            _ => nature != Nature::Unknown || !self.is_consumed_by_asking(),
        }
    }

    /// Whether a waiter may have begun to wait: not certain for the shared one, which another task
    /// may have ended or begun.
    #[inline]
    fn may_wait(&self, dir: Direction, waiter: WaiterId) -> bool {
        match waiter {
            WaiterId::NONE => false,
            WaiterId::SHARED => self.readiness.shares(dir),
            _ => true,
        }
    }

    /// Goes on with a wait that has begun; `None` if none has. An own waiter that is ready waits no
    /// longer and may begin again.
    #[inline(never)]
    fn go_on(
        self: &Arc<Source>,
        reactor: &Reactor,
        dir: Direction,
        waiter: &mut WaiterId,
        cx: &mut Context<'_>,
    ) -> Option<Poll<io::Result<()>>> {
        let mut displaced = Displaced::default();
        let look = self.readiness.look(dir, *waiter, cx.waker(), &mut displaced)?;
        trace::poll_begin(self, dir, look.tick, Some(look.ticks), *waiter);
        let poll = self.settle(reactor, dir, waiter, look, displaced, cx);
        if look.ready && *waiter != WaiterId::SHARED {
            *waiter = WaiterId::NONE;
        }
        Some(poll)
    }

    fn begin(
        self: &Arc<Source>,
        reactor: &Reactor,
        dir: Direction,
        waiter: &mut WaiterId,
        ticks: Ticks,
        plain: bool,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let mut displaced = Displaced::default();
        let waker = cx.waker().clone();
        let look = self.readiness.begin(dir, waiter, ticks, plain, waker, &mut displaced);
        reactor.driving.ensure_helper();
        self.settle(reactor, dir, waiter, look, displaced, cx)
    }

    /// Begins a wait without trying the operation, if it is known, or taken, to find nothing.
    fn begin_blocked(
        self: &Arc<Source>,
        reactor: &Reactor,
        dir: Direction,
        waiter: &mut WaiterId,
        cx: &mut Context<'_>,
    ) -> Option<Poll<io::Result<()>>> {
        let mut displaced = Displaced::default();
        let waker = cx.waker().clone();
        let look = self.readiness.begin_blocked(dir, waiter, reactor.tick(), waker, &mut displaced);
        let Some(look) = look else {
            self.put_to_rest(dir, *waiter, displaced);
            return None;
        };
        trace::poll_begin(self, dir, look.tick, None, *waiter);
        reactor.driving.ensure_helper();
        Some(self.settle(reactor, dir, waiter, look, displaced, cx))
    }

    /// Finishes a poll: puts displaced wakers to rest, arms if need be, answers.
    #[inline(always)] // Else what was found goes through memory.
    fn settle(
        self: &Arc<Source>,
        reactor: &Reactor,
        dir: Direction,
        waiter: &WaiterId,
        look: Look,
        displaced: Displaced,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if look.stored {
            trace::source_waker(self, WakerChange::Stored, dir, *waiter, Some(cx.waker()));
        }
        match displaced {
            Displaced::Nothing => {}
            displaced => self.put_to_rest(dir, *waiter, displaced),
        }
        if look.ready {
            trace::poll_ready(self, dir, look.tick, *waiter, look.reason);
            return Poll::Ready(Ok(()));
        }
        if look.stored {
            if let Err(error) = self.watch(reactor, dir) {
                trace::poll_failed(self, dir, look.tick, *waiter);
                self.give_up();
                return Poll::Ready(Err(error));
            }
        }
        let Look { tick, ticks, reason, .. } = look;
        trace::poll_pending(self, dir, tick, ticks, *waiter, reason, cx.waker());
        Poll::Pending
    }

    /// Drops the waker that is of no use any longer, or wakes those who must ask again.
    #[inline(never)]
    fn put_to_rest(&self, dir: Direction, waiter: WaiterId, displaced: Displaced) {
        match displaced {
            Displaced::Nothing => {}
            Displaced::Dropped(waker) => wakes::drop_contained(Some(waker)),
            Displaced::Evicted(evicted) => {
                for waker in &evicted {
                    trace::source_waker(self, WakerChange::Replaced, dir, waiter, Some(waker));
                }
                wakes::wake_all(&mut evicted.into_iter().map(Woken::by(Cause::Notify)).collect());
            }
        }
    }
}

impl Drop for Source {
    #[inline]
    fn drop(&mut self) {
        #[inline(never)]
        fn drop_wakers(readiness: &mut Readiness) {
            for woken in readiness.take_all() {
                wakes::drop_contained(Some(woken.waker));
            }
        }
        // Of most sources that come and go, nobody has waited for either direction.
        if self.readiness.has_waits() {
            drop_wakers(&mut self.readiness);
        }
    }
}
