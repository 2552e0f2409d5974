//! The armed timers: a 4-ary heap by deadline over a table of wakers.
//!
//! Insertion, cancellation and firing take O(log n) steps with 16-byte entries that stay in a few
//! cache lines; a deadline that is later than most, which nearly all are, goes in without a move.

use std::num::NonZeroU64;
use std::task::Waker;

use crate::reactor::current;
use crate::reactor::wakes::{Cause, Woken};
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::sync::Mutex;
use crate::trace;

/// Children per node: the four sit beside each other, so that a level costs about one cache miss.
const ARITY: usize = 4;

/// All that is due is taken at once when one in so many of the armed timers has been taken singly.
const BATCH_PART: usize = 16;

/// Marks the end of the free list.
const NO_SLOT: u32 = u32::MAX;

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
    /// Until when a thread sleeps in the poller, nanoseconds; 0: nobody sleeps. Set to anything else
    /// with `queue` locked, so that a timer and a sleeper never miss each other; back to 0 also
    /// without, after which one notification too many is all that can come of it.
    sleeper_ns: AtomicU64,
}

#[derive(Debug)]
struct Queue {
    heap: Vec<Entry>,
    slots: Vec<Slot>,
    /// The first free slot; the others are chained through `Slot::position`.
    free: u32,
    next_id: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    deadline_ns: u64,
    /// The low half of the timer's number, which orders those due at the same instant.
    order: u32,
    slot: u32,
}

impl Entry {
    fn is_before(&self, other: &Entry) -> bool {
        // Wrapping: of two that are armed at once, neither is four billion insertions older.
        let order = || (self.order.wrapping_sub(other.order) as i32) < 0;
        self.deadline_ns < other.deadline_ns || self.deadline_ns == other.deadline_ns && order()
    }
}

#[derive(Debug)]
struct Slot {
    waker: Option<Waker>,
    id: u64,
    /// Where in the heap the entry is; in a free slot: the next free one.
    position: u32,
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
            queue: Mutex::new(Queue {
                heap: Vec::new(),
                slots: Vec::new(),
                free: NO_SLOT,
                next_id: 1,
            }),
            armed: AtomicUsize::new(0),
            sleeper_ns: AtomicU64::new(0),
        }
    }

    /// Arms a timer.
    pub(crate) fn insert(&self, deadline_ns: u64, waker: Waker) -> Inserted {
        let mut queue = self.queue.lock();
        trace::timer_waits(queue.next_id, deadline_ns, &waker);
        let key = queue.insert(deadline_ns, waker);
        self.armed.store(queue.heap.len(), Ordering::Relaxed);
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
        match queue.slot_mut(key) {
            Some(slot) => Ok(slot.waker.replace(waker)),
            None => Err(waker),
        }
    }

    /// Whether the timer has not fired yet.
    pub(crate) fn is_armed(&self, key: TimerKey) -> bool {
        self.queue.lock().slot_mut(key).is_some()
    }

    /// Disarms a timer and returns its waker at once, with its deadline; `None`: it has fired.
    pub(crate) fn remove(&self, key: TimerKey) -> Option<(Waker, u64)> {
        let mut queue = self.queue.lock();
        let position = queue.slot_mut(key)?.position as usize;
        let deadline_ns = queue.heap[position].deadline_ns;
        let (waker, _) = queue.remove_at(position)?;
        self.armed.store(queue.heap.len(), Ordering::Relaxed);
        Some((waker, deadline_ns))
    }

    /// A thread is about to sleep in the poller until `limit_ns` at the latest. Returns the earliest
    /// deadline; from now until `wake` a timer that is due before both costs its caller a
    /// notification, so that nobody sleeps past a deadline.
    pub(crate) fn sleep(&self, limit_ns: u64) -> Option<u64> {
        let queue = self.queue.lock();
        let next_ns = queue.heap.first().map(|entry| entry.deadline_ns);
        self.sleeper_ns.store(next_ns.unwrap_or(u64::MAX).min(limit_ns), Ordering::Relaxed);
        next_ns
    }

    /// The sleep is over: moves the wakers of all timers that are due to `fired`. `now_ns` is asked
    /// only if any timer is armed.
    #[inline]
    pub(crate) fn wake(&self, now_ns: impl FnOnce() -> u64, fired: &mut Vec<Fired>) {
        // Relaxed: one that is armed at this moment has been, or will be, seen by `sleep`.
        self.sleeper_ns.store(0, Ordering::Relaxed);
        if self.armed.load(Ordering::Relaxed) > 0 {
            self.fire(now_ns(), fired);
        }
    }

    fn fire(&self, now_ns: u64, fired: &mut Vec<Fired>) {
        let mut queue = self.queue.lock();
        let due = queue.take_due(now_ns);
        self.armed.store(queue.heap.len(), Ordering::Relaxed);
        for Entry { deadline_ns, slot, .. } in due {
            fired.extend(queue.free(slot).map(|(waker, id)| {
                let woken = Woken { waker, by: Cause::Timer { id } };
                Fired { woken, id, deadline_ns, now_ns }
            }));
        }
    }

    /// How many timers are armed.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.queue.lock().heap.len()
    }
}

/// A timer that is due, disarmed.
#[derive(Debug)]
pub(crate) struct Fired {
    pub(crate) woken: Woken,
    pub(crate) id: u64,
    pub(crate) deadline_ns: u64,
    pub(crate) now_ns: u64,
}

impl Queue {
    fn insert(&mut self, deadline_ns: u64, waker: Waker) -> TimerKey {
        let id = self.next_id;
        self.next_id += 1;
        let new = Slot { waker: Some(waker), id, position: 0 };
        let slot = match self.free {
            NO_SLOT => {
                self.slots.push(new);
                (self.slots.len() - 1) as u32
            }
            free => {
                self.free = self.slots[free as usize].position;
                self.slots[free as usize] = new;
                free
            }
        };
        self.heap.push(Entry { deadline_ns, order: id as u32, slot });
        self.rise(self.heap.len() - 1);
        let id = NonZeroU64::new(id).expect("numbers begin at 1");
        TimerKey { id, slot, forks: current::forks() }
    }

    fn slot_mut(&mut self, key: TimerKey) -> Option<&mut Slot> {
        self.slots.get_mut(key.slot as usize).filter(|slot| slot.id == key.id())
    }

    /// Takes the entry at `position` out of the heap and frees its slot. Returns the waker and the
    /// timer's number.
    fn remove_at(&mut self, position: usize) -> Option<(Waker, u64)> {
        let Entry { slot, .. } = self.unlink(position);
        self.free(slot)
    }

    fn unlink(&mut self, position: usize) -> Entry {
        let entry = self.heap.swap_remove(position);
        if position < self.heap.len() {
            let position = self.rise(position);
            self.sink(position);
        }
        entry
    }

    /// Frees the slot of an entry that is out of the heap.
    fn free(&mut self, slot: u32) -> Option<(Waker, u64)> {
        let free = self.free;
        self.free = slot;
        let slot = &mut self.slots[slot as usize];
        slot.position = free;
        let id = std::mem::take(&mut slot.id);
        slot.waker.take().map(|waker| (waker, id))
    }

    /// Takes the entries that are due out of the heap, in order.
    ///
    /// One after the other, each of which walks down the heap; or, if they are a good part of it,
    /// all at once, which touches every entry but costs nothing for each that is due.
    fn take_due(&mut self, now_ns: u64) -> Vec<Entry> {
        let mut due = Vec::new();
        while let Some(entry) = self.heap.first().filter(|entry| entry.deadline_ns <= now_ns) {
            if due.len() * BATCH_PART > self.heap.len() {
                return self.take_rest_of_due(now_ns, due);
            }
            due.push(*entry);
            self.unlink(0);
        }
        due
    }

    fn take_rest_of_due(&mut self, now_ns: u64, mut due: Vec<Entry>) -> Vec<Entry> {
        let first = due.len();
        self.heap.retain(|entry| {
            let is_due = entry.deadline_ns <= now_ns;
            due.extend(is_due.then_some(*entry));
            !is_due
        });
        // By age: the youngest that can be armed was the last to get a number.
        let youngest = self.next_id as u32;
        due[first..]
            .sort_unstable_by_key(|entry| (entry.deadline_ns, entry.order.wrapping_sub(youngest)));
        for position in (0..self.heap.len()).rev() {
            self.sink(position);
        }
        due
    }

    /// Moves an entry towards the root until its parent is earlier. Returns where it came to rest.
    fn rise(&mut self, mut position: usize) -> usize {
        let entry = self.heap[position];
        while position > 0 {
            let parent = (position - 1) / ARITY;
            if !entry.is_before(&self.heap[parent]) {
                break;
            }
            self.place(position, self.heap[parent]);
            position = parent;
        }
        self.place(position, entry);
        position
    }

    /// Moves an entry away from the root until its children are later.
    fn sink(&mut self, mut position: usize) {
        let entry = self.heap[position];
        loop {
            let children =
                position * ARITY + 1..(position * ARITY + 1 + ARITY).min(self.heap.len());
            let earliest = children.reduce(|earliest, child| {
                match self.heap[child].is_before(&self.heap[earliest]) {
                    true => child,
                    false => earliest,
                }
            });
            match earliest {
                Some(child) if self.heap[child].is_before(&entry) => {
                    self.place(position, self.heap[child]);
                    position = child;
                }
                _ => break,
            }
        }
        self.place(position, entry);
    }

    fn place(&mut self, position: usize, entry: Entry) {
        self.slots[entry.slot as usize].position = position as u32;
        self.heap[position] = entry;
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn fired(timers: &Timers, now_ns: u64) -> Vec<u64> {
        let mut fired = Vec::new();
        timers.wake(|| now_ns, &mut fired);
        fired.iter().map(|fired| fired.deadline_ns).collect()
    }

    #[test]
    fn fires_in_order_of_deadlines_then_of_insertion() {
        let timers = Timers::new();
        let keys: Vec<TimerKey> =
            [30, 10, 20, 10].map(|ns| timers.insert(ns, Waker::noop().clone()).key).to_vec();
        let mut due = Vec::new();
        timers.wake(|| 20, &mut due);
        let ids: Vec<u64> = due.iter().map(|fired| fired.id).collect();
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
