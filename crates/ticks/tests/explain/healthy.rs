//! Programs that are well. What is only suspicious in them is not said either.

use std::time::Duration;

use crate::case::{explained, side_by_side, Program};
use crate::util::path;

const ALL: &[&str] = &[
    "chat",
    "proxy",
    "idle",
    "long_timers",
    "echo",
    "pool",
    "udp",
    "child",
    "unix",
    "ticker",
    "churn",
    "locks",
    "leads",
    "helpers",
    "others",
];

/// Kinds that are looked for in words; those that tell most.
const LOOKED_FOR: &[&str] = &[
    "a peer that does not answer",
    "data that nobody asks for",
    "two tasks that wait for the same direction",
    "an event whose task this crate did not wake",
];

/// What is said of it while it is at work, so long after it has begun; and the program, which has ended.
fn explained_live(
    case: &str,
    settles: Duration,
) -> Result<(Program, (serde_json::Value, Option<i32>)), String> {
    let mut program = Program::start("healthy", case, 4);
    program.wait_until("busy")?;
    std::thread::sleep(settles);
    let live = explained(&program.pid())?;
    match program.succeeds() {
        true => Ok((program, live)),
        false => Err("it failed".into()),
    }
}

fn nothing_is_wrong(case: &str) -> Result<(), String> {
    let (program, live) = explained_live(case, Duration::ZERO)?;
    let ended = explained(path(&program.file()))?;
    for (when, (told, code)) in [("live", live), ("ended", ended)] {
        let none = told["findings"].as_array().is_some_and(Vec::is_empty);
        if !none || told["wrong"] != false || code != Some(0) {
            return Err(format!("{when}, exit code {code:?}: {told:#}"));
        }
        let looked_for = told["looked_for"].to_string();
        if let Some(missing) = LOOKED_FOR.iter().find(|what| !looked_for.contains(**what)) {
            return Err(format!("{when}: it has not looked for {missing}: {told:#}"));
        }
    }
    Ok(())
}

/// What looks like a hang, and may be meant. It is told, and not called wrong.
const MAY_BE_MEANT: &[&str] = &["slow_reader", "held_in_thread", "arrivals"];

fn is_not_called_wrong(case: &str) -> Result<(), String> {
    // What becomes more and more has done so by then.
    let (_, (told, code)) = explained_live(case, Duration::from_millis(1_500))?;
    match told["wrong"] == false && code == Some(0) {
        true => Ok(()),
        false => Err(format!("exit code {code:?}: {told:#}")),
    }
}

/// Of a reader that is slow on purpose it was said, and called proven, that nobody reads: it finds something at each read,
/// and so never asks the reactor. Of tasks that wait for a lock that a thread has, that they wait for each other. And of
/// connections that rest between two questions, that they are left behind.
#[test]
fn what_may_be_meant_is_not_called_wrong() {
    side_by_side(MAY_BE_MEANT, 3, |case| case, is_not_called_wrong);
}

#[test]
fn nothing_wrong_is_found() {
    side_by_side(ALL, 4, |case| case, nothing_is_wrong);
}
