//! A program that nobody traces pays for its hooks with a load and a branch each, because whether anybody
//! listens is looked up once a round, at each registration and at each `block_on`, and not at each hook. A
//! level that is changed while the program runs, as an operator does to a daemon that misbehaves, must
//! still be obeyed: by the next of those moments, in both directions, on every thread.

use std::io;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_io::{block_on, trace, Async, Timer};
use futures_lite::future;
use log::LevelFilter;

use crate::util::child::own_process;
use crate::util::use_reactor;

static LOGGER: Counter = Counter {
    records: AtomicUsize::new(0),
    others: AtomicUsize::new(0),
    declines: AtomicBool::new(false),
};

/// Counts what it is given.
struct Counter {
    /// Records of the reactor.
    records: AtomicUsize,
    /// The program's own log lines.
    others: AtomicUsize,
    /// It does not want the reactor's records, and says so when asked.
    declines: AtomicBool,
}

fn is_record(metadata: &log::Metadata<'_>) -> bool {
    metadata.target().starts_with("async_io")
}

impl log::Log for Counter {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        !(is_record(metadata) && self.declines.load(Ordering::SeqCst))
    }

    fn log(&self, record: &log::Record<'_>) {
        let count = if is_record(record.metadata()) { &self.records } else { &self.others };
        count.fetch_add(1, Ordering::SeqCst);
    }

    fn flush(&self) {}
}

fn records() -> usize {
    LOGGER.records.load(Ordering::SeqCst)
}

fn others() -> usize {
    LOGGER.others.load(Ordering::SeqCst)
}

/// How many records may be under way, on all threads, when listening ends.
const UNDER_WAY_MAX: usize = 4;

/// The moments at which it is looked up who listens.
fn looks() -> [(&'static str, fn()); 3] {
    [
        ("a registration", || drop(Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap())),
        ("block_on", || block_on(async {})),
        ("a round of the helper", || {
            future::block_on(Timer::after(Duration::from_millis(1)));
        }),
    ]
}

/// Sets the level and looks. Another thread that looks at the same moment may have read the level
/// before; the next look then sets it right.
fn set_level(level: LevelFilter, name: &str, look: fn()) {
    log::set_max_level(level);
    let wanted = level == LevelFilter::Trace;
    let obeyed = (0..3).any(|_| {
        look();
        trace::is_listening() == wanted
    });
    assert!(obeyed, "{name} does not obey the level {level}");
}

fn use_it() -> io::Result<()> {
    block_on(use_reactor())?;
    future::block_on(use_reactor())
}

/// One test: the logger and its level are the process's.
#[test]
fn a_level_is_obeyed_by_the_next_look() -> io::Result<()> {
    let Some(_watchdog) = own_process("a_level_is_obeyed_by_the_next_look") else {
        return Ok(());
    };
    use_it()?;
    assert!(!trace::is_listening(), "there is no logger");

    log::set_logger(&LOGGER).expect("no other logger");
    for level in [LevelFilter::Off, LevelFilter::Info, LevelFilter::Debug] {
        log::set_max_level(level);
        use_it()?;
        assert!(!trace::is_listening(), "the logger wants no more than {level}");
    }
    log::debug!("the logger works");
    assert_eq!((records(), others()), (0, 1));

    for (name, look) in looks() {
        let before = records();
        set_level(LevelFilter::Trace, name, look);
        use_it()?;
        assert!(records() > before, "{name}: no records at the level TRACE");

        set_level(LevelFilter::Info, name, look);
        let settled = records();
        (0..100).try_for_each(|_| use_it())?;
        let since = records() - settled;
        assert!(since <= UNDER_WAY_MAX, "{name}: {since} records after the level went down");
    }

    // At the level TRACE for something else, as with RUST_LOG=mine=trace.
    LOGGER.declines.store(true, Ordering::SeqCst);
    log::set_max_level(LevelFilter::Trace);
    let settled = records();
    (0..10).try_for_each(|_| use_it())?;
    assert!(trace::is_listening(), "the level says so");
    let since = records() - settled;
    assert!(since <= UNDER_WAY_MAX, "{since} records were given to a logger that declines them");
    log::trace!("the logger works");
    assert_eq!(others(), 2);
    Ok(())
}
