//! What async-io 2.6.0 would have answered to the same polls.
//!
//! The comparison is the same there and here: ready if and only if the direction's tick is neither
//! of the two that the waiter remembers. What differs is what a waiter remembers, and when:
//!
//! - 2.6.0 bumps its ticker before it waits for events, this reactor when the wait returns. So
//!   while a wait is under way 2.6.0's ticker is one ahead, and it already is the number that the
//!   events of that wait will carry: a waiter that begins meanwhile takes them for old.
//! - 2.6.0 records the two ticks of the slot that all callers of `poll_readable` and
//!   `poll_writable` share anew at each poll, and those of any other waiter once, at its first.
//! - 2.6.0 never asks the kernel. A first poll is Pending there, whatever the kernel would say.
//!
//! Once the answers have differed, two histories go on: a caller that got Ready here had to wait
//! there. The shadow stays with the polls that were really made, and with what 2.6.0 would then
//! remember.
//!
//! A reader may come in late: a source is older than the log, or the oldest records were overwritten.
//! Then it is not known what a waiter remembers, and the shadow says nothing until it is.

use std::collections::BTreeMap;

use crate::records::{PollBegin, PollEnd, Record};
use crate::values::{Direction, Key, Ticks, Verdict};
use crate::waiter::WaiterId;
use crate::WakerChange;

/// How many waiters are remembered at least; twice as many at most.
const WAITERS_MIN: usize = 256 * 1024;

/// Follows the records of one process and says what async-io 2.6.0 would have answered.
///
/// Its memory is bounded: of more than some hundred thousand waiters, those that polled least recently
/// are forgotten, and nothing is said of them until it is known again what they remember.
#[derive(Clone, Debug)]
pub struct Shadow {
    /// This reactor's tick, once it is known.
    tick: Option<u64>,
    /// Whether a wait is under way, so that 2.6.0's ticker is one ahead.
    waiting: bool,
    recent: BTreeMap<WaiterId, Waiter>,
    older: BTreeMap<WaiterId, Waiter>,
    waiters_min: usize,
}

/// What is known of one waiter.
#[derive(Clone, Copy, Debug, Default)]
struct Waiter {
    memory: Memory,
    /// The poll that has begun and not yet ended, with the answer to it if that is known.
    begun: Option<Option<Verdict>>,
}

/// What 2.6.0 would remember of a waiter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Memory {
    /// That is not known.
    #[default]
    Unknown,
    /// These ticks, or nothing.
    Known(Option<Ticks>),
    /// Nothing if its last poll was Ready there, else these: which it was is not known.
    Either(Ticks),
}

impl Memory {
    /// The answer to a poll at `now`, and what is remembered from then on. `now.a` is not known if the
    /// reactor's tick is not.
    fn poll(self, tick: u64, now: Option<Ticks>, is_shared: bool) -> (Option<Verdict>, Memory) {
        let is_new = |ticks: Ticks| tick != ticks.a && tick != ticks.b;
        let noted = now.map_or(Memory::Unknown, |now| Memory::Known(Some(now)));
        match self {
            Memory::Known(Some(ticks)) if is_new(ticks) => {
                (Some(Verdict::Ready), Memory::Known(None))
            }
            Memory::Known(Some(_)) if !is_shared => (Some(Verdict::Pending), self),
            Memory::Known(_) => (Some(Verdict::Pending), noted),
            Memory::Either(ticks) if !is_new(ticks) => (Some(Verdict::Pending), noted),
            // Ready, and forgets; or Pending, and notes this moment.
            Memory::Either(_) | Memory::Unknown if is_shared => {
                (None, now.map_or(Memory::Unknown, Memory::Either))
            }
            Memory::Either(_) | Memory::Unknown => (None, Memory::Unknown),
        }
    }
}

impl Default for Shadow {
    fn default() -> Shadow {
        Shadow::new()
    }
}

impl Shadow {
    /// A shadow of a process that has not used its reactor yet.
    pub const fn new() -> Shadow {
        Shadow {
            tick: Some(0),
            waiting: false,
            recent: BTreeMap::new(),
            older: BTreeMap::new(),
            waiters_min: WAITERS_MIN,
        }
    }

    /// Records are missing: nothing is known from here on but what later ones tell.
    pub fn forget(&mut self) {
        (self.tick, self.waiting) = (None, false);
        self.recent.clear();
        self.older.clear();
    }

    /// Takes in the next record; for a [`PollEnd`], returns the answer of 2.6.0 if that is known. It is
    /// not for a poll whose beginning was not seen.
    pub fn observe(&mut self, record: &Record) -> Option<Verdict> {
        match record {
            Record::ReactBegin(begin) => (self.tick, self.waiting) = (Some(begin.tick), true),
            Record::WaitBegin(_) => self.waiting = true,
            Record::Ticker(ticker) => (self.tick, self.waiting) = (Some(ticker.tick), false),
            Record::ReactEnd(end) => (self.tick, self.waiting) = (Some(end.tick), false),
            Record::PollBegin(begin) => self.poll_begins(begin),
            Record::PollEnd(end) => return self.poll_ends(end),
            Record::SourceWaker(waker) if waker.change == WakerChange::Dropped => {
                self.waiter_gone(waker.waiter_id());
            }
            Record::SourceNew(source) => self.source_comes(source.key),
            Record::SourceDrop(source) => self.source_gone(source.key),
            _ => {}
        }
        None
    }

    /// 2.6.0 looks and records under one lock, so that both see the tick at the poll's beginning.
    fn poll_begins(&mut self, poll: &PollBegin) {
        let id = poll.waiter_id();
        let ahead = u64::from(self.waiting);
        let now = self.tick.map(|tick| Ticks { a: tick.wrapping_add(ahead), b: poll.tick });
        let is_shared = id.number == WaiterId::SHARED;
        let waiter = self.waiter(id);
        // A waiter of its own that does not wait yet polls for the first time. Its number may have been
        // another one's before.
        if !is_shared && poll.ticks.is_none() {
            waiter.memory = Memory::Known(None);
        }
        let (verdict, memory) = waiter.memory.poll(poll.tick, now, is_shared);
        (waiter.begun, waiter.memory) = (Some(verdict), memory);
    }

    fn poll_ends(&mut self, poll: &PollEnd) -> Option<Verdict> {
        let id = poll.waiter_id();
        let own = self.known(id).and_then(|waiter| waiter.begun.take());
        let upstream = match own {
            Some(verdict) => verdict,
            None if id.number == WaiterId::SHARED => return None,
            None => self.first_poll_ends(id),
        };
        if poll.result != Verdict::Pending {
            self.waiter_gone(id);
        }
        match (poll.result, upstream?) {
            // What the system refuses to register here, it would have refused there.
            (Verdict::Failed, Verdict::Pending) => Some(Verdict::Failed),
            (_, upstream) => Some(upstream),
        }
    }

    /// The waiter has got its number in this poll, which has begun without one.
    fn first_poll_ends(&mut self, id: WaiterId) -> Option<Verdict> {
        let new = id.with_number(WaiterId::NEW);
        let Some(Waiter { memory, begun: Some(verdict) }) = self.known(new).copied() else {
            // Older recorders have such a poll begin as the shared waiter's.
            if let Some(shared) = self.known(id.with_number(WaiterId::SHARED)) {
                *shared = Waiter::default();
            }
            return None;
        };
        self.waiter_gone(new);
        self.waiter(id).memory = memory;
        verdict
    }

    /// Forgets a waiter that polls no more. The shared one stays, with what it remembers.
    fn waiter_gone(&mut self, id: WaiterId) {
        if id.number != WaiterId::SHARED {
            self.recent.remove(&id);
            self.older.remove(&id);
        }
    }

    /// Nobody has polled it yet.
    fn source_comes(&mut self, key: Key) {
        self.source_gone(key);
        for dir in Direction::ALL {
            let id = WaiterId { key, dir: *dir, number: WaiterId::SHARED };
            self.waiter(id).memory = Memory::Known(None);
        }
    }

    fn source_gone(&mut self, key: Key) {
        let first = WaiterId { key, dir: Direction::Read, number: 0 };
        let last = WaiterId { key, dir: Direction::Write, number: u64::MAX };
        for waiters in [&mut self.recent, &mut self.older] {
            while let Some((&id, _)) = waiters.range(first..=last).next() {
                waiters.remove(&id);
            }
        }
    }

    fn known(&mut self, id: WaiterId) -> Option<&mut Waiter> {
        match self.recent.get_mut(&id) {
            Some(waiter) => Some(waiter),
            None => self.older.get_mut(&id),
        }
    }

    /// The waiter, among the recent ones; these become the older ones when they are too many.
    fn waiter(&mut self, id: WaiterId) -> &mut Waiter {
        if !self.recent.contains_key(&id) {
            if self.recent.len() >= self.waiters_min {
                self.older = std::mem::take(&mut self.recent);
            }
            let waiter = self.older.remove(&id).unwrap_or_default();
            self.recent.insert(id, waiter);
        }
        self.recent.entry(id).or_default()
    }
}

#[cfg(test)]
#[path = "shadow/tests.rs"]
mod tests;
