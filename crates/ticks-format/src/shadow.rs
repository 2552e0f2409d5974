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

use std::collections::BTreeMap;

use crate::records::{PollBegin, PollEnd, Record};
use crate::values::{Direction, Key, Ticks, Verdict};

/// How many waiters are remembered at least; twice as many at most.
const WAITERS_MIN: usize = 16 * 1024;

/// The waiter that all callers of the poll functions share.
const SHARED: u64 = 0;

type WaiterId = (Key, u8, u64);

/// Follows the records of one process and says where async-io 2.6.0 would have answered otherwise.
///
/// Its memory is bounded: of more than some ten thousand waiters, those that polled least recently
/// are forgotten, and begin anew at their next poll.
#[derive(Clone, Debug)]
pub struct Shadow {
    /// This reactor's tick.
    tick: u64,
    /// Whether a wait is under way, so that 2.6.0's ticker is one ahead.
    waiting: bool,
    recent: BTreeMap<WaiterId, Waiter>,
    older: BTreeMap<WaiterId, Waiter>,
    waiters_min: usize,
}

/// What 2.6.0 would know of one waiter.
#[derive(Clone, Copy, Debug, Default)]
struct Waiter {
    ticks: Option<Ticks>,
    /// The answer to the poll that has begun and not yet ended.
    verdict: Option<Verdict>,
}

impl Default for Shadow {
    fn default() -> Shadow {
        Shadow::new()
    }
}

impl Shadow {
    /// A shadow that has seen nothing.
    pub const fn new() -> Shadow {
        Shadow {
            tick: 0,
            waiting: false,
            recent: BTreeMap::new(),
            older: BTreeMap::new(),
            waiters_min: WAITERS_MIN,
        }
    }

    /// Takes in the next record; for a [`PollEnd`](crate::records::PollEnd), returns the answer of
    /// 2.6.0 if it differs from the recorded one.
    ///
    /// A poll whose beginning was not seen is taken to agree.
    pub fn observe(&mut self, record: &Record) -> Option<Verdict> {
        match record {
            Record::ReactBegin(begin) => (self.tick, self.waiting) = (begin.tick, true),
            Record::WaitBegin(_) => self.waiting = true,
            Record::Ticker(ticker) => (self.tick, self.waiting) = (ticker.tick, false),
            Record::ReactEnd(end) => (self.tick, self.waiting) = (end.tick, false),
            Record::PollBegin(begin) => self.poll_begins(begin),
            Record::PollEnd(end) => return self.poll_ends(end),
            Record::SourceWaker(waker) if waker.change == crate::WakerChange::Dropped => {
                self.waiter_gone((waker.key, waker.dir.code(), waker.waiter));
            }
            Record::SourceNew(source) => self.source_gone(source.key),
            Record::SourceDrop(source) => self.source_gone(source.key),
            _ => {}
        }
        None
    }

    /// 2.6.0 looks and records under one lock, so that both see the tick at the poll's beginning.
    fn poll_begins(&mut self, poll: &PollBegin) {
        let now = Ticks { a: self.tick.wrapping_add(u64::from(self.waiting)), b: poll.tick };
        let waiter = self.waiter((poll.key, poll.dir.code(), poll.waiter));
        let event_is_new = |ticks: Ticks| poll.tick != ticks.a && poll.tick != ticks.b;
        if waiter.ticks.is_some_and(event_is_new) {
            waiter.verdict = Some(Verdict::Ready);
            waiter.ticks = None;
        } else {
            waiter.verdict = Some(Verdict::Pending);
            if poll.waiter == SHARED || waiter.ticks.is_none() {
                waiter.ticks = Some(now);
            }
        }
    }

    fn poll_ends(&mut self, poll: &PollEnd) -> Option<Verdict> {
        let id = (poll.key, poll.dir.code(), poll.waiter);
        let upstream = self.known(id)?.verdict.take();
        if poll.result != Verdict::Pending {
            self.waiter_gone(id);
        }
        match (poll.result, upstream?) {
            // What the system refuses to register here, it would have refused there.
            (Verdict::Failed, Verdict::Pending) => None,
            (ours, upstream) => Some(upstream).filter(|_| ours != upstream),
        }
    }

    /// Forgets a waiter that polls no more. The shared one stays, with what it remembers.
    fn waiter_gone(&mut self, id: WaiterId) {
        if id.2 != SHARED {
            self.recent.remove(&id);
            self.older.remove(&id);
        }
    }

    fn source_gone(&mut self, key: Key) {
        let all = (key, Direction::Read.code(), 0)..=(key, Direction::Write.code(), u64::MAX);
        for waiters in [&mut self.recent, &mut self.older] {
            while let Some((&id, _)) = waiters.range(all.clone()).next() {
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
mod tests {
    use super::*;
    use crate::records::{ReactBegin, SourceDrop, SourceWaker, Ticker, WaitBegin};
    use crate::{Address, Reason, SourceKind, WakerChange};

    const KEY: Key = Key(0);

    fn wait_begins(shadow: &mut Shadow, tick: u64) {
        let begin = ReactBegin { tick, timeout_ns: None, next_timer_ns: None };
        assert_eq!(shadow.observe(&begin.into()), None);
        let wait = WaitBegin { epoll_fd: 5, timeout_ns: None };
        assert_eq!(shadow.observe(&wait.into()), None);
    }

    fn wait_returns(shadow: &mut Shadow, tick: u64) {
        assert_eq!(shadow.observe(&Ticker { tick }.into()), None);
    }

    fn poll_begins(shadow: &mut Shadow, key: Key, waiter: u64, tick: u64) {
        let begin = PollBegin { dir: Direction::Read, tick, ticks: None, key, fd: 4, waiter };
        assert_eq!(shadow.observe(&begin.into()), None);
    }

    fn poll_ends(shadow: &mut Shadow, key: Key, waiter: u64, result: Verdict) -> Option<Verdict> {
        let end = PollEnd {
            dir: Direction::Read,
            tick: 0,
            ticks: None,
            result,
            key,
            fd: 4,
            waiter,
            reason: Reason::NoEvent,
            upstream: None,
        };
        shadow.observe(&end.into())
    }

    /// What 2.6.0 says to a poll that this reactor answered with `ours`.
    fn poll(shadow: &mut Shadow, waiter: u64, tick: u64, ours: Verdict) -> Verdict {
        poll_begins(shadow, KEY, waiter, tick);
        poll_ends(shadow, KEY, waiter, ours).unwrap_or(ours)
    }

    fn remembered(shadow: &mut Shadow, waiter: u64) -> Option<Ticks> {
        shadow.known((KEY, Direction::Read.code(), waiter)).and_then(|waiter| waiter.ticks)
    }

    /// The seed's release build, 2022-05-03T18:37:52: the waiter remembered `(2, 2)` while nothing
    /// waited for events, the next wait brought one with tick 3, and 2.6.0 said Ready.
    #[test]
    fn release_build_of_2022_is_ready() {
        let mut shadow = Shadow::new();
        wait_returns(&mut shadow, 2);
        assert_eq!(
            poll(&mut shadow, 0, 2, Verdict::Pending),
            Verdict::Pending,
            "the first poll never is ready there"
        );
        assert_eq!(remembered(&mut shadow, 0), Some(Ticks { a: 2, b: 2 }));
        wait_begins(&mut shadow, 2);
        wait_returns(&mut shadow, 3);
        assert_eq!(poll(&mut shadow, 0, 3, Verdict::Ready), Verdict::Ready);
        assert_eq!(remembered(&mut shadow, 0), None);
    }

    /// The seed's debug build, 2022-05-03T18:39:43: the waiter began while the wait was under way
    /// that brought its event, so that it remembered `(2, 0)` and took tick 2 for old. It then
    /// remembered `(3, 2)`, again during a wait, and so for ever: the hang.
    #[test]
    fn debug_build_of_2022_hangs() {
        let mut shadow = Shadow::new();
        wait_returns(&mut shadow, 1);
        wait_begins(&mut shadow, 1);
        assert_eq!(poll(&mut shadow, 0, 0, Verdict::Pending), Verdict::Pending);
        assert_eq!(remembered(&mut shadow, 0), Some(Ticks { a: 2, b: 0 }));
        wait_returns(&mut shadow, 2);
        for tick in 2..1_000 {
            wait_begins(&mut shadow, tick);
            assert_eq!(poll(&mut shadow, 0, tick, Verdict::Ready), Verdict::Pending);
            let again = Ticks { a: tick + 1, b: tick };
            assert_eq!(remembered(&mut shadow, 0), Some(again));
            wait_returns(&mut shadow, tick + 1);
        }
    }

    /// A waiter of its own (`readable().await`) records once: it loses the event of the wait under
    /// way, but not the next one.
    #[test]
    fn other_waiters_record_once() {
        let mut shadow = Shadow::new();
        wait_returns(&mut shadow, 1);
        wait_begins(&mut shadow, 1);
        assert_eq!(poll(&mut shadow, 7, 0, Verdict::Pending), Verdict::Pending);
        wait_returns(&mut shadow, 2);
        wait_begins(&mut shadow, 2);
        assert_eq!(poll(&mut shadow, 7, 2, Verdict::Pending), Verdict::Pending);
        assert_eq!(remembered(&mut shadow, 7), Some(Ticks { a: 2, b: 0 }));
        wait_returns(&mut shadow, 3);
        assert_eq!(poll(&mut shadow, 7, 3, Verdict::Ready), Verdict::Ready);
    }

    /// 2.6.0 does not ask the kernel: it registers, and says Pending.
    #[test]
    fn ready_when_asked_would_have_waited() {
        let mut shadow = Shadow::new();
        wait_returns(&mut shadow, 1);
        assert_eq!(poll(&mut shadow, 0, 0, Verdict::Ready), Verdict::Pending);
        // The shared slot still remembers, so the event of the next wait makes it ready there.
        wait_begins(&mut shadow, 1);
        wait_returns(&mut shadow, 2);
        assert_eq!(poll(&mut shadow, 0, 2, Verdict::Pending), Verdict::Ready);
        // A future that became ready here polls no more.
        assert_eq!(poll(&mut shadow, 9, 2, Verdict::Ready), Verdict::Pending);
        assert_eq!(remembered(&mut shadow, 9), None);
    }

    #[test]
    fn a_failed_registration_fails_there_too() {
        let mut shadow = Shadow::new();
        assert_eq!(poll(&mut shadow, 0, 0, Verdict::Failed), Verdict::Failed);
    }

    /// A round that only begins with the poller's own record is a wait under way all the same.
    #[test]
    fn a_wait_without_its_round_counts() {
        let mut shadow = Shadow::new();
        wait_returns(&mut shadow, 1);
        let wait = WaitBegin { epoll_fd: 5, timeout_ns: None };
        shadow.observe(&wait.into());
        poll(&mut shadow, 0, 0, Verdict::Pending);
        assert_eq!(remembered(&mut shadow, 0), Some(Ticks { a: 2, b: 0 }));
    }

    #[test]
    fn an_end_without_its_beginning_agrees() {
        let mut shadow = Shadow::new();
        assert_eq!(poll_ends(&mut shadow, KEY, 0, Verdict::Ready), None);
        poll_begins(&mut shadow, KEY, 0, 1);
        assert_eq!(poll_ends(&mut shadow, KEY, 0, Verdict::Ready), Some(Verdict::Pending));
        assert_eq!(poll_ends(&mut shadow, KEY, 0, Verdict::Ready), None);
    }

    #[test]
    fn dropped_waiters_and_sources_are_forgotten() {
        let mut shadow = Shadow::new();
        for waiter in 0..4 {
            poll(&mut shadow, waiter, 0, Verdict::Pending);
        }
        let dropped = SourceWaker {
            change: WakerChange::Dropped,
            dir: Direction::Read,
            key: KEY,
            fd: 4,
            waiter: 2,
            task: 1,
        };
        shadow.observe(&dropped.into());
        assert_eq!(remembered(&mut shadow, 2), None);
        assert!(remembered(&mut shadow, 0).is_some());
        let gone = SourceDrop {
            key: KEY,
            fd: 4,
            kind: SourceKind::Tcp,
            local: Address::None,
            peer: Address::None,
            inode: 0,
        };
        shadow.observe(&gone.into());
        assert!(shadow.recent.is_empty() && shadow.older.is_empty());
    }

    #[test]
    fn memory_is_bounded_and_the_active_are_kept() {
        let mut shadow = Shadow::new();
        shadow.waiters_min = 10;
        for index in 1..10_000 {
            poll(&mut shadow, 0, 0, Verdict::Pending);
            poll_begins(&mut shadow, Key::new(index, 0), 0, 0);
            assert!(shadow.recent.len() + shadow.older.len() <= 20);
        }
        assert!(remembered(&mut shadow, 0).is_some());
    }
}
