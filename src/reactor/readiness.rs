//! Who waits for a source, and whether it is ready for them: the ticks rule.
//!
//! Each direction carries the tick of the last event delivered to it, `t`. A waiter remembers
//! `(a, b)` of the moment its wait began: the reactor's tick and the direction's tick. **It is ready
//! if and only if `t != a && t != b`**: an event with tick `b` was delivered before the wait began,
//! one with tick `a` was harvested before it began. The pair is set once, when the wait begins, and
//! dropped when the waiter becomes ready; polling again replaces the waker and nothing else. Where the
//! kernel's answer leaves out what is harvested and not delivered, `a` is `b`: see [`delivered_alone`].
//!
//! Nothing here calls foreign code with the lock held: wakers come in cloned and go out unwoken.

use std::task::Waker;

use ticks_format::{Direction, Key, Reason, Ticks};

use crate::reactor::wakes::{Cause, Woken};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::Mutex;

mod waits;

pub(crate) use waits::Removed;
use waits::Waits;

/// Names a waiter of one direction of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WaiterId(u32);

impl WaiterId {
    /// The waiter that all callers of the poll functions share.
    pub(crate) const SHARED: WaiterId = WaiterId(0);
    /// A waiter that has not begun to wait.
    pub(crate) const NONE: WaiterId = WaiterId(u32::MAX);
    /// The one own waiter that needs no table.
    const FIRST: WaiterId = WaiterId(1);

    pub(crate) fn number(self) -> u64 {
        u64::from(self.0)
    }
}

/// What a look at a wait found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
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
}

/// One event, as far as waiters care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Harvest {
    pub(crate) key: Key,
    pub(crate) tick: u64,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// The end of the stream, an error or urgent data: the next operation must look for itself.
    pub(crate) hung_up: bool,
}

/// Wakers that a call put out of their place, to be dealt with once nothing is locked.
#[derive(Debug, Default)]
pub(crate) enum Displaced {
    #[default]
    Nothing,
    /// Of the same waiter, so no longer of use.
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

/// The readiness of a source: both directions with their waiters.
#[derive(Debug)]
pub(crate) struct Readiness {
    /// `t` of each direction. Stored with `state` locked, `Release`, so that whoever loads it with
    /// `Acquire` also sees the kernel's state of at least that harvest.
    tick: [AtomicU64; 2],
    /// Whether the shared waiter of a direction waits. A hint that saves its own task the lock.
    shares: [AtomicBool; 2],
    /// Whether a direction is known to have nothing. A hint that saves operations the lock.
    blocks: [AtomicBool; 2],
    /// Holding it grants the right to change `tick` and who waits; both always change together.
    state: Mutex<[State; 2]>,
}

/// One direction.
#[derive(Debug, Default)]
struct State {
    /// An event was delivered while nobody waited, and nothing has shown it consumed since.
    unclaimed: bool,
    /// The stream ended, or an error or urgent data was seen: once up, it stays.
    hung_up: bool,
    /// Nothing is there, for a plain source's operation, unless an event says otherwise; or nothing is
    /// taken to be there, by level, where an event does.
    blocked: Option<Blocked>,
    /// Made when somebody first waits, kept from then on.
    waits: Option<Box<Waits>>,
}

/// A moment at which a direction had nothing: a wait could have begun then.
#[derive(Clone, Copy, Debug)]
struct Blocked {
    ticks: Ticks,
    /// A success showed it, not an operation that said `WouldBlock`: what else the kernel has to say
    /// (end of stream, error, urgent data) was not looked at.
    drained: bool,
}

impl Blocked {
    /// The rule.
    #[inline]
    fn reason(&self, tick: u64, hung_up: bool) -> Reason {
        if tick != self.ticks.a && tick != self.ticks.b {
            Reason::LaterTick
        } else if self.drained && hung_up {
            Reason::HungUp
        } else if tick == self.ticks.b {
            Reason::NoEvent
        } else {
            Reason::SameTick
        }
    }
}

fn is_ready(reason: Reason) -> bool {
    matches!(reason, Reason::LaterTick | Reason::HungUp)
}

/// What a wait remembers that the kernel was asked about, where its answer leaves out an event that was
/// harvested by then and not delivered yet: only what was delivered is old.
pub(crate) fn delivered_alone(asked: Ticks) -> Ticks {
    Ticks { a: asked.b, b: asked.b }
}

impl Readiness {
    pub(crate) fn new() -> Readiness {
        Readiness {
            tick: [AtomicU64::new(0), AtomicU64::new(0)],
            shares: [AtomicBool::new(false), AtomicBool::new(false)],
            blocks: [AtomicBool::new(false), AtomicBool::new(false)],
            state: Mutex::new(Default::default()),
        }
    }

    /// `(a, b)` of a wait that begins now; `ticker` is the reactor's.
    ///
    /// Read *before* the operation, or before the kernel is asked: whatever was harvested by then,
    /// they will see for themselves.
    #[inline]
    pub(crate) fn ticks(&self, ticker: &AtomicU64, dir: Direction) -> Ticks {
        Ticks {
            // Pairs with the Release of the bump after the wait.
            a: ticker.load(Ordering::Acquire),
            b: self.tick[dir as usize].load(Ordering::Acquire),
        }
    }

    /// Whether the shared waiter may be waiting; `false` is certain for the task that would know.
    #[inline]
    pub(crate) fn shares(&self, dir: Direction) -> bool {
        // Relaxed: only the task that set it relies on it, another one that misses it merely tries
        // an operation too many.
        self.shares[dir as usize].load(Ordering::Relaxed)
    }

    /// Looks at a wait that has begun. `None`: that waiter does not wait.
    ///
    /// Ready ends the wait. Pending leaves it as it is; its waker is `waker` from now on, for which
    /// `clone` is called with the lock released.
    #[inline]
    pub(crate) fn look(
        &self,
        dir: Direction,
        id: WaiterId,
        waker: &Waker,
        displaced: &mut Displaced,
    ) -> Option<Look> {
        let mut state = self.state.lock();
        let (look, waits) = self.look_locked(&mut state, dir, id, displaced)?;
        if look.ready || waits.holds(id, waker) {
            return Some(look);
        }
        drop(state);
        // Not returned as it comes: the look above would go through memory for it as well, which is 24
        // instructions a round trip.
        let look = self.look_with(dir, id, waker.clone(), displaced)?;
        Some(look)
    }

    /// The same with a waker to store, once more from the start: an event may have come in between.
    #[inline(never)]
    fn look_with(
        &self,
        dir: Direction,
        id: WaiterId,
        waker: Waker,
        displaced: &mut Displaced,
    ) -> Option<Look> {
        let mut state = self.state.lock();
        let (mut look, waits) = self.look_locked(&mut state, dir, id, displaced)?;
        if !look.ready && !waits.holds(id, &waker) {
            waits.store(id, waker, displaced);
            look.stored = true;
        }
        Some(look)
    }

    #[inline]
    fn look_locked<'a>(
        &self,
        state: &'a mut [State; 2],
        dir: Direction,
        id: WaiterId,
        displaced: &mut Displaced,
    ) -> Option<(Look, &'a mut Waits)> {
        let tick = self.tick[dir as usize].load(Ordering::Relaxed);
        let State { hung_up, waits, .. } = &mut state[dir as usize];
        let waits = waits.as_deref_mut()?;
        let begun = waits.get_mut(id)?.begun?;
        let (ticks, reason) = (begun.ticks, begun.reason(tick, *hung_up));
        let look = Look { ready: is_ready(reason), reason, tick, ticks, stored: false };
        if look.ready {
            let waker = self.end(dir, id, waits).and_then(|removed| removed.waker);
            *displaced = waker.into();
        }
        Some((look, waits))
    }

    /// Begins a wait with the ticks read before the operation that said `WouldBlock`, or before the
    /// kernel was asked, unless an event was delivered that was harvested since.
    ///
    /// `id` is [`WaiterId::SHARED`] or, for an own waiter, [`WaiterId::NONE`], which is then set.
    /// `plain`: what holds for this waiter holds for every operation, see [`begin_blocked`].
    ///
    /// [`begin_blocked`]: Self::begin_blocked
    pub(crate) fn begin(
        &self,
        dir: Direction,
        id: &mut WaiterId,
        ticks: Ticks,
        plain: bool,
        waker: Waker,
        displaced: &mut Displaced,
    ) -> Look {
        let mut state = self.state.lock();
        let begun = Blocked { ticks, drained: false };
        let tick = self.tick[dir as usize].load(Ordering::Relaxed);
        let reason = begun.reason(tick, false);
        if is_ready(reason) {
            *displaced = Displaced::Dropped(waker);
            return Look { ready: true, reason, tick, ticks, stored: false };
        }
        let state = &mut state[dir as usize];
        state.unclaimed = false;
        if plain {
            self.set_blocked(dir, state, Some(begun));
        }
        let stored = self.store(dir, id, state, (begun, ticks.a), waker, displaced);
        Look { ready: false, reason, tick, ticks, stored }
    }

    /// Whether [`begin_blocked`](Self::begin_blocked) is worth a try.
    #[inline]
    pub(crate) fn blocks(&self, dir: Direction) -> bool {
        // Relaxed: who misses it merely tries an operation too many, and who sees it looks again
        // under the lock.
        self.blocks[dir as usize].load(Ordering::Relaxed)
    }

    /// Begins a wait without trying the operation, if an earlier operation of whichever task found
    /// nothing and no event has been delivered that was harvested since. `None`: try it. `now` is the
    /// reactor's tick.
    #[inline]
    pub(crate) fn begin_blocked(
        &self,
        dir: Direction,
        id: &mut WaiterId,
        now: u64,
        waker: Waker,
        displaced: &mut Displaced,
    ) -> Option<Look> {
        let mut state = self.state.lock();
        let tick = self.tick[dir as usize].load(Ordering::Relaxed);
        let state = &mut state[dir as usize];
        let blocked = state.blocked.map(|it| (it, it.reason(tick, state.hung_up)));
        let Some((begun, reason)) = blocked.filter(|&(_, reason)| !is_ready(reason)) else {
            *displaced = Displaced::Dropped(waker);
            return None;
        };
        let stored = self.store(dir, id, state, (begun, now), waker, displaced);
        Some(Look { ready: false, reason, tick, ticks: begun.ticks, stored })
    }

    /// An operation that did not say so has left the queue empty, or is taken to have: the next one would
    /// find nothing unless an event is delivered that was harvested after `ticks`, which were read before.
    #[inline]
    pub(crate) fn taken_for_empty(&self, dir: Direction, ticks: Ticks) {
        let mut state = self.state.lock();
        let state = &mut state[dir as usize];
        let tick = self.tick[dir as usize].load(Ordering::Relaxed);
        let empty = Blocked { ticks, drained: true };
        if !is_ready(empty.reason(tick, state.hung_up)) {
            state.unclaimed = false;
            self.set_blocked(dir, state, Some(empty));
        }
    }

    /// What was taken for empty need not be: the next operation is to look.
    pub(crate) fn forget_blocked(&self, dir: Direction) {
        let mut state = self.state.lock();
        self.set_blocked(dir, &mut state[dir as usize], None);
    }

    #[inline]
    fn set_blocked(&self, dir: Direction, state: &mut State, blocked: Option<Blocked>) {
        state.blocked = blocked;
        // Relaxed: see `blocks`.
        self.blocks[dir as usize].store(blocked.is_some(), Ordering::Relaxed);
    }

    /// Puts a waiter in its place. Returns whether its waker was new there.
    #[inline]
    fn store(
        &self,
        dir: Direction,
        id: &mut WaiterId,
        state: &mut State,
        (begun, since): (Blocked, u64),
        waker: Waker,
        displaced: &mut Displaced,
    ) -> bool {
        let waits = state.waits.get_or_insert_with(Waits::none);
        if *id == WaiterId::SHARED {
            // Relaxed: see `shares`.
            self.shares[dir as usize].store(true, Ordering::Relaxed);
        }
        *id = waits.begin(*id, begun, since);
        if waits.holds(*id, &waker) {
            *displaced = Displaced::Dropped(waker);
            return false;
        }
        waits.store(*id, waker, displaced);
        true
    }

    /// A waiter stops waiting before it was ready. Returns what is left of it, to be dropped unlocked.
    ///
    /// An event that was meant for it is left for the next one who asks.
    pub(crate) fn remove(&self, dir: Direction, id: WaiterId) -> Option<Removed> {
        let mut state = self.state.lock();
        let tick = self.tick[dir as usize].load(Ordering::Relaxed);
        let State { hung_up, waits, unclaimed, .. } = &mut state[dir as usize];
        let waits = waits.as_mut()?;
        *unclaimed |= waits.get_mut(id)?.is_ready(tick, *hung_up);
        self.end(dir, id, waits)
    }

    /// Takes the event that was delivered while nobody waited, if nothing has shown it consumed.
    pub(crate) fn take_unclaimed(&self, dir: Direction) -> bool {
        std::mem::take(&mut self.state.lock()[dir as usize].unclaimed)
    }

    /// Delivers an event: moves the wakers of every waiter that it makes ready to `wakers`. Returns
    /// how many they are.
    #[inline]
    pub(crate) fn deliver(&self, harvest: Harvest, wakers: &mut Vec<Woken>) -> usize {
        let before = wakers.len();
        let mut state = self.state.lock();
        let [read, write] = &mut *state;
        read.hung_up |= harvest.hung_up;
        write.hung_up |= harvest.hung_up;
        if harvest.readable {
            self.deliver_to(Direction::Read, read, harvest, wakers);
        }
        if harvest.writable {
            self.deliver_to(Direction::Write, write, harvest, wakers);
        }
        wakers.len() - before
    }

    #[inline(always)] // Else the harvest goes through memory, for each event.
    fn deliver_to(
        &self,
        dir: Direction,
        state: &mut State,
        harvest: Harvest,
        wakers: &mut Vec<Woken>,
    ) {
        // A round inside a round (a logger's, between wait and delivery) may have come first.
        let tick = self.tick[dir as usize].load(Ordering::Relaxed).max(harvest.tick);
        // Pairs with the Acquire in `ticks`.
        self.tick[dir as usize].store(tick, Ordering::Release);
        if state.blocked.is_some_and(|it| is_ready(it.reason(tick, state.hung_up))) {
            self.set_blocked(dir, state, None);
        }
        let by = Cause::Source { key: harvest.key, dir, tick };
        let claimed = match &mut state.waits {
            Some(waits) => waits.take_ready(tick, state.hung_up, by, wakers),
            None => false,
        };
        state.unclaimed |= !claimed;
    }

    /// Ends every wait and moves all wakers to `wakers`: the source cannot be waited for, and each
    /// waiter sees itself ready, so that its operation meets the reason.
    pub(crate) fn fail(&self, wakers: &mut Vec<Woken>) {
        // A tick that never was.
        let long_ago = Blocked { ticks: Ticks { a: u64::MAX, b: u64::MAX }, drained: false };
        let mut state = self.state.lock();
        for dir in [Direction::Read, Direction::Write] {
            let state = &mut state[dir as usize];
            self.set_blocked(dir, state, None);
            if let Some(waits) = &mut state.waits {
                waits.fail(long_ago, wakers);
            }
        }
    }

    /// Whether anybody has ever waited.
    #[inline]
    pub(crate) fn has_waits(&mut self) -> bool {
        self.state.get_mut().iter().any(|state| state.waits.is_some())
    }

    /// Takes all wakers out, to be dropped: nobody can be waiting any more.
    pub(crate) fn take_all(&mut self) -> Vec<Woken> {
        let mut wakers = Vec::new();
        self.fail(&mut wakers);
        wakers
    }

    /// Whether a waker is stored for either direction: what must be armed where every wait is armed
    /// by itself.
    pub(crate) fn interest(&self) -> (bool, bool) {
        let mut state = self.state.lock();
        let mut wanted = |dir: Direction| {
            state[dir as usize].waits.as_mut().is_some_and(|waits| waits.has_wakers())
        };
        (wanted(Direction::Read), wanted(Direction::Write))
    }

    #[inline]
    fn end(&self, dir: Direction, id: WaiterId, waits: &mut Waits) -> Option<Removed> {
        if id == WaiterId::SHARED {
            // Relaxed: see `shares`.
            self.shares[dir as usize].store(false, Ordering::Relaxed);
        }
        waits.remove(id)
    }
}
