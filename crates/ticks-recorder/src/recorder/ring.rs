//! Rings: claimed by a thread, written by it alone, given back when it ends.
//!
//! A ring's entry in the table and its slots are words that other processes read at any time; the order
//! of the stores makes them readable (SPEC.md, section 6). Words are stored with `Relaxed`. A word that
//! must not be seen before them, such as the head, is stored after them with `Release`.

use std::cell::Cell;
#[cfg(not(all(test, loom)))]
use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(all(test, loom))]
use loom::sync::atomic::{AtomicU64, Ordering};
use ticks_format::slot::{Slot, RECORD_SLOTS_MAX, SLOT_WORDS};
use ticks_format::tables::{ring_name, ring_word, RING_WORDS};

const STATE_BITS: u64 = 0xff;

/// The table of rings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rings<'a>(pub(super) &'a [AtomicU64]);

impl<'a> Rings<'a> {
    /// Takes a ring for this thread: one never used, else the one given back longest ago. `None`:
    /// every ring has an owner.
    ///
    /// Without a lock: a thread that loses a ring to another looks for the next.
    pub(super) fn claim(&self, tid: u64, name: &str) -> Option<&'a [AtomicU64]> {
        loop {
            let (entry, state) = self.free()?;
            let claims = (state >> 8) + 1;
            let owned = claims << 8 | ring_word::OWNED;
            // Acquire pairs with the Release of the owner that gave it back: its records and its head
            // are seen from here on.
            let claimed = entry[ring_word::STATE].compare_exchange(
                state,
                owned,
                Ordering::Acquire,
                Ordering::Relaxed,
            );
            if claimed.is_err() {
                continue;
            }
            let head = entry[ring_word::HEAD].load(Ordering::Relaxed);
            entry[ring_word::SINCE].store(head, Ordering::Relaxed);
            // Release: a reader that sees this owner also sees where its records begin.
            entry[ring_word::TID].store(tid, Ordering::Release);
            for (word, value) in entry[ring_word::NAME..].iter().zip(ring_name(name)) {
                word.store(value, Ordering::Release);
            }
            return Some(entry);
        }
    }

    /// The entry that is to be claimed next, and its state.
    fn free(&self) -> Option<(&'a [AtomicU64], u64)> {
        let mut oldest: Option<(u64, &[AtomicU64], u64)> = None;
        // The table is whole pages: its last entries have no slots.
        let has_slots = |entry: &&[AtomicU64]| entry[ring_word::SLOTS].load(Ordering::Relaxed) > 0;
        for entry in self.0.chunks_exact(RING_WORDS).filter(has_slots) {
            let state = entry[ring_word::STATE].load(Ordering::Acquire);
            match state & STATE_BITS {
                ring_word::FREE => return Some((entry, state)),
                ring_word::RETURNED => {
                    let returned_at = entry[ring_word::RETURNED_AT].load(Ordering::Relaxed);
                    if oldest.is_none_or(|(other, ..)| returned_at < other) {
                        oldest = Some((returned_at, entry, state));
                    }
                }
                _ => {}
            }
        }
        oldest.map(|(_, entry, state)| (entry, state))
    }
}

/// What a thread writes its ring with. Only its owner uses it, so that its own places are plain.
#[derive(Debug)]
pub(super) struct RingWriter<'a> {
    entry: Cell<&'a [AtomicU64]>,
    slots: Cell<&'a [AtomicU64]>,
    /// Where the slots begin in the file, in bytes.
    offset: Cell<usize>,
    /// How many slots were ever written.
    head: Cell<u64>,
    /// The word of `slots` that is written next.
    at: Cell<usize>,
    /// The word of `slots` before which there is room to store.
    limit: Cell<usize>,
}

const WORD_BYTES: usize = 8;

/// Fewer slots than this are no ring: a reader passes over as many as a record takes.
const SLOTS_MIN: usize = 8 * RECORD_SLOTS_MAX;

impl<'a> RingWriter<'a> {
    /// A writer without a ring: nothing can be stored with it.
    pub(super) const fn idle() -> RingWriter<'a> {
        RingWriter {
            entry: Cell::new(&[]),
            slots: Cell::new(&[]),
            offset: Cell::new(0),
            head: Cell::new(0),
            at: Cell::new(0),
            limit: Cell::new(0),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.entry.get().is_empty()
    }

    /// Forgets the ring and leaves it as it is.
    pub(super) fn drop_ring(&self) {
        self.entry.set(&[]);
        self.slots.set(&[]);
        self.at.set(0);
        self.limit.set(0);
    }

    /// Where the claimed ring's slots are: offset and length, in bytes.
    pub(super) fn place(entry: &[AtomicU64]) -> (usize, usize) {
        let word = |word: usize| entry[word].load(Ordering::Relaxed) as usize;
        (word(ring_word::OFFSET), word(ring_word::SLOTS) * SLOT_WORDS * WORD_BYTES)
    }

    /// Takes up a claimed ring, whose slots are `slots`.
    pub(super) fn take_up(&self, entry: &'a [AtomicU64], slots: &'a [AtomicU64]) {
        let head = entry[ring_word::HEAD].load(Ordering::Relaxed);
        let count = (slots.len() / SLOT_WORDS).max(1) as u64;
        self.offset.set(RingWriter::place(entry).0);
        self.head.set(head);
        self.at.set((head % count) as usize * SLOT_WORDS);
        // A ring that was written around has all its room. For any other, room is made as it is
        // written.
        self.limit.set(if head >= count { slots.len() } else { self.at.get() });
        self.slots.set(slots);
        self.entry.set(entry);
    }

    /// Stores a record of one slot. `false`: there is no room here, [`append`](Self::append) makes it.
    #[inline(always)]
    pub(super) fn push(&self, slot: &Slot) -> bool {
        let at = self.at.get();
        let end = at + SLOT_WORDS;
        if end > self.limit.get() {
            return false;
        }
        let Some(words) = self.slots.get().get(at..end) else { return false };
        for (word, value) in words.iter().zip(slot) {
            word.store(*value, Ordering::Relaxed);
        }
        self.at.set(end);
        self.move_head(1);
        true
    }

    #[inline(always)]
    fn move_head(&self, slots: u64) {
        let head = self.head.get() + slots;
        self.head.set(head);
        if let Some(word) = self.entry.get().get(ring_word::HEAD) {
            // Release: a reader that sees the head sees the slots below it.
            word.store(head, Ordering::Release);
        }
    }

    /// Stores a record of any length, whole or not at all. `reserve` is asked for room, by offset and
    /// length in bytes; `false`: it had none.
    pub(super) fn append(
        &self,
        record: &[Slot],
        reserve: &mut dyn FnMut(usize, usize) -> usize,
    ) -> bool {
        let begin = self.at.get();
        for slot in record {
            if self.at.get() == self.limit.get() && !self.make_room(reserve) {
                self.at.set(begin);
                return false;
            }
            let at = self.at.get();
            let Some(words) = self.slots.get().get(at..at + SLOT_WORDS) else { return false };
            for (word, value) in words.iter().zip(slot) {
                word.store(*value, Ordering::Relaxed);
            }
            self.at.set(at + SLOT_WORDS);
        }
        self.move_head(record.len() as u64);
        true
    }

    /// At the limit: goes around the end, or gets more room. A ring that gets none in its first lap
    /// is from then on as large as it is.
    fn make_room(&self, reserve: &mut dyn FnMut(usize, usize) -> usize) -> bool {
        let (at, len) = (self.at.get(), self.slots.get().len());
        if at == len {
            self.at.set(0);
            self.limit.set(len);
            return len > 0;
        }
        let from = self.offset.get() + at * WORD_BYTES;
        let reserved = reserve(from, (len - at) * WORD_BYTES) / WORD_BYTES;
        // A slot that is not wholly there is left for the next time.
        let limit = at + reserved / SLOT_WORDS * SLOT_WORDS;
        if limit > at {
            self.limit.set(limit.min(len));
            return true;
        }
        if at < SLOTS_MIN * SLOT_WORDS {
            return false;
        }
        // The head is still in its first lap, so that every slot's place remains what it is.
        let slots = at / SLOT_WORDS;
        self.entry.get()[ring_word::SLOTS].store(slots as u64, Ordering::Release);
        self.slots.set(&self.slots.get()[..at]);
        self.at.set(0);
        true
    }

    /// Gives the ring back: the records stay for the reader until another owner overwrites them.
    pub(super) fn give_back(&self, time: u64) {
        let entry = self.entry.get();
        self.drop_ring();
        if entry.is_empty() {
            return;
        }
        entry[ring_word::RETURNED_AT].store(time, Ordering::Relaxed);
        let state = entry[ring_word::STATE].load(Ordering::Relaxed);
        // Only its owner changes the state of an owned ring. Release: the next owner sees all of it.
        entry[ring_word::STATE].store(state & !STATE_BITS | ring_word::RETURNED, Ordering::Release);
    }
}
