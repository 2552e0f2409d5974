//! The armed timers: who is woken when, and whether a thread that sleeps in the poller must be
//! notified.

use std::num::NonZeroU64;
use std::task::Waker;

use ticks_format::published::offset;

use crate::published::Table;
use crate::reactor::demand;
use crate::reactor::readiness::WakerSeen;
use crate::reactor::wakes::Woken;
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::sync::Mutex;
use crate::trace::{self, Cause};

mod due;
mod queue;

pub(crate) use due::{Due, DueTimer};
use queue::{Freed, Queue};

/// Names an armed timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimerKey {
    id: NonZeroU64,
    slot: u32,
    /// Which fork's reactor it is armed with.
    pub(crate) forks: u32,
}

impl TimerKey {
    /// Grows with each insertion and is never used again, so that timers due at the same instant
    /// fire in the order they were armed, and a stale key finds nothing.
    pub(crate) fn id(self) -> u64 {
        self.id.get()
    }
}

/// All armed timers of a reactor.
#[derive(Debug)]
pub(crate) struct Timers {
    /// Holding it grants the right to change the heap and the slots, and to compare them with the
    /// sleeper's deadline: see `sleep`.
    queue: Mutex<Queue>,
    /// How many are armed. Changed with `queue` locked; a hint for those who have not locked it.
    armed: AtomicUsize,
    /// How many of them were armed by threads that do no rounds. As `armed`.
    outside: AtomicUsize,
    /// Until when a thread sleeps in the poller, nanoseconds; 0: nobody sleeps. A deadline is stored
    /// with `queue` locked, so that a timer and a sleeper never miss each other. 0 is stored also
    /// without the lock: that can only cause one notification too many.
    sleeper_ns: AtomicU64,
}

/// What somebody sees of a timer who only looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TimerSeen {
    pub(crate) id: u64,
    /// `None`: it has fired, and its task is about to be woken.
    pub(crate) deadline_ns: Option<u64>,
    pub(crate) waker: WakerSeen,
}

/// What came of arming a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Inserted {
    pub(crate) key: TimerKey,
    /// A thread sleeps in the poller past this deadline and must be notified.
    pub(crate) notify: bool,
}

impl Timers {
    pub(crate) fn new() -> Timers {
        Timers {
            queue: Mutex::new(Queue::new()),
            armed: AtomicUsize::new(0),
            outside: AtomicUsize::new(0),
            sleeper_ns: AtomicU64::new(0),
        }
    }

    /// Says where they are to readers of this memory. They are `at` in the reactor.
    pub(crate) fn publish(&self, table: &Table, at: u64) {
        let queue = self.queue.lock();
        queue.publish(table, at + offset(self, &*queue));
    }

    /// Arms a timer.
    #[inline]
    pub(crate) fn insert(&self, deadline_ns: u64, waker: Waker) -> Inserted {
        let mut queue = self.queue.lock();
        trace::timer_waits(queue.next_id(), deadline_ns, &waker);
        let outside = !demand::is_inside();
        self.count_outside(usize::from(outside));
        let key = queue.insert(deadline_ns, waker, outside);
        self.armed.store(queue.len(), Ordering::Relaxed);
        let notify = deadline_ns < self.sleeper_ns.load(Ordering::Relaxed);
        if notify {
            // One notification is enough until the sleeper has looked again.
            self.sleeper_ns.store(deadline_ns, Ordering::Relaxed);
        }
        Inserted { key, notify }
    }

    /// Makes `waker` the one to wake. `Ok` holds a waker of the same timer that is no longer of use;
    /// `Err`, the given one back, if the timer has fired.
    pub(crate) fn replace(&self, key: TimerKey, waker: Waker) -> Result<Option<Waker>, Waker> {
        let mut queue = self.queue.lock();
        match queue.armed_mut(key) {
            Some(slot) => Ok(slot.waker.replace(waker)),
            None => Err(waker),
        }
    }

    /// Whether the timer has not fired yet.
    pub(crate) fn is_armed(&self, key: TimerKey) -> bool {
        self.queue.lock().armed_mut(key).is_some()
    }

    /// Disarms a timer and returns its waker at once, with its deadline; `None`: it has fired.
    #[inline]
    pub(crate) fn remove(&self, key: TimerKey) -> Option<(Waker, u64)> {
        let mut queue = self.queue.lock();
        let (Freed { waker, outside, .. }, deadline_ns) = queue.remove(key)?;
        self.armed.store(queue.len(), Ordering::Relaxed);
        self.count_outside(usize::from(outside).wrapping_neg());
        Some((waker, deadline_ns))
    }

    /// Counts armed timers of threads that do no rounds, up or, wrapping, down. Called with `queue`
    /// locked, so this need not be an atomic addition.
    #[inline]
    fn count_outside(&self, more: usize) {
        let outside = self.outside.load(Ordering::Relaxed);
        self.outside.store(outside.wrapping_add(more), Ordering::Relaxed);
    }

    /// Whether any timer is armed by a thread that does no rounds.
    pub(crate) fn is_outside(&self) -> bool {
        self.outside.load(Ordering::Relaxed) > 0
    }

    /// A thread is about to sleep in the poller until `limit_ns` at the latest. Returns the earliest
    /// deadline; from now until `wake`, a thread that arms a timer due before both notifies the
    /// sleeper, so that nobody sleeps past a deadline.
    pub(crate) fn sleep(&self, limit_ns: u64) -> Option<u64> {
        let queue = self.queue.lock();
        let next_ns = queue.next_ns();
        self.sleeper_ns.store(next_ns.unwrap_or(u64::MAX).min(limit_ns), Ordering::Relaxed);
        next_ns
    }

    /// The sleep is over: disarms all timers that are due. `now_ns` is asked only if any is armed.
    #[inline]
    pub(crate) fn wake(&self, now_ns: impl FnOnce() -> u64, due: &mut Due) {
        // Relaxed: a timer that is armed at this moment is seen by the next `sleep` at the latest.
        self.sleeper_ns.store(0, Ordering::Relaxed);
        if self.armed.load(Ordering::Relaxed) > 0 {
            self.take_due(now_ns(), due);
        }
    }

    fn take_due(&self, now_ns: u64, due: &mut Due) {
        let mut queue = self.queue.lock();
        queue.take_due(now_ns, due);
        self.armed.store(queue.len(), Ordering::Relaxed);
        drop(queue);
        due.now_ns = now_ns;
        due.sort();
    }

    /// Moves the wakers of timers that are due to `wakers`.
    pub(crate) fn take_wakers(&self, due: &[DueTimer], wakers: &mut Vec<Woken>) {
        let mut queue = self.queue.lock();
        let mut outside_fewer = 0;
        wakers.extend(due.iter().filter_map(|timer| {
            let Freed { waker, id, outside } = queue.free(timer.slot)?;
            outside_fewer += usize::from(outside);
            Some(Woken { waker, by: Cause::Timer { id } })
        }));
        self.count_outside(usize::wrapping_neg(outside_fewer));
    }

    /// All timers as they are now, the earliest first, for somebody who only looks; `None`: another thread
    /// is at work on them.
    pub(crate) fn try_seen(&self) -> Option<Vec<TimerSeen>> {
        let mut seen = self.queue.try_lock()?.seen();
        seen.sort_unstable_by_key(|timer| (timer.deadline_ns, timer.id));
        Some(seen)
    }

    /// How many timers are armed.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.queue.lock().len()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn fired(timers: &Timers, now_ns: u64) -> Vec<u64> {
        let mut due = Due::default();
        timers.wake(|| now_ns, &mut due);
        let deadlines = due.iter().map(|timer| timer.deadline_ns).collect();
        timers.take_wakers(&due.timers, &mut Vec::new());
        deadlines
    }

    #[test]
    fn fires_in_order_of_deadlines_then_of_insertion() {
        let timers = Timers::new();
        let keys: Vec<TimerKey> =
            [30, 10, 20, 10].map(|ns| timers.insert(ns, Waker::noop().clone()).key).to_vec();
        let mut due = Due::default();
        timers.wake(|| 20, &mut due);
        let ids: Vec<u64> = due.iter().map(|timer| timer.id).collect();
        assert_eq!(ids, [keys[1].id(), keys[3].id(), keys[2].id()]);
        assert_eq!(timers.len(), 1);
    }

    #[test]
    fn agrees_with_a_sorted_list_under_random_insertions_and_removals() {
        let timers = Timers::new();
        let mut model: Vec<(u64, TimerKey)> = Vec::new();
        let mut random = 0x2545_f491_4f6c_dd1du64;
        for step in 0..20_000 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            if random % 3 > 0 || model.is_empty() {
                let deadline_ns = 1_000 + step + random % 5_000;
                model.push((deadline_ns, timers.insert(deadline_ns, Waker::noop().clone()).key));
            } else {
                let (_, key) = model.swap_remove((random / 3) as usize % model.len());
                assert!(timers.remove(key).is_some());
                assert!(timers.remove(key).is_none(), "a key is good once");
            }
            if step % 100 == 0 {
                let mut due: Vec<u64> =
                    model.iter().map(|&(ns, _)| ns).filter(|&ns| ns <= step).collect();
                due.sort_unstable();
                model.retain(|&(ns, _)| ns > step);
                assert_eq!(fired(&timers, step), due);
            }
        }
        assert_eq!(timers.len(), model.len());
        assert!(timers.is_outside(), "this thread is not in block_on");
        model.into_iter().for_each(|(_, key)| drop(timers.remove(key)));
        assert!(!timers.is_outside());
    }

    /// Taken because it is due and not yet woken, a timer has fired: nobody can disarm it any longer, and
    /// another task of it wakes itself.
    #[test]
    fn a_timer_that_is_due_has_fired() {
        let timers = Timers::new();
        let [first, other] = [1, 2].map(|ns| timers.insert(ns, Waker::noop().clone()).key);
        let mut due = Due::default();
        timers.wake(|| 1, &mut due);
        assert!(!timers.is_armed(first) && timers.is_armed(other));
        assert!(timers.replace(first, Waker::noop().clone()).is_err());
        assert!(timers.remove(first).is_none());
        assert!(timers.replace(other, Waker::noop().clone()).is_ok());
        // Its place is its own until its waker is taken.
        let third = timers.insert(3, Waker::noop().clone()).key;

        let seen = timers.try_seen().expect("nobody is at work on them");
        let seen: Vec<_> = seen.iter().map(|timer| (timer.id, timer.deadline_ns)).collect();
        assert_eq!(seen, [(first.id(), None), (other.id(), Some(2)), (third.id(), Some(3))]);

        let mut wakers = Vec::new();
        due.chunks().for_each(|some| timers.take_wakers(some, &mut wakers));
        let causes: Vec<Cause> = wakers.iter().map(|woken| woken.by).collect();
        assert_eq!(causes, [Cause::Timer { id: first.id() }]);
        assert!(timers.remove(other).is_some() && timers.remove(third).is_some());
    }

    #[test]
    fn only_an_earlier_deadline_notifies_the_sleeper_and_only_once() {
        let timers = Timers::new();
        assert_eq!(timers.sleep(u64::MAX), None);
        assert!(timers.insert(500, Waker::noop().clone()).notify);
        assert!(!timers.insert(600, Waker::noop().clone()).notify);
        assert!(timers.insert(400, Waker::noop().clone()).notify);
        assert!(fired(&timers, 0).is_empty());
        assert!(!timers.insert(10, Waker::noop().clone()).notify, "nobody sleeps");
    }
}
