//! Model checks of the rings: every interleaving of the threads that claim them and give them back.
//!
//! Run by `RUSTFLAGS="--cfg loom" cargo test -p ticks-recorder --release --lib models`.

use loom::sync::atomic::{AtomicU64, Ordering};
use loom::sync::Arc;
use loom::thread;
use ticks_format::slot::{Slot, SLOT_WORDS};
use ticks_format::tables::{ring_word, RING_WORDS};

use super::ring::{RingWriter, Rings};

/// Slots of a ring, enough for what a model stores.
const SLOTS: usize = 4;

/// A file of a few rings.
struct Memory {
    table: Vec<AtomicU64>,
    slots: Vec<Vec<AtomicU64>>,
}

impl Memory {
    fn new(rings: usize) -> Arc<Memory> {
        let words = |count: usize| (0..count).map(|_| AtomicU64::new(0)).collect::<Vec<_>>();
        let table = words(rings * RING_WORDS);
        for (index, entry) in table.chunks_exact(RING_WORDS).enumerate() {
            entry[ring_word::OFFSET].store(index as u64, Ordering::Relaxed);
            entry[ring_word::SLOTS].store(SLOTS as u64, Ordering::Relaxed);
        }
        let slots = (0..rings).map(|_| words(SLOTS * SLOT_WORDS)).collect();
        Arc::new(Memory { table, slots })
    }

    fn entry(&self, ring: usize) -> &[AtomicU64] {
        &self.table[ring * RING_WORDS..][..RING_WORDS]
    }

    fn word(&self, ring: usize, word: usize) -> u64 {
        self.entry(ring)[word].load(Ordering::Relaxed)
    }

    /// A thread's life: claims a ring, stores a record, gives the ring back. Returns the ring.
    fn live(&self, tid: u64) -> Option<usize> {
        let entry = Rings(&self.table).claim(tid, "t")?;
        let ring = entry[ring_word::OFFSET].load(Ordering::Relaxed) as usize;
        let writer = RingWriter::idle();
        writer.take_up(entry, &self.slots[ring]);
        let before = entry[ring_word::HEAD].load(Ordering::Relaxed);
        let record: [Slot; 2] = [[tid; SLOT_WORDS]; 2];
        assert!(writer.append(&record, &mut |_, len| len));
        // Nobody else has stored in between, nor claimed it.
        assert_eq!(entry[ring_word::HEAD].load(Ordering::Relaxed), before + 2);
        assert_eq!(entry[ring_word::TID].load(Ordering::Relaxed), tid);
        writer.give_back(tid);
        Some(ring)
    }

    /// Whether the ring holds whole records of these threads, in whichever order.
    fn holds(&self, ring: usize, tids: &[u64]) {
        let head = self.word(ring, ring_word::HEAD) as usize;
        assert_eq!(head, 2 * tids.len());
        let words: Vec<u64> = self.slots[ring].iter().map(|w| w.load(Ordering::Relaxed)).collect();
        let mut found: Vec<u64> = words.chunks(2 * SLOT_WORDS).map(|record| record[0]).collect();
        for record in words.chunks(2 * SLOT_WORDS) {
            assert!(record.iter().all(|word| *word == record[0]), "{record:?} is of two threads");
        }
        found.retain(|tid| *tid != 0);
        found.sort_unstable();
        assert_eq!(found, tids);
    }
}

/// Two threads and one ring: one of them gets it, or both do, the second with all that the first left.
#[test]
fn a_ring_has_one_owner_at_a_time() {
    loom::model(|| {
        let memory = Memory::new(1);
        let other = thread::spawn({
            let memory = memory.clone();
            move || memory.live(2)
        });
        let first = memory.live(1);
        let second = other.join().unwrap();
        match (first, second) {
            (Some(_), Some(_)) => memory.holds(0, &[1, 2]),
            (Some(_), None) => memory.holds(0, &[1]),
            (None, Some(_)) => memory.holds(0, &[2]),
            (None, None) => panic!("somebody must have got the ring"),
        }
        let owners = u64::from(first.is_some()) + u64::from(second.is_some());
        assert_eq!(memory.word(0, ring_word::STATE), owners << 8 | ring_word::RETURNED);
    });
}

/// As many rings as threads: nobody goes without, whoever looks at the same ring at the same time.
#[test]
fn nobody_goes_without_while_there_are_rings() {
    loom::model(|| {
        let memory = Memory::new(2);
        let other = thread::spawn({
            let memory = memory.clone();
            move || memory.live(2).expect("a ring for the other thread")
        });
        let first = memory.live(1).expect("a ring for this thread");
        let second = other.join().unwrap();
        if first == second {
            memory.holds(first, &[1, 2]);
        } else {
            memory.holds(first, &[1]);
            memory.holds(second, &[2]);
        }
    });
}

/// Who sees the head sees the records below it: what a reader of a live file relies on.
#[test]
fn the_head_never_runs_ahead() {
    loom::model(|| {
        let memory = Memory::new(1);
        let reader = thread::spawn({
            let memory = memory.clone();
            move || {
                let head = memory.entry(0)[ring_word::HEAD].load(Ordering::Acquire) as usize;
                for word in &memory.slots[0][..head * SLOT_WORDS] {
                    assert_eq!(word.load(Ordering::Relaxed), 7);
                }
            }
        });
        memory.live(7);
        reader.join().unwrap();
    });
}

/// A reader that came while a ring changed hands took the last owner's records for the new one's: it saw the
/// new owner's number and where the last owner had begun. Of a process that was killed just then it would
/// have been so for ever.
#[test]
fn a_new_owner_is_not_taken_for_the_last() {
    loom::model(|| {
        let memory = Memory::new(1);
        memory.live(1);
        let reader = thread::spawn({
            let memory = memory.clone();
            move || {
                let entry = memory.entry(0);
                if entry[ring_word::TID].load(Ordering::Acquire) == 2 {
                    assert_eq!(entry[ring_word::SINCE].load(Ordering::Relaxed), 2);
                }
            }
        });
        memory.live(2);
        reader.join().unwrap();
    });
}
