//! One task at a time: `try_tick` and `tick`.

mod util;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread;

use async_executor::{Executor, LocalExecutor};
use futures_lite::future::{block_on, pending, yield_now};
use util::{poll_once, poll_with, watchdog, Gate, WakeCount};

#[test]
fn try_tick_polls_one_task_once() {
    let ex = Executor::new();
    let polls = Arc::new(AtomicUsize::new(0));
    for _ in 0..3 {
        ex.spawn(util::yield_for_ever(polls.clone())).detach();
    }
    for tick in 1..=10 {
        assert!(ex.try_tick());
        assert_eq!(polls.load(Ordering::SeqCst), tick);
    }
}

#[test]
fn try_tick_says_whether_there_was_a_task() {
    let ex = Executor::new();
    assert!(!ex.try_tick());
    let gate = Gate::new();
    let task = ex.spawn(gate.clone());
    assert!(ex.try_tick());
    assert!(!ex.try_tick(), "it waits");
    gate.nudge();
    assert!(ex.try_tick());
    gate.open();
    assert!(ex.try_tick());
    assert!(!ex.try_tick(), "it is done");
    block_on(task);
}

#[test]
fn tick_waits_for_a_task() {
    let ex = Executor::new();
    let (wakes, waker) = WakeCount::new();
    let mut tick = Box::pin(ex.tick());
    assert!(poll_with(&mut tick, &waker).is_pending());
    assert_eq!(wakes.get(), 0);
    let gate = Gate::new();
    ex.spawn(gate.clone()).detach();
    assert_eq!(wakes.get(), 1);
    assert!(poll_with(&mut tick, &waker).is_ready());
    assert_eq!(gate.polls(), 1);
    drop(tick);

    let mut tick = Box::pin(ex.tick());
    assert!(poll_with(&mut tick, &waker).is_pending());
    gate.nudge();
    assert_eq!(wakes.get(), 2);
    assert!(poll_with(&mut tick, &waker).is_ready());
    assert_eq!(gate.polls(), 2);
}

#[test]
fn tick_wakes_whoever_has_polled_it_last() {
    let ex = Executor::new();
    let ((first, waker), (second, other)) = (WakeCount::new(), WakeCount::new());
    let mut tick = Box::pin(ex.tick());
    assert!(poll_with(&mut tick, &waker).is_pending());
    assert!(poll_with(&mut tick, &other).is_pending());
    ex.spawn(async {}).detach();
    assert_eq!((first.get(), second.get()), (0, 1));
}

#[test]
fn a_tick_that_was_told_of_a_task_and_dropped_tells_another_one() {
    let ex = Executor::new();
    let ((first, waker), (second, other)) = (WakeCount::new(), WakeCount::new());
    let mut one = Box::pin(ex.tick());
    let mut two = Box::pin(ex.tick());
    assert!(poll_with(&mut one, &waker).is_pending());
    assert!(poll_with(&mut two, &other).is_pending());
    ex.spawn(async {}).detach();
    assert_eq!(first.get() + second.get(), 1, "one at a time");
    let (told, waiting) = if first.get() == 1 { (one, two) } else { (two, one) };
    drop(told);
    assert_eq!(first.get() + second.get(), 2, "now the other one");
    let mut waiting = waiting;
    assert!(poll_once(&mut waiting).is_ready());
    assert!(ex.is_empty());
}

#[test]
fn ticks_and_runs_share_the_tasks() {
    let _watchdog = watchdog("ticks_and_runs_share_the_tasks");
    const TASKS: usize = 1_000;
    let done = AtomicUsize::new(0);
    let ex = Executor::new();
    let (stop, stopped) = async_channel::bounded::<()>(1);
    thread::scope(|scope| {
        scope.spawn(|| block_on(ex.run(stopped.recv())));
        scope.spawn(|| {
            block_on(futures_lite::future::or(
                async {
                    loop {
                        ex.tick().await;
                    }
                },
                async {
                    let _closed = stopped.recv().await;
                },
            ))
        });
        scope.spawn(|| {
            while !stopped.is_closed() {
                if !ex.try_tick() {
                    thread::yield_now();
                }
            }
        });
        for _ in 0..TASKS {
            ex.spawn(async {
                for _ in 0..5 {
                    yield_now().await;
                }
                done.fetch_add(1, Ordering::SeqCst);
            })
            .detach();
        }
        util::eventually(|| done.load(Ordering::SeqCst) == TASKS);
        drop(stop);
    });
    assert!(ex.is_empty());
}

/// A `run` future that is not polled at the moment has a queue, and what is in it is everybody's.
#[test]
fn try_tick_finds_what_a_run_has_queued() {
    let ex = Executor::new();
    let polls = Arc::new(AtomicUsize::new(0));
    ex.spawn(util::yield_for_ever(polls.clone())).detach();
    let mut run = Box::pin(ex.run(pending::<()>()));
    assert!(poll_once(&mut run).is_pending());
    let before = polls.load(Ordering::SeqCst);
    assert!(before > 1, "it has gone through the queue of the run");
    assert!(ex.try_tick());
    assert_eq!(polls.load(Ordering::SeqCst), before + 1);
}

#[test]
fn try_tick_within_a_task() {
    let ex = Executor::new();
    let polls = Arc::new(AtomicUsize::new(0));
    ex.spawn(util::yield_for_ever(polls.clone())).detach();
    let ticks = block_on(ex.run(async {
        yield_now().await;
        (0..10).filter(|_| ex.try_tick()).count()
    }));
    assert_eq!(ticks, 10);
}

#[test]
fn a_local_tick_waits_for_a_task_too() {
    let ex = LocalExecutor::new();
    let (wakes, waker) = WakeCount::new();
    let mut tick = Box::pin(ex.tick());
    assert!(poll_with(&mut tick, &waker).is_pending());
    let gate = Gate::new();
    ex.spawn(gate.clone()).detach();
    assert_eq!(wakes.get(), 1);
    assert!(poll_with(&mut tick, &waker).is_ready());

    let mut tick = Box::pin(ex.tick());
    assert!(poll_with(&mut tick, &waker).is_pending());
    thread::spawn(move || gate.open()).join().unwrap();
    assert_eq!(wakes.get(), 2);
    assert!(poll_with(&mut tick, &waker).is_ready());
    assert!(ex.is_empty());
}

#[test]
fn tick_after_tick_runs_a_task_to_its_end() {
    let ex = LocalExecutor::new();
    let task = ex.spawn(async {
        for _ in 0..3 {
            yield_now().await;
        }
        7
    });
    block_on(async {
        for _ in 0..4 {
            ex.tick().await;
        }
    });
    assert!(ex.is_empty());
    assert_eq!(block_on(task), 7);
}
