//! The waiters of one direction, and their wakers.

use std::mem::offset_of;
use std::task::Waker;

use ticks_format::published::reactor as word;
use ticks_format::{Reason, Ticks};

use super::seen::WaiterSeen;
use super::{is_ready, Displaced};
use crate::published::Table;
use crate::reactor::demand::{Demand, Outside};
use crate::reactor::wakes::Woken;
use crate::trace::Cause;

/// How many tasks may share a direction's poll functions before all of them are woken to sort
/// themselves out. A task with another waker at each poll fills this up. It is then woken once in this
/// many polls, and does not spin.
const SHARED_WAKERS_MAX: usize = 64;

/// Names a waiter of one direction of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WaiterId(u32);

impl WaiterId {
    /// The waiter that all callers of the poll functions share.
    pub(crate) const SHARED: WaiterId = WaiterId(0);
    /// A waiter that has not begun to wait.
    pub(crate) const NONE: WaiterId = WaiterId(u32::MAX);
    /// Its number in records; one that has not begun to wait has none yet.
    #[inline]
    pub(crate) fn number(self) -> Option<u64> {
        (self != WaiterId::NONE).then_some(u64::from(self.0))
    }
}

/// The moment at which a wait began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Begun {
    pub(crate) ticks: Ticks,
    /// A short read showed that the stream was empty, and no operation said `WouldBlock`. So the end of
    /// the stream, an error or urgent data have not been looked for.
    pub(crate) drained: bool,
}

impl Begun {
    /// A tick that never was: every event is later.
    const LONG_AGO: Begun = Begun { ticks: Ticks { a: u64::MAX, b: u64::MAX }, drained: false };

    /// The rule.
    #[inline]
    pub(super) fn reason(&self, tick: u64, hung_up: bool) -> Reason {
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
#[derive(Debug)]
pub(super) struct Waits {
    shared: Wait,
    shared_others: Vec<Stored>,
    /// The first own waiter. Most directions have only this one and need no table.
    first: Wait,
    more: Vec<Wait>,
    /// The places in `more` where nobody waits.
    vacant: Vec<u32>,
    /// The number of `first`; those in `more` follow.
    first_id: u32,
}

/// One waiter.
#[derive(Debug, Default)]
struct Wait {
    /// Since when it waits; `None`: it does not.
    begun: Option<Begun>,
    /// `None`: it has been woken.
    waker: Option<Waker>,
    /// Counts the waker for as long as it is here, if its thread does no rounds.
    outside: Option<Outside>,
}

/// A waker of one of several tasks that share a wait, counted likewise.
#[derive(Debug)]
struct Stored {
    waker: Waker,
    outside: Option<Outside>,
}

impl Wait {
    #[inline]
    fn is_ready(&self, tick: u64, hung_up: bool) -> bool {
        self.begun.is_some_and(|begun| is_ready(begun.reason(tick, hung_up)))
    }

    fn take_waker(&mut self) -> Option<Waker> {
        self.outside = None;
        self.waker.take()
    }
}

/// Whom an event found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Claim {
    /// Somebody waits, be it one who was woken and has not been polled yet.
    pub(super) claimed: bool,
    /// Somebody waits who can be woken.
    pub(super) wakeable: bool,
}

impl Waits {
    /// Nobody waits yet. Own waiters get numbers from `first_id` on. Once a direction.
    #[cold]
    pub(super) fn none(first_id: u32) -> Box<Waits> {
        Box::new(Waits {
            shared: Wait::default(),
            shared_others: Vec::new(),
            first: Wait::default(),
            more: Vec::new(),
            vacant: Vec::new(),
            first_id,
        })
    }

    /// Says what they are like to readers of this memory.
    pub(super) fn publish(table: &Table) {
        table.set(word::WAITS_FIRST_ID, offset_of!(Waits, first_id));
        table.set(word::WAITS_SHARED, offset_of!(Waits, shared));
        table.set(word::WAITS_OTHERS, offset_of!(Waits, shared_others));
        table.set(word::WAITS_FIRST, offset_of!(Waits, first));
        table.set(word::WAITS_MORE, offset_of!(Waits, more));
        table.set(word::WAIT_BYTES, size_of::<Wait>());
        // `None` is told by `drained`, the only field that can have values which mean nothing.
        const { assert!(size_of::<Option<Begun>>() == size_of::<Begun>()) };
        let begun = offset_of!(Wait, begun);
        table.set(word::WAIT_BEGUN, begun + offset_of!(Begun, drained));
        let ticks = begun + offset_of!(Begun, ticks);
        table.set(word::WAIT_TICK_A, ticks + offset_of!(Ticks, a));
        table.set(word::WAIT_TICK_B, ticks + offset_of!(Ticks, b));
        table.set(word::WAIT_WAKER, offset_of!(Wait, waker));
        table.set(word::OTHER_BYTES, size_of::<Stored>());
        table.set(word::OTHER_WAKER, offset_of!(Stored, waker));
    }

    fn is_first(&self, id: WaiterId) -> bool {
        id.0 == self.first_id
    }

    /// Where in `more` a waiter is. Far outside for a number that is not from here.
    fn slot(&self, id: WaiterId) -> usize {
        id.0.wrapping_sub(self.first_id).wrapping_sub(1) as usize
    }

    #[inline]
    fn get_mut(&mut self, id: WaiterId) -> Option<&mut Wait> {
        let slot = self.slot(id);
        match id {
            WaiterId::SHARED => Some(&mut self.shared),
            id if self.is_first(id) => Some(&mut self.first),
            _ => self.more.get_mut(slot),
        }
        .filter(|wait| wait.begun.is_some())
    }

    /// Since when a waiter waits; `None`: it does not.
    #[inline]
    pub(super) fn begun(&mut self, id: WaiterId) -> Option<Begun> {
        self.get_mut(id)?.begun
    }

    /// A waiter begins to wait. Returns its number, which an own one is given now.
    #[inline]
    pub(super) fn begin(&mut self, id: WaiterId, begun: Begun) -> WaiterId {
        if id == WaiterId::SHARED {
            self.shared.begun = Some(begun);
            return id;
        }
        self.insert(begun)
    }

    #[inline(never)]
    fn insert(&mut self, begun: Begun) -> WaiterId {
        if self.first.begun.is_none() {
            self.first.begun = Some(begun);
            return WaiterId(self.first_id);
        }
        let wait = Wait { begun: Some(begun), ..Wait::default() };
        let slot = match self.vacant.pop() {
            Some(slot) => {
                self.more[slot as usize] = wait;
                slot
            }
            None => {
                self.more.push(wait);
                (self.more.len() - 1) as u32
            }
        };
        WaiterId(self.first_id + 1 + slot)
    }

    /// Frees the place of a waiter and returns its waker. The shared one's place stays, with the other
    /// tasks' wakers: they are woken by the same event.
    pub(super) fn remove(&mut self, id: WaiterId) -> Option<Option<Waker>> {
        let wait = self.get_mut(id)?;
        wait.begun = None;
        let waker = wait.take_waker();
        if id != WaiterId::SHARED && !self.is_first(id) {
            self.vacant.push(self.slot(id) as u32);
        }
        Some(waker)
    }

    /// Whether a waker that wakes the same task is stored already.
    #[inline]
    pub(super) fn holds(&self, id: WaiterId, waker: &Waker) -> bool {
        let wait = match id {
            WaiterId::SHARED => &self.shared,
            id if self.is_first(id) => &self.first,
            _ => &self.more[self.slot(id)],
        };
        wait.waker.as_ref().is_some_and(|own| own.will_wake(waker))
            || id == WaiterId::SHARED
                && self.shared_others.iter().any(|other| other.waker.will_wake(waker))
    }

    /// Stores the waker of a waiter that has begun to wait. Without `outside` it is counted as the
    /// one before it was.
    #[inline]
    pub(super) fn store(
        &mut self,
        id: WaiterId,
        waker: Waker,
        outside: Option<Outside>,
        displaced: &mut Displaced,
    ) {
        let Some(wait) = self.get_mut(id) else {
            *displaced = Displaced::Dropped(waker);
            return;
        };
        let counted = wait.outside.take();
        wait.outside = outside.or_else(|| counted.clone());
        let Some(before) = wait.waker.replace(waker) else { return };
        if id != WaiterId::SHARED {
            *displaced = Displaced::Dropped(before);
            return;
        }
        self.shared_others.push(Stored { waker: before, outside: counted });
        if self.shared_others.len() >= SHARED_WAKERS_MAX {
            let evicted = self.shared_others.drain(..).map(|stored| stored.waker);
            *displaced = Displaced::Evicted(evicted.collect());
        }
    }

    /// Takes the wakers of the waiters that are ready now. Returns whom the event found.
    #[inline(always)] // As `deliver_to`, which calls it.
    pub(super) fn take_ready(
        &mut self,
        tick: u64,
        hung_up: bool,
        by: Cause,
        wakers: &mut Vec<Woken>,
    ) -> Claim {
        let mut wakeable = !self.shared_others.is_empty();
        let woken = |stored: Stored| Woken { waker: stored.waker, by };
        if !self.shared_others.is_empty() && self.shared.is_ready(tick, hung_up) {
            wakers.extend(self.shared_others.drain(..).map(woken));
        }
        let mut claimed = false;
        let mut take = |wait: &mut Wait| {
            claimed |= wait.begun.is_some();
            wakeable |= wait.waker.is_some();
            if wait.is_ready(tick, hung_up) {
                wakers.extend(wait.take_waker().map(|waker| Woken { waker, by }));
            }
        };
        take(&mut self.shared);
        take(&mut self.first);
        self.more.iter_mut().for_each(take);
        Claim { claimed, wakeable }
    }

    /// Makes all of them ready, and takes their wakers.
    pub(super) fn fail(&mut self, wakers: &mut Vec<Woken>) {
        let woken = |waker| Woken { waker, by: Cause::Notify };
        wakers.extend(self.shared_others.drain(..).map(|stored| woken(stored.waker)));
        for wait in self.iter_mut() {
            wait.begun = Some(Begun::LONG_AGO);
            wakers.extend(wait.take_waker().map(woken));
        }
    }

    /// Moves the counts of waits from outside to `demand`.
    pub(super) fn recount(&mut self, demand: &'static Demand) {
        for Stored { outside, .. } in &mut self.shared_others {
            *outside = outside.take().map(|_| demand.count_always());
        }
        for Wait { outside, .. } in self.iter_mut() {
            *outside = outside.take().map(|_| demand.count_always());
        }
    }

    /// Whether any waker is stored.
    pub(super) fn has_wakers(&mut self) -> bool {
        !self.shared_others.is_empty() || self.iter_mut().any(|wait| wait.waker.is_some())
    }

    /// Those who wait, for somebody who only looks.
    pub(super) fn seen(&self) -> Vec<WaiterSeen> {
        let more = self.more.iter().zip(self.first_id.wrapping_add(1)..);
        let own = [(&self.shared, WaiterId::SHARED.0), (&self.first, self.first_id)];
        let waiters = own.into_iter().chain(more).filter_map(|(wait, number)| {
            let ticks = wait.begun?.ticks;
            Some(WaiterSeen::new(number, Some(ticks), wait.waker.as_ref()))
        });
        let others = self.shared_others.iter();
        let others =
            others.map(|other| WaiterSeen::new(WaiterId::SHARED.0, None, Some(&other.waker)));
        waiters.chain(others).collect()
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut Wait> {
        [&mut self.shared, &mut self.first]
            .into_iter()
            .chain(&mut self.more)
            .filter(|wait| wait.begun.is_some())
    }
}
