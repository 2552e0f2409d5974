//! A test that needs a process of its own runs its test binary again, for itself alone.
//!
//! Where the child is all there is to the test, it begins with [`own_process`]. Otherwise the child plays a
//! role: `if let Some(role) = child::role() { … }` at the top of a test is the child's part; the rest is the
//! parent's, which starts [`command`] and judges what the child printed and how it ended.

use std::env;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use super::{watchdog, Watchdog};

const ROLE: &str = "ASYNC_IO_TEST_ROLE";
const COUNT: &str = "ASYNC_IO_TEST_COUNT";

/// The role of a process that runs a test in its parent's place.
const ALONE: &str = "alone";

/// Runs the test called `test` in a process of its own, where no other test uses the reactor or the logger.
///
/// Returns a watchdog in that process, which goes on with the test; nothing in its parent, when the test
/// has succeeded there. Its standard error is the parent's, so that it is not lost if the process hangs.
#[track_caller]
#[must_use = "nothing is left to do in the process that gets nothing"]
pub fn own_process(test: &str) -> Option<Watchdog> {
    if role().as_deref() == Some(ALONE) {
        return Some(watchdog(test));
    }
    let mut command = command(test, ALONE, 0);
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.expect("a test binary can be run");
    assert!(output.status.success(), "in a process of its own, {test} failed: {}", shown(&output));
    print!("{}", String::from_utf8_lossy(&output.stdout));
    None
}

/// The path of the test called `test`, by which the harness of this test binary knows it. A name that
/// several modules have must be given with its module, `module::name`.
#[track_caller]
fn path_of(test: &str) -> String {
    static LIST: OnceLock<String> = OnceLock::new();
    let list = LIST.get_or_init(|| {
        let exe = env::current_exe().expect("a test binary has a path");
        let listed = Command::new(exe).args(["--list", "--format", "terse"]).output();
        String::from_utf8(listed.expect("a test binary can be run").stdout)
            .expect("names are UTF-8")
    });
    let paths = list.lines().filter_map(|line| line.strip_suffix(": test"));
    let is_it = |path: &&str| match path.strip_suffix(test) {
        Some(module) => module.is_empty() || module.ends_with("::"),
        None => false,
    };
    let found: Vec<&str> = paths.filter(is_it).collect();
    assert!(found.len() == 1, "found as the test {test}: {found:?}, expected one");
    found[0].to_owned()
}

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
#[track_caller]
pub fn command(test: &str, role: &str, count: usize) -> Command {
    under(&[], test, role, count)
}

/// [`command`] run by another program: `wrapper` is that program and its arguments.
#[track_caller]
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
        .args(["--exact", &path_of(test), "--nocapture", "--test-threads=1"])
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
