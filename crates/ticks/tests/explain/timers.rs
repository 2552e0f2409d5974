//! A timer is waited for, and comes in hours, never, or late.

use crate::case::{hang, Case, HERE};

const LIKELY: Option<&str> = Some("likely");

#[test]
fn a_timer_is_far_away_or_never_set() {
    let kind = "far_timer";
    hang(&[
        Case {
            name: "wrong_unit",
            kind,
            sure: [LIKELY, LIKELY],
            marks: HERE,
            says: "for a timer that is due in 8h 19m",
        },
        Case {
            name: "never_timer",
            kind,
            sure: [LIKELY, LIKELY],
            marks: HERE,
            says: "for a timer that is not set",
        },
    ]);
}

#[test]
fn a_waker_holds_the_reactor_up() {
    hang(&[Case {
        name: "blocking_waker",
        kind: "late",
        sure: [LIKELY, LIKELY],
        marks: &[],
        says: "the timers of hangs",
    }]);
}

#[test]
fn the_executor_is_behind() {
    hang(&[Case {
        name: "late_timers",
        kind: "late",
        sure: [LIKELY, LIKELY],
        marks: HERE,
        says: "is behind: a woken task waits for",
    }]);
}
