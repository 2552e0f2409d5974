//! What reading a source has been like, and whether to watch it by level because of it.
//!
//! By edge, the kernel tells once of what arrives, so a queue must be read until it says `WouldBlock`.
//! Where each event brings one message, that is every second operation. By level, the kernel tells of
//! what is left at the next wait: then the operation that would say `WouldBlock` can be left out, and
//! what was not read after all is told of a round later. But it tells again in every round, also of what
//! nobody is about to read: so a source goes back to edges as soon as an event finds nobody to wake, or
//! somebody stops to wait.
//!
//! Everything here is statistics of one direction, [`Direction::Read`]. Relaxed throughout: threads that
//! read at once may miscount, which costs an operation or a round, never a wake-up.
//!
//! [`Direction::Read`]: ticks_format::Direction::Read

use crate::sync::atomic::{AtomicU16, AtomicU8, Ordering};

/// So many events in a row must have brought one message each before a source is watched by level:
/// changing over and back costs two system calls and a round, and each message by level saves one.
pub(crate) const SINGLES_MIN: u16 = 32;

/// Doubled with each return to edges that comes early, up to this.
const SINGLES_MAX: u16 = 256;

/// A return to edges after so many messages by level is not early.
const LONG_BY_LEVEL: u16 = 4 * SINGLES_MIN;

/// It is to be watched by level.
const BY_LEVEL: u8 = 1;
/// Edges alone will do from now on, whatever else is set.
const RULED_OUT: u8 = 2;

/// By level, the last two operations of so many are each followed by one that finds out whether more than
/// a message comes at a time now: to wait for each would be slower than to read on. Two, because one may
/// come behind the last message of several, and each one after it as well: then the second comes behind
/// the first.
const PROBE_PERIOD: u16 = 128;

/// The habit of a source.
#[derive(Debug)]
pub(crate) struct Habit {
    /// How it is to be watched. In one place, and changed by one operation each: a thread that has it
    /// watched by level while another one rules that out must not bring it back.
    watched: AtomicU8,
    /// How many messages were read since the queue was last found or taken to be empty; 2 is many.
    taken: AtomicU8,
    /// By edge: how many events in a row brought one message. By level: how many messages were read.
    streak: AtomicU16,
    /// How long a streak it takes.
    needed: AtomicU16,
}

/// What follows from an operation that took a message out of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Nothing: the next operation tells whether there are more.
    ReadOn,
    /// The queue is taken to be empty.
    TakeForEmpty,
    /// Watch by edge again: messages come in company.
    WatchByEdge,
}

impl Habit {
    pub(crate) fn new() -> Habit {
        Habit {
            watched: AtomicU8::new(0),
            taken: AtomicU8::new(0),
            streak: AtomicU16::new(0),
            needed: AtomicU16::new(SINGLES_MIN),
        }
    }

    /// In a forked child, whose poller may be another one. Relaxed: nobody else uses the source until it has
    /// moved, which a lock orders.
    pub(crate) fn start_anew(&self) {
        self.watched.store(0, Ordering::Relaxed);
        self.streak.store(0, Ordering::Relaxed);
        self.taken.store(0, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn by_level(&self) -> bool {
        self.watched.load(Ordering::Relaxed) == BY_LEVEL
    }

    /// An operation has taken a message.
    #[inline]
    pub(crate) fn took(&self) -> Then {
        let taken = self.taken.load(Ordering::Relaxed);
        if !self.by_level() {
            self.taken.store((taken + 1).min(2), Ordering::Relaxed);
            return Then::ReadOn;
        }
        if taken > 0 {
            return Then::WatchByEdge;
        }
        let streak = self.streak.load(Ordering::Relaxed).wrapping_add(1);
        self.streak.store(streak, Ordering::Relaxed);
        if streak % PROBE_PERIOD >= PROBE_PERIOD - 2 {
            self.taken.store(1, Ordering::Relaxed);
            return Then::ReadOn;
        }
        Then::TakeForEmpty
    }

    /// By edge, an operation has taken the last message, and said so. Returns whether the source had
    /// better be watched by level.
    #[inline]
    pub(crate) fn took_the_last(&self) -> bool {
        self.taken.store(1, Ordering::Relaxed);
        self.found_nothing()
    }

    /// An operation said `WouldBlock`. Returns whether the source had better be watched by level.
    #[inline]
    pub(crate) fn found_nothing(&self) -> bool {
        let taken = self.taken.load(Ordering::Relaxed);
        self.taken.store(0, Ordering::Relaxed);
        if taken == 0 || self.by_level() {
            return false;
        }
        let streak = self.streak.load(Ordering::Relaxed).min(SINGLES_MAX);
        let streak = if taken == 1 { streak + 1 } else { 0 };
        self.streak.store(streak, Ordering::Relaxed);
        let rules_out = self.watched.load(Ordering::Relaxed) & RULED_OUT != 0;
        streak >= self.needed.load(Ordering::Relaxed) && !rules_out
    }

    /// The source is about to be watched by level.
    pub(crate) fn set_by_level(&self) {
        self.streak.store(0, Ordering::Relaxed);
        self.watched.fetch_or(BY_LEVEL, Ordering::Relaxed);
    }

    /// The source is about to be watched by edge.
    pub(crate) fn set_by_edge(&self) {
        self.watched.fetch_and(!BY_LEVEL, Ordering::Relaxed);
        let long = self.streak.swap(0, Ordering::Relaxed) >= LONG_BY_LEVEL;
        self.taken.store(0, Ordering::Relaxed);
        let needed = match self.needed.load(Ordering::Relaxed) {
            _ if long => SINGLES_MIN,
            needed => (needed * 2).min(SINGLES_MAX),
        };
        self.needed.store(needed, Ordering::Relaxed);
    }

    /// Somebody looked at the queue and did not wait for more: whoever does that expects all that there
    /// is. Returns whether the source had better be watched by edge again.
    pub(crate) fn was_cancelled(&self) -> bool {
        let by_level = self.by_level();
        if !by_level {
            self.streak.store(0, Ordering::Relaxed);
        }
        by_level
    }

    /// Edges alone will do from now on.
    pub(crate) fn rule_out_level(&self) {
        if self.watched.load(Ordering::Relaxed) & RULED_OUT == 0 {
            self.watched.fetch_or(RULED_OUT, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// An event that brings one message, by edge. Returns whether to watch by level from now on.
    fn single(habit: &Habit) -> bool {
        assert_eq!(habit.took(), Then::ReadOn);
        habit.found_nothing()
    }

    /// How many such events it takes.
    fn singles_until_level(habit: &Habit) -> u16 {
        let mut count = 1;
        while !single(habit) {
            count += 1;
        }
        habit.set_by_level();
        count
    }

    #[test]
    fn messages_in_company_break_a_streak() {
        let habit = Habit::new();
        for _ in 1..SINGLES_MIN {
            assert!(!single(&habit));
        }
        assert_eq!(habit.took(), Then::ReadOn);
        assert_eq!(habit.took(), Then::ReadOn);
        assert!(!habit.found_nothing());
        assert_eq!(singles_until_level(&habit), SINGLES_MIN);
    }

    /// An event that turned out to be somebody else's, or no news, is no message.
    #[test]
    fn an_event_without_a_message_counts_for_nothing() {
        let habit = Habit::new();
        for _ in 1..SINGLES_MIN {
            assert!(!single(&habit) && !habit.found_nothing());
        }
        assert!(single(&habit));
    }

    #[test]
    fn by_level_it_is_looked_now_and_then_whether_there_are_more() {
        let habit = Habit::new();
        singles_until_level(&habit);
        for _ in 0..3 {
            let takes =
                (0..PROBE_PERIOD).take_while(|_| habit.took() == Then::TakeForEmpty).count();
            assert!(takes >= usize::from(PROBE_PERIOD) - 3, "{takes}");
            assert!(!habit.found_nothing(), "it is by level already");
            assert_eq!(habit.took(), Then::ReadOn, "once more");
            assert!(!habit.found_nothing());
        }
        while habit.took() == Then::TakeForEmpty {}
        assert_eq!(habit.took(), Then::WatchByEdge, "there were two");
    }

    #[test]
    fn each_early_return_to_edges_asks_for_a_longer_streak() {
        let habit = Habit::new();
        let mut needed = SINGLES_MIN;
        for _ in 0..16 {
            assert_eq!(singles_until_level(&habit), needed);
            habit.set_by_edge();
            needed = (needed * 2).min(SINGLES_MAX);
        }
        singles_until_level(&habit);
        for _ in 0..LONG_BY_LEVEL {
            if habit.took() == Then::ReadOn {
                habit.found_nothing();
            }
        }
        habit.set_by_edge();
        assert_eq!(singles_until_level(&habit), SINGLES_MIN, "it was by level for long");
        habit.rule_out_level();
        habit.set_by_edge();
        assert!((0..u32::from(u16::MAX) + 1).all(|_| !single(&habit)));
    }

    /// Events bring two messages each, or four, or eight: any number that the period is a multiple of. Where
    /// the first look at the queue came after the last of some, so did every other one, and the reactor
    /// turned once for each message for ever.
    #[test]
    fn company_of_any_size_is_found_out() {
        for company in 2..=PROBE_PERIOD {
            let habit = Habit::new();
            singles_until_level(&habit);
            let mut left = 0;
            let mut rounds = 0;
            loop {
                assert!(rounds < 10 * PROBE_PERIOD, "{company} at a time, one a round");
                if left == 0 {
                    left = company;
                }
                left -= 1;
                match habit.took() {
                    Then::TakeForEmpty => rounds += 1,
                    Then::WatchByEdge => break,
                    Then::ReadOn if left > 0 => {}
                    Then::ReadOn => assert!(!habit.found_nothing()),
                }
            }
        }
    }
}
