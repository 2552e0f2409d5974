//! The reactor: harvests events and timers, and tells who waits for them.
//!
//! [`Reactor::react`] is one round, top to bottom. Who waits for what is in [`source`] and
//! [`readiness`], timers are in [`timers`], the kernel is behind [`crate::poller`], and which thread
//! takes the [driver lock](lock) and does the rounds is decided in [`crate::driver`].

use std::io;
use std::mem::offset_of;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ticks_format::published::{offset, reactor as word};
use ticks_format::Key;

use crate::fork;
use crate::poller::{Event, Events, Mode, Poller};
use crate::published::Table;
use crate::sync::atomic::AtomicU64;
use crate::trace;

pub(crate) mod attempt;
pub(crate) mod clock;
pub(crate) mod current;
pub(crate) mod demand;
pub(crate) mod lock;
pub(crate) mod readiness;
mod recovery;
pub(crate) mod registry;
pub(crate) mod source;
pub(crate) mod timers;
pub(crate) mod wakes;

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom), target_os = "linux"))]
mod tests;

use demand::Demand;
use lock::{DriverGuard, DriverLock};
use readiness::Harvest;
use registry::Registry;
use source::Source;
use timers::{Due, TimerKey, Timers};
use wakes::Woken;

/// How long a round sleeps at the most while there is no poller to wait in.
const WITHOUT_POLLER: Duration = Duration::from_millis(10);

/// The sources, timers and poller of a process.
#[derive(Debug)]
pub(crate) struct Reactor {
    /// The number of the round, bumped when the poller's wait returns. Release there pairs with
    /// Acquire where a waiter's ticks are read.
    ticker: AtomicU64,
    /// Made when the first source needs it, so that its error can be returned there.
    poller: OnceLock<Poller>,
    rebuilds: AtomicU32,
    registry: Registry,
    timers: Timers,
    demand: Demand,
    lock: DriverLock,
    /// Which fork made this reactor.
    forks: u32,
}

/// The buffers that one round works with, kept by the driving thread from one to the next.
#[derive(Debug, Default)]
pub(crate) struct Round {
    events: Events,
    wakers: Vec<Woken>,
    due: Due,
    /// Sources that the round owned for a moment. They are dropped once no lock is held, because the
    /// last owner of a source drops its wakers.
    owned: Vec<Arc<Source>>,
}

impl Reactor {
    pub(crate) fn new(first_tick: u64) -> Reactor {
        Reactor {
            ticker: AtomicU64::new(first_tick),
            poller: OnceLock::new(),
            rebuilds: AtomicU32::new(0),
            registry: Registry::new(),
            timers: Timers::new(),
            demand: Demand::new(),
            lock: DriverLock::new(),
            forks: fork::count(),
        }
    }

    /// Says where its parts are to readers of this memory.
    pub(crate) fn publish(&self, table: &Table) {
        table.set(word::TICK, offset_of!(Reactor, ticker));
        table.set(word::HOLDER, offset(self, self.lock.published()));
        table.set(word::ENTRIES, offset(self, &self.registry) + self.registry.publish(table));
        self.timers.publish(table, offset(self, &self.timers));
    }

    /// One round: waits, bumps the ticker, delivers the harvest, fires the timers that are due, lets
    /// go of the driver lock, wakes.
    ///
    /// Waits until `timeout`, or without bound, for events, the earliest timer or a notification.
    /// `driver` is told when the wait is over, and releases the lock. Nothing is locked while wakers
    /// run. Returns how many were woken.
    pub(crate) fn react(
        &self,
        lock: DriverGuard<'_>,
        round: &mut Round,
        timeout: Option<Duration>,
        driver: &impl Driver,
    ) -> usize {
        trace::refresh();

        let (timeout, next_timer) = self.sleep_until(timeout);
        trace::react_begin(self.tick(), timeout, next_timer);
        let waited = self.wait(&mut round.events, timeout);
        let tick = self.count_round(&lock);
        driver.is_awake();
        trace::ticker(tick);

        trace::react_events(tick, round.events.list.len());
        for &event in &round.events.list {
            self.deliver(tick, event, &mut round.wakers, &mut round.owned);
        }
        if let Err(error) = waited {
            self.recover(&error, &mut round.wakers, &mut round.owned);
        }
        self.fire_timers(&mut round.due);

        let woken = round.wakers.len() + round.due.len();
        trace::react_end(tick, round.events.list.len(), woken);
        driver.unlock(lock, woken);
        wakes::wake_all(&mut round.wakers);
        self.wake_due(&mut round.due, &mut round.wakers);
        round.owned.clear();
        woken
    }

    /// The number of the latest round.
    #[inline]
    pub(crate) fn tick(&self) -> u64 {
        self.ticker.load(Ordering::Acquire)
    }

    /// Counts the round. Only the holder of the driver lock comes here, also after a fork, and it sees
    /// what the holder before it stored. So a load and a store do, which cost less than an atomic
    /// addition.
    #[inline]
    fn count_round(&self, _: &DriverGuard<'_>) -> u64 {
        let tick = self.ticker.load(Ordering::Relaxed) + 1;
        // Pairs with the Acquire where a waiter's ticks are read.
        self.ticker.store(tick, Ordering::Release);
        tick
    }

    #[inline]
    pub(crate) fn ticker(&self) -> &AtomicU64 {
        &self.ticker
    }

    /// Whether this reactor was made by a parent of this process. Then nobody may touch it.
    #[inline]
    pub(crate) fn is_inherited(&self) -> bool {
        self.forks != fork::count()
    }

    /// The poller, made if there is none yet.
    #[inline]
    pub(crate) fn poller(&self) -> io::Result<&Poller> {
        match self.poller.get() {
            Some(poller) => Ok(poller),
            None => self.make_poller(),
        }
    }

    #[cold]
    fn make_poller(&self) -> io::Result<&Poller> {
        if let Err(another) = self.poller.set(Poller::new()?) {
            another.discard();
        }
        let poller = self.poller.get().expect("one was set just now, by this thread or another");
        // A thread may be sleeping without one.
        poller.notify();
        Ok(poller)
    }

    /// Makes the wait under way, or the next one, return.
    pub(crate) fn notify(&self) {
        if let Some(poller) = self.poller.get() {
            poller.notify();
        }
    }

    /// Publishes how long this thread is going to sleep, so that an earlier timer notifies it.
    /// Returns the poller's timeout and how far away the earliest timer is.
    fn sleep_until(&self, timeout: Option<Duration>) -> (Option<Duration>, Option<Duration>) {
        if timeout == Some(Duration::ZERO) {
            return (timeout, None);
        }
        let limit_ns = match timeout {
            None => u64::MAX,
            Some(timeout) => {
                let timeout_ns = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
                clock::now_ns().saturating_add(timeout_ns)
            }
        };
        let Some(next_ns) = self.timers.sleep(limit_ns) else { return (timeout, None) };
        let next = Duration::from_nanos(next_ns.saturating_sub(clock::now_ns()));
        (Some(timeout.map_or(next, |timeout| timeout.min(next))), Some(next))
    }

    /// Waits in the poller. Without one, because the process is out of descriptors or something has
    /// closed them, it sleeps: timers go on.
    #[inline]
    fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        match self.poller() {
            Ok(poller) if !self.lost_poller() => poller.wait(events, timeout),
            _ => {
                events.list.clear();
                std::thread::sleep(timeout.map_or(WITHOUT_POLLER, |it| it.min(WITHOUT_POLLER)));
                Ok(())
            }
        }
    }

    /// Hands an event to its source, or drops it if the source is gone.
    #[inline]
    fn deliver(
        &self,
        tick: u64,
        event: Event,
        wakers: &mut Vec<Woken>,
        owned: &mut Vec<Arc<Source>>,
    ) {
        let (readable, writable) = (event.readable(), event.writable());
        let hung_up = event.hung_up();
        let (key, flags) = (event.key, event.flags);
        let harvest = Harvest { key, tick, readable, writable, hung_up };
        let delivered = self.registry.with(key, |source| {
            let delivered = source.deliver(harvest, wakers);
            let to_arm = (delivered.unwatched || self.arms()).then(|| source.clone());
            (delivered.taken, source.number(), to_arm)
        });
        let Some((taken, number, to_arm)) = delivered else {
            trace::react_stale(tick, key, readable, writable, flags);
            return;
        };
        if let Some(source) = to_arm {
            source.arm_again(self, wakers);
            owned.push(source);
        }
        trace::react_event(tick, key, readable, writable, number, flags, taken);
    }

    #[inline]
    fn fire_timers(&self, due: &mut Due) {
        self.timers.wake(clock::now_ns, due);
        for timer in due.iter() {
            trace::timer_fire(timer.id, timer.deadline_ns, due.now_ns());
        }
    }

    /// Wakes the tasks of the timers that fired. `wakers` is room for some of them.
    #[inline]
    fn wake_due(&self, due: &mut Due, wakers: &mut Vec<Woken>) {
        if due.is_empty() {
            return;
        }
        for some in due.chunks() {
            // Woken, a task may have forked, and this may be the child.
            if self.is_inherited() {
                break;
            }
            self.timers.take_wakers(some, wakers);
            wakes::wake_all(wakers);
        }
        due.clear();
    }

    /// Registers a source.
    pub(crate) fn insert(&self, source: &Arc<Source>) -> io::Result<()> {
        let lost = self.register(source)?;
        self.tell_inserted(source, lost);
        Ok(())
    }

    /// Tells what came of [`register`](Self::register): foreign code, so nothing may be locked.
    pub(crate) fn tell_inserted(&self, source: &Source, lost: Option<Arc<Source>>) {
        trace::source_new(source.key(), source.number(), source.registration().descriptor());
        if let Some(lost) = lost {
            let mut wakers = Vec::new();
            lost.fail(&mut wakers);
            wakes::wake_all(&mut wakers);
        }
    }

    /// Gives a source its key and has it watched. Returns the source that lost its descriptor's
    /// number to this one, if there is one.
    pub(crate) fn register(&self, source: &Arc<Source>) -> io::Result<Option<Arc<Source>>> {
        let poller = self.poller()?;
        let (registration, arming) = (source.registration(), source.arming());
        let number = registration.owned_number();
        let (key, owned) = self.registry.insert(source.clone(), number);
        source.set_key(key);
        let interest = source.interest(self);
        let added = match poller.add(registration, key, interest, arming) {
            // If the poller was rebuilt just now, it has the source already.
            Err(error) if owned && error.kind() == io::ErrorKind::AlreadyExists => {
                poller.modify(registration, key, interest, arming).map_err(|_| error)
            }
            added => added,
        };
        if let Err(error) = added {
            self.registry.remove(key, number);
            return Err(error);
        }
        let lost = if owned { None } else { self.registry.claim(key, number) };
        if let Some(lost) = &lost {
            // Until now the other source may have changed this registration, by the descriptor's
            // number. From now on it cannot.
            lost.arming().end();
            // If it fails, the next wait asks again and meets the error.
            let _ = source.arm(self);
        }
        Ok(lost)
    }

    /// Deregisters a source. The owner need not know of an error: the kernel has forgotten the source.
    ///
    /// First the arming ends, so that no driver uses the descriptor's number any more: the owner is about
    /// to close it. Then the kernel is asked to delete it. Only then does the registry give the number up:
    /// until then the kernel refuses another source of this descriptor, and does not take it for a
    /// registration that it knows already.
    pub(crate) fn remove(&self, source: &Source) {
        let key = source.key();
        trace::source_drop(key, source.number(), source.registration().descriptor());
        let owns = source.arming().end();
        if let Some(poller) = self.poller.get().filter(|_| owns) {
            let _ = poller.delete(source.registration());
        }
        self.registry.remove(key, source.registration().owned_number());
    }

    /// Whether each wait must be armed.
    #[inline]
    pub(crate) fn arms(&self) -> bool {
        self.poller.get().is_some_and(|poller| poller.mode() == Mode::OneShot)
    }

    /// Whether a short read of a stream proves that nothing is left.
    #[inline]
    pub(crate) fn tells_the_end(&self) -> bool {
        self.poller.get().is_some_and(Poller::tells_the_end)
    }

    /// Arms a timer, and notifies the thread that would sleep past its deadline.
    #[inline]
    pub(crate) fn insert_timer(&self, deadline_ns: u64, waker: std::task::Waker) -> TimerKey {
        let inserted = self.timers.insert(deadline_ns, waker);
        trace::timer_insert(inserted.key.id(), deadline_ns);
        if inserted.notify {
            self.notify();
        }
        inserted.key
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(crate) fn timers(&self) -> &Timers {
        &self.timers
    }

    pub(crate) fn demand(&self) -> &Demand {
        &self.demand
    }

    /// The driver lock.
    #[inline]
    pub(crate) fn lock(&self) -> &DriverLock {
        &self.lock
    }

    /// Whether anybody waits on a thread that never does a round.
    pub(crate) fn has_outsiders(&self) -> bool {
        self.demand.is_outside() || self.timers.is_outside()
    }
}

/// What the thread that does a round has to do in its midst.
pub(crate) trait Driver {
    /// The wait is over: a notification would come too late.
    fn is_awake(&self);

    /// Lets go of the lock. `woken` tasks are about to be woken, which may take long.
    fn unlock(&self, lock: DriverGuard<'_>, woken: usize);
}

/// The key that no source has.
pub(crate) const NO_KEY: Key = Key(u64::MAX - 1);
