//! The program has a handler of its own for the signal. One that was there first is called as before, with what it
//! was set to be called with. One that comes later takes the signal over; then a line says that no table will come.

use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::time::Duration;
use std::{io, mem, ptr};

use async_io::{block_on, Timer};

use crate::program::{is_told, report, Program};
use crate::util::{child, use_reactor, watchdog};

const BY_SIGNAL: (&str, &str) = ("ASYNC_IO_DUMP_SIGNAL", "USR1");

static CALLS: AtomicUsize = AtomicUsize::new(0);
static SENDER: AtomicI32 = AtomicI32::new(0);

extern "C" fn simple(signal: libc::c_int) {
    CALLS.fetch_add(usize::from(signal == libc::SIGUSR1), Ordering::SeqCst);
}

extern "C" fn informed(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the system gives a handler that is set with `SA_SIGINFO` a valid `info`, of the kind of `kill`.
    SENDER.store(unsafe { (*info).si_pid() }, Ordering::SeqCst);
    CALLS.fetch_add(usize::from(signal == libc::SIGUSR1 && !context.is_null()), Ordering::SeqCst);
}

fn set_handler(handler: libc::sighandler_t, flags: libc::c_int) {
    // SAFETY: all of it zero is a valid value: no flags and an empty mask.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    (action.sa_sigaction, action.sa_flags) = (handler, flags);
    // SAFETY: the handlers here do nothing but store atomics, and live as long as the program.
    let result = unsafe { libc::sigaction(libc::SIGUSR1, &action, ptr::null_mut()) };
    assert_eq!(result, 0, "sigaction: {}", io::Error::last_os_error());
}

/// A program that sets its handler first and then uses the reactor. Says how often it was called at its end.
fn sets_it_first(handler: libc::sighandler_t, flags: libc::c_int) {
    set_handler(handler, flags);
    block_on(use_reactor()).unwrap();
    report("ready", "");
    while is_told() {}
    // It still works.
    block_on(use_reactor()).unwrap();
    report("sender", SENDER.load(Ordering::SeqCst));
    report("calls", CALLS.load(Ordering::SeqCst));
}

/// Two signals, two tables; returns the program's own count of them.
#[track_caller]
fn two_signals(test: &str) -> (Program, usize) {
    let mut program = Program::start(test, &[BY_SIGNAL]);
    program.value("ready");
    for _ in 0..2 {
        program.signal(libc::SIGUSR1);
        program.table();
    }
    let (status, tables) = program.end();
    assert!(status.success() && tables == 0, "{status}, {tables} more tables");
    let sender: u32 = program.value("sender").parse().unwrap();
    assert!(sender == 0 || sender == std::process::id(), "sender {sender}");
    let calls = program.value("calls").parse().unwrap();
    (program, calls)
}

#[test]
fn a_handler_that_was_there_first_is_called() {
    if child::role().is_some() {
        return sets_it_first(simple as extern "C" fn(_) as *const () as _, 0);
    }
    let _watchdog = watchdog("a_handler_that_was_there_first_is_called");
    let (_, calls) = two_signals("a_handler_that_was_there_first_is_called");
    assert_eq!(calls, 2);
}

#[test]
fn a_handler_that_asks_for_more_gets_it() {
    if child::role().is_some() {
        let handler = informed as extern "C" fn(_, _, _) as *const () as _;
        return sets_it_first(handler, libc::SA_SIGINFO | libc::SA_RESTART);
    }
    let _watchdog = watchdog("a_handler_that_asks_for_more_gets_it");
    let (_, calls) = two_signals("a_handler_that_asks_for_more_gets_it");
    assert_eq!(calls, 2);
}

/// As with `SA_RESETHAND`: it is called by the first signal alone.
#[test]
fn a_handler_for_one_signal_is_called_once() {
    if child::role().is_some() {
        let handler = simple as extern "C" fn(_) as *const () as _;
        return sets_it_first(handler, libc::SA_RESETHAND);
    }
    let _watchdog = watchdog("a_handler_for_one_signal_is_called_once");
    let (_, calls) = two_signals("a_handler_for_one_signal_is_called_once");
    assert_eq!(calls, 1);
}

#[test]
fn a_signal_that_was_ignored_prints_and_does_no_more() {
    if child::role().is_some() {
        return sets_it_first(libc::SIG_IGN, 0);
    }
    let _watchdog = watchdog("a_signal_that_was_ignored_prints_and_does_no_more");
    let (_, calls) = two_signals("a_signal_that_was_ignored_prints_and_does_no_more");
    assert_eq!(calls, 0);
}

/// By itself the signal ends a program.
#[test]
fn a_signal_that_nobody_handled_prints_and_does_no_more() {
    if child::role().is_some() {
        return sets_it_first(libc::SIG_DFL, 0);
    }
    let _watchdog = watchdog("a_signal_that_nobody_handled_prints_and_does_no_more");
    let (_, calls) = two_signals("a_signal_that_nobody_handled_prints_and_does_no_more");
    assert_eq!(calls, 0);
}

/// The program's own wins, and the user is told why no table comes: once.
#[test]
fn a_handler_that_comes_later_takes_over_and_that_is_said() {
    if child::role().is_some() {
        block_on(use_reactor()).unwrap();
        set_handler(simple as extern "C" fn(_) as *const () as _, 0);
        report("ready", "");
        while is_told() {
            report("calls", CALLS.load(Ordering::SeqCst));
        }
        return;
    }
    let _watchdog = watchdog("a_handler_that_comes_later_takes_over_and_that_is_said");
    let test = "a_handler_that_comes_later_takes_over_and_that_is_said";
    let mut program = Program::start(test, &[BY_SIGNAL]);
    program.value("ready");
    let line = program.says("has set a handler of its own for SIGUSR1");
    assert!(line.starts_with("async-io: ") && line.contains("choose another signal"), "{line}");
    program.signal(libc::SIGUSR1);
    let calls = loop {
        program.tell("count");
        match program.value("calls").as_str() {
            "0" => std::thread::sleep(Duration::from_millis(1)),
            calls => break calls.to_owned(),
        }
    };
    assert_eq!(calls, "1");
    let (status, tables) = program.end();
    assert!(status.success() && tables == 0, "{status}, {tables} tables");
    let again = program.said.iter().filter(|line| line.contains("handler of its own"));
    assert_eq!(again.count(), 0, "it was said more than once: {:?}", program.said);
}

/// Thousands of signals while the program works: it loses nothing, its own handler is called, and each table is a whole
/// one.
#[test]
fn a_storm_of_signals_is_weathered() {
    const SIGNALS: usize = 3_000;

    if child::role().is_some() {
        set_handler(simple as extern "C" fn(_) as *const () as _, libc::SA_RESTART);
        let worker = std::thread::spawn(|| {
            for _ in 0..20 {
                block_on(async {
                    use_reactor().await.unwrap();
                    Timer::after(Duration::from_millis(1)).await;
                });
            }
        });
        block_on(use_reactor()).unwrap();
        report("ready", "");
        while is_told() {}
        worker.join().unwrap();
        report("calls", CALLS.load(Ordering::SeqCst));
        return;
    }
    let _watchdog = watchdog("a_storm_of_signals_is_weathered");
    let mut program = Program::start("a_storm_of_signals_is_weathered", &[BY_SIGNAL]);
    program.value("ready");
    for _ in 0..SIGNALS {
        program.signal(libc::SIGUSR1);
    }
    let table = program.table();
    assert!(table.contains("the reactor is in round"), "{table}");
    let (status, tables) = program.end();
    assert!(status.success(), "{status}: {:?}", program.said);
    assert!(tables < SIGNALS, "{tables} tables");
    // Signals that come while one is pending are one.
    let calls: usize = program.value("calls").parse().unwrap();
    assert!((1..=SIGNALS).contains(&calls), "{calls}");
}
