//! What a process publishes about itself for those who read its memory: where its reactor's sources and
//! timers are, and its executors' tasks.
//!
//! Rust does not say how it lays out a structure. So the crate that has it says so, once, in a static table
//! of words: addresses of statics, offsets of fields, sizes. Whoever reads the memory of the process, or its
//! core dump, finds the table by its magic and follows it. The process spends nothing on it
//! afterwards. A debugger finds threads in the same way (`libthread_db`).
//!
//! A table is in a module's writable data, at a multiple of 8 bytes: [`HEAD_WORDS`] words, then its own. The
//! numbers of these are in [`reactor`] and [`executor`].

use std::sync::atomic::{AtomicU64, Ordering};

/// The two words with which a table begins.
pub const MAGIC: [u64; 2] = [u64::from_le_bytes(*b"ticks\x00\x1a\xf7"), 0x9d5c_3be1_6a07_f24d];

/// The words before a table's own.
pub const HEAD_WORDS: usize = 7;

/// Words of a table's head.
pub mod head {
    /// The first of the two words of [`MAGIC`](super::MAGIC).
    pub const MAGIC: usize = 0;
    /// [`REACTOR`](super::REACTOR) or [`EXECUTOR`](super::EXECUTOR).
    pub const KIND: usize = 2;
    /// The version of the table, see [`VERSION`](super::VERSION).
    pub const VERSION: usize = 3;
    /// How many bytes an address has in this process.
    pub const ADDRESS_BYTES: usize = 4;
    /// How many words follow the head.
    pub const COUNT: usize = 5;
    /// 1 once the words are there.
    pub const COMPLETE: usize = 6;
}

/// A table of `async-io`: its words are [`reactor`]'s.
pub const REACTOR: u64 = 1;
/// A table of `async-executor`: its words are [`executor`]'s.
pub const EXECUTOR: u64 = 2;

/// The version of both tables. It changes with what a word means; a word that is new goes to the end and changes
/// nothing.
pub const VERSION: u64 = 1;

/// A table, a static of the crate that publishes it.
#[derive(Debug)]
#[repr(C)]
pub struct Published<const WORDS: usize> {
    magic: [u64; 2],
    kind: u64,
    version: u64,
    address_bytes: u64,
    count: u64,
    complete: AtomicU64,
    words: [AtomicU64; WORDS],
}

impl<const WORDS: usize> Published<WORDS> {
    /// An empty one, of the kind [`REACTOR`] or [`EXECUTOR`].
    pub const fn new(kind: u64) -> Published<WORDS> {
        Published {
            magic: MAGIC,
            kind,
            version: VERSION,
            address_bytes: size_of::<usize>() as u64,
            count: WORDS as u64,
            complete: AtomicU64::new(0),
            words: [const { AtomicU64::new(0) }; WORDS],
        }
    }

    /// Stores a word, by its number.
    pub fn set(&self, word: usize, value: impl TryInto<u64>) {
        if let (Some(place), Ok(value)) = (self.words.get(word), value.try_into()) {
            place.store(value, Ordering::Relaxed);
        }
    }

    /// A word, by its number.
    pub fn get(&self, word: usize) -> u64 {
        self.words.get(word).map_or(0, |place| place.load(Ordering::Relaxed))
    }

    /// All words are stored. Whoever reads the memory believes them from now on.
    pub fn complete(&self) {
        // Release: whoever sees this sees the words.
        self.complete.store(1, Ordering::Release);
    }

    /// Whether [`complete`](Self::complete) was called.
    pub fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Acquire) != 0
    }
}

/// How far a part is from the beginning of what it is in, both in the same object.
pub fn offset<T: ?Sized, U: ?Sized>(whole: &T, part: &U) -> u64 {
    let [whole, part] = [(whole as *const T).cast::<u8>(), (part as *const U).cast::<u8>()];
    (part as usize).wrapping_sub(whole as usize) as u64
}

/// Where among the words of a value this one is, in bytes; far outside if it is nowhere.
pub fn place(words: &[usize], wanted: usize) -> u64 {
    let at = words.iter().position(|word| *word == wanted);
    at.map_or(u64::MAX, |at| (at * size_of::<usize>()) as u64)
}

/// What `async-task` keeps of a task's state, see [`executor::TASK_STATE`]: these bits, and above them how many wakers
/// there are, with the right to run it.
pub mod task_state {
    /// It is in a queue.
    pub const SCHEDULED: u64 = 1;
    /// It is being polled.
    pub const RUNNING: u64 = 1 << 1;
    /// Its future is done.
    pub const COMPLETED: u64 = 1 << 2;
    /// It was cancelled, or its output was taken.
    pub const CLOSED: u64 = 1 << 3;
    /// Somebody has its handle.
    pub const TASK: u64 = 1 << 4;
    /// One waker.
    pub const REFERENCE: u64 = 1 << 8;
}

/// What `async-executor` keeps of a runner, see [`executor::RUNNER_BITS`].
pub mod runner_bits {
    /// It has nothing to do and sleeps.
    pub const ASLEEP: u64 = 1 << 1;
}

macro_rules! words {
    ($(#[$about:meta])* $module:ident { $($(#[$doc:meta])* $name:ident,)* }) => {
        $(#[$about])*
        pub mod $module {
            #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
            enum Word { $($name,)* }
            $($(#[$doc])* pub const $name: usize = Word::$name as usize;)*
            /// The names of the words, in their order.
            pub const NAMES: &[&str] = &[$(stringify!($name)),*];
            /// How many words there are.
            pub const COUNT: usize = NAMES.len();
        }
    };
}

words! {
    /// The words of a reactor's table. `A → b` is the offset of `b` from the beginning of an `A`, in bytes.
    reactor {
        /// The address of a pointer to the latest reactor with its fork's number; null: there is none yet.
        LATEST,
        /// What that points to → the number of the fork that made the reactor, 32 bits.
        LATEST_FORKS,
        /// What that points to → the reactor.
        LATEST_REACTOR,
        /// The address of the number of forks that led to this process, 32 bits.
        FORKS,
        /// The monotonic clock when the table was made, nanoseconds (`CLOCK_MONOTONIC`).
        MONOTONIC_NS,
        /// UTC at that moment, nanoseconds since 1970.
        UTC_NS,
        /// The reactor's clock at that moment.
        REACTOR_NS,
        /// Reactor → the number of its latest round, 64 bits.
        TICK,
        /// Reactor → who holds the driver lock, 8 bits: 0 nobody, 1 a `block_on` thread, 2 the helper thread.
        HOLDER,
        /// Reactor → the sources: a vector of entries, by the index in a source's key.
        ENTRIES,
        /// Reactor → the heap of armed timers, a vector.
        HEAP,
        /// Reactor → the slots of the timers, a vector.
        SLOTS,
        /// A vector → the address of its elements.
        VEC_ELEMENTS,
        /// A vector → how many there are.
        VEC_LEN,
        /// The size of a source's entry.
        ENTRY_BYTES,
        /// Entry → the pointer to what is shared; null: the entry is free.
        ENTRY_SOURCE,
        /// Entry → how often it was used before, 32 bits.
        ENTRY_GENERATION,
        /// What an entry's pointer points to → the source.
        SHARED_SOURCE,
        /// Source → its descriptor, 32 bits.
        SOURCE_FD,
        /// Source → its key, 64 bits.
        SOURCE_KEY,
        /// Source → the tick of the last event of each direction, 64 bits each.
        SOURCE_TICKS,
        /// Source → what is known of each direction, reading first.
        DIRECTIONS,
        /// The size of a direction.
        DIRECTION_BYTES,
        /// Direction → 1 if an event came and nobody has asked since, 8 bits.
        DIRECTION_UNCLAIMED,
        /// Direction → 1 if the stream has ended or failed, 8 bits.
        DIRECTION_HUNG_UP,
        /// Direction → the pointer to its waits; null: nobody has ever waited.
        DIRECTION_WAITS,
        /// Waits → the number of the first own waiter, 32 bits. Those in `WAITS_MORE` follow.
        WAITS_FIRST_ID,
        /// Waits → the wait that all callers of the poll functions share.
        WAITS_SHARED,
        /// Waits → wakers of other tasks that share it, a vector.
        WAITS_OTHERS,
        /// Waits → the first own waiter.
        WAITS_FIRST,
        /// Waits → the others, a vector.
        WAITS_MORE,
        /// The size of a wait.
        WAIT_BYTES,
        /// Wait → 0 or 1 if somebody waits, another number if nobody does, 8 bits.
        WAIT_BEGUN,
        /// Wait → the reactor's tick and the direction's when it began, 64 bits each.
        WAIT_TICK_A,
        /// As before: the direction's.
        WAIT_TICK_B,
        /// Wait → its waker. There is none if its table's address is null.
        WAIT_WAKER,
        /// The size of an element of `WAITS_OTHERS`.
        OTHER_BYTES,
        /// Such an element → its waker.
        OTHER_WAKER,
        /// Waker → its data pointer.
        WAKER_DATA,
        /// Waker → the address of its table of functions.
        WAKER_TABLE,
        /// The size of an entry of the heap.
        HEAP_BYTES,
        /// Heap entry → when it is due by the reactor's clock, nanoseconds, 64 bits.
        HEAP_DEADLINE_NS,
        /// Heap entry → the timer's slot, 32 bits.
        HEAP_SLOT,
        /// The size of a slot.
        SLOT_BYTES,
        /// Slot → the timer's number, 64 bits.
        SLOT_ID,
        /// Slot → its waker. There is none if its table's address is null.
        SLOT_WAKER,
        /// The address of a pointer to who could drive, with its fork's number; null, or 0 here: nobody could yet.
        DRIVERS,
        /// What that points to → the number of the fork, 32 bits.
        DRIVERS_FORKS,
        /// What that points to → the threads that have been in `block_on`: a vector of pointers to what is shared.
        DRIVERS_THREADS,
        /// What such a pointer points to → the thread, whose address is its wakers' data pointer.
        SHARED_THREAD,
        /// Thread → its number, 64 bits.
        THREAD_NUMBER,
        /// Thread → 1 if it is in `block_on`, 8 bits.
        THREAD_INSIDE,
        /// Thread → what it does, 8 bits: 0 runs, 1 was woken, 2 parks, 3 is in the poller.
        THREAD_STATE,
        /// Thread → the address of the future of its `block_on`; null: it is in none.
        THREAD_FUTURE,
        /// Thread → the address of the function that drops such a future in place; it is generic over that type.
        THREAD_DROPS,
        /// Thread → the address of the name of the type.
        THREAD_NAME,
        /// Thread → the length of that name, an address wide.
        THREAD_NAME_LEN,
    }
}

words! {
    /// The words of an executor's table, written as [`reactor`]'s.
    executor {
        /// The address of a pointer to the latest link of the list of executors; null: there is none.
        FIRST,
        /// Link → the pointer to the one before it.
        NEXT,
        /// Link → the executor's state.
        STATE,
        /// State → the first of its sets of tasks.
        SHARDS,
        /// How many sets there are.
        SHARD_COUNT,
        /// The size of a set.
        SHARD_BYTES,
        /// Set → the wakers of the tasks that have waited, a vector.
        SHARD_WAKERS,
        /// Set → how many tasks were spawned, as the set counted them, an address wide.
        SHARD_SPAWNED,
        /// Set → how many have ended, likewise.
        SHARD_FINISHED,
        /// State → the pointer to its first runner.
        RUNNERS,
        /// Runner → the pointer to the next one.
        RUNNER_NEXT,
        /// Runner → how many tasks were spawned in its turns.
        RUNNER_SPAWNED,
        /// Runner → how many have ended there.
        RUNNER_FINISHED,
        /// Runner → what its `run` future's main future has as its waker's data pointer.
        RUNNER_SIGNAL,
        /// As `FIRST`, of executors of one thread.
        LOCAL_FIRST,
        /// Their link → the pointer to the one before it.
        LOCAL_NEXT,
        /// Their link → the state.
        LOCAL_STATE,
        /// Such a state → the wakers of the tasks that have waited, a vector.
        LOCAL_WAKERS,
        /// Such a state → how many tasks there are, an address wide.
        LOCAL_LIVE,
        /// A vector → the address of its elements.
        VEC_ELEMENTS,
        /// A vector → how many there are.
        VEC_LEN,
        /// The size of an element of a vector of wakers. One whose waker has no table is free.
        ELEMENT_BYTES,
        /// Element → its waker's data pointer, which is the task's address.
        ELEMENT_TASK,
        /// Element → the address of its waker's table of functions.
        ELEMENT_TABLE,
        /// Task → its state, an address wide: the bits of `async-task`.
        TASK_STATE,
        /// Task → the address of its name.
        TASK_NAME,
        /// Task → the length of its name, an address wide.
        TASK_NAME_LEN,
        /// Task → the address of its executor's state.
        TASK_EXECUTOR,
        /// Task → the first byte after what the executor keeps in it. Its future follows, at the next multiple of its
        /// alignment.
        TASK_END,
        /// The address of the table of functions of the waker of what `run` was given.
        MAIN_TABLE,
        /// Runner → how often its thread has looked for a task, an address wide. It stays as it is during a poll.
        RUNNER_LOOKS,
        /// Runner → 1 while a `run` future has it, an address wide.
        RUNNER_IN_USE,
        /// Runner → its bits, an address wide: see [`runner_bits`](super::runner_bits).
        RUNNER_BITS,
        /// As `RUNNER_LOOKS`, of the state of an executor of one thread.
        LOCAL_LOOKS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_sees_the_head_and_the_words_in_their_places() {
        static TABLE: Published<{ executor::COUNT }> = Published::new(EXECUTOR);
        TABLE.set(executor::NEXT, 17_usize);
        TABLE.set(executor::COUNT, 1_u64);
        assert!(!TABLE.is_complete());
        TABLE.complete();
        assert!(TABLE.is_complete());
        assert_eq!(TABLE.get(executor::NEXT), 17);
        let words = size_of_val(&TABLE) / 8;
        assert_eq!(words, HEAD_WORDS + executor::COUNT);
        assert_eq!(offset(&TABLE, &TABLE.complete), head::COMPLETE as u64 * 8);
        assert_eq!(offset(&TABLE, &TABLE.words), HEAD_WORDS as u64 * 8);
    }
}
