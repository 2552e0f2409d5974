//! A service hung at night, and nobody had set `ASYNC_IO_TRACE`. All that a debugger showed was one thread in
//! `epoll_wait`. With `ASYNC_IO_DUMP_SIGNAL` set, `kill -USR1` says who waits for what, at once, and does so again.

use std::future::Future;
use std::net::{TcpStream, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use std::{io, thread};

use async_executor::Executor;
use async_io::{block_on, Async, Timer};

use crate::program::{hang, is_told, report, Program};
use crate::util::{child, tcp_pair, watchdog};

const BY_SIGNAL: (&str, &str) = ("ASYNC_IO_DUMP_SIGNAL", "SIGUSR1");

/// How many tasks have begun their first polls.
static BEGUN: AtomicUsize = AtomicUsize::new(0);

async fn reads(stream: Async<TcpStream>) -> io::Result<()> {
    BEGUN.fetch_add(1, SeqCst);
    stream.readable().await
}

async fn sleeps() {
    BEGUN.fetch_add(1, SeqCst);
    Timer::after(Duration::from_secs(3_600)).await;
}

/// As many tasks wait. The executor's main future asks for it, on each of its threads, so that these have polled them
/// to the end.
async fn wait(tasks: usize) {
    while BEGUN.load(SeqCst) < tasks {
        Timer::after(Duration::from_millis(1)).await;
    }
}

/// Two tasks of an executor that wait for ever, and its main future, which waits for something else.
fn two_tasks() {
    let (near, far) = tcp_pair().unwrap();
    report("peer", far.local_addr().unwrap());
    let near = Async::new(near).unwrap();
    report("local", near.get_ref().local_addr().unwrap());
    let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
    report("udp", socket.get_ref().local_addr().unwrap());
    let executor = Executor::new();
    executor.spawn(reads(near)).detach();
    executor.spawn(sleeps()).detach();
    block_on(executor.run(async {
        wait(2).await;
        report("hangs", "");
        socket.readable().await.unwrap();
    }));
}

/// The row of a source and the rows below it.
fn rows<'a>(table: &'a str, source: &str) -> Vec<&'a str> {
    let mut lines = table.lines().skip_while(|line| !line.contains(source));
    let first = lines.next().into_iter();
    first.chain(lines.take_while(|line| line.starts_with("      "))).collect()
}

#[test]
fn a_signal_shows_who_waits_in_a_hung_program() {
    if child::role().is_some() {
        return hang(two_tasks);
    }
    let _watchdog = watchdog("a_signal_shows_who_waits_in_a_hung_program");
    let test = "a_signal_shows_who_waits_in_a_hung_program";
    let mut program = Program::start(test, &[BY_SIGNAL]);
    let [peer, local, udp] = ["peer", "local", "udp"].map(|name| program.value(name));
    program.value("hangs");
    let socket = format!("tcp {local} → {peer}");
    // The main future is about to wait when it says so.
    let table = loop {
        program.signal(libc::SIGUSR1);
        let table = program.table();
        if rows(&table, &format!("udp {udp}")).len() == 2 {
            break table;
        }
    };

    let pid = program.pid();
    assert!(table.starts_with(&format!("async-io: who waits in process {pid} (dump")), "{table}");
    assert!(table.contains("asked by ASYNC_IO_DUMP_SIGNAL=SIGUSR1"), "{table}");
    let row = rows(&table, &socket);
    assert!(row.len() == 2 && row[0].contains("fd "), "{table}");
    assert!(row[1].contains("to read: waiter 1 since round 0 (ticks 0, 0)"), "{table}");
    assert!(row[1].contains("wakes the task dump::hung::reads::{{closure}}"), "{table}");
    let row = rows(&table, &format!("udp {udp}"));
    assert!(row[1].contains("wakes the main future of an executor's run"), "{table}");
    let timer = table.lines().find(|line| line.contains("is due in"));
    let timer = timer.unwrap_or_else(|| panic!("no timer\n{table}"));
    assert!(timer.contains("wakes the task dump::hung::sleeps::{{closure}}"), "{table}");
    assert!(table.contains("2 tasks of executors"), "{table}");
    for task in ["reads", "sleeps"] {
        let row = format!("    dump::hung::{task}::{{{{closure}}}} (0x");
        assert!(
            table.lines().any(|line| line.starts_with(&row) && line.ends_with(" waits")),
            "{table}"
        );
    }
    assert!(table.contains("1 thread in block_on"), "{table}");

    program.signal(libc::SIGUSR1);
    assert!(program.table().contains(&socket), "the second signal");
    assert!(program.end().0.success(), "{:?}", program.said);
    assert!(program.said.iter().all(|line| !line.starts_with("async-io:")), "{:?}", program.said);
}

/// Where there is a recording, the table has what only that knows: since when, and where in the code.
#[cfg(any(target_os = "linux", target_os = "macos", target_os = "freebsd"))]
#[test]
fn with_a_recording_the_table_has_its_waits_too() {
    if child::role().is_some() {
        return hang(two_tasks);
    }
    let _watchdog = watchdog("with_a_recording_the_table_has_its_waits_too");
    let dir = tempfile::tempdir().unwrap();
    let trace = ("ASYNC_IO_TRACE", dir.path().to_str().unwrap());
    let test = "with_a_recording_the_table_has_its_waits_too";
    let mut program = Program::start(test, &[BY_SIGNAL, trace]);
    program.value("hangs");
    program.signal(libc::SIGUSR1);
    let table = program.table();
    let recorded: Vec<&str> =
        table.lines().skip_while(|it| !it.contains("by the recording")).collect();
    let wait = |part: &str| recorded.iter().any(|line| line.contains(part));
    assert!(wait("(dump::hung::reads::{{closure}}) waits to read from tcp fd"), "{table}");
    assert!(wait("tests/dump/hung.rs:"), "{table}");
    assert!(wait("(dump::hung::sleeps::{{closure}}) waits for a timer, due in"), "{table}");
    // The wakers that the reactor has are the recording's, and are named by it.
    let reads = rows(&table, "tcp 127").join("\n");
    assert!(reads.contains("wakes the task dump::hung::reads::{{closure}}"), "{table}");
    assert!(program.end().0.success(), "{:?}", program.said);
}

/// Each thread of the program is blocked in something else than this crate. The table comes all the same, and says
/// which thread does not go on.
#[test]
fn a_program_whose_threads_are_all_blocked_answers() {
    if child::role().is_some() {
        let (near, far) = tcp_pair().unwrap();
        report("peer", far.local_addr().unwrap());
        let near = Async::new(near).unwrap();
        let executor: &Executor<'_> = Box::leak(Box::new(Executor::new()));
        executor.spawn(reads(near)).detach();
        let run = move || {
            block_on(executor.run(async {
                wait(1).await;
                report("blocked", "");
                thread::sleep(Duration::from_secs(3_600));
            }));
        };
        thread::spawn(run);
        return hang(run);
    }
    let _watchdog = watchdog("a_program_whose_threads_are_all_blocked_answers");
    let test = "a_program_whose_threads_are_all_blocked_answers";
    let mut program = Program::start(test, &[BY_SIGNAL]);
    let peer = program.value("peer");
    program.value("blocked");
    program.value("blocked");
    program.signal(libc::SIGUSR1);
    let table = program.table();
    assert!(rows(&table, &format!("→ {peer}")).len() == 2, "{table}");
    assert!(table.contains("2 threads in block_on"), "{table}");
    let blocked = table.lines().filter(|line| line.contains("is blocked in it"));
    assert_eq!(blocked.count(), 2, "{table}");
    assert!(program.end().0.success(), "{:?}", program.said);
}

/// Threads that block on futures of their own: one drives, the other is in line.
#[test]
fn a_thread_that_is_parked_and_one_that_drives_are_told_apart() {
    if child::role().is_some() {
        for _ in 0..2 {
            let (near, far) = tcp_pair().unwrap();
            let near = Async::new(near).unwrap();
            thread::spawn(move || {
                block_on(reads(near)).unwrap();
                drop(far);
            });
        }
        report("hangs", "");
        while is_told() {}
        std::process::exit(0);
    }
    let _watchdog = watchdog("a_thread_that_is_parked_and_one_that_drives_are_told_apart");
    let test = "a_thread_that_is_parked_and_one_that_drives_are_told_apart";
    let mut program = Program::start(test, &[BY_SIGNAL]);
    program.value("hangs");
    let parts = [
        "a thread in block_on holds the driver lock",
        "2 threads in block_on",
        "waits in the poller: it drives the reactor",
        "is parked, in line for the driver lock",
    ];
    let table = loop {
        program.signal(libc::SIGUSR1);
        let table = program.table();
        let waits = table.matches("wakes block_on of thread").count();
        if waits == 2 && parts.iter().all(|part| table.contains(part)) {
            break table;
        }
    };
    // Each waits for its own source.
    let threads = table.lines().filter(|line| line.contains("    thread "));
    for thread in threads {
        let number = thread.trim_start().strip_prefix("thread ").unwrap();
        let number = number.split(' ').next().unwrap();
        let wakes = format!("wakes block_on of thread {number}");
        assert_eq!(table.matches(&wakes).count(), 1, "{wakes}\n{table}");
    }
    assert!(program.end().0.success(), "{:?}", program.said);
}

/// A future that another executor polls, which this crate knows nothing of.
#[test]
fn a_wait_outside_of_block_on_has_its_row() {
    if child::role().is_some() {
        let (near, far) = tcp_pair().unwrap();
        let mut waits = Box::pin(reads(Async::new(near).unwrap()));
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(waits.as_mut().poll(&mut cx).is_pending());
        report("peer", far.local_addr().unwrap());
        while is_told() {}
        return;
    }
    let _watchdog = watchdog("a_wait_outside_of_block_on_has_its_row");
    let mut program = Program::start("a_wait_outside_of_block_on_has_its_row", &[BY_SIGNAL]);
    let peer = program.value("peer");
    program.signal(libc::SIGUSR1);
    let table = program.table();
    let row = rows(&table, &format!("→ {peer}"));
    assert!(row.len() == 2 && row[1].contains("wakes a task at"), "{table}");
    assert!(table.contains("0 threads in block_on"), "{table}");
    assert!(program.end().0.success(), "{:?}", program.said);
}
