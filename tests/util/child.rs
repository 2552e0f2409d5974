//! A test that needs a process of its own runs its test binary again, for itself alone, in a role.
//!
//! `if let Some(role) = child::role() { … }` at the top of a test is the child's part; the rest is the
//! parent's, which starts [`command`] and judges what the child printed and how it ended.

// Every test file compiles its own copy and uses part of it.
#![allow(dead_code)]

use std::env;
use std::process::{Command, Output};

const ROLE: &str = "ASYNC_IO_TEST_ROLE";
const COUNT: &str = "ASYNC_IO_TEST_COUNT";

/// The part that this process plays, or nothing in the process that the user started.
pub fn role() -> Option<String> {
    env::var(ROLE).ok()
}

/// How many operations the parent asked this child for.
pub fn count() -> usize {
    env::var(COUNT)
        .ok()
        .and_then(|text| text.parse().ok())
        .expect("the parent names a number of operations")
}

/// This test binary again, as `role`, running only the test called `test`, its output not captured.
pub fn command(test: &str, role: &str, count: usize) -> Command {
    under(&[], test, role, count)
}

/// [`command`] run by another program: `wrapper` is that program and its arguments.
pub fn under(wrapper: &[&str], test: &str, role: &str, count: usize) -> Command {
    let exe = env::current_exe().expect("a test binary has a path");
    let mut command = match wrapper.split_first() {
        Some((program, arguments)) => {
            let mut command = Command::new(program);
            command.args(arguments).arg(exe);
            command
        }
        None => Command::new(exe),
    };
    command
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env(COUNT, count.to_string())
        // A leak check at exit works under no tracer, and is the parent's business anyway.
        .env("ASAN_OPTIONS", leak_check_off());
    command
}

fn leak_check_off() -> String {
    match env::var("ASAN_OPTIONS") {
        Ok(options) if !options.is_empty() => format!("{options}:detect_leaks=0"),
        _ => "detect_leaks=0".to_owned(),
    }
}

/// What a child wrote and how it ended, for a failure's message.
pub fn shown(output: &Output) -> String {
    format!(
        "{}\n--- stdout\n{}--- stderr\n{}---",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// The value of the word `name=value` that the child printed.
pub fn value<'a>(stdout: &'a str, name: &str) -> Option<&'a str> {
    stdout.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}
