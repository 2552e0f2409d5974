//! Which entries of a table nobody has: a bit each, in this process's memory.
//!
//! Long-lived tasks lie side by side in their table, so a free entry may be anywhere. A search looks at the
//! bits of 64 entries in one step. It begins where an entry was last taken or given back, because those pages
//! of the file have room already.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const BITS: usize = u64::BITS as usize;

/// The entries of a table that are free.
#[derive(Debug)]
pub(super) struct Vacancies {
    /// A bit is set where somebody has the entry.
    taken: Box<[AtomicU64]>,
    /// In which word to look first. Relaxed: any is right.
    first: AtomicUsize,
}

impl Vacancies {
    /// All of so many entries.
    pub(super) fn new(entries: usize) -> Vacancies {
        let word = |index: usize| {
            let used = (entries - index * BITS).min(BITS);
            // What is no entry is never free.
            AtomicU64::new(if used == BITS { 0 } else { u64::MAX << used })
        };
        let taken = (0..entries.div_ceil(BITS)).map(word).collect();
        Vacancies { taken, first: AtomicUsize::new(0) }
    }

    /// Takes an entry, which is the caller's until it is given back.
    pub(super) fn take(&self) -> Option<usize> {
        let first = self.first.load(Ordering::Relaxed);
        let (before, after) = self.taken.split_at(first.min(self.taken.len()));
        let all = (first..).zip(after).chain((0..).zip(before));
        for (index, word) in all {
            let mut now = word.load(Ordering::Relaxed);
            while now != u64::MAX {
                let bit = now.trailing_ones() as usize;
                // Acquire: pairs with that of `give`, so that the last owner has left the entry.
                let next = now | 1 << bit;
                match word.compare_exchange(now, next, Ordering::Acquire, Ordering::Relaxed) {
                    Ok(_) => {
                        self.look_first(index);
                        return Some(index * BITS + bit);
                    }
                    Err(other) => now = other,
                }
            }
        }
        None
    }

    /// Gives an entry back.
    pub(super) fn give(&self, entry: usize) {
        if let Some(word) = self.taken.get(entry / BITS) {
            // Release: pairs with that of `take`.
            word.fetch_and(!(1 << (entry % BITS)), Ordering::Release);
            self.look_first(entry / BITS);
        }
    }

    /// Threads that find it as they want it do not take it from each other.
    fn look_first(&self, word: usize) {
        if self.first.load(Ordering::Relaxed) != word {
            self.first.store(word, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_taken_once_and_again_when_it_was_given_back() {
        for entries in [0, 1, 63, 64, 65, 1_000] {
            let vacancies = Vacancies::new(entries);
            let mut taken: Vec<usize> = std::iter::from_fn(|| vacancies.take()).collect();
            taken.sort_unstable();
            assert!(taken.into_iter().eq(0..entries), "{entries}");
            for entry in (0..entries).step_by(7) {
                vacancies.give(entry);
                assert_eq!(vacancies.take(), Some(entry));
                assert_eq!(vacancies.take(), None);
            }
        }
    }

    #[test]
    fn threads_never_have_the_same_one() {
        let vacancies = Vacancies::new(100);
        let owners: Vec<AtomicUsize> = (0..100).map(|_| AtomicUsize::new(0)).collect();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..5_000 {
                        let entry = vacancies.take().expect("there are more than are held");
                        assert_eq!(owners[entry].fetch_add(1, Ordering::Relaxed), 0);
                        owners[entry].fetch_sub(1, Ordering::Relaxed);
                        vacancies.give(entry);
                    }
                });
            }
        });
    }
}
