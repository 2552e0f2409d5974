//! Who waits for a source, and whether it is ready for them: the ticks rule.
//!
//! Each direction carries the tick of the last event delivered to it, `t`. A waiter remembers
//! `(a, b)` of the moment its wait began: the reactor's tick and the direction's tick. **It is ready
//! if and only if `t != a && t != b`**: an event with tick `b` was delivered before the wait began,
//! one with tick `a` was harvested before it began. The pair is set once, when the wait begins, and
//! dropped when the waiter becomes ready; polling again replaces the waker and nothing else.
//!
//! Nothing here calls foreign code with the lock held: wakers come in cloned and go out unwoken.

use std::task::Waker;

use slab::Slab;
use ticks_format::{Direction, Key, Reason, Ticks};

use crate::reactor::wakes::{Cause, Woken};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::Mutex;

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

/// How many tasks may share a direction's poll functions before all of them are woken to sort
/// themselves out. A task whose waker differs at each poll fills this up, so that it is woken at most
/// once in so many polls and never spins.
const SHARED_WAKERS_MAX: usize = 64;

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
pub(crate) struct Displaced {
    /// Of the same waiter, so no longer of use.
    pub(crate) dropped: Option<Waker>,
    /// Of other tasks, which must be woken to ask again.
    pub(crate) evicted: Vec<Waker>,
}

impl Displaced {
    #[inline]
    pub(crate) fn is_any(&self) -> bool {
        self.dropped.is_some() || !self.evicted.is_empty()
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
    /// Nothing is there, for a plain source's operation, unless an event says otherwise.
    blocked: Option<Blocked>,
    /// Made when somebody first waits, kept from then on.
    waits: Option<Box<Waits>>,
}

/// A moment at which a direction had nothing: a wait could have begun then.
#[derive(Clone, Copy, Debug)]
struct Blocked {
    ticks: Ticks,
    /// A short read showed it, not an operation that said `WouldBlock`: what else the kernel has to
    /// say (end of stream, error, urgent data) was not looked at.
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

/// The waiters of one direction.
#[derive(Debug, Default)]
struct Waits {
    shared: Wait,
    shared_others: Vec<Waker>,
    first: Wait,
    more: Slab<Wait>,
}

/// One waiter.
#[derive(Debug, Default)]
struct Wait {
    /// Since when it waits; `None`: it does not.
    begun: Option<Blocked>,
    waker: Option<Waker>,
}

impl Wait {
    #[inline]
    fn is_ready(&self, tick: u64, hung_up: bool) -> bool {
        self.begun.as_ref().is_some_and(|begun| is_ready(begun.reason(tick, hung_up)))
    }
}

fn is_ready(reason: Reason) -> bool {
    matches!(reason, Reason::LaterTick | Reason::HungUp)
}

impl Waits {
    #[inline]
    fn get_mut(&mut self, id: WaiterId) -> Option<&mut Wait> {
        match id {
            WaiterId::SHARED => Some(&mut self.shared),
            WaiterId::FIRST => Some(&mut self.first),
            WaiterId(n) => self.more.get_mut(n.wrapping_sub(2) as usize),
        }
        .filter(|wait| wait.begun.is_some())
    }

    /// A free place for an own waiter.
    fn insert(&mut self) -> (WaiterId, &mut Wait) {
        if self.first.begun.is_none() {
            return (WaiterId::FIRST, &mut self.first);
        }
        let entry = self.more.vacant_entry();
        let id = WaiterId(entry.key() as u32 + 2);
        (id, entry.insert(Wait::default()))
    }

    /// Frees the place of a waiter. The shared one's place stays, with the other tasks' wakers: they
    /// are woken by the same event.
    fn remove(&mut self, id: WaiterId) -> Option<Waker> {
        match id {
            WaiterId::SHARED | WaiterId::FIRST => {
                let wait = self.get_mut(id)?;
                wait.begun = None;
                wait.waker.take()
            }
            WaiterId(n) => self.more.try_remove(n.wrapping_sub(2) as usize)?.waker,
        }
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut Wait> {
        let own = self.more.iter_mut().map(|(_, wait)| wait);
        [&mut self.shared, &mut self.first]
            .into_iter()
            .chain(own)
            .filter(|wait| wait.begun.is_some())
    }
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
    pub(crate) fn look(
        &self,
        dir: Direction,
        id: WaiterId,
        waker: &Waker,
        displaced: &mut Displaced,
    ) -> Option<Look> {
        let mut clone = None;
        loop {
            let mut state = self.state.lock();
            let tick = self.tick[dir as usize].load(Ordering::Relaxed);
            let State { hung_up, waits, .. } = &mut state[dir as usize];
            let waits = waits.as_mut()?;
            let wait = waits.get_mut(id)?;
            let begun = wait.begun?;
            let (ticks, reason) = (begun.ticks, begun.reason(tick, *hung_up));
            let mut look = Look { ready: is_ready(reason), reason, tick, ticks, stored: false };
            if look.ready {
                displaced.dropped = self.end(dir, id, waits);
                return Some(look);
            }
            if waits.holds(id, waker) {
                return Some(look);
            }
            match clone.take() {
                Some(clone) => {
                    waits.store(id, clone, displaced);
                    look.stored = true;
                    return Some(look);
                }
                None => {
                    drop(state);
                    clone = Some(waker.clone());
                }
            }
        }
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
            displaced.dropped = Some(waker);
            return Look { ready: true, reason, tick, ticks, stored: false };
        }
        let state = &mut state[dir as usize];
        state.unclaimed = false;
        if plain {
            self.set_blocked(dir, state, Some(begun));
        }
        let stored = self.store(dir, id, state, begun, waker, displaced);
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
    /// nothing and no event has been delivered that was harvested since. `None`: try it.
    pub(crate) fn begin_blocked(
        &self,
        dir: Direction,
        id: &mut WaiterId,
        waker: Waker,
        displaced: &mut Displaced,
    ) -> Option<Look> {
        let mut state = self.state.lock();
        let tick = self.tick[dir as usize].load(Ordering::Relaxed);
        let state = &mut state[dir as usize];
        let begun = state.blocked.filter(|it| !is_ready(it.reason(tick, state.hung_up)));
        let Some(begun) = begun else {
            displaced.dropped = Some(waker);
            return None;
        };
        let (ticks, reason) = (begun.ticks, begun.reason(tick, state.hung_up));
        let stored = self.store(dir, id, state, begun, waker, displaced);
        Some(Look { ready: false, reason, tick, ticks, stored })
    }

    /// A short read has drained the queue: the next operation would find nothing unless an event is
    /// delivered that was harvested after `ticks`, which were read before it.
    #[inline]
    pub(crate) fn drained(&self, dir: Direction, ticks: Ticks) {
        let mut state = self.state.lock();
        let state = &mut state[dir as usize];
        let tick = self.tick[dir as usize].load(Ordering::Relaxed);
        let drained = Blocked { ticks, drained: true };
        if !is_ready(drained.reason(tick, state.hung_up)) {
            state.unclaimed = false;
            self.set_blocked(dir, state, Some(drained));
        }
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
        begun: Blocked,
        waker: Waker,
        displaced: &mut Displaced,
    ) -> bool {
        let waits = state.waits.get_or_insert_with(Box::default);
        if *id == WaiterId::SHARED {
            waits.shared.begun = Some(begun);
            // Relaxed: see `shares`.
            self.shares[dir as usize].store(true, Ordering::Relaxed);
        } else {
            let (new, wait) = waits.insert();
            wait.begun = Some(begun);
            *id = new;
        }
        if waits.holds(*id, &waker) {
            displaced.dropped = Some(waker);
            return false;
        }
        waits.store(*id, waker, displaced);
        true
    }

    /// A waiter stops waiting before it was ready. Returns its waker, to be dropped unlocked.
    ///
    /// An event that was meant for it is left for the next one who asks.
    pub(crate) fn remove(&self, dir: Direction, id: WaiterId) -> Option<Waker> {
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

    #[inline]
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
            let Some(waits) = &mut state.waits else { continue };
            wakers.extend(waits.shared_others.drain(..).map(Woken::by(Cause::Notify)));
            for wait in waits.iter_mut() {
                wait.begun = Some(long_ago);
                wakers.extend(wait.waker.take().map(Woken::by(Cause::Notify)));
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
            let waits = state[dir as usize].waits.as_mut();
            waits.is_some_and(|waits| {
                !waits.shared_others.is_empty() || waits.iter_mut().any(|w| w.waker.is_some())
            })
        };
        (wanted(Direction::Read), wanted(Direction::Write))
    }

    #[inline]
    fn end(&self, dir: Direction, id: WaiterId, waits: &mut Waits) -> Option<Waker> {
        if id == WaiterId::SHARED {
            // Relaxed: see `shares`.
            self.shares[dir as usize].store(false, Ordering::Relaxed);
        }
        waits.remove(id)
    }
}

impl Waits {
    /// Whether a waker that wakes the same task is stored already.
    fn holds(&self, id: WaiterId, waker: &Waker) -> bool {
        let stored = match id {
            WaiterId::SHARED => &self.shared,
            WaiterId::FIRST => &self.first,
            WaiterId(n) => &self.more[n as usize - 2],
        };
        let own = stored.waker.as_ref().is_some_and(|stored| stored.will_wake(waker));
        own || id == WaiterId::SHARED && self.shared_others.iter().any(|w| w.will_wake(waker))
    }

    fn store(&mut self, id: WaiterId, waker: Waker, displaced: &mut Displaced) {
        if id != WaiterId::SHARED {
            let wait = self.get_mut(id).expect("the caller has just looked at this wait");
            displaced.dropped = wait.waker.replace(waker);
            return;
        }
        let Some(other) = self.shared.waker.replace(waker) else { return };
        self.shared_others.push(other);
        if self.shared_others.len() >= SHARED_WAKERS_MAX {
            displaced.evicted = std::mem::take(&mut self.shared_others);
        }
    }

    /// Takes the wakers of those who are ready now. Returns whether anybody waits at all.
    fn take_ready(&mut self, tick: u64, hung_up: bool, by: Cause, wakers: &mut Vec<Woken>) -> bool {
        if !self.shared_others.is_empty() && self.shared.is_ready(tick, hung_up) {
            wakers.extend(self.shared_others.drain(..).map(Woken::by(by)));
        }
        let mut claimed = false;
        let mut take = |wait: &mut Wait| {
            let Some(begun) = wait.begun else { return };
            claimed = true;
            if is_ready(begun.reason(tick, hung_up)) {
                wakers.extend(wait.waker.take().map(Woken::by(by)));
            }
        };
        take(&mut self.shared);
        take(&mut self.first);
        if !self.more.is_empty() {
            self.more.iter_mut().for_each(|(_, wait)| take(wait));
        }
        claimed
    }
}
