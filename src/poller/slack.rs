//! How late Linux lets a wait end, and asking for that much less.
//!
//! A timed wait may end later than asked by the thread's timer slack (50 µs unless somebody changed it,
//! `PR_SET_TIMERSLACK` in `prctl(2)`) or by a thousandth of its length (at most 100 ms), whichever is
//! more: the kernel uses this slack to end several waits at once. A wait that is alone ends at the end
//! of its slack. So the poller asks for a timeout that is shorter by the slack. If the wait ends early,
//! together with others, another wait follows for the rest.

use std::cell::Cell;
use std::time::Duration;

/// The part of a wait's length that it may be late by, and the most that this amounts to.
const PART: u32 = 1_000;
const PART_MAX: Duration = Duration::from_millis(100);

/// The timeout to ask for so that a wait of `timeout` does not end late.
pub(super) fn without_slack(timeout: Duration) -> Duration {
    let slack = thread_slack().max((timeout / PART).min(PART_MAX));
    match timeout.checked_sub(slack) {
        Some(earlier) if !earlier.is_zero() => earlier,
        // Too short to be ended early: that would be no wait at all.
        _ => timeout,
    }
}

/// The timer slack of this thread, asked for once.
fn thread_slack() -> Duration {
    thread_local! {
        static SLACK_NS: Cell<u64> = const { Cell::new(u64::MAX) };
    }
    SLACK_NS.with(|slack_ns| {
        if slack_ns.get() == u64::MAX {
            // If it cannot be asked for, a wait may end as late as it may anyway.
            slack_ns.set(rustix::thread::current_timer_slack().unwrap_or(0));
        }
        Duration::from_nanos(slack_ns.get())
    })
}
