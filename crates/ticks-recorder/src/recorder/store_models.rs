//! Model checks of the stacks of the file: every interleaving of threads that put stacks in.
//!
//! Run by `RUSTFLAGS="--cfg loom" cargo test -p ticks-recorder --release --lib models`.

use loom::sync::atomic::{AtomicU64, Ordering};
use loom::sync::Arc;
use loom::thread;
use ticks_format::stacks::stack_head;
use ticks_format::StackEnd;

use super::store::Store;

/// A file of a few words.
struct Memory {
    words: Vec<AtomicU64>,
    taken: AtomicU64,
    table: Vec<AtomicU64>,
}

impl Memory {
    fn new(words: usize, table: usize) -> Arc<Memory> {
        let zeros = |count: usize| (0..count).map(|_| AtomicU64::new(0)).collect();
        let (words, table) = (zeros(words), zeros(table));
        Arc::new(Memory { words, taken: AtomicU64::new(8), table })
    }

    fn put(&self, frames: &[u64]) -> Option<u32> {
        let store = Store { words: &self.words, taken: &self.taken, table: &self.table };
        store.put(frames, StackEnd::Whole, &mut |_, _| true)
    }

    /// Whether the file has this stack under the number, as a reader of the live file sees it.
    fn is(&self, number: u32, frames: &[u64]) -> bool {
        let words = &self.words[number as usize..];
        let head = words[0].load(Ordering::Acquire);
        head == stack_head(frames.len(), StackEnd::Whole)
            && words[1..].iter().zip(frames).all(|(word, it)| word.load(Ordering::Relaxed) == *it)
    }
}

/// Whatever other threads put in meanwhile, the number is that of the stack.
#[test]
fn a_number_means_its_stack() {
    loom::model(|| {
        // Two places in the table: they meet there.
        let memory = Memory::new(16, 2);
        let other = thread::spawn({
            let memory = memory.clone();
            move || memory.put(&[1, 2]).is_some_and(|number| memory.is(number, &[1, 2]))
        });
        let number = memory.put(&[3]).expect("there is room");
        assert!(memory.is(number, &[3]));
        assert!(other.join().unwrap());
        assert_eq!(memory.put(&[3]), Some(number));
    });
}

/// Two bring the same stack: each gets a number of it, and whoever comes then one of these.
#[test]
fn the_same_stack_at_the_same_time() {
    loom::model(|| {
        let memory = Memory::new(16, 2);
        let other = thread::spawn({
            let memory = memory.clone();
            move || memory.put(&[7, 8]).expect("there is room")
        });
        let ours = memory.put(&[7, 8]).expect("there is room");
        let theirs = other.join().unwrap();
        assert!(memory.is(ours, &[7, 8]) && memory.is(theirs, &[7, 8]));
        let later = memory.put(&[7, 8]);
        assert!(later == Some(ours) || later == Some(theirs));
        assert_eq!(memory.put(&[7, 8]), later);
    });
}

/// Room for one: whoever gets it has it whole, and the other one has none.
#[test]
fn the_last_room_goes_to_one() {
    loom::model(|| {
        let memory = Memory::new(4, 4);
        let other = thread::spawn({
            let memory = memory.clone();
            move || memory.put(&[1, 2])
        });
        let (ours, theirs) = (memory.put(&[3, 4]), other.join().unwrap());
        match (ours, theirs) {
            (Some(number), None) => assert!(memory.is(number, &[3, 4])),
            (None, Some(number)) => assert!(memory.is(number, &[1, 2])),
            both => panic!("one of them must have got it: {both:?}"),
        }
    });
}

/// Who sees the length sees the frames: what a reader of a live file relies on.
#[test]
fn a_stack_is_seen_whole() {
    loom::model(|| {
        let memory = Memory::new(8, 4);
        let reader = thread::spawn({
            let memory = memory.clone();
            move || {
                let head = memory.words[1].load(Ordering::Acquire);
                if head != 0 {
                    assert!(memory.is(1, &[5, 6]));
                }
            }
        });
        memory.put(&[5, 6]);
        reader.join().unwrap();
    });
}
