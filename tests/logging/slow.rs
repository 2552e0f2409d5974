//! A logger takes a millisecond per record: a terminal that scrolls, a disk that syncs. Each hook of a
//! round then costs a thousand times what the round does, and whatever the reactor's threads expect of
//! each other's timing no longer holds: a round seems overdue while its thread is in the logger, the
//! driver lock is offered to threads that cannot take it, timers are late when they are armed.
//! Everything still completes, by the same steps: a slow logger costs its own time and no more work.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Once;
use std::task::Context;
use std::thread;
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::{future, AsyncReadExt, AsyncWriteExt};

use crate::util::child::own_process;
use crate::util::exercise::{exercise, OPERATIONS};
use crate::util::tcp_pair;

const PER_RECORD: Duration = Duration::from_millis(1);

static RECORDS: AtomicUsize = AtomicUsize::new(0);
/// Threads that are in the logger, and the most there were at once.
static INSIDE: AtomicUsize = AtomicUsize::new(0);
static INSIDE_MAX: AtomicUsize = AtomicUsize::new(0);

struct SlowLogger;

impl log::Log for SlowLogger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, _: &log::Record<'_>) {
        INSIDE_MAX.fetch_max(INSIDE.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        thread::sleep(PER_RECORD);
        INSIDE.fetch_sub(1, Ordering::SeqCst);
        RECORDS.fetch_add(1, Ordering::SeqCst);
    }

    fn flush(&self) {}
}

fn switch_on() {
    static ON: Once = Once::new();
    ON.call_once(|| {
        log::set_logger(&SlowLogger).expect("no other logger");
        log::set_max_level(log::LevelFilter::Trace);
    });
}

#[test]
fn everything_completes() -> io::Result<()> {
    let Some(_watchdog) = own_process("everything_completes") else {
        return Ok(());
    };
    switch_on();
    assert_eq!(exercise()?, OPERATIONS);
    assert!(RECORDS.load(Ordering::SeqCst) > OPERATIONS, "no operation is without records");
    assert!(
        INSIDE_MAX.load(Ordering::SeqCst) > 1,
        "one thread's logging keeps another's waiting, though nothing is locked"
    );
    Ok(())
}

/// Messages to and fro, in one thread that drives: however long each step takes, there are not more.
#[test]
fn a_slow_logger_makes_no_more_polls() -> io::Result<()> {
    let Some(_watchdog) = own_process("a_slow_logger_makes_no_more_polls") else {
        return Ok(());
    };
    const MESSAGES: usize = 10;
    switch_on();
    let (near, far) = tcp_pair()?;
    let (mut near, mut far) = (Async::new(near)?, Async::new(far)?);
    let mut polls = 0;
    let talk = async {
        let mut byte = [0];
        for _ in 0..MESSAGES {
            near.write_all(b"?").await?;
            far.read_exact(&mut byte).await?;
            far.write_all(b"!").await?;
            near.read_exact(&mut byte).await?;
        }
        io::Result::Ok(())
    };
    let mut talk = Box::pin(talk);
    block_on(future::poll_fn(|cx: &mut Context<'_>| {
        polls += 1;
        talk.as_mut().poll(cx)
    }))?;
    // Each message may be on its way when it is asked for: a wait, and one turn after it.
    assert!(polls <= 2 * MESSAGES + 1, "{polls} polls for {MESSAGES} messages to and fro");
    Ok(())
}

/// Arming a timer is a record, so that these are due before they are armed. Each fires, once, and none
/// takes more than the poll that arms it and one that finds it fired.
#[test]
fn timers_that_are_late_already_fire() {
    let Some(_watchdog) = own_process("timers_that_are_late_already_fire") else {
        return;
    };
    const TIMERS: usize = 20;
    switch_on();
    let polls = AtomicUsize::new(0);
    let counted = |mut timer: Timer| {
        let polls = &polls;
        future::poll_fn(move |cx| {
            polls.fetch_add(1, Ordering::SeqCst);
            Pin::new(&mut timer).poll(cx)
        })
    };
    for n in 0..TIMERS as u64 {
        block_on(counted(Timer::after(Duration::from_micros(50 * n))));
    }
    let polls = polls.into_inner();
    assert!((TIMERS..=2 * TIMERS).contains(&polls), "{polls} polls of {TIMERS} timers");
}
