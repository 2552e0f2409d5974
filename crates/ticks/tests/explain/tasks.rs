//! A task waits for other tasks, keeps its thread, or is never done.

use crate::case::{hang, Case, HERE};

const PROVEN: Option<&str> = Some("proven");
const LIKELY: Option<&str> = Some("likely");
const POSSIBLE: Option<&str> = Some("possible");

#[test]
fn nobody_can_wake_it() {
    hang(&[Case {
        name: "lost_waker",
        kind: "forgotten",
        sure: [PROVEN, PROVEN],
        marks: HERE,
        says: "nobody can wake it",
    }]);
}

#[test]
fn a_thread_is_kept() {
    let kind = "never_polled";
    hang(&[
        Case {
            name: "computes",
            kind,
            sure: [PROVEN, LIKELY],
            marks: HERE,
            says: "(hangs::computes::audit)",
        },
        Case {
            name: "blocking_send",
            kind,
            sure: [PROVEN, POSSIBLE],
            marks: HERE,
            says: "blocked since it went on from",
        },
        Case {
            name: "nested_block_on",
            kind,
            sure: [PROVEN, POSSIBLE],
            marks: HERE,
            says: "is inside block_on",
        },
        Case {
            name: "long_poll",
            kind: "long_poll",
            sure: [PROVEN, PROVEN],
            marks: HERE,
            says: "(hangs::long_poll::scale_all) computes or blocks",
        },
    ]);
}

#[test]
fn tasks_wait_for_each_other() {
    let kind = "deadlock";
    hang(&[
        Case {
            name: "two_locks",
            kind,
            sure: [PROVEN, PROVEN],
            marks: HERE,
            says: "wait for each other",
        },
        Case {
            name: "crossed_channels",
            kind,
            sure: [PROVEN, PROVEN],
            marks: HERE,
            says: "wait for each other",
        },
        Case {
            name: "select_holds_lock",
            kind,
            sure: [PROVEN, PROVEN],
            marks: HERE,
            says: "in a future that it does not poll",
        },
        Case {
            name: "buffered_unpolled",
            kind,
            sure: [LIKELY, LIKELY],
            marks: HERE,
            says: "in a future that it does not poll",
        },
    ]);
}

#[test]
fn a_task_goes_on_and_on() {
    let kind = "busy_loop";
    hang(&[
        Case { name: "self_wake", kind, sure: [LIKELY, LIKELY], marks: HERE, says: "wakes itself" },
        Case {
            name: "yield_loop",
            kind,
            sure: [LIKELY, LIKELY],
            marks: HERE,
            says: "wakes itself",
        },
        // That the peer has closed the connection is seen while it is there.
        Case {
            name: "eof_loop",
            kind: "always_ready",
            sure: [LIKELY, None],
            marks: HERE,
            says: "has closed the connection",
        },
    ]);
}

#[test]
fn there_are_more_and_more() {
    let kind = "leak";
    let sure = [LIKELY, LIKELY];
    hang(&[
        Case { name: "leak_tasks", kind, sure, marks: HERE, says: "hangs::leak_tasks::watch" },
        Case { name: "leak_sources", kind, sure, marks: HERE, says: "sources become more" },
        Case { name: "leak_timers", kind, sure, marks: HERE, says: "timers become more" },
    ]);
}
