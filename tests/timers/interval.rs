//! `Timer` as a stream: every deadline of an interval, in its time and in no other's.

use std::thread;
use std::time::{Duration, Instant};

use async_io::{block_on, Timer};
use futures_lite::future::poll_once;
use futures_lite::StreamExt;

use crate::util::watchdog;

const MS: Duration = Duration::from_millis(1);

#[test]
fn an_interval_yields_every_deadline() {
    let _watchdog = watchdog("an_interval_yields_every_deadline");
    block_on(async {
        let start = Instant::now() + 2 * MS;
        let ticks: Vec<_> = Timer::interval_at(start, 3 * MS).take(10).collect().await;
        let expected: Vec<_> = (0..10).map(|tick| start + tick * 3 * MS).collect();
        assert_eq!(ticks, expected);

        let before = Instant::now();
        let mut timer = Timer::interval(2 * MS);
        let after = Instant::now();
        // The first one is a period away, and does not end it when taken as a future.
        let first = (&mut timer).await;
        assert!((before + 2 * MS..=after + 2 * MS).contains(&first));
        assert!(timer.will_fire());
        for tick in 1..10 {
            assert_eq!(timer.next().await, Some(first + tick * 2 * MS));
        }
    });
}

#[test]
fn an_interval_of_zero_is_always_due() {
    let _watchdog = watchdog("an_interval_of_zero_is_always_due");
    block_on(async {
        let mut timer = Timer::interval(Duration::ZERO);
        let first = timer.next().await;
        for _ in 0..1000 {
            assert_eq!(poll_once(timer.next()).await, Some(first));
        }
        assert!(timer.will_fire());
    });
}

/// `set_at` and `set_after` move the next deadline; the period of an interval stays.
#[test]
fn setting_the_deadline_of_an_interval_keeps_its_period() {
    let _watchdog = watchdog("setting_the_deadline_of_an_interval_keeps_its_period");
    block_on(async {
        let mut timer = Timer::interval(2 * MS);
        let start = Instant::now();
        timer.set_at(start);
        for tick in 0..5 {
            assert_eq!(timer.next().await, Some(start + tick * 2 * MS));
        }
        timer.set_after(Duration::ZERO);
        let start = timer.next().await.expect("an interval has no end");
        assert_eq!(timer.next().await, Some(start + 2 * MS));
        // Setting an interval replaces both.
        timer.set_interval_at(start, 3 * MS);
        assert_eq!(timer.next().await, Some(start));
        assert_eq!(timer.next().await, Some(start + 3 * MS));
    });
}

#[test]
fn an_interval_may_move_between_threads() {
    let _watchdog = watchdog("an_interval_may_move_between_threads");
    let mut timer = Timer::interval(2 * MS);
    for _ in 0..10 {
        timer = thread::spawn(move || {
            assert!(block_on(timer.next()).is_some());
            // Not the next one, as a rule: it goes to the next thread.
            let _ = block_on(poll_once(&mut timer));
            timer
        })
        .join()
        .expect("the thread does not panic");
    }
}

/// A consumer that is late gets every deadline that it missed, one after the other.
#[test]
fn a_late_consumer_misses_nothing() {
    let _watchdog = watchdog("a_late_consumer_misses_nothing");
    block_on(async {
        let start = Instant::now();
        let mut timer = Timer::interval_at(start, MS);
        for tick in 0..5 {
            assert_eq!(timer.next().await, Some(start + tick * MS));
        }
        thread::sleep(20 * MS);
        for tick in 5..=24 {
            assert_eq!(poll_once(timer.next()).await, Some(Some(start + tick * MS)));
        }
    });
}

/// Intervals of different periods in one task, each on its own schedule.
#[test]
fn intervals_run_side_by_side() {
    let _watchdog = watchdog("intervals_run_side_by_side");
    let start = Instant::now();
    let ticks = |period: Duration, count: u32| async move {
        let mut timer = Timer::interval_at(start, period);
        for tick in 0..count {
            assert_eq!(timer.next().await, Some(start + tick * period));
        }
    };
    block_on(futures_lite::future::zip(
        ticks(2 * MS, 20),
        futures_lite::future::zip(ticks(3 * MS, 15), ticks(7 * MS, 5)),
    ));
}
