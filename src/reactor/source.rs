//! A registered source: how a task comes to wait for it.
//!
//! There are three ways into a wait, and one way to go on with it:
//!
//! - *by request* ([`Source::poll_ready`]): the kernel is asked once;
//! - *after `WouldBlock` of a plain system call* ([`Source::poll_operation`] on a plain source): the
//!   ticks were read before the call, so nothing need be asked;
//! - *after `WouldBlock` of somebody else's code* (the same on any other source): the kernel is
//!   asked, and if it disagrees the task is woken for another turn;
//! - *going on*: the ticks decide, and no system call is made.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicU8, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll};

use ticks_format::{Direction, Key, Reason, Ticks, WakerChange};

use super::current::{self, Home};
use super::readiness::{delivered_alone, Displaced, Harvest, Look, Readiness, WaiterId};
use super::registration::Registration;
use super::wakes::{self, Cause, Woken};
use super::{Reactor, NO_KEY};
use crate::poller::{Interest, Level};
use crate::trace;

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

/// A registered source.
#[derive(Debug)]
pub(crate) struct Source {
    registration: Registration,
    home: Home,
    key: AtomicU64,
    readiness: Readiness,
    /// Who arms the source, where each wait is armed: one thread at a time.
    arming: AtomicU8,
    /// Whether the edges of the write direction are watched, which begins with the first wait for
    /// one: most sources never wait to write, and each would be reported as writable when it is
    /// made and whenever a datagram has left. Relaxed: a thread that misses it asks once more.
    writes: AtomicBool,
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

const NOT_ARMING: u8 = 0;
const ARMING: u8 = 1;
const ARMING_AGAIN: u8 = 2;

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
            arming: AtomicU8::new(NOT_ARMING),
            writes: AtomicBool::new(false),
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
        let level = match self.registration_level(reactor, dir) {
            Ok(level) => level,
            Err(error) => {
                trace::poll_failed(self, dir, ticks.b, *waiter);
                return Poll::Ready(Err(error));
            }
        };
        if let Some(reason) = self.why_ready(dir, nature, level) {
            trace::poll_ready(self, dir, ticks.b, *waiter, reason);
            return Poll::Ready(Ok(()));
        }
        let ticks = if self.tells_all(nature, level) { ticks } else { delivered_alone(ticks) };
        self.begin(reactor, dir, waiter, ticks, false, cx)
    }

    /// Does an operation once the direction is ready, or at once if nothing speaks against it.
    ///
    /// `WouldBlock` begins a wait. Any other result is the caller's, and `drained` decides whether it
    /// shows that the kernel's queue is empty now.
    pub(crate) fn poll_operation<R>(
        self: &Arc<Source>,
        dir: Direction,
        waiter: &mut WaiterId,
        nature: Nature,
        cx: &mut Context<'_>,
        mut operation: impl FnMut() -> io::Result<R>,
        drained: impl FnOnce(&R) -> bool,
    ) -> Poll<io::Result<R>> {
        let reactor = self.reactor()?;
        // The shared waiter of an unknown source tries each time: somebody else's code may have
        // something left without the kernel knowing.
        let tries = *waiter == WaiterId::SHARED && nature == Nature::Unknown;
        if *waiter != WaiterId::SHARED && nature == Nature::Unknown && self.may_wait(dir, *waiter) {
            // For the same reason it is tried each time, though it goes on waiting.
            match operation() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => {
                    self.cancel(dir, std::mem::replace(waiter, WaiterId::NONE));
                    return Poll::Ready(result);
                }
            }
        }
        if !tries && self.may_wait(dir, *waiter) {
            match self.go_on(reactor, dir, waiter, cx) {
                Some(Poll::Pending) => return Poll::Pending,
                Some(Poll::Ready(Err(error))) => return Poll::Ready(Err(error)),
                Some(Poll::Ready(Ok(()))) | None => {}
            }
        }
        loop {
            if nature != Nature::Unknown && self.readiness.blocks(dir) {
                if let Some(poll) = self.begin_blocked(reactor, dir, waiter, cx) {
                    return poll
                        .map(|failed| Err(failed.expect_err("a wait that begins is not over")));
                }
            }
            let ticks = self.readiness.ticks(reactor.ticker(), dir);
            match operation() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => {
                    let ends = nature == Nature::Stream && result.as_ref().is_ok_and(drained);
                    if ends && reactor.tells_the_end() && self.is_byte_stream() {
                        self.readiness.drained(dir, ticks);
                    }
                    return Poll::Ready(result);
                }
            }
            trace::poll_begin(self, dir, ticks.b, None, *waiter);
            if nature == Nature::Unknown {
                match self.registration_level(reactor, dir) {
                    Ok(Level::Ready) => {
                        trace::poll_again(self, dir, ticks.b, *waiter);
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    Ok(Level::ErrorAlone | Level::Idle) => {}
                    Err(error) => {
                        trace::poll_failed(self, dir, ticks.b, *waiter);
                        return Poll::Ready(Err(error));
                    }
                }
            }
            let plain = nature != Nature::Unknown;
            if self.begin(reactor, dir, waiter, ticks, plain, cx)?.is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// A waiter stops waiting.
    pub(crate) fn cancel(&self, dir: Direction, waiter: WaiterId) {
        trace::wait_over(self, dir, waiter);
        if let Some(waker) = self.readiness.remove(dir, waiter) {
            trace::source_waker(self, WakerChange::Dropped, dir, waiter, &waker);
            wakes::drop_contained(Some(waker));
        }
    }

    /// Delivers an event. Returns how many wakers it took.
    #[inline]
    pub(crate) fn deliver(&self, harvest: Harvest, wakers: &mut Vec<Woken>) -> usize {
        self.readiness.deliver(harvest, wakers)
    }

    /// Arms the source, after an event, for those who still wait.
    pub(crate) fn arm_again(&self, reactor: &Reactor, wakers: &mut Vec<Woken>) {
        if self.arm(reactor).is_err() {
            self.fail(wakers);
        }
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

    fn registration_level(&self, reactor: &Reactor, dir: Direction) -> io::Result<Level> {
        reactor.poller()?.level(&self.registration, dir)
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

    /// Begins a wait without trying the operation, if it is known to find nothing.
    fn begin_blocked(
        self: &Arc<Source>,
        reactor: &Reactor,
        dir: Direction,
        waiter: &mut WaiterId,
        cx: &mut Context<'_>,
    ) -> Option<Poll<io::Result<()>>> {
        let mut displaced = Displaced::default();
        let waker = cx.waker().clone();
        let look = self.readiness.begin_blocked(dir, waiter, waker, &mut displaced);
        let Some(look) = look else {
            wakes::drop_contained(displaced.dropped);
            return None;
        };
        trace::poll_begin(self, dir, look.tick, None, *waiter);
        reactor.driving.ensure_helper();
        Some(self.settle(reactor, dir, waiter, look, displaced, cx))
    }

    /// Finishes a poll: puts displaced wakers to rest, arms if need be, answers.
    #[inline]
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
            trace::source_waker(self, WakerChange::Stored, dir, *waiter, cx.waker());
        }
        if displaced.is_any() {
            self.put_to_rest(dir, *waiter, displaced);
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

    /// Drops the waker that is of no use any longer, wakes those who must ask again.
    #[inline(never)]
    fn put_to_rest(&self, dir: Direction, waiter: WaiterId, displaced: Displaced) {
        wakes::drop_contained(displaced.dropped);
        for evicted in &displaced.evicted {
            trace::source_waker(self, WakerChange::Replaced, dir, waiter, evicted);
        }
        let evicted = displaced.evicted.into_iter().map(Woken::by(Cause::Notify));
        wakes::wake_all(&mut evicted.collect());
    }

    /// What a poller that starts anew must watch.
    #[inline]
    pub(crate) fn interest(&self, reactor: &Reactor) -> Interest {
        match reactor.arms() {
            true => Interest::NONE,
            false => Interest { readable: true, writable: self.writes.load(Ordering::Relaxed) },
        }
    }

    /// Has the poller watch the direction that somebody has begun to wait for.
    #[inline]
    fn watch(&self, reactor: &Reactor, dir: Direction) -> io::Result<()> {
        if reactor.arms() {
            return self.arm(reactor);
        }
        if dir == Direction::Write && !self.writes.load(Ordering::Relaxed) {
            self.watch_writes(reactor)?;
        }
        Ok(())
    }

    /// Once a source. If the number of its descriptor has become another source's, that one's
    /// registration is left alone.
    #[cold]
    fn watch_writes(&self, reactor: &Reactor) -> io::Result<()> {
        if !reactor.owns(self) {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("descriptor {} was closed and is another source's now", self.number()),
            ));
        }
        // What is ready by now is reported by this.
        reactor.poller()?.modify(&self.registration, self.key(), Interest::BOTH)?;
        self.writes.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Arming failed: wakes all who wait, so that each tries again and meets the error itself.
    fn give_up(&self) {
        let mut wakers = Vec::new();
        self.fail(&mut wakers);
        wakes::wake_all(&mut wakers);
    }

    /// Asks the poller for the next event, for whichever directions are waited for. Of several
    /// threads one does it, again if the others have changed what is wanted meanwhile: so the last
    /// request is never an old one.
    fn arm(&self, reactor: &Reactor) -> io::Result<()> {
        // AcqRel throughout: who hands over to the arming thread has stored its waker before.
        let (set, fetch) = (Ordering::AcqRel, Ordering::Acquire);
        loop {
            match self.arming.compare_exchange(NOT_ARMING, ARMING, set, fetch) {
                Ok(_) => break,
                Err(state) => {
                    if self.arming.compare_exchange(state, ARMING_AGAIN, set, fetch).is_ok() {
                        return Ok(());
                    }
                }
            }
        }
        loop {
            let (readable, writable) = self.readiness.interest();
            let interest = Interest { readable, writable };
            let armed = match interest {
                Interest::NONE => Ok(()),
                _ => reactor
                    .poller()
                    .and_then(|poller| poller.modify(&self.registration, self.key(), interest)),
            };
            if let Err(error) = armed {
                self.arming.store(NOT_ARMING, Ordering::Release);
                return Err(error);
            }
            if self.arming.compare_exchange(ARMING, NOT_ARMING, set, fetch).is_ok() {
                return Ok(());
            }
            self.arming.store(ARMING, Ordering::Release);
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
