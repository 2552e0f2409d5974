//! The waiters of one direction, and their wakers.

use std::task::Waker;

use slab::Slab;

use super::{is_ready, Blocked, Displaced, WaiterId};
use crate::reactor::wakes::{Cause, Woken};

/// How many tasks may share a direction's poll functions before all of them are woken to sort
/// themselves out. A task whose waker differs at each poll fills this up, so that it is woken at most
/// once in so many polls and never spins.
const SHARED_WAKERS_MAX: usize = 64;

/// The waiters of one direction.
#[derive(Debug, Default)]
pub(super) struct Waits {
    shared: Wait,
    shared_others: Vec<Waker>,
    first: Wait,
    more: Slab<Wait>,
}

/// One waiter.
#[derive(Debug, Default)]
pub(super) struct Wait {
    /// Since when it waits; `None`: it does not.
    pub(super) begun: Option<Blocked>,
    /// The reactor's tick when it began, which may be later than what it remembers of the source.
    since: u64,
    waker: Option<Waker>,
}

/// What is left of a waiter.
#[derive(Debug)]
pub(crate) struct Removed {
    /// `None`: it has been woken.
    pub(crate) waker: Option<Waker>,
    /// The reactor's tick when it began to wait.
    pub(crate) since: u64,
}

impl Wait {
    #[inline]
    pub(super) fn is_ready(&self, tick: u64, hung_up: bool) -> bool {
        self.begun.as_ref().is_some_and(|begun| is_ready(begun.reason(tick, hung_up)))
    }
}

impl Waits {
    #[inline]
    pub(super) fn get_mut(&mut self, id: WaiterId) -> Option<&mut Wait> {
        match id {
            WaiterId::SHARED => Some(&mut self.shared),
            WaiterId::FIRST => Some(&mut self.first),
            WaiterId(n) => self.more.get_mut(n.wrapping_sub(2) as usize),
        }
        .filter(|wait| wait.begun.is_some())
    }

    /// Once a direction.
    #[cold]
    pub(super) fn none() -> Box<Waits> {
        Box::default()
    }

    /// A waiter begins to wait. Returns its number, which an own one is given now.
    #[inline]
    pub(super) fn begin(&mut self, id: WaiterId, begun: Blocked, since: u64) -> WaiterId {
        if id == WaiterId::SHARED {
            (self.shared.begun, self.shared.since) = (Some(begun), since);
            return id;
        }
        self.insert(begun, since)
    }

    #[inline(never)]
    fn insert(&mut self, begun: Blocked, since: u64) -> WaiterId {
        if self.first.begun.is_none() {
            (self.first.begun, self.first.since) = (Some(begun), since);
            return WaiterId::FIRST;
        }
        let key = self.more.insert(Wait { begun: Some(begun), since, waker: None });
        WaiterId(key as u32 + 2)
    }

    /// Frees the place of a waiter. The shared one's place stays, with the other tasks' wakers: they
    /// are woken by the same event.
    pub(super) fn remove(&mut self, id: WaiterId) -> Option<Removed> {
        match id {
            WaiterId::SHARED | WaiterId::FIRST => {
                let wait = self.get_mut(id)?;
                wait.begun = None;
                Some(Removed { waker: wait.waker.take(), since: wait.since })
            }
            WaiterId(n) => {
                let Wait { waker, since, .. } = self.more.try_remove(n.wrapping_sub(2) as usize)?;
                Some(Removed { waker, since })
            }
        }
    }

    /// Whether a waker that wakes the same task is stored already.
    #[inline]
    pub(super) fn holds(&self, id: WaiterId, waker: &Waker) -> bool {
        let stored = match id {
            WaiterId::SHARED => &self.shared,
            WaiterId::FIRST => &self.first,
            WaiterId(n) => &self.more[n as usize - 2],
        };
        let own = stored.waker.as_ref().is_some_and(|stored| stored.will_wake(waker));
        own || id == WaiterId::SHARED && self.shared_others.iter().any(|w| w.will_wake(waker))
    }

    #[inline]
    pub(super) fn store(&mut self, id: WaiterId, waker: Waker, displaced: &mut Displaced) {
        if id != WaiterId::SHARED {
            let wait = self.get_mut(id).expect("the caller has just looked at this wait");
            *displaced = wait.waker.replace(waker).into();
            return;
        }
        let Some(other) = self.shared.waker.replace(waker) else { return };
        self.shared_others.push(other);
        if self.shared_others.len() >= SHARED_WAKERS_MAX {
            *displaced = Displaced::Evicted(std::mem::take(&mut self.shared_others));
        }
    }

    /// Takes the wakers of those who are ready now. Returns whether anybody waits at all.
    #[inline(always)] // As `deliver_to`, which calls it.
    pub(super) fn take_ready(
        &mut self,
        tick: u64,
        hung_up: bool,
        by: Cause,
        wakers: &mut Vec<Woken>,
    ) -> bool {
        if !self.shared_others.is_empty() && self.shared.is_ready(tick, hung_up) {
            wakers.extend(self.shared_others.drain(..).map(Woken::by(by)));
        }
        let mut claimed = false;
        let mut take = |wait: &mut Wait| {
            let Some(begun) = wait.begun else { return };
            claimed = true;
            if is_ready(begun.reason(tick, hung_up)) {
                if let Some(waker) = wait.waker.take() {
                    wakers.push(Woken { waker, by });
                }
            }
        };
        take(&mut self.shared);
        take(&mut self.first);
        if !self.more.is_empty() {
            self.more.iter_mut().for_each(|(_, wait)| take(wait));
        }
        claimed
    }

    /// Has all of them wait since `begun`, and takes their wakers.
    pub(super) fn fail(&mut self, begun: Blocked, wakers: &mut Vec<Woken>) {
        wakers.extend(self.shared_others.drain(..).map(Woken::by(Cause::Notify)));
        for wait in self.iter_mut() {
            wait.begun = Some(begun);
            wakers.extend(wait.waker.take().map(Woken::by(Cause::Notify)));
        }
    }

    /// Whether any waker is stored.
    pub(super) fn has_wakers(&mut self) -> bool {
        !self.shared_others.is_empty() || self.iter_mut().any(|wait| wait.waker.is_some())
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut Wait> {
        let own = self.more.iter_mut().map(|(_, wait)| wait);
        [&mut self.shared, &mut self.first]
            .into_iter()
            .chain(own)
            .filter(|wait| wait.begun.is_some())
    }
}
