//! Entries of the tables, changed while other processes read them.
//!
//! The first word of an entry is its sequence: odd while a writer is at it (SPEC.md, section 7). A
//! writer that finds another at the entry does not wait.

use std::sync::atomic::{fence, AtomicU64, Ordering};

/// The right to change an entry, until it is dropped.
pub(super) struct Writing<'a> {
    entry: &'a [AtomicU64],
    sequence: u64,
}

impl<'a> Writing<'a> {
    /// Begins to change the entry if its sequence still is `sequence`, and even.
    #[inline]
    pub(super) fn begin(entry: &'a [AtomicU64], sequence: u64) -> Option<Writing<'a>> {
        if sequence % 2 == 1 {
            return None;
        }
        let odd = sequence + 1;
        // Acquire: what the last writer stored is seen before it is changed.
        entry[0].compare_exchange(sequence, odd, Ordering::Acquire, Ordering::Relaxed).ok()?;
        // No word may be seen changed before the sequence is seen odd.
        fence(Ordering::Release);
        Some(Writing { entry, sequence })
    }

    /// Begins to change an entry that nobody but the caller changes.
    #[inline]
    pub(super) fn begin_own(entry: &'a [AtomicU64]) -> Writing<'a> {
        let sequence = entry[0].load(Ordering::Relaxed);
        entry[0].store(sequence + 1, Ordering::Relaxed);
        // As above.
        fence(Ordering::Release);
        Writing { entry, sequence }
    }

    #[inline]
    pub(super) fn store(&self, word: usize, value: u64) {
        if let Some(place) = self.entry.get(word) {
            place.store(value, Ordering::Relaxed);
        }
    }

    /// Stores all words of the entry but the sequence.
    #[inline]
    pub(super) fn store_all(&self, words: &[u64]) {
        for (place, value) in self.entry.iter().zip(words).skip(1) {
            place.store(*value, Ordering::Relaxed);
        }
    }
}

impl Drop for Writing<'_> {
    #[inline]
    fn drop(&mut self) {
        self.entry[0].store(self.sequence + 2, Ordering::Release);
    }
}

/// Changes an entry that nobody else changes at the same time, or not at all.
pub(super) fn put(entry: &[AtomicU64], words: &[u64]) {
    let Some(sequence) = entry.first() else { return };
    if let Some(writing) = Writing::begin(entry, sequence.load(Ordering::Relaxed)) {
        writing.store_all(words);
    }
}
