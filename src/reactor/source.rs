//! A registered source, and its three verbs: [`wait`](Source::wait), [`deliver`](Source::deliver),
//! [`cancel`](Source::cancel).
//!
//! A poll asks the kernel by what it [attempts](Attempt): an operation, or the question whether the
//! direction is ready. If there is nothing, a wait begins, with the ticks of the moment before. Each
//! later poll of that wait asks again. One finding alone spares the kernel a question: a task whose
//! read was a short one has emptied its stream, so its next poll begins to wait without another read.

use std::io;
use std::mem::offset_of;
use std::sync::atomic::{AtomicU64, AtomicU8, Ordering};
use std::sync::Arc;
use std::task::{ready, Context, Poll, Waker};

use ticks_format::published::reactor as word;
use ticks_format::{Direction, Key, Reason, Ticks, WakerChange};

use super::attempt::{Attempt, On, Outcome, Stage};
use super::current::{self, Home};
use super::readiness::{Begun, Delivered, Displaced, Harvest, Readiness, WaitStatus, WaiterId};
use super::wakes::{self, Woken};
use super::{Reactor, NO_KEY};
use crate::fork::Renewable;
use crate::poller::arming::Arming;
use crate::poller::registration::Registration;
use crate::published::{self, Table};
use crate::trace::{self, Cause};

mod arming;
mod home;

/// A registered source.
#[derive(Debug)]
pub(crate) struct Source {
    registration: Registration,
    home: Home,
    key: AtomicU64,
    // These two are renewed where the source moves to a forked child's reactor: see `home`.
    readiness: Renewable<Readiness>,
    arming: Renewable<Arming>,
    /// Whether a short read empties it, once that was asked. Relaxed: each thread may ask.
    drains: AtomicU8,
    /// Whether asking the kernel uses up what it reports, once that was looked up. Relaxed: each thread
    /// may look it up.
    forgets: AtomicU8,
}

const UNKNOWN: u8 = 0;
const YES: u8 = 1;
const NO: u8 = 2;

/// The answer in `known`. If there is none yet, stores and returns that of `find_out`.
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
    /// Says what a source is like to readers of this memory.
    pub(crate) fn publish(table: &Table) {
        let pattern = Readiness::new();
        table.set(word::SOURCE_FD, offset_of!(Source, registration));
        table.set(word::SOURCE_KEY, offset_of!(Source, key));
        // A `Renewable` is where its value is.
        pattern.publish(table, offset_of!(Source, readiness) as u64);
        table.set(word::SHARED_SOURCE, published::offset_of_shared::<Source>());
    }

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
            readiness: Renewable::new(Readiness::new()),
            arming: Renewable::new(Arming::new()),
            drains: AtomicU8::new(UNKNOWN),
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

    // Relaxed: the key was set before any other thread got the source. A forked child sets it again
    // under a lock.
    #[inline]
    pub(crate) fn key(&self) -> Key {
        Key(self.key.load(Ordering::Relaxed))
    }

    pub(crate) fn set_key(&self, key: Key) {
        self.key.store(key.0, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn readiness(&self) -> &Readiness {
        self.readiness.get()
    }

    #[inline]
    pub(crate) fn arming(&self) -> &Arming {
        self.arming.get()
    }

    /// Deregisters the source. In a forked child an inherited source is its parent's: it is left
    /// alone.
    pub(crate) fn remove(&self) {
        let home = self.home.get();
        if !home.is_inherited() {
            home.remove(self);
        }
    }

    /// Polls: makes the attempt, and waits if there is nothing.
    ///
    /// `waiter` is [`WaiterId::SHARED`], or the caller's own, [`WaiterId::NONE`] at first. An own
    /// waiter that waits must be [cancelled](Self::cancel) before it is forgotten.
    #[inline]
    pub(crate) fn wait<A: Attempt>(
        self: &Arc<Source>,
        dir: Direction,
        waiter: &mut WaiterId,
        cx: &mut Context<'_>,
        attempt: &mut A,
    ) -> Poll<io::Result<A::Output>> {
        let reactor = self.reactor()?;
        let on = On { reactor, source: self, dir };
        // Each poll clears what a short read has found. Only this poll may use it.
        let drained = match dir {
            Direction::Read => self.readiness().take_drained(cx.waker()),
            Direction::Write => None,
        };
        let (mut wait, mut first) = (None, Stage::Begins);
        if self.readiness().may_wait(dir, *waiter) {
            wait = match self.check(dir, waiter, cx) {
                Some(status) if status.ready => match attempt.answer_of_event() {
                    Some(answer) => return Poll::Ready(Ok(answer)),
                    None => {
                        first = Stage::AfterEvent;
                        None
                    }
                },
                status => status,
            };
        } else if A::READS_STREAM {
            if let Some(ticks) = drained {
                ready!(self.begin(on, waiter, Begun { ticks, drained: true }, cx)?);
            }
        }
        loop {
            let stage = if wait.is_some() { Stage::GoesOn } else { first };
            let ticks = self.readiness().ticks(reactor.ticker(), dir);
            match attempt.make(on, stage, ticks) {
                Outcome::Done { result, reason, drained } => {
                    if drained && self.is_drained_by_short_reads(reactor) {
                        self.readiness().set_drained(ticks, cx.waker());
                    }
                    if A::IS_QUESTION || wait.is_some() || reason == Reason::Error {
                        self.end(dir, waiter, wait, ticks, reason);
                    }
                    return Poll::Ready(result);
                }
                Outcome::Nothing(begun) => match wait {
                    Some(status) => {
                        self.go_on(on, *waiter, status, cx)?;
                        return Poll::Pending;
                    }
                    None => ready!(self.begin(on, waiter, begun, cx)?),
                },
                Outcome::Disputed => {
                    let (key, fd, number) = (self.key(), self.number(), waiter.number());
                    trace::poll_begin(key, fd, dir, ticks.b, None, number);
                    trace::poll_again(key, fd, dir, ticks.b, number);
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
        }
    }

    /// Delivers an event.
    #[inline]
    pub(crate) fn deliver(&self, harvest: Harvest, wakers: &mut Vec<Woken>) -> Delivered {
        self.readiness().deliver(harvest, wakers)
    }

    /// An own waiter stops waiting, because its future is dropped.
    pub(crate) fn cancel(&self, dir: Direction, waiter: WaiterId) {
        // In a forked child, a thread of the parent may hold the lock for ever. The wait is dropped
        // with the source.
        if self.home.get().is_inherited() {
            return;
        }
        let (key, fd, number) = (self.key(), self.number(), waiter.number());
        trace::wait_over(key, dir, number);
        let Some(waker) = self.readiness().remove(dir, waiter) else { return };
        trace::source_waker(key, fd, WakerChange::Dropped, dir, number, waker.as_ref());
        wakes::drop_contained(waker);
    }

    /// Ends all waits: the source cannot be waited for. The next operation reports why.
    pub(crate) fn fail(&self, wakers: &mut Vec<Woken>) {
        self.readiness().fail(wakers);
    }

    /// Whether a short read leaves nothing. A socket of another kind, put into std's type by hand, keeps
    /// messages apart; and a stream with a low-water mark may hold bytes that it does not report. Asked
    /// once.
    #[inline]
    fn is_drained_by_short_reads(&self, reactor: &Reactor) -> bool {
        reactor.tells_the_end() && known_or(&self.drains, || self.registration.is_byte_stream())
    }

    /// Whether polling it uses up what it reports. Asked once.
    pub(super) fn is_consumed_by_asking(&self) -> bool {
        known_or(&self.forgets, || self.registration.is_consumed_by_asking())
    }

    /// Looks at a wait that has begun; `None` if none has. If the wait is over, it is ended here, and
    /// an own waiter may begin another one.
    #[inline(never)]
    fn check(
        &self,
        dir: Direction,
        waiter: &mut WaiterId,
        cx: &mut Context<'_>,
    ) -> Option<WaitStatus> {
        let _asks = trace::asks_reactor();
        let mut displaced = Displaced::default();
        let status = self.readiness().check(dir, *waiter, cx.waker(), &mut displaced);
        let own = *waiter != WaiterId::SHARED;
        let Some(status) = status else {
            // The waiter's number was given by the parent of this forked child.
            *waiter = if own { WaiterId::NONE } else { *waiter };
            return None;
        };
        let (key, fd, number) = (self.key(), self.number(), waiter.number());
        trace::poll_begin(key, fd, dir, status.tick, Some(status.ticks), number);
        self.put_away(dir, *waiter, displaced);
        if status.ready {
            trace::poll_ready(key, fd, dir, status.tick, number, status.reason);
            *waiter = if own { WaiterId::NONE } else { *waiter };
        }
        Some(status)
    }

    /// Begins to wait. Ready: an event came in between.
    #[inline(never)]
    fn begin(
        self: &Arc<Source>,
        on: On<'_>,
        waiter: &mut WaiterId,
        begun: Begun,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let _asks = trace::asks_reactor();
        let mut displaced = Displaced::default();
        let (waker, outside) = (cx.waker().clone(), self.home.get().demand().count());
        let status = self.readiness().begin(on.dir, waiter, begun, waker, outside, &mut displaced);
        let (key, fd, number) = (self.key(), self.number(), waiter.number());
        trace::poll_begin(key, fd, on.dir, status.tick, None, number);
        self.put_away(on.dir, *waiter, displaced);
        if status.ready {
            trace::poll_ready(key, fd, on.dir, status.tick, number, status.reason);
            return Poll::Ready(Ok(()));
        }
        self.go_on(on, *waiter, status, cx)?;
        Poll::Pending
    }

    /// Waits on: the waker is stored, and the direction watched from now on.
    #[inline]
    fn go_on(
        self: &Arc<Source>,
        on: On<'_>,
        waiter: WaiterId,
        status: WaitStatus,
        cx: &mut Context<'_>,
    ) -> io::Result<()> {
        let (key, fd, dir, number) = (self.key(), self.number(), on.dir, waiter.number());
        if status.stored {
            trace::source_waker(key, fd, WakerChange::Stored, dir, number, Some(cx.waker()));
        }
        let WaitStatus { tick, ticks, reason, .. } = status;
        if let Err(error) = self.watch(on.reactor, dir, status) {
            trace::poll_failed(key, fd, dir, tick, number);
            self.give_up();
            return Err(error);
        }
        trace::poll_pending(key, fd, dir, tick, ticks, number, reason, cx.waker());
        Ok(())
    }

    /// Ends a poll that has its answer from the kernel. An own waiter waits no longer. The shared
    /// waiter goes on waiting for the other tasks that polled it: the event under way wakes them.
    #[inline(never)]
    fn end(
        &self,
        dir: Direction,
        waiter: &mut WaiterId,
        wait: Option<WaitStatus>,
        ticks: Ticks,
        reason: Reason,
    ) {
        let (key, fd, number) = (self.key(), self.number(), waiter.number());
        if wait.is_none() {
            trace::poll_begin(key, fd, dir, ticks.b, None, number);
        }
        match reason {
            Reason::Error => trace::poll_failed(key, fd, dir, ticks.b, number),
            reason => trace::poll_ready(key, fd, dir, ticks.b, number, reason),
        }
        if wait.is_some() && *waiter != WaiterId::SHARED {
            let waker = self.readiness().remove(dir, *waiter).flatten();
            *waiter = WaiterId::NONE;
            wakes::drop_contained(waker);
        }
    }

    /// Drops the waker that is of no use any longer, or wakes those who must ask again.
    #[inline]
    fn put_away(&self, dir: Direction, waiter: WaiterId, displaced: Displaced) {
        match displaced {
            Displaced::Nothing => {}
            Displaced::Dropped(waker) => wakes::drop_contained(Some(waker)),
            Displaced::Evicted(evicted) => self.wake_evicted(dir, waiter, evicted),
        }
    }

    #[cold]
    fn wake_evicted(&self, dir: Direction, waiter: WaiterId, evicted: Vec<Waker>) {
        let (key, fd, number) = (self.key(), self.number(), waiter.number());
        for waker in &evicted {
            trace::source_waker(key, fd, WakerChange::Replaced, dir, number, Some(waker));
        }
        wakes::wake_all(&mut evicted.into_iter().map(Woken::by(Cause::Notify)).collect());
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
        if self.readiness.get_mut().has_waits() {
            drop_wakers(self.readiness.get_mut());
        }
    }
}
