//! What the variables may be. A value that cannot be obeyed is named once on standard error, with what was expected,
//! and the program runs on. Where neither is set there is no thread and no handler.

use std::process::Command;

use async_io::block_on;

use crate::program;
use crate::util::{child, use_reactor, watchdog};

/// How many threads there are that print.
#[cfg(target_os = "linux")]
fn printers() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|it| std::fs::read_to_string(it.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with("async-io-dump")).count()
}

/// Uses the reactor, and says who prints.
fn work() {
    block_on(use_reactor()).unwrap();
    #[cfg(target_os = "linux")]
    println!("printers={}", printers());
    #[cfg(unix)]
    {
        // SAFETY: all of it zero is a valid value.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        // SAFETY: nothing is set, and `action` outlives the call.
        let result = unsafe { libc::sigaction(libc::SIGUSR1, std::ptr::null(), &mut action) };
        assert_eq!(result, 0);
        println!("handled={}", action.sa_sigaction != libc::SIG_DFL);
    }
}

/// What a program with these settings says on standard error, and its output.
#[track_caller]
fn run(test: &str, settings: &[(&str, &str)]) -> (Vec<String>, String) {
    let mut command: Command = child::command(test, "works", 0);
    program::set(&mut command, settings);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{settings:?}: {}", child::shown(&output));
    let said = String::from_utf8(output.stderr).unwrap();
    let said = said.lines().filter(|line| line.starts_with("async-io: ")).map(str::to_owned);
    (said.collect(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn what_cannot_be_obeyed_is_said_once_and_costs_nothing() {
    if child::role().is_some() {
        return work();
    }
    let _watchdog = watchdog("what_cannot_be_obeyed_is_said_once_and_costs_nothing");
    let signal = "ASYNC_IO_DUMP_SIGNAL";
    let every = "ASYNC_IO_DUMP_EVERY";
    let no_signals = "there are no such signals on this system";
    for (variable, value, why) in [
        (signal, "SIGKILL", "no program can catch it"),
        (signal, "SEGV", "it tells of a fault"),
        (signal, "SIGWHAT", "which is no signal that can be used"),
        (every, "soon", "expected a time of at least 10ms, as 10s"),
        (every, "0s", "expected a time of at least 10ms"),
    ] {
        let why = if cfg!(windows) && variable == signal { no_signals } else { why };
        let test = "what_cannot_be_obeyed_is_said_once_and_costs_nothing";
        let (said, output) = run(test, &[(variable, value)]);
        assert_eq!(said.len(), 1, "{variable}={value}: {said:?}");
        let line = &said[0];
        let begin = format!("async-io: {variable} is {value:?}");
        assert!(line.starts_with(&begin) && line.contains(why), "{line}");
        assert!(!output.contains("printers=1") && !output.contains("handled=true"), "{output}");
    }
}

#[test]
fn what_is_not_asked_for_is_not_there() {
    if child::role().is_some() {
        return work();
    }
    let _watchdog = watchdog("what_is_not_asked_for_is_not_there");
    for settings in [&[][..], &[("ASYNC_IO_DUMP_SIGNAL", ""), ("ASYNC_IO_DUMP_EVERY", "")]] {
        let (said, output) = run("what_is_not_asked_for_is_not_there", settings);
        assert!(said.is_empty(), "{said:?}");
        assert!(!output.contains("printers=1") && !output.contains("handled=true"), "{output}");
    }
}

/// Each of the two is obeyed although the other cannot be.
#[cfg(unix)]
#[test]
fn what_is_asked_for_is_there() {
    if child::role().is_some() {
        work();
        // A thread gives itself its name, once it runs.
        #[cfg(target_os = "linux")]
        crate::util::bounded::until("the thread that prints", || printers() == 1);
        return;
    }
    let _watchdog = watchdog("what_is_asked_for_is_there");
    for (settings, handled) in [
        ([("ASYNC_IO_DUMP_SIGNAL", "SIGUSR1"), ("ASYNC_IO_DUMP_EVERY", "never")], "handled=true"),
        ([("ASYNC_IO_DUMP_SIGNAL", "HELLO"), ("ASYNC_IO_DUMP_EVERY", "1h")], "handled=false"),
    ] {
        let (said, output) = run("what_is_asked_for_is_there", &settings);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(output.contains(handled), "{output}");
    }
}
