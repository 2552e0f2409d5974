//! A story: a program, played by this test binary in a process of its own.

use std::process::exit;
use std::thread;
use std::time::{Duration, Instant};

use async_executor::Executor;
use async_io::block_on;

use crate::look::Look;
use crate::util::process::{role, Process};

/// As long as the slowest machine takes; nobody waits for it to pass.
const LIMIT: Duration = Duration::from_secs(120);

/// Far away: nobody sees the end of it.
pub const FAR: Duration = Duration::from_secs(36_000);

/// The process that plays it; in that process, `work` is done, which need not end.
pub fn started(test: &str, work: impl FnOnce()) -> Option<Process> {
    started_with(&[], test, work)
}

/// As [`started`], with these settings, `NAME=value` each.
pub fn started_with(settings: &[&str], test: &str, work: impl FnOnce()) -> Option<Process> {
    if role().is_some() {
        act(work);
    }
    let wrapper: Vec<&str> = ["env"].iter().chain(settings).copied().collect();
    Some(Process::start_under(&wrapper, test, "plays", true))
}

/// Ends when the standard input does.
fn act(work: impl FnOnce()) -> ! {
    // The recorder starts.
    block_on(async {});
    thread::spawn(|| {
        for _ in std::io::stdin().lines() {}
        exit(0);
    });
    println!("\nwaits");
    work();
    loop {
        thread::park();
    }
}

/// An executor of the program's, which is never dropped.
pub fn executor() -> &'static Executor<'static> {
    Box::leak(Box::default())
}

/// Runs its tasks for ever, or until the process ends.
pub fn run(executor: &Executor<'_>) {
    block_on(executor.run(std::future::pending::<()>()));
}

/// Waits until there is what is looked for.
#[track_caller]
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + LIMIT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "never came: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until the process's recording is as wanted, and returns it.
#[track_caller]
pub fn seen(process: &Process, what: &str, is_there: impl Fn(&Look) -> bool) -> Look {
    let file = process.file();
    let until = Instant::now() + LIMIT;
    loop {
        let look = Look::at(&file);
        if is_there(&look) {
            return look;
        }
        assert!(Instant::now() < until, "never came: {what}; there is\n{}", look.shown());
        thread::sleep(Duration::from_millis(5));
    }
}

/// Kills it, and looks at what it has left.
#[track_caller]
pub fn killed(process: &mut Process) -> Look {
    process.child.kill().expect("it was there");
    process.child.wait().expect("it was there");
    Look::at(&process.file())
}
