//! A `run` future that is dropped before it is done, or that is done, leaves nothing behind: neither a task
//! in its queue nor a notification that it had got.

mod util;

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread;

use async_executor::{Executor, LocalExecutor};
use futures_lite::future::{block_on, pending, yield_now};
use util::{poll_once, poll_with, watchdog, Gate, WakeCount};

/// Tasks that yield some times; the count is that of those that are done.
fn yielding(ex: &Executor<'_>, tasks: usize) -> Arc<AtomicUsize> {
    let done = Arc::new(AtomicUsize::new(0));
    for _ in 0..tasks {
        let done = done.clone();
        ex.spawn(async move {
            for _ in 0..5 {
                yield_now().await;
            }
            done.fetch_add(1, Ordering::SeqCst);
        })
        .detach();
    }
    done
}

#[test]
fn tasks_in_its_queue_are_run_by_the_next() {
    let ex = Executor::new();
    let done = yielding(&ex, 1_000);
    let mut run = Box::pin(ex.run(pending::<()>()));
    assert!(poll_once(&mut run).is_pending());
    drop(run);
    block_on(ex.run(async {
        while done.load(Ordering::SeqCst) < 1_000 {
            yield_now().await;
        }
    }));
    assert!(ex.is_empty());
}

#[test]
fn tasks_in_its_queue_are_run_by_one_that_sleeps() {
    let _watchdog = watchdog("tasks_in_its_queue_are_run_by_one_that_sleeps");
    let ex = Executor::new();
    let (wakes, waker) = WakeCount::new();
    let mut sleeper = Box::pin(ex.run(pending::<()>()));
    assert!(poll_with(&mut sleeper, &waker).is_pending());

    let done = yielding(&ex, 1_000);
    let told = wakes.get();
    assert_eq!(told, 1);
    // The sleeper is told of the tasks and does not come. This one takes them, and then it is gone.
    let mut run = Box::pin(ex.run(pending::<()>()));
    assert!(poll_once(&mut run).is_pending());
    drop(run);
    while done.load(Ordering::SeqCst) < 1_000 {
        assert!(poll_with(&mut sleeper, &waker).is_pending());
    }
}

#[test]
fn its_notification_is_passed_on() {
    let ex = Executor::new();
    let counts: Vec<_> = (0..3).map(|_| WakeCount::new()).collect();
    let mut runs: Vec<_> = (0..3).map(|_| Some(Box::pin(ex.run(pending::<()>())))).collect();
    for (run, (_, waker)) in runs.iter_mut().zip(&counts) {
        assert!(poll_with(run.as_mut().unwrap(), waker).is_pending());
    }
    let gate = Gate::new();
    ex.spawn(gate.clone()).detach();
    // One after the other is told, and dropped. The last does it.
    for dropped in 0..2 {
        let told: Vec<_> = (0..3).filter(|n| counts[*n].0.get() == 1).collect();
        assert_eq!(told.len(), dropped + 1);
        let told = told.into_iter().find(|n| runs[*n].is_some()).unwrap();
        runs[told] = None;
    }
    let last = runs.iter().position(Option::is_some).unwrap();
    assert_eq!(counts[last].0.get(), 1);
    assert!(poll_with(runs[last].as_mut().unwrap(), &counts[last].1).is_pending());
    assert_eq!(gate.polls(), 1);
}

#[test]
fn one_that_is_dropped_asleep_is_not_told() {
    let ex = Executor::new();
    let ((first, one), (second, two)) = (WakeCount::new(), WakeCount::new());
    let mut stays = Box::pin(ex.run(pending::<()>()));
    assert!(poll_with(&mut stays, &one).is_pending());
    let mut goes = Box::pin(ex.run(pending::<()>()));
    assert!(poll_with(&mut goes, &two).is_pending());
    drop(goes);
    ex.spawn(async {}).detach();
    assert_eq!((first.get(), second.get()), (1, 0));
}

#[test]
fn a_waker_of_its_future_may_outlive_it() {
    let ex = Executor::new();
    let gate = Gate::new();
    let mut run = Box::pin(ex.run(gate.clone()));
    let (wakes, waker) = WakeCount::new();
    assert!(poll_with(&mut run, &waker).is_pending());
    drop(run);
    gate.nudge();
    assert_eq!(wakes.get(), 0, "nobody is there to be woken");
    // Another run, which may use the same things, is none the worse.
    let (wakes, waker) = WakeCount::new();
    let mut run = Box::pin(ex.run(Gate::new()));
    assert!(poll_with(&mut run, &waker).is_pending());
    gate.nudge();
    assert!(poll_with(&mut run, &waker).is_pending());
    let before = wakes.get();
    ex.spawn(async {}).detach();
    assert_eq!(wakes.get(), before + 1);
    drop(run);
    // So does a tick.
    assert!(ex.try_tick());
    let mut tick = Box::pin(ex.tick());
    gate.nudge();
    assert!(poll_with(&mut tick, &waker).is_pending());
    ex.spawn(async {}).detach();
    assert!(poll_with(&mut tick, &waker).is_ready());
}

#[test]
fn runs_that_begin_and_end_all_the_time_lose_no_task() {
    let _watchdog = watchdog("runs_that_begin_and_end_all_the_time_lose_no_task");
    const TASKS: usize = 3_000;
    let stop = AtomicBool::new(false);
    let done = AtomicUsize::new(0);
    let ex = Executor::new();
    thread::scope(|scope| {
        for seed in 0..3 {
            let (ex, stop) = (&ex, &stop);
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(seed);
                while !stop.load(Ordering::SeqCst) {
                    // Some are dropped after a poll, some are done, some go on for a while.
                    let mut run: Pin<Box<dyn Future<Output = ()> + '_>> = match random.u8(..4) {
                        0 => Box::pin(ex.run(pending())),
                        1 => Box::pin(ex.run(yield_now())),
                        2 => Box::pin(ex.tick()),
                        _ => Box::pin(async {
                            for _ in 0..random.u8(..) {
                                ex.run(yield_now()).await;
                            }
                        }),
                    };
                    let _ = poll_once(&mut run);
                }
            });
        }
        let (give, given) = std::sync::mpsc::channel::<Gate>();
        scope.spawn(move || given.into_iter().for_each(|gate| gate.open()));
        for number in 0..TASKS {
            let gate = Gate::new();
            let waiting = gate.clone();
            let done = &done;
            ex.spawn(async move {
                for _ in 0..number % 4 {
                    yield_now().await;
                }
                waiting.await;
                done.fetch_add(1, Ordering::SeqCst);
            })
            .detach();
            give.send(gate).unwrap();
        }
        drop(give);
        util::eventually(|| done.load(Ordering::SeqCst) == TASKS);
        stop.store(true, Ordering::SeqCst);
    });
    assert!(ex.is_empty());
}

/// All threads but one go, one after the other, each with a queue full of tasks.
#[test]
fn the_last_thread_runs_what_the_others_have_left() {
    let _watchdog = watchdog("the_last_thread_runs_what_the_others_have_left");
    let ex = Executor::new();
    let done = yielding(&ex, 5_000);
    thread::scope(|scope| {
        for polls in 1..5 {
            let ex = &ex;
            scope.spawn(move || {
                let mut run = Box::pin(ex.run(pending::<()>()));
                (0..polls).for_each(|_| assert!(poll_once(&mut run).is_pending()));
            });
        }
        block_on(ex.run(async {
            while done.load(Ordering::SeqCst) < 5_000 {
                yield_now().await;
            }
        }));
    });
    assert!(ex.is_empty());
}

#[test]
fn a_local_run_that_is_dropped_leaves_its_tasks_to_the_next() {
    let ex = LocalExecutor::new();
    let (wakes, waker) = WakeCount::new();
    let mut sleeper = Box::pin(ex.run(pending::<()>()));
    assert!(poll_with(&mut sleeper, &waker).is_pending());
    let gate = Gate::new();
    ex.spawn(gate.clone()).detach();
    assert_eq!(wakes.get(), 1);
    drop(sleeper);
    let task = ex.spawn(async {
        yield_now().await;
        3
    });
    assert_eq!(block_on(ex.run(task)), 3);
    assert_eq!(gate.polls(), 1);
}
