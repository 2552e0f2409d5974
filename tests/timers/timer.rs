//! `Timer`: when it fires, in which order, whom it wakes, and what setting it again changes.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use async_io::{block_on, Timer};
use futures_lite::future::{self, poll_once};
use futures_lite::{Stream, StreamExt};

use crate::util::{counting_waker, eventually, poll_with, watchdog};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Notes its name when it is woken.
struct Named {
    name: usize,
    woken: Arc<Mutex<Vec<usize>>>,
}

impl Wake for Named {
    fn wake(self: Arc<Self>) {
        self.woken.lock().expect("no waker panics").push(self.name);
    }
}

/// The order in which timers, polled in the order of their `delays`, wake their tasks.
///
/// A machine that stalls may let one fire while the others are still being polled: then the delays
/// are taken twice as long.
fn firing_order(delays: &[Duration]) -> Vec<usize> {
    let mut scale = 1;
    loop {
        let woken = Arc::new(Mutex::new(Vec::new()));
        let start = Instant::now();
        let mut timers: Vec<_> =
            delays.iter().map(|&delay| Timer::at(start + delay * scale)).collect();
        let all_wait = timers.iter_mut().enumerate().all(|(name, timer)| {
            let woken = woken.clone();
            poll_with(timer, &Waker::from(Arc::new(Named { name, woken }))).is_pending()
        });
        if all_wait {
            eventually(|| woken.lock().expect("no waker panics").len() == delays.len());
            return std::mem::take(&mut woken.lock().expect("no waker panics"));
        }
        scale *= 2;
    }
}

#[test]
fn timers_fire_in_the_order_of_their_deadlines() {
    let _watchdog = watchdog("timers_fire_in_the_order_of_their_deadlines");
    // All sleep while the first of them is polled; later ones are earlier and later than it.
    let order = firing_order(&[30 * MS, 50 * MS, 10 * MS, 40 * MS, 20 * MS]);
    assert_eq!(order, [2, 4, 0, 3, 1]);
}

#[test]
fn timers_of_one_deadline_fire_in_the_order_of_their_polls() {
    let _watchdog = watchdog("timers_of_one_deadline_fire_in_the_order_of_their_polls");
    let order = firing_order(&[20 * MS; 50]);
    assert_eq!(order, (0..50).collect::<Vec<_>>());
}

/// The deadline itself is what a timer yields; and it is over by then.
#[test]
fn a_timer_yields_its_deadline_and_is_never_early() {
    let _watchdog = watchdog("a_timer_yields_its_deadline_and_is_never_early");
    block_on(async {
        for delay_us in [1, 10, 100, 999, 1000, 1001, 5000] {
            let deadline = Instant::now() + Duration::from_micros(delay_us);
            assert_eq!(Timer::at(deadline).await, deadline);
            assert!(Instant::now() >= deadline);

            let before = Instant::now();
            let fired = Timer::after(Duration::from_micros(delay_us)).await;
            assert!(fired >= before + Duration::from_micros(delay_us));
            assert!(Instant::now() >= fired);
        }
    });
}

#[test]
fn what_is_due_fires_at_the_first_poll() {
    let _watchdog = watchdog("what_is_due_fires_at_the_first_poll");
    let Some(past) = Instant::now().checked_sub(100 * MS) else {
        return;
    };
    block_on(async {
        assert_eq!(poll_once(Timer::at(past)).await, Some(past));
        assert!(poll_once(Timer::after(Duration::ZERO)).await.is_some());
        let mut timer = Timer::never();
        timer.set_at(past);
        assert_eq!(poll_once(&mut timer).await, Some(past));
        timer.set_after(Duration::ZERO);
        assert!(poll_once(&mut timer).await.is_some());
        // Every deadline that passed is yielded, and each is its own.
        let mut ticks = Timer::interval_at(past, 10 * MS);
        for tick in 0..=10 {
            assert_eq!(poll_once(ticks.next()).await, Some(Some(past + tick * 10 * MS)));
        }
        // The next one lies ahead, unless this took another 10 ms: then it is due as well.
        assert_eq!(ticks.next().await, Some(past + 110 * MS));
    });
}

#[test]
fn a_timer_that_fired_is_over() {
    let _watchdog = watchdog("a_timer_that_fired_is_over");
    block_on(async {
        let mut timer = Timer::after(MS);
        assert!(timer.will_fire());
        (&mut timer).await;
        assert!(!timer.will_fire());
        assert_eq!(poll_once(&mut timer).await, None);
        // As a stream it has no end either: an end would be an answer at once.
        assert_eq!(poll_once(timer.next()).await, None);

        let mut timer = Timer::after(MS);
        assert!(timer.next().await.is_some());
        assert!(!timer.will_fire());
        assert_eq!(poll_once(timer.next()).await, None);
    });
}

/// The task of the last poll is woken at the new deadline, earlier or later than the old one.
#[test]
fn a_waiting_timer_may_be_set_again() {
    let _watchdog = watchdog("a_waiting_timer_may_be_set_again");
    let setters: [fn(&mut Timer); 4] = [
        |timer| timer.set_after(5 * MS),
        |timer| timer.set_at(Instant::now() + 5 * MS),
        |timer| timer.set_interval(5 * MS),
        |timer| timer.set_interval_at(Instant::now() + 5 * MS, HOUR),
    ];
    for set in setters {
        let (waker, woken) = counting_waker();
        let mut timer = Timer::after(HOUR);
        assert!(poll_with(&mut timer, &waker).is_pending());
        set(&mut timer);
        assert!(timer.will_fire());
        eventually(|| woken.get() > 0);
        assert!(poll_with(&mut timer, &waker).is_ready());
        // And once it has fired, after a poll that finds it so.
        set(&mut timer);
        block_on(&mut timer);
    }
}

#[test]
fn a_timer_set_later_does_not_fire_at_its_old_deadline() {
    let _watchdog = watchdog("a_timer_set_later_does_not_fire_at_its_old_deadline");
    let setters: [fn(&mut Timer); 5] = [
        |timer| timer.set_after(HOUR),
        |timer| timer.set_at(Instant::now() + HOUR),
        |timer| timer.set_interval(HOUR),
        |timer| timer.set_interval_at(Instant::now() + HOUR, MS),
        |timer| timer.clear(),
    ];
    for set in setters {
        let mut delay = 10 * MS;
        loop {
            let (waker, woken) = counting_waker();
            let old = Instant::now() + delay;
            let mut timer = Timer::at(old);
            let waits = poll_with(&mut timer, &waker).is_pending();
            set(&mut timer);
            if !waits || Instant::now() >= old {
                // Stalled for longer than the delay: it may well have fired before it was set.
                delay *= 2;
                continue;
            }
            block_on(Timer::at(old + 5 * MS));
            assert_eq!(woken.get(), 0);
            assert!(poll_with(&mut timer, &waker).is_pending());
            break;
        }
    }
}

#[test]
fn never_and_cleared_do_not_fire_until_set() {
    let _watchdog = watchdog("never_and_cleared_do_not_fire_until_set");
    block_on(async {
        let mut timer = Timer::never();
        assert!(!timer.will_fire());
        assert_eq!(poll_once(&mut timer).await, None);
        timer.set_after(MS);
        assert!(timer.will_fire());
        (&mut timer).await;

        let mut timer = Timer::interval(Duration::ZERO);
        assert!(timer.will_fire());
        timer.clear();
        assert!(!timer.will_fire());
        assert_eq!(poll_once(timer.next()).await, None);
        timer.set_after(MS);
        timer.next().await;
    });
}

/// Too far away for an `Instant`: it never fires, says so, and nothing panics.
#[test]
fn a_deadline_beyond_all_time_never_fires() {
    let _watchdog = watchdog("a_deadline_beyond_all_time_never_fires");
    block_on(async {
        let now = Instant::now();
        let setters: [fn(&mut Timer); 2] =
            [|timer| timer.set_after(Duration::MAX), |timer| timer.set_interval(Duration::MAX)];
        for mut timer in [Timer::after(Duration::MAX), Timer::interval(Duration::MAX)] {
            assert!(!timer.will_fire());
            assert_eq!(poll_once(&mut timer).await, None);
            for set in setters {
                timer.set_after(HOUR);
                assert!(timer.will_fire());
                set(&mut timer);
                assert!(!timer.will_fire());
                assert_eq!(poll_once(timer.next()).await, None);
            }
        }
        // The first deadline of these is now, the second is never.
        let mut timer = Timer::interval_at(now, Duration::MAX);
        assert!(timer.will_fire());
        assert_eq!(timer.next().await, Some(now));
        assert!(!timer.will_fire());
        assert_eq!(poll_once(timer.next()).await, None);
        timer.set_interval_at(now, Duration::MAX);
        assert_eq!(timer.next().await, Some(now));
        assert_eq!(poll_once(timer.next()).await, None);
    });
}

/// As far away as the clock can say, and farther than the kernel can be asked to wait.
#[test]
fn a_deadline_at_the_end_of_time_disturbs_nobody() {
    let _watchdog = watchdog("a_deadline_at_the_end_of_time_disturbs_nobody");
    let now = Instant::now();
    let mut farthest = Duration::from_secs(1);
    // On Windows an `Instant` may be farther away than any `Duration` says.
    while let Some(twice) =
        farthest.checked_mul(2).filter(|twice| now.checked_add(*twice).is_some())
    {
        farthest = twice;
    }
    let (waker, woken) = counting_waker();
    let mut timers: Vec<_> = [
        farthest,
        Duration::from_secs(u64::from(u32::MAX)),
        Duration::from_millis(u64::from(u32::MAX)),
        Duration::from_millis(1 << 31),
    ]
    .into_iter()
    .map(|delay| Timer::at(now + delay))
    .collect();
    for timer in &mut timers {
        assert!(timer.will_fire());
        assert!(poll_with(timer, &waker).is_pending());
    }
    // The nearest deadline of all is one of these while nothing else waits.
    thread::sleep(5 * MS);
    block_on(Timer::after(5 * MS));
    assert_eq!(woken.get(), 0);
}

/// The task that polled last is woken, and only that.
#[test]
fn a_timer_may_move_between_tasks() {
    let _watchdog = watchdog("a_timer_may_move_between_tasks");
    let (mut first_woken, mut delay) = (1, 20 * MS);
    // Once more if it fired while it was still with the first task.
    while first_woken > 0 {
        let (first, first_count) = counting_waker();
        let (last, last_count) = counting_waker();
        let mut timer = Timer::after(delay);
        let moved =
            poll_with(&mut timer, &first).is_pending() && poll_with(&mut timer, &last).is_pending();
        if moved {
            eventually(|| last_count.get() > 0);
            assert_eq!(last_count.get(), 1);
            assert!(poll_with(&mut timer, &last).is_ready());
            first_woken = first_count.get();
        }
        delay *= 2;
    }
}

#[test]
fn a_dropped_timer_wakes_nobody_and_lets_go_of_its_task() {
    let _watchdog = watchdog("a_dropped_timer_wakes_nobody_and_lets_go_of_its_task");
    let (waker, woken) = counting_waker();
    let task_refs = Arc::strong_count(&woken);
    let deadline = Instant::now() + HOUR;
    let mut timers: Vec<_> = (0..100).map(|_| Timer::at(deadline)).collect();
    for timer in &mut timers {
        assert!(poll_with(timer, &waker).is_pending());
    }
    drop(timers);
    // Rounds of the reactor may pass until then.
    while Arc::strong_count(&woken) > task_refs {
        block_on(Timer::after(MS));
    }
    assert_eq!(woken.get(), 0);
}

#[test]
fn many_timers_of_many_threads_all_fire() {
    let _watchdog = watchdog("many_timers_of_many_threads_all_fire");
    const TIMERS: u32 = 5_000;
    thread::scope(|scope| {
        for seed in 1..=4_u32 {
            scope.spawn(move || {
                let start = Instant::now();
                let mut random = seed;
                let mut timers: Vec<_> = (0..TIMERS)
                    .map(|_| {
                        // xorshift32: any spread will do, the same in each run.
                        random ^= random << 13;
                        random ^= random >> 17;
                        random ^= random << 5;
                        let deadline = start + Duration::from_micros(u64::from(random % 100_000));
                        (deadline, Timer::at(deadline))
                    })
                    .collect();
                block_on(future::poll_fn(|cx| {
                    timers.retain_mut(|(deadline, timer)| match Pin::new(timer).poll(cx) {
                        Poll::Pending => true,
                        Poll::Ready(fired) => {
                            assert_eq!(fired, *deadline);
                            assert!(Instant::now() >= fired);
                            false
                        }
                    });
                    if timers.is_empty() {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    }
                }));
            });
        }
    });
}

/// Timers are made, waited for, set again and dropped by all threads at once, each with others
/// that are earlier and later than its own.
#[test]
fn timers_come_and_go_while_others_wait() {
    let _watchdog = watchdog("timers_come_and_go_while_others_wait");
    thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                for round in 0..300 {
                    let mut guard = Timer::after(HOUR);
                    let mut moved = Timer::after(HOUR);
                    block_on(async {
                        assert_eq!(poll_once(&mut guard).await, None);
                        assert_eq!(poll_once(&mut moved).await, None);
                        moved.set_after(Duration::from_micros(50 * (thread + round % 7)));
                        // The guard would end the test by the watchdog.
                        future::or(&mut moved, &mut guard).await;
                        assert!(!moved.will_fire());
                        assert!(guard.will_fire());
                    });
                }
            });
        }
    });
}

#[test]
fn a_timeout_wins_over_what_never_comes() {
    let _watchdog = watchdog("a_timeout_wins_over_what_never_comes");
    let timeout = async {
        Timer::after(5 * MS).await;
        "timeout"
    };
    assert_eq!(block_on(future::or(future::pending(), timeout)), "timeout");
    let at_once = async { "done" };
    let timeout = async {
        Timer::after(HOUR).await;
        "timeout"
    };
    assert_eq!(block_on(future::or(at_once, timeout)), "done");
}

#[test]
fn shows_itself() {
    let timer = Timer::after(HOUR);
    assert!(format!("{timer:?}").starts_with("Timer"));
    assert!(format!("{:?}", Timer::never()).starts_with("Timer"));
}

/// Polled as a stream and as a future by turns: one deadline, one answer.
#[test]
fn stream_and_future_share_the_deadline() {
    let _watchdog = watchdog("stream_and_future_share_the_deadline");
    let (waker, woken) = counting_waker();
    let mut cx = Context::from_waker(&waker);
    let mut timer = Timer::after(10 * MS);
    let mut fired = Pin::new(&mut timer).poll(&mut cx).is_ready();
    if !fired {
        fired = Pin::new(&mut timer).poll_next(&mut cx).is_ready();
    }
    if !fired {
        eventually(|| woken.get() > 0);
        assert!(Pin::new(&mut timer).poll_next(&mut cx).is_ready());
    }
    assert!(Pin::new(&mut timer).poll(&mut cx).is_pending());
    assert!(!timer.will_fire());
}

/// A task is woken by its timer, sets it for later without polling it first, and waits on: firing must
/// not have cost the timer its task.
#[test]
fn a_timer_set_again_after_it_fired_wakes_its_task() {
    let _watchdog = watchdog("a_timer_set_again_after_it_fired_wakes_its_task");
    let mut timer = Timer::after(Duration::from_millis(5));
    let mut polls = 0;
    block_on(futures_lite::future::poll_fn(|cx| {
        polls += 1;
        match polls {
            1 => std::pin::Pin::new(&mut timer).poll(cx).map(drop),
            2 => {
                timer.set_after(Duration::from_millis(5));
                std::task::Poll::Pending
            }
            _ => std::pin::Pin::new(&mut timer).poll(cx).map(drop),
        }
    }));
    assert!(polls >= 3);
}
