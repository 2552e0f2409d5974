//! The entries of the tables: their words, and how a reader knows that it read a whole one.
//!
//! The first word of an entry is its *sequence*: 0 if nothing was ever written, odd while a writer
//! is at it, even and larger than before when it is done.

use crate::clock::Anchor;
use crate::marks::Thread;
use crate::pack::{Field, WideReader, WideWriter};
use crate::read::{bytes_of, put_bytes};
use crate::values::{Address, Direction, Key, SourceKind, Ticks};

/// The words of an anchor.
pub const ANCHOR_WORDS: usize = 8;
/// The words of a ring's entry.
pub const RING_WORDS: usize = 16;
/// The words of a source's entry.
pub const SOURCE_WORDS: usize = 34;
/// The words of a waiter's entry.
pub const WAITER_WORDS: usize = 16;

/// A clock that cannot be read.
const NO_CLOCK: u64 = u64::MAX;

impl Anchor {
    /// The words of its entry but the sequence, which is the writer's.
    pub fn words(&self) -> [u64; ANCHOR_WORDS] {
        let reactor_ns = self.reactor_ns.unwrap_or(NO_CLOCK);
        let Anchor { counter, utc_ns, monotonic_ns, .. } = *self;
        [0, counter, utc_ns, monotonic_ns, reactor_ns, 0, 0, 0]
    }

    pub(crate) fn from_words(words: &[u64; ANCHOR_WORDS]) -> Option<Anchor> {
        Some(Anchor {
            counter: words[1],
            utc_ns: words[2],
            monotonic_ns: words[3],
            reactor_ns: Some(words[4]).filter(|ns| *ns != NO_CLOCK),
        })
    }
}

/// Words of a ring's entry, which are written one by one.
pub mod ring_word {
    /// The state in the low byte ([`FREE`], [`OWNED`], [`RETURNED`]), above it how often the ring
    /// was claimed. Claimed by compare-and-exchange.
    pub const STATE: usize = 0;
    /// Where the slots begin, in bytes of the file.
    pub const OFFSET: usize = 1;
    /// How many slots there are.
    pub const SLOTS: usize = 2;
    /// How many slots were ever written. Stored after the slots themselves.
    pub const HEAD: usize = 3;
    /// The owner's number, or the last owner's.
    pub const TID: usize = 4;
    /// The head when the owner claimed the ring.
    pub const SINCE: usize = 5;
    /// The counter when the ring was given back: the one given back longest ago is claimed first.
    pub const RETURNED_AT: usize = 6;
    /// The first of four words with the owner's name, ended by a zero byte if shorter.
    pub const NAME: usize = 8;

    /// Nobody ever had the ring.
    pub const FREE: u64 = 0;
    /// A thread has it.
    pub const OWNED: u64 = 1;
    /// Its thread gave it back; its records stay.
    pub const RETURNED: u64 = 2;
}

/// The words for [`ring_word::NAME`]: the first 32 bytes of the name.
pub fn ring_name(name: &str) -> [u64; 4] {
    let mut words = [0; 4];
    put_bytes(name.as_bytes(), &mut words);
    words
}

/// A ring, as its entry describes it at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ring {
    /// Its place among the rings.
    pub index: u64,
    /// Whether a thread has it now, and not merely had it.
    pub owned: bool,
    /// Where its slots begin, in bytes of the file.
    pub offset: u64,
    /// How many slots it has.
    pub slots: u64,
    /// How many slots were ever written.
    pub head: u64,
    /// The thread that has it, or had it last.
    pub owner: Thread,
    /// The head when that thread claimed it.
    pub since: u64,
}

impl Ring {
    /// `None` for a ring that nobody ever had.
    pub(crate) fn from_words(index: u64, words: &[u64; RING_WORDS]) -> Option<Ring> {
        let state = words[ring_word::STATE] & 0xff;
        if state == ring_word::FREE {
            return None;
        }
        let name = bytes_of(&words[ring_word::NAME..][..4]);
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        Some(Ring {
            index,
            owned: state == ring_word::OWNED,
            offset: words[ring_word::OFFSET],
            slots: words[ring_word::SLOTS],
            head: words[ring_word::HEAD],
            owner: Thread {
                tid: words[ring_word::TID],
                name: String::from_utf8_lossy(name).into(),
            },
            since: words[ring_word::SINCE],
        })
    }
}

/// What is known of a source, registered or gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The source. Its index is its place in the table.
    pub key: Key,
    /// Whether it is registered now.
    pub registered: bool,
    /// Its file descriptor.
    pub fd: i64,
    /// What it is.
    pub kind: SourceKind,
    /// Its own address.
    pub local: Address,
    /// Its peer's address.
    pub peer: Address,
    /// The inode of its file.
    pub inode: u64,
    /// The counter when it was registered.
    pub since: u64,
}

/// Words of a source's entry that a writer stores alone.
pub mod source_word {
    /// 1 while the source is registered, 2 when it is gone; its kind in the second byte.
    pub const STATE: usize = 1;
    /// Registered.
    pub const REGISTERED: u64 = 1;
    /// Gone. The description stays for the records that name the source.
    pub const GONE: u64 = 2;
}

const ADDRESS_WORDS: usize = 14;

impl Source {
    /// The words of its entry but the sequence, which is the writer's.
    pub fn words(&self) -> [u64; SOURCE_WORDS] {
        let mut words = [0; SOURCE_WORDS];
        let state = match self.registered {
            true => source_word::REGISTERED,
            false => source_word::GONE,
        };
        words[source_word::STATE] = state | u64::from(self.kind.code()) << 8;
        words[2] = self.key.0;
        words[3] = self.fd as u64;
        words[4] = self.inode;
        words[5] = self.since;
        for (address, at) in [(&self.local, 6), (&self.peer, 6 + ADDRESS_WORDS)] {
            let mut bytes = WideWriter::new();
            address.write(&mut bytes);
            put_bytes(&bytes.bytes[..bytes.len], &mut words[at..at + ADDRESS_WORDS]);
        }
        words
    }

    pub(crate) fn from_words(words: &[u64; SOURCE_WORDS]) -> Option<Source> {
        let address = |at: usize| {
            let bytes = bytes_of(&words[at..at + ADDRESS_WORDS]);
            Address::read(&mut WideReader(&bytes)).unwrap_or_default()
        };
        let state = words[source_word::STATE];
        let registered = match state & 0xff {
            source_word::REGISTERED => true,
            source_word::GONE => false,
            _ => return None,
        };
        Some(Source {
            key: Key(words[2]),
            registered,
            fd: words[3] as i64,
            kind: SourceKind::from_code((state >> 8) as u8).unwrap_or(SourceKind::Other),
            inode: words[4],
            since: words[5],
            local: address(6),
            peer: address(6 + ADDRESS_WORDS),
        })
    }
}

/// What someone waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// A direction of a source.
    Source {
        /// The source.
        key: Key,
        /// Its file descriptor.
        fd: i64,
        /// Read or write.
        dir: Direction,
        /// The waiter's number.
        waiter: u64,
        /// Its ticks, once it has some.
        ticks: Option<Ticks>,
    },
    /// A timer.
    Timer {
        /// The timer.
        id: u64,
        /// When it is due, nanoseconds of the reactor's clock.
        deadline_ns: u64,
    },
}

impl Awaited {
    /// How many wakers of the waiting task the reactor keeps for this: a timer has one to be woken by, and one
    /// for when it is set anew.
    pub fn wakers(&self) -> u64 {
        match self {
            Awaited::Source { .. } => 1,
            Awaited::Timer { .. } => 2,
        }
    }
}

/// Someone who waits now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiter {
    /// For what.
    pub awaited: Awaited,
    /// The task: the waker's data pointer.
    pub task: u64,
    /// The counter when the wait began.
    pub since: u64,
    /// The place in the code where the wait began: what appending it to the strings gave; 0 if it
    /// is not known.
    pub place: u64,
    /// The thread on which the wait began, by the system's number; 0 if it is not known.
    pub tid: u64,
    /// By which calls the wait was begun: the number of a stack; 0 if it is not known.
    pub stack: u64,
    /// The task in whose poll the wait began: its number; 0 if it was in none that is recorded.
    pub task_id: u64,
}

/// Words of a waiter's entry that a writer stores alone.
pub mod waiter_word {
    /// What it waits for, in the low byte ([`NOBODY`], [`SOURCE`], [`TIMER`]); the direction in the
    /// second; 1 in the third if there are ticks. Storing [`NOBODY`] here ends the wait.
    pub const STATE: usize = 1;
    /// The waker's data pointer.
    pub const TASK: usize = 6;
    /// By which calls the wait was begun.
    pub const STACK: usize = 12;
    /// Nobody waits.
    pub const NOBODY: u64 = 0;
    /// For a source.
    pub const SOURCE: u64 = 1;
    /// For a timer.
    pub const TIMER: u64 = 2;
}

impl Waiter {
    /// The words of its entry but the sequence, which is the writer's.
    #[inline]
    pub fn words(&self) -> [u64; WAITER_WORDS] {
        let mut words = [0; WAITER_WORDS];
        words[waiter_word::TASK] = self.task;
        words[7] = self.since;
        words[8] = self.place;
        words[9] = self.tid;
        words[waiter_word::STACK] = self.stack;
        words[13] = self.task_id;
        match self.awaited {
            Awaited::Source { key, fd, dir, waiter, ticks } => {
                let has_ticks = u64::from(ticks.is_some());
                words[waiter_word::STATE] =
                    waiter_word::SOURCE | u64::from(dir.code()) << 8 | has_ticks << 16;
                words[2] = key.0;
                words[3] = waiter;
                let Ticks { a, b } = ticks.unwrap_or_default();
                (words[4], words[5]) = (a, b);
                words[10] = fd as u64;
            }
            Awaited::Timer { id, deadline_ns } => {
                words[waiter_word::STATE] = waiter_word::TIMER;
                words[2] = id;
                words[11] = deadline_ns;
            }
        }
        words
    }

    /// `None` if nobody waits, or for something that this build does not know.
    pub(crate) fn from_words(words: &[u64; WAITER_WORDS]) -> Option<Waiter> {
        let state = words[waiter_word::STATE];
        let ticks = Ticks { a: words[4], b: words[5] };
        let awaited = match state & 0xff {
            waiter_word::SOURCE => Awaited::Source {
                key: Key(words[2]),
                fd: words[10] as i64,
                dir: Direction::from_code((state >> 8) as u8)?,
                waiter: words[3],
                ticks: (state >> 16 & 1 == 1).then_some(ticks),
            },
            waiter_word::TIMER => Awaited::Timer { id: words[2], deadline_ns: words[11] },
            _ => return None,
        };
        Some(Waiter {
            awaited,
            task: words[waiter_word::TASK],
            since: words[7],
            place: words[8],
            tid: words[9],
            stack: words[waiter_word::STACK],
            task_id: words[13],
        })
    }
}

/// The words that hold a text: its length in bytes, then the bytes. As many as fit `room`.
pub fn text_words(text: &str, room_bytes: u64) -> Vec<u64> {
    let room = usize::try_from(room_bytes).unwrap_or(usize::MAX).saturating_sub(8);
    let mut len = text.len().min(room);
    while !text.is_char_boundary(len) {
        len -= 1;
    }
    let mut words = vec![0; 1 + len.div_ceil(8)];
    words[0] = len as u64;
    put_bytes(&text.as_bytes()[..len], &mut words[1..]);
    words
}

/// How many bytes a string takes of the strings' section; the answer to "how far must
/// [`STRINGS_TAKEN`](crate::layout::counter::STRINGS_TAKEN) move".
pub fn string_bytes(text: &str) -> u64 {
    8 + (text.len() as u64).div_ceil(8) * 8
}
