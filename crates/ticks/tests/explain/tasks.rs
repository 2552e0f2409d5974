//! Tasks that nobody wakes, nobody polls, or that never wait.

use crate::case::{cannot_tell, hang, Case, HERE};

const PROVEN: Option<&str> = Some("proven");
const LIKELY: Option<&str> = Some("likely");
const POSSIBLE: Option<&str> = Some("possible");

/// A killed program may have been in the midst of work. It depends on how long it was at it.
const PERHAPS: Option<&str> = Some("likely|possible");

const BOTH: &[&str] = &["hangs here", "waits meanwhile"];

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
fn nobody_polls_it() {
    let kind = "never_polled";
    hang(&[
        Case {
            name: "computes",
            kind,
            sure: [PROVEN, PERHAPS],
            marks: BOTH,
            says: "::audit) computes",
        },
        // What `run` was given was taken for the executor itself, which is polled all the time: nothing was found.
        Case {
            name: "blocking_main",
            kind,
            sure: [PROVEN, PERHAPS],
            marks: BOTH,
            says: "blocked since it went on from",
        },
        Case {
            name: "blocking_send",
            kind,
            sure: [PROVEN, PERHAPS],
            marks: BOTH,
            says: "blocked since it went on from",
        },
        Case {
            name: "nested_block_on",
            kind,
            sure: [PROVEN, POSSIBLE],
            marks: HERE,
            says: "is inside block_on, which waits for Receiver::recv",
        },
    ]);
}

/// Others are at work, and one of them may send what it waits for: nobody can tell from outside. It was not told at
/// all, and so there was nothing to look at.
#[test]
fn what_may_never_come_is_told() {
    let why = cannot_tell("own_sender", HERE);
    assert!(why.starts_with("1 task waited for 10 s or more for what others are to do"), "{why}");
    assert!(why.contains("own_sender::add_up) waits for Receiver::recv"), "{why}");
}

#[test]
fn others_wait_meanwhile() {
    hang(&[Case {
        name: "long_poll",
        kind: "long_poll",
        sure: [PROVEN, PROVEN],
        marks: BOTH,
        says: "::scale_all) computes or blocks for",
    }]);
}

#[test]
fn they_wait_for_each_other() {
    let kind = "deadlock";
    hang(&[
        Case {
            name: "two_locks",
            kind,
            // Of threads beside the tasks nothing is recorded.
            sure: [PROVEN, LIKELY],
            marks: HERE,
            says: "wait for each other",
        },
        Case {
            name: "crossed_channels",
            kind,
            sure: [PROVEN, LIKELY],
            marks: HERE,
            says: "wait for each other",
        },
        Case {
            name: "select_holds_lock",
            kind,
            sure: [PROVEN, LIKELY],
            marks: HERE,
            says: "the task holds it itself",
        },
        Case {
            name: "buffered_unpolled",
            kind,
            sure: [LIKELY, LIKELY],
            marks: &["hangs here", "holds the lock here"],
            says: "the task holds it itself",
        },
    ]);
}

#[test]
fn it_never_waits() {
    let kind = "busy_loop";
    hang(&[Case {
        name: "self_wake",
        kind,
        sure: [LIKELY, LIKELY],
        marks: HERE,
        says: "wakes itself",
    }]);
    hang(&[Case {
        name: "yield_loop",
        kind,
        sure: [LIKELY, LIKELY],
        marks: HERE,
        says: "wakes itself",
    }]);
    // Only the kernel knows that the peer has closed. What is left says that it is busy.
    hang(&[Case {
        name: "eof_loop",
        kind: "always_ready",
        sure: [LIKELY, None],
        marks: &[],
        says: "has closed the connection",
    }]);
}

#[test]
fn they_become_more_and_more() {
    let kind = "leak";
    hang(&[
        Case {
            name: "leak_tasks",
            kind,
            sure: [LIKELY, LIKELY],
            marks: &["hangs here", "leaks here"],
            says: "tasks become more and more",
        },
        Case {
            name: "leak_sources",
            kind,
            sure: [LIKELY, LIKELY],
            marks: HERE,
            says: "sources become more and more",
        },
        Case {
            name: "leak_timers",
            kind,
            sure: [LIKELY, LIKELY],
            marks: HERE,
            says: "timers become more and more",
        },
    ]);
}
