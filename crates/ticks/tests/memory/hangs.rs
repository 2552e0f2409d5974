//! A service hangs, nobody had recorded it, and its binary has debug information. The futures of its tasks say at which line each
//! waits, and for what. So `ticks explain` finds the same in the memory as in a recording, as far as it does not hang on
//! what was before.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use serde_json::Value as Json;

use crate::start::{examples, shop_of, Program};
use crate::util::{stderr, stdout, ticks};

/// Cases that run side by side: each is watched for a second.
const AT_ONCE: usize = 6;

/// What is to be said of a program of `examples/hangs`.
struct Case {
    name: &'static str,
    kind: &'static str,
    sure: &'static str,
    /// The line is the one with the comment `hangs here`.
    has_line: bool,
    says: &'static str,
}

const fn case(
    name: &'static str,
    kind: &'static str,
    sure: &'static str,
    has_line: bool,
    says: &'static str,
) -> Case {
    Case { name, kind, sure, has_line, says }
}

const CASES: &[Case] = &[
    case("lost_waker", "forgotten", "proven", false, "lost_waker::Download::poll"),
    case("computes", "never_polled", "proven", false, "computes::audit) computes"),
    case("blocking_main", "never_polled", "proven", false, "blocking_main::serve>) is blocked"),
    case("blocking_send", "never_polled", "proven", false, "blocking_send::parse) is blocked"),
    case("two_locks", "deadlock", "proven", true, "Mutex::lock (async-lock)"),
    case("crossed_channels", "deadlock", "proven", true, "Sender::send (async-channel)"),
    case("select_holds_lock", "deadlock", "proven", true, "the task holds it itself"),
    case("buffered_unpolled", "deadlock", "proven", true, "RwLock (async-lock)"),
    case("peer_does_not_read", "silent_peer", "proven", true, "does not read what it is sent"),
    case("unread_socket", "unasked_data", "proven", false, "nobody reads what has come on fd"),
    case("dropped_task", "unasked_data", "proven", false, "nobody reads what has come on fd"),
    case("never_timer", "far_timer", "likely", true, "for a timer that is not set"),
    case("stopped", "not_running", "proven", false, "is stopped by a signal"),
];

const HEALTHY: &[&str] = &[
    "chat",
    "idle",
    "long_timers",
    "echo",
    "pool",
    "udp",
    "ticker",
    "churn",
    "locks",
    "leads",
    "helpers",
    "slow_reader",
    "held_in_thread",
    "others",
];

fn start(example: &str, case: &str, word: &str) -> Program {
    let mut command = Command::new(examples().join(example));
    Program::start(command.args(["--case", case, "--seconds", "100"]), word)
}

fn explained(program: &Program) -> Json {
    let output = ticks(["explain", "--json", &program.pid()]);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", stderr(&output)))
}

/// The place that is marked in the source of a case.
fn places(case: &str) -> Vec<String> {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../examples/hangs/{case}.rs"));
    let source = fs::read_to_string(file).expect("the case has a source");
    let lines = (1..).zip(source.lines()).filter(|(_, line)| line.ends_with("// hangs here"));
    lines.map(|(number, _)| format!("examples/hangs/{case}.rs:{number}")).collect()
}

fn check(case: &Case) -> Result<(), String> {
    let program = start("hangs", case.name, "hung");
    let told = explained(&program);
    let places = places(case.name);
    let findings = told["findings"].as_array().expect("an array");
    let is_it = |finding: &&Json| {
        let sentence = finding["sentence"].as_str().expect("a text");
        finding["kind"] == case.kind
            && finding["sure"] == case.sure
            && sentence.contains(case.says)
            && (!case.has_line || places.iter().any(|place| sentence.contains(place)))
    };
    match findings.iter().find(is_it) {
        Some(_) => Ok(()),
        None => Err(format!("{}: no {} with {:?}: {told:#}", case.name, case.says, places)),
    }
}

#[test]
fn what_it_hangs_in_is_found_in_its_memory() {
    examples();
    let mut failed = Vec::new();
    for some in CASES.chunks(AT_ONCE) {
        thread::scope(|scope| {
            let all: Vec<_> = some.iter().map(|case| scope.spawn(|| check(case))).collect();
            failed.extend(all.into_iter().filter_map(|it| it.join().expect("no panic").err()));
        });
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

/// Of a busy pool it was said, and called proven, that a task had computed for a second and kept others waiting: it was
/// being polled at each look, and they were to be polled. Each look saw another poll. `leads` is nearly always so.
#[test]
fn nothing_wrong_is_found_in_the_memory_of_one_that_is_well() {
    examples();
    for some in HEALTHY.chunks(AT_ONCE / 2) {
        thread::scope(|scope| {
            for case in some {
                scope.spawn(move || {
                    let told = explained(&start("healthy", case, "busy"));
                    assert_eq!(told["wrong"], false, "{case}: {told:#}");
                });
            }
        });
    }
}

/// The shop of the README: who waits for the lock, and where, is in no recording.
#[test]
fn the_lines_at_which_tasks_wait_are_in_their_futures() {
    let (shop, _) = shop_of(&mut Command::new(examples().join("last_item")));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/last_item.rs");
    let source = fs::read_to_string(source).expect("it has a source");
    let line = |text: &str| 1 + source.lines().position(|line| line.contains(text)).expect(text);
    let who = stdout(["who", "--stacks", &shop.pid()]);
    let told: Vec<&str> = who.split_whitespace().collect();
    let told = told.join(" ");
    for (function, what) in [("sell", "async fn sell"), ("redeem", "async fn redeem")] {
        assert!(told.contains("Mutex::lock (async-lock)"), "{who}");
        let begin = line(what);
        // The function's second lock is the one that it waits for.
        let body: Vec<_> =
            (1..).zip(source.lines()).skip(begin).take_while(|(_, line)| *line != "}").collect();
        let locks = body.iter().filter(|(_, line)| line.contains(".lock().await"));
        let places = locks.map(|(number, _)| format!("examples/last_item.rs:{number}"));
        assert!(places.into_iter().any(|place| told.contains(&place)), "{function}: {who}");
        assert!(told.contains(&format!("last_item::{function}")), "{who}");
    }
    // By which calls `main` has come to where it waits.
    assert!(told.contains("last_item::customer"), "{who}");
}
