//! What is armed: an 8-ary heap by deadline over a table of wakers.
//!
//! Insertion, cancellation and firing take O(log n) steps with 16-byte entries that stay in a few
//! cache lines; a deadline that is later than most, which nearly all are, goes in without a move.

use std::mem::offset_of;
use std::num::NonZeroU64;
use std::task::Waker;

use ticks_format::published::{offset, reactor as word};

use super::due::{Due, DueTimer};
use super::{TimerKey, TimerSeen};
use crate::fork;
use crate::published::Table;
use crate::reactor::readiness::WakerSeen;

/// Children per node. They lie side by side, in two or three cache lines that are fetched together. The
/// cost is by level: each level that an entry moves writes a position into the table.
const ARITY: usize = 8;

/// Marks the end of the free list.
const NO_SLOT: u32 = u32::MAX;

#[derive(Debug)]
pub(super) struct Queue {
    heap: Vec<Entry>,
    slots: Vec<Slot>,
    /// The first free slot; the others are chained through `Slot::position`.
    free: u32,
    next_id: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    deadline_ns: u64,
    slot: u32,
}

#[derive(Debug)]
pub(super) struct Slot {
    pub(super) waker: Option<Waker>,
    id: u64,
    /// Where in the heap the entry is, if it is there; in a free slot: the next free one.
    position: u32,
    /// Whether it was armed by a thread that does no rounds.
    outside: bool,
}

/// What was in a slot.
#[derive(Debug)]
pub(super) struct Freed {
    pub(super) waker: Waker,
    pub(super) id: u64,
    pub(super) outside: bool,
}

impl Queue {
    pub(super) fn new() -> Queue {
        Queue { heap: Vec::new(), slots: Vec::new(), free: NO_SLOT, next_id: 1 }
    }

    /// Says what it is like to readers of this memory. It is `at` in the reactor.
    pub(super) fn publish(&self, table: &Table, at: u64) {
        table.set(word::HEAP, at + offset(self, &self.heap));
        table.set(word::HEAP_BYTES, size_of::<Entry>());
        table.set(word::HEAP_DEADLINE_NS, offset_of!(Entry, deadline_ns));
        table.set(word::HEAP_SLOT, offset_of!(Entry, slot));
        table.set(word::SLOTS, at + offset(self, &self.slots));
        table.set(word::SLOT_BYTES, size_of::<Slot>());
        table.set(word::SLOT_ID, offset_of!(Slot, id));
        table.set(word::SLOT_WAKER, offset_of!(Slot, waker));
    }

    /// How many are armed.
    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }

    /// The earliest deadline.
    pub(super) fn next_ns(&self) -> Option<u64> {
        self.heap.first().map(|entry| entry.deadline_ns)
    }

    /// The number that the next timer will get.
    pub(super) fn next_id(&self) -> u64 {
        self.next_id
    }

    #[inline]
    pub(super) fn insert(&mut self, deadline_ns: u64, waker: Waker, outside: bool) -> TimerKey {
        let id = self.next_id;
        self.next_id += 1;
        let position = self.heap.len();
        let new = Slot { waker: Some(waker), id, position: position as u32, outside };
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
        self.heap.push(Entry { deadline_ns, slot });
        if position > 0 && deadline_ns < self.heap[(position - 1) / ARITY].deadline_ns {
            self.rise(position);
        }
        let id = NonZeroU64::new(id).expect("numbers begin at 1");
        TimerKey { id, slot, forks: fork::count() }
    }

    /// All that are armed, and those that have fired and whose wakers are still here.
    pub(super) fn seen(&self) -> Vec<TimerSeen> {
        let taken = self.slots.iter().zip(0..).filter(|(slot, _)| slot.waker.is_some());
        taken
            .map(|(slot, number)| {
                let entry = self.heap.get(slot.position as usize);
                let entry = entry.filter(|entry| entry.slot == number);
                TimerSeen {
                    id: slot.id,
                    deadline_ns: entry.map(|entry| entry.deadline_ns),
                    waker: WakerSeen::new(slot.waker.as_ref()),
                }
            })
            .collect()
    }

    /// The slot of a timer that is armed.
    pub(super) fn armed_mut(&mut self, key: TimerKey) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(key.slot as usize).filter(|slot| slot.id == key.id())?;
        // A timer that was taken as due keeps its slot until `free`.
        let entry = self.heap.get(slot.position as usize)?;
        (entry.slot == key.slot).then_some(slot)
    }

    /// Disarms a timer. Returns what was in its slot, and its deadline.
    #[inline]
    pub(super) fn remove(&mut self, key: TimerKey) -> Option<(Freed, u64)> {
        let position = self.armed_mut(key)?.position as usize;
        let Entry { deadline_ns, slot, .. } = self.heap.swap_remove(position);
        if position < self.heap.len() {
            let position = self.rise(position);
            self.sink(position, self.heap.len());
        }
        self.free(slot).map(|freed| (freed, deadline_ns))
    }

    /// Frees the slot of an entry that is out of the heap. Returns what was in it.
    #[inline]
    pub(super) fn free(&mut self, slot: u32) -> Option<Freed> {
        let free = self.free;
        self.free = slot;
        let slot = &mut self.slots[slot as usize];
        slot.position = free;
        let id = std::mem::take(&mut slot.id);
        let outside = slot.outside;
        slot.waker.take().map(|waker| Freed { waker, id, outside })
    }

    /// Takes what is due out of the heap, in no order, and hands it to `due`.
    ///
    /// The due entries are the top of the heap: no entry below one that is not due is due. So only the
    /// due entries and their children are looked at, however many others there are.
    pub(super) fn take_due(&mut self, now_ns: u64, due: &mut Due) {
        let mut len = self.heap.len();
        if !self.is_due(0, now_ns, len) {
            return;
        }
        self.part_due(0, now_ns, &mut len);
        let slots = &self.slots;
        due.gather(self.heap[len..].iter().map(|&Entry { deadline_ns, slot }| {
            let id = slots[slot as usize].id;
            DueTimer { deadline_ns, id, slot }
        }));
        self.heap.truncate(len);
    }

    fn is_due(&self, position: usize, now_ns: u64, len: usize) -> bool {
        self.heap[..len].get(position).is_some_and(|entry| entry.deadline_ns <= now_ns)
    }

    /// Moves the entry at `position`, which is due, and all due entries below it to behind the heap.
    /// The heap ends at `len`.
    ///
    /// The places are filled from the bottom up, each with the last entry that is not due. So an entry
    /// always sinks into a part that is a heap already, and most sink from the lowest level only. The
    /// recursion is as deep as the heap has levels: eleven at most, as a position has 32 bits.
    fn part_due(&mut self, position: usize, now_ns: u64, len: &mut usize) {
        let first = position * ARITY + 1;
        for child in (first..first + ARITY).rev() {
            // An entry that is behind the heap by now was due.
            if self.is_due(child, now_ns, *len) {
                self.part_due(child, now_ns, len);
            }
        }
        while position < *len {
            *len -= 1;
            let last = self.heap[*len];
            if last.deadline_ns > now_ns {
                self.heap[*len] = self.heap[position];
                self.heap[position] = last;
                self.sink(position, *len);
                return;
            }
        }
    }

    /// Moves an entry towards the root until its parent is earlier. Returns where it came to rest.
    fn rise(&mut self, mut position: usize) -> usize {
        let entry = self.heap[position];
        while position > 0 {
            let parent = (position - 1) / ARITY;
            if entry.deadline_ns >= self.heap[parent].deadline_ns {
                break;
            }
            self.place(position, self.heap[parent]);
            position = parent;
        }
        self.place(position, entry);
        position
    }

    /// Moves an entry away from the root until its children are later. The heap ends at `len`.
    fn sink(&mut self, mut position: usize, len: usize) {
        let entry = self.heap[position];
        loop {
            let first = position * ARITY + 1;
            let Some(children) = self.heap.get(first..(first + ARITY).min(len)) else { break };
            let mut earliest = (u64::MAX, 0);
            for (child, entry) in children.iter().enumerate() {
                if entry.deadline_ns < earliest.0 {
                    earliest = (entry.deadline_ns, child);
                }
            }
            if earliest.0 >= entry.deadline_ns {
                break;
            }
            let child = first + earliest.1;
            self.place(position, self.heap[child]);
            position = child;
        }
        self.place(position, entry);
    }

    fn place(&mut self, position: usize, entry: Entry) {
        self.slots[entry.slot as usize].position = position as u32;
        self.heap[position] = entry;
    }
}
