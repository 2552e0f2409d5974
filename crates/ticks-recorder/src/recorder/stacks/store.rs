//! The stacks of the file: each once, found by what it contains.
//!
//! Threads put stacks at the same time and never wait for each other. A stack is found in a table by its
//! hash and then compared. Two threads that bring the same new stack at the same moment may both store it;
//! that takes room and does no harm.

#[cfg(not(all(test, loom)))]
use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(all(test, loom))]
use loom::sync::atomic::{AtomicU64, Ordering};
use ticks_format::stacks::{stack_bytes, stack_head};
use ticks_format::StackEnd;

/// How far behind its home in the table a stack is looked for.
const PROBES: usize = 16;

/// The section, and the table of what is in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Store<'a> {
    /// The words of the section.
    pub(crate) words: &'a [AtomicU64],
    /// How many of its bytes are taken.
    pub(crate) taken: &'a AtomicU64,
    /// The stacks by their hash: the number in the low half, half of the hash above it; 0: free. Release
    /// when a stack is put in, Acquire where it is looked for: who sees the number sees the stack.
    pub(crate) table: &'a [AtomicU64],
}

impl Store<'_> {
    /// The number of the stack of these frames, which is put in if it is not there. `reserve` is asked for
    /// room, by offset and length in bytes. `None`: there is none.
    pub(crate) fn put(
        &self,
        frames: &[u64],
        end: StackEnd,
        reserve: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Option<u32> {
        let head = stack_head(frames.len(), end);
        let hash = hash(head, frames);
        let mut stored = None;
        for probe in 0..PROBES.min(self.table.len()) {
            let entry = &self.table[(hash as usize).wrapping_add(probe) % self.table.len()];
            let mut there = entry.load(Ordering::Acquire);
            if there == 0 {
                let number = match stored {
                    Some(number) => number,
                    None => *stored.insert(self.store(head, frames, reserve)?),
                };
                let entered = hash >> 32 << 32 | u64::from(number);
                let (set, fetch) = (Ordering::Release, Ordering::Acquire);
                match entry.compare_exchange(0, entered, set, fetch) {
                    Ok(_) => return Some(number),
                    // Somebody else's, this very stack maybe.
                    Err(other) => there = other,
                }
            }
            let number = there as u32;
            if there >> 32 == hash >> 32 && self.is(number, head, frames) {
                return Some(number);
            }
        }
        // All its entries in the table are taken, so it will be stored again each time.
        stored
    }

    fn is(&self, number: u32, head: u64, frames: &[u64]) -> bool {
        let words = self.words.get(number as usize..).unwrap_or_default();
        let expected = std::iter::once(&head).chain(frames);
        words.len() > frames.len()
            && words
                .iter()
                .zip(expected)
                .all(|(word, value)| word.load(Ordering::Relaxed) == *value)
    }

    /// Puts the stack behind all others. `None`: there is no room.
    fn store(
        &self,
        head: u64,
        frames: &[u64],
        reserve: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Option<u32> {
        let (bytes, room) = (stack_bytes(frames.len()), 8 * self.words.len() as u64);
        if self.taken.load(Ordering::Relaxed) + bytes > room {
            return None;
        }
        let place = self.taken.fetch_add(bytes, Ordering::Relaxed);
        let end = place.checked_add(bytes)?;
        if end > room || !reserve(place as usize, bytes as usize) {
            return None;
        }
        let words = &self.words[place as usize / 8..end as usize / 8];
        for (word, frame) in words[1..].iter().zip(frames) {
            word.store(*frame, Ordering::Relaxed);
        }
        // Release: who sees the length sees the frames.
        words[0].store(head, Ordering::Release);
        u32::try_from(place / 8).ok()
    }
}

/// Every bit of the frames changes the whole hash. Stacks may differ only in a module's number, which is at
/// the top of a word, and must get different hashes.
fn hash(head: u64, frames: &[u64]) -> u64 {
    let mix = |hash: u64, word: &u64| {
        let product = u128::from(hash ^ word) * 0x9e37_79b9_7f4a_7c15;
        product as u64 ^ (product >> 64) as u64
    };
    frames.iter().fold(mix(0x2d35_8dcc_aa6c_78a5, &head), mix)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn words(count: usize) -> Vec<AtomicU64> {
        (0..count).map(|_| AtomicU64::new(0)).collect()
    }

    /// Stacks that differed only in the number of a library all had the same home in the table. From the
    /// seventeenth on, none was kept.
    #[test]
    fn like_stacks_do_not_meet() {
        let (section, table, taken) = (words(1 << 16), words(1 << 12), AtomicU64::new(8));
        let store = Store { words: &section, taken: &taken, table: &table };
        let put = |frames: &[u64]| store.put(frames, StackEnd::Whole, &mut |_, _| true);
        let mut numbers = Vec::new();
        for bit in 0..64 {
            for word in 0..3 {
                let mut frames = [0x1_0000_0001_2345, 0x1_0000_0001_2345, 0x1_0000_0001_2345];
                frames[word] ^= 1 << bit;
                numbers.push(put(&frames).expect("room"));
                assert_eq!(put(&frames), numbers.last().copied());
            }
        }
        for module in 0..500 {
            numbers.push(put(&[0x1_0000_0001_2345, module << 48 | 0x1130]).expect("room"));
        }
        let count = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), count);
    }

    #[test]
    fn the_end_tells_stacks_apart() {
        let (section, table, taken) = (words(64), words(16), AtomicU64::new(8));
        let store = Store { words: &section, taken: &taken, table: &table };
        let put = |end| store.put(&[1, 2, 3], end, &mut |_, _| true);
        let whole = put(StackEnd::Whole);
        assert_ne!(whole, put(StackEnd::Unknown));
        assert_eq!(whole, put(StackEnd::Whole));
    }

    #[test]
    fn without_room_there_is_none() {
        let (section, table, taken) = (words(10), words(16), AtomicU64::new(8));
        let store = Store { words: &section, taken: &taken, table: &table };
        let put = |frames: &[u64], room: bool| store.put(frames, StackEnd::Whole, &mut |_, _| room);
        assert_eq!(put(&[1, 2, 3], false), None, "of the file");
        assert_eq!(put(&[1, 2, 3, 4], true), Some(5));
        assert_eq!(put(&[1, 2, 3, 5], true), None, "of the section");
        assert_eq!(put(&[1, 2, 3, 4], true), Some(5));
        assert!(table.iter().filter(|entry| entry.load(Ordering::Relaxed) != 0).count() == 1);
    }
}
