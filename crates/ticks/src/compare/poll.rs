//! One poll or timer, and what was decided.

use ticks_format::{Reason, Ticks, Verdict, WokenBy};

/// One poll of a source or of a task, or a timer's end: it fired (Ready), or was disarmed before it was due (Pending).
#[derive(Clone, Debug)]
pub struct Poll {
    /// When it came to its end, nanoseconds after the recording's first record.
    pub at_ns: u64,
    /// How long it took, nanoseconds; absent: where it began is not recorded.
    pub took_ns: Option<u64>,
    /// Which wait of its kind it belongs to; from 1.
    pub wait: u64,
    /// Which poll of that wait; from 1.
    pub nth: u64,
    /// The answer.
    pub result: Verdict,
    /// On what grounds.
    pub grounds: Grounds,
}

/// What the answer was based on.
#[derive(Clone, Debug)]
pub enum Grounds {
    /// The reactor's, to a poll of a source.
    Source {
        /// Why.
        reason: Reason,
        /// The round in which the direction's last event was harvested; 0: none was.
        round: u64,
        /// What the waiter held before; absent: it did not wait yet.
        ticks: Option<Ticks>,
        /// How far the poll of the task was when the answer came, nanoseconds, if it is recorded.
        into_task_ns: Option<u64>,
    },
    /// Of a timer.
    Timer {
        /// How far away it was when it was armed, nanoseconds.
        in_ns: u64,
        /// How late it fired, nanoseconds; absent: it was disarmed.
        late_ns: Option<u64>,
        /// The stack of what its task asked last in the poll that armed it; 0: none.
        stack: u64,
    },
    /// Of a task.
    Task {
        /// What woke it first, if that is recorded.
        woken: Option<WokenBy>,
        /// The stack of what it asked last; 0: none.
        stack: u64,
    },
}

impl Poll {
    /// Whether the same was decided on the same grounds. Numbers that differ from run to run do not count, nor
    /// does what one recording does not tell.
    pub fn is_alike(&self, other: &Poll) -> bool {
        let grounds = match (&self.grounds, &other.grounds) {
            (Grounds::Source { reason, .. }, Grounds::Source { reason: of_other, .. }) => {
                reason == of_other
            }
            (Grounds::Task { woken, .. }, Grounds::Task { woken: of_other, .. }) => {
                woken == of_other || woken.is_none() || of_other.is_none()
            }
            // How far away and how late it was is told in numbers: a busy machine changes both.
            (Grounds::Timer { .. }, Grounds::Timer { .. }) => true,
            _ => false,
        };
        grounds && self.result == other.result
    }
}
