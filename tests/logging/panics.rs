//! A logger panics: its disk is full and it unwraps, its formatter indexes a slice. With the reactor's
//! records among those it is sent, each panic would unwind through a round, a registration, a waker or a
//! destructor of this crate: it would kill the helper thread, lose the wakers that the round had taken,
//! leave the driver lock with nobody, or, out of a destructor that runs during another panic, end the
//! process. Ours ends each panic at the hook that called the logger; all the rest goes on.

use std::any::Any;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, Once};
use std::thread;

use async_io::{block_on, Async, Timer};
use futures_lite::future;

use crate::util::child::own_process;
use crate::util::exercise::{exercise, kind_of, KINDS, OPERATIONS};
use crate::util::{tcp_pair, use_reactor};

/// What the logger panics with.
struct Gone;

/// Panics once more when it is dropped: what a panic carries may be anything.
impl Drop for Gone {
    fn drop(&mut self) {
        if !DROPPED.with(|dropped| dropped.replace(true)) {
            std::panic::panic_any("the payload's drop");
        }
    }
}

thread_local! {
    /// This thread's panics have shown that their payload may panic too.
    static DROPPED: Cell<bool> = const { Cell::new(false) };
}

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// How many records of each kind came from each thread, by its name.
static SEEN: Mutex<BTreeMap<(String, String), usize>> = Mutex::new(BTreeMap::new());

struct PanickingLogger;

impl log::Log for PanickingLogger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let text = record.args().to_string();
        let kind = kind_of(&text).map_or(text, |kind| format!("{kind:?}"));
        let name = thread::current().name().unwrap_or("unnamed").to_owned();
        *SEEN.lock().unwrap().entry((name, kind)).or_insert(0) += 1;
        PANICS.fetch_add(1, Ordering::SeqCst);
        std::panic::panic_any(Gone);
    }

    fn flush(&self) {}
}

fn switch_on() {
    static ON: Once = Once::new();
    ON.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !is_ours(panic.payload()) {
                hook(panic);
            }
        }));
        log::set_logger(&PanickingLogger).expect("no other logger");
        log::set_max_level(log::LevelFilter::Trace);
    });
}

/// Thousands of these are expected, and need not be told.
fn is_ours(payload: &(dyn Any + Send)) -> bool {
    payload.is::<Gone>() || payload.downcast_ref() == Some(&"the payload's drop")
}

/// Runs a test with the logger switched on. A panic of the logger that comes out of the reactor fails it.
fn with_the_logger(test: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    switch_on();
    catch_unwind(AssertUnwindSafe(test)).unwrap_or_else(|panic| {
        if panic.is::<Gone>() {
            // Its drop would take the test harness along.
            std::mem::forget(panic);
            panic!("the logger's panic came out of the reactor");
        }
        resume_unwind(panic)
    })
}

fn kinds_from(thread: &str) -> BTreeSet<String> {
    let seen = SEEN.lock().unwrap();
    seen.keys().filter(|(from, _)| from == thread).map(|(_, kind)| kind.clone()).collect()
}

#[test]
fn every_part_of_the_reactor_goes_on() -> io::Result<()> {
    let Some(_watchdog) = own_process("panics::every_part_of_the_reactor_goes_on") else {
        return Ok(());
    };
    with_the_logger(|| {
        let missing = || {
            let seen = SEEN.lock().unwrap();
            let seen: BTreeSet<_> = seen.keys().map(|(_, kind)| kind.clone()).collect();
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
        assert_eq!(missing(), [""; 0], "the logger never panicked at these");
        Ok(())
    })
}

/// The helper thread has no `block_on` around it whose caller would see a panic: it must survive.
#[test]
fn the_helper_thread_survives() -> io::Result<()> {
    let Some(_watchdog) = own_process("the_helper_thread_survives") else {
        return Ok(());
    };
    with_the_logger(|| {
        let wanted = ["DriveBegin", "WaitBegin", "Ticker", "ReactEvent", "TimerFire", "Wake"];
        while !wanted.iter().all(|&kind| kinds_from("async-io").contains(kind)) {
            future::block_on(use_reactor())?;
        }
        for _ in 0..5 {
            future::block_on(use_reactor())?;
        }
        Ok(())
    })
}

/// The future's own panic goes through `block_on`, whose destructors call the logger: its panics do
/// not meet that one, and the caller gets the one it should.
#[test]
fn the_futures_own_panic_is_the_one_that_arrives() -> io::Result<()> {
    let Some(_watchdog) = own_process("the_futures_own_panic_is_the_one_that_arrives") else {
        return Ok(());
    };
    with_the_logger(|| {
        let before = PANICS.load(Ordering::SeqCst);
        let (near, _far) = tcp_pair()?;
        let source = Async::new(near)?;
        let panic = catch_unwind(AssertUnwindSafe(|| {
            block_on(async {
                let _source = source;
                Timer::after(std::time::Duration::from_millis(1)).await;
                std::panic::panic_any(7_u64);
            })
        }))
        .expect_err("the future panics");
        assert_eq!(panic.downcast_ref(), Some(&7_u64));
        assert!(PANICS.load(Ordering::SeqCst) > before);
        block_on(use_reactor())
    })
}
