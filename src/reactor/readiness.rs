//! Who waits for a source, and whether it is ready for them: the ticks rule.
//!
//! Each direction carries the tick of the last event delivered to it, `t`. A waiter remembers `(a, b)`
//! of the moment its wait began: the reactor's tick and the direction's tick. **It is ready if and only
//! if `t != a && t != b`**: the event with tick `b` was delivered before the wait began, and an event
//! with tick `a` was harvested before it began, so both are old. The pair is set once, when the wait
//! begins, and dropped when the waiter becomes ready; polling again replaces the waker and nothing
//! else. For some sources the kernel's answer does not show an event that is harvested and not yet
//! delivered. There `a` is set to `b`: see [`delivered_alone`].
//!
//! Nothing here calls foreign code with the lock held: callers clone wakers before, and wake them
//! after.

use std::mem::offset_of;
use std::task::Waker;

use ticks_format::published::{offset, reactor as word};
use ticks_format::{Direction, Key, Reason, Ticks};

use super::demand::{Demand, Outside};
use super::wakes::Woken;
use crate::published::Table;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Mutex, MutexGuard};
use crate::trace::Cause;

mod seen;
mod waits;

#[cfg(all(test, not(loom)))]
pub(crate) use seen::WaiterSeen;
pub(crate) use seen::{DirectionSeen, WakerSeen};
pub(crate) use waits::{Begun, WaiterId};
use waits::{Claim, Waits};

/// What a poll found out about its wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WaitStatus {
    /// Whether the wait is over.
    pub(crate) ready: bool,
    /// Why.
    pub(crate) reason: Reason,
    /// The direction's tick.
    pub(crate) tick: u64,
    /// What the waiter remembers of the moment its wait began.
    pub(crate) ticks: Ticks,
    /// Whether the caller's waker was newly stored.
    pub(crate) stored: bool,
    /// Whether the poller watched the direction when the poll began. A direction with a waiter is to be
    /// watched.
    pub(crate) watch: Watch,
}

/// Whether the poller is to report a direction's events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Watch {
    On,
    /// An event found nobody waiting. The poller is told to watch it no longer, unless telling the poller
    /// uses up what the source reports: then it goes on.
    Lapsed,
    /// It was never watched, or could not be.
    #[default]
    Off,
}

/// What came of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivered {
    /// How many wakers it took.
    pub(crate) taken: usize,
    /// Whether nobody waited in one of its directions. That direction need not be watched until
    /// somebody waits.
    pub(crate) unwatched: bool,
}

/// One event, as far as waiters care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Harvest {
    pub(crate) key: Key,
    pub(crate) tick: u64,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// The end of the stream, an error or urgent data. Only the next operation can tell which.
    pub(crate) hung_up: bool,
}

/// Wakers that a call replaced. The caller drops or wakes them once nothing is locked.
#[derive(Debug, Default)]
pub(crate) enum Displaced {
    #[default]
    Nothing,
    /// The waiter's previous waker, to be dropped.
    Dropped(Waker),
    /// Of other tasks, which must be woken to ask again.
    Evicted(Vec<Waker>),
}

impl From<Option<Waker>> for Displaced {
    #[inline]
    fn from(dropped: Option<Waker>) -> Displaced {
        dropped.map_or(Displaced::Nothing, Displaced::Dropped)
    }
}

/// A task, by what its wakers have in common. Two wakers with the same name wake the same task, as
/// [`Waker::will_wake`] has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaskName(usize, usize);

impl TaskName {
    /// The data pointer of its wakers.
    pub(crate) fn data(self) -> usize {
        self.0
    }

    /// The address of their table of functions.
    pub(crate) fn table(self) -> usize {
        self.1
    }

    /// `None` where the standard library does not tell.
    #[inline]
    pub(crate) fn of(waker: &Waker) -> Option<TaskName> {
        // The cfg is set where the standard library has both.
        #[cfg(async_io_waker_data)]
        #[allow(clippy::incompatible_msrv)]
        return Some(TaskName(
            waker.data() as usize,
            waker.vtable() as *const std::task::RawWakerVTable as usize,
        ));
        #[cfg(not(async_io_waker_data))]
        {
            let _ = waker;
            None
        }
    }
}

/// A short read emptied the stream: with these ticks, the task had read all data.
#[derive(Clone, Copy, Debug)]
struct Drained {
    ticks: Ticks,
    task: TaskName,
}

/// The readiness of a source: both directions with their waiters.
#[derive(Debug)]
pub(crate) struct Readiness {
    /// `t` of each direction. Stored with `state` locked, `Release`. It pairs with the `Acquire` in
    /// `ticks`: a thread that sees this tick also sees the kernel's state of that harvest or a later
    /// one.
    tick: [AtomicU64; 2],
    /// Whether the shared waiter of a direction waits. A hint that saves its own task the lock.
    shares: [AtomicBool; 2],
    /// Whether somebody's short read is remembered. A hint that saves others the lock.
    has_drained: AtomicBool,
    /// The number of the first own waiter.
    first_id: u32,
    /// Holding it grants the right to change `tick` and who waits; both always change together.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    directions: [DirectionState; 2],
    /// The task whose short read emptied the stream. Its next poll uses this; any other poll clears it.
    drained: Option<Drained>,
}

/// One direction.
#[derive(Debug, Default)]
struct DirectionState {
    /// An event was delivered while nobody waited, and nothing has shown it consumed since.
    unclaimed: bool,
    /// The stream ended, or an error or urgent data was seen: once up, it stays.
    hung_up: bool,
    /// An event that finds nobody waiting ends the watch, and the next wait begins it again. So at most
    /// one event a wait finds nobody.
    watch: Watch,
    /// Made when somebody first waits, kept from then on.
    waits: Option<Box<Waits>>,
}

fn is_ready(reason: Reason) -> bool {
    matches!(reason, Reason::LaterTick | Reason::HungUp)
}

/// The ticks of a wait for a source whose kernel answer may leave out an event that is harvested and
/// not yet delivered. Only delivered events are old for it.
pub(crate) fn delivered_alone(asked: Ticks) -> Ticks {
    Ticks { a: asked.b, b: asked.b }
}

impl Readiness {
    pub(crate) fn new() -> Readiness {
        Readiness::numbered_from(1)
    }

    /// Says what it is like to readers of this memory. It is `at` in a source.
    pub(crate) fn publish(&self, table: &Table, at: u64) {
        table.set(word::SOURCE_TICKS, at + offset(self, &self.tick));
        table.set(word::DIRECTIONS, at + offset(self, &self.state.lock().directions));
        table.set(word::DIRECTION_BYTES, size_of::<DirectionState>());
        table.set(word::DIRECTION_UNCLAIMED, offset_of!(DirectionState, unclaimed));
        table.set(word::DIRECTION_HUNG_UP, offset_of!(DirectionState, hung_up));
        table.set(word::DIRECTION_WAITS, offset_of!(DirectionState, waits));
        Waits::publish(table);
    }

    /// Replaces the readiness `left`, which stays as it is. The numbers of its waiters name nobody
    /// here.
    pub(crate) fn in_place_of(left: &Readiness) -> Readiness {
        /// More than one direction ever has.
        const NUMBERS: u32 = 1 << 24;
        Readiness::numbered_from(left.first_id.wrapping_add(NUMBERS))
    }

    fn numbered_from(first_id: u32) -> Readiness {
        let mut state = State::default();
        // As a source is registered.
        state.directions[Direction::Read as usize].watch = Watch::On;
        Readiness {
            first_id,
            tick: [AtomicU64::new(0), AtomicU64::new(0)],
            shares: [AtomicBool::new(false), AtomicBool::new(false)],
            has_drained: AtomicBool::new(false),
            state: Mutex::new(state),
        }
    }

    /// Whether the lock is free, and so the state consistent. In a forked child, a thread of the parent
    /// may have held it at the fork.
    pub(crate) fn is_whole(&self) -> bool {
        self.state.try_lock().is_some()
    }

    /// Both directions as they are now, for somebody who only looks; `None`: another thread is at work on
    /// them.
    pub(crate) fn try_seen(&self) -> Option<[DirectionSeen; 2]> {
        let state = self.state.try_lock()?;
        Some([Direction::Read, Direction::Write].map(|dir| {
            let direction = &state.directions[dir as usize];
            DirectionSeen {
                dir,
                tick: self.tick[dir as usize].load(Ordering::Relaxed),
                unclaimed: direction.unclaimed,
                hung_up: direction.hung_up,
                waiters: direction.waits.as_ref().map(|waits| waits.seen()).unwrap_or_default(),
            }
        }))
    }

    /// Locks it, as a thread does that is at work on it.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn lock(&self) -> impl Drop + '_ {
        self.state.lock()
    }

    /// `(a, b)` of a wait that begins now; `ticker` is the reactor's.
    ///
    /// Read it *before* the operation, or before the kernel is asked. The operation, or the kernel's
    /// answer, then covers every event that was harvested before.
    #[inline]
    pub(crate) fn ticks(&self, ticker: &AtomicU64, dir: Direction) -> Ticks {
        Ticks {
            // Pairs with the Release of the bump after the wait.
            a: ticker.load(Ordering::Acquire),
            b: self.tick[dir as usize].load(Ordering::Acquire),
        }
    }

    /// Whether a waiter may have begun to wait. For the shared waiter the answer may be out of date,
    /// because another task may have ended or begun its wait. `false` is certain for the task that
    /// began it.
    #[inline]
    pub(crate) fn may_wait(&self, dir: Direction, id: WaiterId) -> bool {
        match id {
            WaiterId::NONE => false,
            // Relaxed: only the task that set it relies on it. Another one that misses it begins anew.
            WaiterId::SHARED => self.shares[dir as usize].load(Ordering::Relaxed),
            _ => true,
        }
    }

    /// Looks at a wait that has begun. `None`: that waiter does not wait.
    ///
    /// Ready ends the wait. Pending leaves it as it is; its waker is `waker` from now on, for which
    /// `clone` is called with the lock released.
    #[inline]
    pub(crate) fn check(
        &self,
        dir: Direction,
        id: WaiterId,
        waker: &Waker,
        displaced: &mut Displaced,
    ) -> Option<WaitStatus> {
        let mut state = self.state.lock();
        let (status, waits) = self.check_locked(&mut state, dir, id, displaced)?;
        if status.ready || waits.holds(id, waker) {
            return Some(status);
        }
        drop(state);
        // Unpacked and packed again: returned directly, it would force the status above through memory
        // too, 24 instructions a round trip.
        let status = self.check_with(dir, id, waker.clone(), displaced)?;
        Some(status)
    }

    /// The same with a waker to store. It checks again from the start, because an event may have come
    /// in between.
    #[inline(never)]
    fn check_with(
        &self,
        dir: Direction,
        id: WaiterId,
        waker: Waker,
        displaced: &mut Displaced,
    ) -> Option<WaitStatus> {
        let mut state = self.state.lock();
        let (mut status, waits) = self.check_locked(&mut state, dir, id, displaced)?;
        if !status.ready && !waits.holds(id, &waker) {
            waits.store(id, waker, None, displaced);
            status.stored = true;
        }
        Some(status)
    }

    #[inline]
    fn check_locked<'a>(
        &self,
        state: &'a mut MutexGuard<'_, State>,
        dir: Direction,
        id: WaiterId,
        displaced: &mut Displaced,
    ) -> Option<(WaitStatus, &'a mut Waits)> {
        let tick = self.tick[dir as usize].load(Ordering::Relaxed);
        let DirectionState { hung_up, waits, watch, .. } = &mut state.directions[dir as usize];
        let waits = waits.as_deref_mut()?;
        let begun = waits.begun(id)?;
        let (ticks, reason) = (begun.ticks, begun.reason(tick, *hung_up));
        let ready = is_ready(reason);
        let watch = if ready { Watch::On } else { std::mem::replace(watch, Watch::On) };
        let status = WaitStatus { ready, reason, tick, ticks, stored: false, watch };
        if status.ready {
            *displaced = self.end(dir, id, waits).flatten().into();
        }
        Some((status, waits))
    }

    /// Begins a wait. If an event was harvested and delivered since the ticks of `begun` were read, no
    /// wait begins and the status says ready.
    ///
    /// `id` is [`WaiterId::SHARED`] or, for an own waiter, [`WaiterId::NONE`], which is then set.
    /// `outside` counts the wait as one of a thread that does no rounds.
    #[inline]
    pub(crate) fn begin(
        &self,
        dir: Direction,
        id: &mut WaiterId,
        begun: Begun,
        waker: Waker,
        outside: Option<Outside>,
        displaced: &mut Displaced,
    ) -> WaitStatus {
        let mut state = self.state.lock();
        let tick = self.tick[dir as usize].load(Ordering::Relaxed);
        let direction = &mut state.directions[dir as usize];
        let (ticks, reason) = (begun.ticks, begun.reason(tick, direction.hung_up));
        if is_ready(reason) {
            *displaced = Displaced::Dropped(waker);
            let watch = Watch::On;
            return WaitStatus { ready: true, reason, tick, ticks, stored: false, watch };
        }
        direction.unclaimed = false;
        let watch = std::mem::replace(&mut direction.watch, Watch::On);
        let waits = direction.waits.get_or_insert_with(|| Waits::none(self.first_id));
        if *id == WaiterId::SHARED {
            // Relaxed: see `may_wait`.
            self.shares[dir as usize].store(true, Ordering::Relaxed);
        }
        *id = waits.begin(*id, begun);
        let stored = !waits.holds(*id, &waker);
        match stored {
            true => waits.store(*id, waker, outside, displaced),
            false => *displaced = Displaced::Dropped(waker),
        }
        WaitStatus { ready: false, reason, tick, ticks, stored, watch }
    }

    /// A short read has emptied the stream. `ticks` were read before it. The task's next poll begins to
    /// wait with them.
    #[inline]
    pub(crate) fn set_drained(&self, ticks: Ticks, waker: &Waker) {
        let Some(task) = TaskName::of(waker) else { return };
        self.state.lock().drained = Some(Drained { ticks, task });
        // Relaxed: the task that set it sees its own store, and no other task uses it.
        self.has_drained.store(true, Ordering::Relaxed);
    }

    /// The ticks of the last short read, if this task made it. They are cleared in any case.
    #[inline]
    pub(crate) fn take_drained(&self, waker: &Waker) -> Option<Ticks> {
        if !self.has_drained.load(Ordering::Relaxed) {
            return None;
        }
        self.has_drained.store(false, Ordering::Relaxed);
        let drained = self.state.lock().drained.take()?;
        (Some(drained.task) == TaskName::of(waker)).then_some(drained.ticks)
    }

    /// A waiter stops waiting before it was ready. Returns its waker, to be dropped unlocked; `None`:
    /// it does not wait.
    ///
    /// If an event has made it ready, the next task that polls gets that event.
    pub(crate) fn remove(&self, dir: Direction, id: WaiterId) -> Option<Option<Waker>> {
        let mut state = self.state.lock();
        let tick = self.tick[dir as usize].load(Ordering::Relaxed);
        let DirectionState { hung_up, waits, unclaimed, .. } = &mut state.directions[dir as usize];
        let waits = waits.as_mut()?;
        *unclaimed |= is_ready(waits.begun(id)?.reason(tick, *hung_up));
        self.end(dir, id, waits)
    }

    /// Takes the event that was delivered while nobody waited, if nothing has shown it consumed.
    pub(crate) fn take_unclaimed(&self, dir: Direction) -> bool {
        std::mem::take(&mut self.state.lock().directions[dir as usize].unclaimed)
    }

    /// Delivers an event: moves the wakers of every waiter that it makes ready to `wakers`.
    #[inline]
    pub(crate) fn deliver(&self, harvest: Harvest, wakers: &mut Vec<Woken>) -> Delivered {
        let before = wakers.len();
        let mut unwatched = false;
        let mut state = self.state.lock();
        let [read, write] = &mut state.directions;
        read.hung_up |= harvest.hung_up;
        write.hung_up |= harvest.hung_up;
        if harvest.readable {
            unwatched |= !self.deliver_to(Direction::Read, read, harvest, wakers);
        }
        if harvest.writable {
            unwatched |= !self.deliver_to(Direction::Write, write, harvest, wakers);
        }
        Delivered { taken: wakers.len() - before, unwatched }
    }

    /// Returns whether the direction is to be watched on.
    #[inline(always)] // Else the harvest goes through memory, for each event.
    fn deliver_to(
        &self,
        dir: Direction,
        state: &mut DirectionState,
        harvest: Harvest,
        wakers: &mut Vec<Woken>,
    ) -> bool {
        // A round inside a round (a logger's, between wait and delivery) may have come first.
        let tick = self.tick[dir as usize].load(Ordering::Relaxed).max(harvest.tick);
        // Pairs with the Acquire in `ticks`.
        self.tick[dir as usize].store(tick, Ordering::Release);
        let by = Cause::Source { key: harvest.key, dir, tick };
        let Claim { claimed, wakeable } = match &mut state.waits {
            Some(waits) => waits.take_ready(tick, state.hung_up, by, wakers),
            None => Claim::default(),
        };
        state.unclaimed |= !claimed;
        // Do not watch for a waiter that was woken and not polled yet: each further write of a busy peer
        // would wake the driver for nobody. Its next poll begins the watch again.
        let lapses = state.watch == Watch::On && !wakeable;
        if lapses {
            state.watch = Watch::Lapsed;
        }
        !lapses
    }

    /// Ends every wait and moves all wakers to `wakers`: the source cannot be waited for, and each
    /// waiter sees itself ready, so that its operation meets the reason.
    pub(crate) fn fail(&self, wakers: &mut Vec<Woken>) {
        let mut state = self.state.lock();
        for direction in &mut state.directions {
            direction.watch = Watch::Off;
            if let Some(waits) = &mut direction.waits {
                waits.fail(wakers);
            }
        }
    }

    /// The source has moved to another reactor: counts those who wait from outside with its demand.
    pub(crate) fn recount(&self, demand: &'static Demand) {
        let directions = &mut self.state.lock().directions;
        for waits in directions.iter_mut().filter_map(|direction| direction.waits.as_mut()) {
            waits.recount(demand);
        }
    }

    /// Whether anybody has ever waited.
    #[inline]
    pub(crate) fn has_waits(&mut self) -> bool {
        self.state.get_mut().directions.iter().any(|direction| direction.waits.is_some())
    }

    /// Takes all wakers out, to be dropped: nobody can be waiting any more.
    pub(crate) fn take_all(&mut self) -> Vec<Woken> {
        let mut wakers = Vec::new();
        self.fail(&mut wakers);
        wakers
    }

    /// Whether each direction's events are to be reported.
    pub(crate) fn watched(&self) -> [Watch; 2] {
        let [read, write] = &self.state.lock().directions;
        [read.watch, write.watch]
    }

    /// The poller has been asked to watch these directions and no others, or is about to be.
    pub(crate) fn set_watched(&self, readable: bool, writable: bool) {
        let watch = |watched| if watched { Watch::On } else { Watch::Off };
        let [read, write] = &mut self.state.lock().directions;
        (read.watch, write.watch) = (watch(readable), watch(writable));
    }

    /// Whether a waker is stored for either direction: what must be armed where every wait is armed
    /// by itself.
    pub(crate) fn interest(&self) -> (bool, bool) {
        let mut state = self.state.lock();
        let mut wanted = |dir: Direction| {
            let waits = &mut state.directions[dir as usize].waits;
            waits.as_mut().is_some_and(|waits| waits.has_wakers())
        };
        (wanted(Direction::Read), wanted(Direction::Write))
    }

    /// Ends a wait. Returns its waker, `None` in it if it was woken.
    #[inline]
    fn end(&self, dir: Direction, id: WaiterId, waits: &mut Waits) -> Option<Option<Waker>> {
        if id == WaiterId::SHARED {
            // Relaxed: see `may_wait`.
            self.shares[dir as usize].store(false, Ordering::Relaxed);
        }
        waits.remove(id)
    }
}
