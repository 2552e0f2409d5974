//! A program logs over the network, with this crate: its `log::Log` sends each record by UDP, waits for
//! the answer with `async_io::block_on`, and gives up after a timer. With the reactor's records among
//! those it is sent, it is called in the midst of a round, of a registration, of a wake, on every thread
//! and on the helper thread, and uses the very reactor that is at work there.
//! With a lock held at any hook, or with the thread that holds the driver lock waiting for somebody
//! else to poll, the program would stop for ever; with its own records recorded, it would never end.
//! Ours calls it with nothing locked, lets the thread that polls poll again within, and leaves no record
//! of what a listener does itself.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, Once};
use std::task::Context;
use std::thread;
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::future;

use crate::util::child::own_process;
use crate::util::exercise::{exercise, kind_of, KINDS, OPERATIONS};
use crate::util::{counting_waker, poll_with, use_reactor};

static LOGGER: NetworkLogger = NetworkLogger {
    begun: AtomicUsize::new(0),
    delivered: AtomicUsize::new(0),
    nested: AtomicBool::new(false),
    seen: Mutex::new(BTreeMap::new()),
};

/// Logs with the reactor whose records it is given.
struct NetworkLogger {
    begun: AtomicUsize,
    /// Records whose I/O was carried out.
    delivered: AtomicUsize,
    /// It was called while it was at work on the same thread.
    nested: AtomicBool,
    /// How many records of each kind came from each thread, by their names.
    seen: Mutex<BTreeMap<(String, String), usize>>,
}

thread_local! {
    static AT_WORK: Cell<bool> = const { Cell::new(false) };
}

impl log::Log for NetworkLogger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let n = self.begun.fetch_add(1, Ordering::SeqCst);
        if AT_WORK.with(|at_work| at_work.replace(true)) {
            self.nested.store(true, Ordering::SeqCst);
            return;
        }
        let text = record.args().to_string();
        let delivered = deliver(&text, n);
        AT_WORK.with(|at_work| at_work.set(false));

        delivered.unwrap_or_else(|error| panic!("the logger's I/O failed: {error}"));
        let kind = kind_of(&text).map_or(text, |kind| format!("{kind:?}"));
        let thread = thread::current().name().unwrap_or("unnamed").to_owned();
        *self.seen.lock().unwrap().entry((thread, kind)).or_insert(0) += 1;
        self.delivered.fetch_add(1, Ordering::SeqCst);
    }

    fn flush(&self) {}
}

/// Sends a record to itself, in the ways that take different paths through the reactor.
fn deliver(text: &str, n: usize) -> io::Result<()> {
    // A wait that is begun and given up: a source, its waker, a timer, and all their hooks.
    let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    let (waker, _) = counting_waker();
    assert!(socket.poll_readable(&mut Context::from_waker(&waker)).is_pending());
    let mut guard = Timer::after(Duration::from_secs(3600));
    assert!(poll_with(&mut guard, &waker).is_pending());

    let send_and_receive = async {
        let to = socket.get_ref().local_addr()?;
        let mut buffer = vec![0; text.len() + 1];
        let received = async {
            let (length, _) = socket.recv_from(&mut buffer).await?;
            io::Result::Ok(length)
        };
        let sent = async {
            if n % 8 == 0 {
                // The receiver waits by now: somebody must drive.
                Timer::after(Duration::from_micros(50)).await;
            }
            socket.send_to(text.as_bytes(), to).await
        };
        let (received, sent) = future::zip(received, sent).await;
        assert_eq!(received?, sent?);
        io::Result::Ok(())
    };
    block_on(send_and_receive)
}

fn switch_on() {
    static ON: Once = Once::new();
    ON.call_once(|| {
        log::set_logger(&LOGGER).expect("no other logger");
        log::set_max_level(log::LevelFilter::Trace);
    });
}

/// The kinds of records that came from threads of this name.
fn kinds_from(thread: &str) -> BTreeSet<String> {
    let seen = LOGGER.seen.lock().unwrap();
    seen.keys().filter(|(from, _)| from == thread).map(|(_, kind)| kind.clone()).collect()
}

fn all_kinds() -> BTreeSet<String> {
    LOGGER.seen.lock().unwrap().keys().map(|(_, kind)| kind.clone()).collect()
}

#[test]
fn every_part_of_the_reactor_goes_on() -> io::Result<()> {
    let Some(_watchdog) = own_process("network::every_part_of_the_reactor_goes_on") else {
        return Ok(());
    };
    switch_on();
    let missing = || {
        let seen = all_kinds();
        let mut missing: Vec<_> = KINDS.iter().map(|kind| format!("{kind:?}")).collect();
        missing.retain(|kind| !seen.contains(kind));
        missing
    };
    // Which thread parks and which drives is a matter of luck.
    for _ in 0..50 {
        assert_eq!(exercise()?, OPERATIONS);
        if missing().is_empty() {
            break;
        }
    }
    assert_eq!(missing(), [""; 0], "the logger was never called from these");
    assert!(!LOGGER.nested.load(Ordering::SeqCst), "the logger was called by its own work");
    Ok(())
}

/// Under an executor that does not drive, the helper does: the logger does its I/O on that thread, in
/// the midst of the round that everybody waits for.
#[test]
fn the_helper_thread_logs_too() -> io::Result<()> {
    let Some(_watchdog) = own_process("the_helper_thread_logs_too") else {
        return Ok(());
    };
    switch_on();
    let wanted = ["ReactBegin", "WaitBegin", "WaitEnd", "Ticker", "ReactEnd"];
    while !wanted.iter().all(|&kind| kinds_from("async-io").contains(kind)) {
        future::block_on(use_reactor())?;
    }
    Ok(())
}

/// What is dropped in a record's shadow: the logger makes and drops sources and timers while a source
/// or a timer of the program is being made or dropped.
#[test]
fn sources_and_timers_come_and_go() -> io::Result<()> {
    let Some(_watchdog) = own_process("sources_and_timers_come_and_go") else {
        return Ok(());
    };
    switch_on();
    let (waker, _) = counting_waker();
    for _ in 0..50 {
        let source = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
        assert!(source.poll_readable(&mut Context::from_waker(&waker)).is_pending());
        let mut timer = Timer::after(Duration::from_secs(3600));
        assert!(poll_with(&mut timer, &waker).is_pending());
        timer.set_after(Duration::from_secs(7200));
        drop(timer);
        drop(source);
    }
    assert!(LOGGER.delivered.load(Ordering::SeqCst) > 50);
    assert!(!LOGGER.nested.load(Ordering::SeqCst), "the logger was called by its own work");
    Ok(())
}
