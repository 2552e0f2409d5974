//! A socket is waited for, and nothing comes; or something has come, and nobody takes it.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::case::{cannot_tell, explained, hang, Case, Program, HERE};

const PROVEN: Option<&str> = Some("proven");
const LIKELY: Option<&str> = Some("likely");
const POSSIBLE: Option<&str> = Some("possible");

#[test]
fn the_peer_is_silent() {
    let kind = "silent_peer";
    hang(&[
        Case {
            name: "silent_peer",
            kind,
            sure: [LIKELY, POSSIBLE],
            marks: HERE,
            says: "ever said anything",
        },
        Case {
            name: "peer_does_not_read",
            kind,
            sure: [PROVEN, POSSIBLE],
            marks: HERE,
            says: "not read what it",
        },
        Case {
            name: "nobody_accepts",
            kind,
            sure: [PROVEN, POSSIBLE],
            marks: HERE,
            says: "the server",
        },
    ]);
}

#[test]
fn nobody_asks() {
    let kind = "unasked_data";
    hang(&[
        Case {
            name: "unread_socket",
            kind,
            sure: [PROVEN, POSSIBLE],
            marks: HERE,
            says: "waits for Receiver::recv",
        },
        Case {
            name: "dropped_task",
            kind,
            sure: [PROVEN, LIKELY],
            marks: &[],
            says: "which read from it, was dropped",
        },
        Case {
            name: "read_exact_timeout",
            kind,
            sure: [POSSIBLE, POSSIBLE],
            marks: HERE,
            says: "bytes that it had read are lost",
        },
        Case {
            name: "waker_not_stored",
            kind,
            sure: [PROVEN, POSSIBLE],
            marks: HERE,
            says: "nobody reads what has come",
        },
    ]);
}

#[test]
fn two_tasks_read_one_connection() {
    hang(&[Case {
        name: "two_readers",
        kind: "two_tasks",
        sure: [LIKELY, LIKELY],
        marks: &["hangs here", "hangs here too"],
        says: "2 tasks read fd",
    }]);
}

#[test]
fn a_descriptor_is_closed_or_replaced() {
    let kind = "replaced";
    hang(&[
        Case {
            name: "closed_fd",
            kind,
            sure: [PROVEN, None],
            marks: HERE,
            says: "somebody closed it",
        },
        Case {
            name: "replaced_fd",
            kind,
            sure: [PROVEN, None],
            marks: HERE,
            says: "is /dev/null now",
        },
    ]);
}

#[test]
fn events_come_for_a_source_that_is_gone() {
    hang(&[Case {
        name: "copied_fd",
        kind: "replaced",
        sure: [LIKELY, LIKELY],
        marks: &[],
        says: "events come for a source that is gone",
    }]);
}

#[test]
fn async_io_2_6_0_would_have_hung() {
    hang(&[Case {
        name: "slow_poll",
        kind: "would_hang_upstream",
        sure: [POSSIBLE, POSSIBLE],
        marks: HERE,
        says: "with async-io 2.6.0",
    }]);
}

/// The kernel sends again what is not confirmed, each time later. So it takes some seconds until that can be told.
#[test]
fn the_network_drops_it() {
    let mut program = Program::start("hangs", "dropped_segments", 100);
    program.wait_until("hung").expect("it hangs");
    let begun = Instant::now();
    let told = loop {
        let (told, _) = explained(&program.pid()).expect("it is explained");
        let findings = told["findings"].as_array().expect("an array").clone();
        let network = findings.into_iter().find(|finding| finding["kind"] == "network");
        match network {
            Some(network) if network["sure"] == "proven" => break network,
            _ => assert!(begun.elapsed() < Duration::from_secs(100), "{told:#}"),
        }
        sleep(Duration::from_millis(300));
    };
    let sentence = told["sentence"].as_str().expect("a text");
    assert!(sentence.ends_with(" does not confirm what it was sent"), "{told:#}");
    assert!(sentence.contains("examples/hangs/dropped_segments.rs:"), "{told:#}");
    let evidence = told["evidence"].to_string();
    assert!(evidence.contains("retransmit"), "{told:#}");
    assert!(evidence.contains("it is the network between them"), "{told:#}");
}

/// `who` shows that both ends read. It may be a connection that is kept open, so it is no finding; but nothing was said.
#[test]
fn both_ends_read() {
    let why = cannot_tell("no_flush", &["hangs here", "waits meanwhile"]);
    assert!(why.starts_with("both ends of 1 connection wait to read, for 10 s or more"), "{why}");
    assert!(why.contains("(hangs::no_flush::ask)"), "{why}");
}
