//! What the tests here share: a child process that records, its recording, and its stacks.

// Every test file compiles its own copy and uses part of it.
#![allow(dead_code)]

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use ticks_format::{Recording, Stack, StackEnd};
use ticks_recorder::{listens, Client};

#[path = "../../../../tests/util/child.rs"]
pub mod child;

/// Who records in these tests.
pub static CLIENT: Client = Client { version: "test 1.0", is_reactor: true, passes_on: |_| false };

/// How a stack ends that goes back to where its thread began. A function of musl begins each thread, and musl
/// does not describe its own functions for unwinding.
pub const AT_THE_BEGINNING: StackEnd =
    if cfg!(target_env = "musl") { StackEnd::Unknown } else { StackEnd::Whole };

/// How long a test may take: far more than any needs on a loaded machine.
const LIMIT: Duration = Duration::from_secs(300);

/// Watches a test until it is dropped.
pub type Watchdog = mpsc::Sender<()>;

/// Ends the process if the test called `name` has not ended in time.
#[must_use = "dropping it ends the watch"]
pub fn watchdog(name: &str) -> Watchdog {
    let (alive, ended) = mpsc::channel();
    let name = name.to_owned();
    thread::spawn(move || {
        if ended.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
            let _ = writeln!(io::stderr(), "watchdog: test `{name}` still runs; aborting");
            std::process::abort();
        }
    });
    alive
}

/// Runs `work` in a child that records. Returns what the child said on standard error.
#[track_caller]
pub fn recorded(test: &str, work: impl FnOnce()) -> String {
    recorded_with(test, |_| {}, work)
}

/// As [`recorded`], with more settings.
#[track_caller]
pub fn recorded_with(
    test: &str,
    settings: impl FnOnce(&mut Command),
    work: impl FnOnce(),
) -> String {
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        assert!(listens(&CLIENT), "it records");
        work();
        println!("\ndone=yes");
        return String::new();
    }
    let dir = tempfile::tempdir().unwrap();
    let mut command = child::command(test, "recorded", 0);
    command.env("ASYNC_IO_TRACE", dir.path());
    for name in ["ASYNC_IO_TRACE_MIB", "ASYNC_IO_TRACE_STACKS"] {
        command.env_remove(name);
    }
    settings(&mut command);
    let output = command.output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", child::shown(&output));
    assert_eq!(child::value(&stdout, "done"), Some("yes"), "{}", child::shown(&output));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Where the recording of this process is.
pub fn path() -> PathBuf {
    let dir = std::env::var_os("ASYNC_IO_TRACE").expect("the parent sets it");
    PathBuf::from(dir).join(format!("{}.ticks", std::process::id()))
}

/// The recording of this process.
pub fn own() -> Recording<File> {
    let recording = Recording::open(File::open(path()).unwrap()).unwrap();
    assert_eq!(recording.problems(), [""; 0]);
    recording
}

/// The stack of this number, which must be there.
#[track_caller]
pub fn stack(number: u64) -> Stack {
    assert_ne!(number, 0, "a stack was taken");
    own().stack(number).unwrap().expect("its number names it")
}

/// The return addresses in memory, innermost first.
pub fn in_memory(stack: &Stack) -> Vec<u64> {
    let recording = own();
    let address = |frame: &ticks_format::Frame| match frame.module {
        0 => frame.address,
        number => {
            let module = recording.module(number).unwrap().expect("a module");
            let address = frame.address.wrapping_add(module.bias);
            assert!((module.start..=module.end).contains(&address), "{frame:?} in {module:?}");
            address
        }
    };
    stack.frames.iter().map(address).collect()
}

/// The paths of the modules that the frames are in, innermost first.
pub fn modules(stack: &Stack) -> Vec<String> {
    let recording = own();
    let path = |frame: &ticks_format::Frame| {
        let module = recording.module(frame.module).unwrap()?;
        recording.place(module.path).unwrap()
    };
    stack.frames.iter().map(|frame| path(frame).unwrap_or_default()).collect()
}

/// A word of the header.
pub fn counter(word: usize) -> u64 {
    own().counter(word).unwrap()
}
