//! `LocalExecutor`: tasks that stay on one thread, woken from any.

mod util;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;

use async_executor::LocalExecutor;
use futures_lite::future::{block_on, or, pending, yield_now, zip};
use util::{poll_with, watchdog, Drops, Gate, OnDrop, WakeCount};

#[test]
fn tasks_that_are_not_send_share_what_they_have() {
    let ex = LocalExecutor::new();
    let log = Rc::new(RefCell::new(Vec::new()));
    let tasks: Vec<_> = (0..3)
        .map(|number| {
            let log = log.clone();
            ex.spawn(async move {
                for round in 0..2 {
                    log.borrow_mut().push((round, number));
                    yield_now().await;
                }
            })
        })
        .collect();
    block_on(ex.run(async {
        for task in tasks {
            task.await;
        }
    }));
    assert_eq!(*log.borrow(), [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]);
}

#[test]
fn a_task_that_another_thread_wakes_is_polled_at_home() {
    let _watchdog = watchdog("a_task_that_another_thread_wakes_is_polled_at_home");
    let ex = LocalExecutor::new();
    let home = thread::current().id();
    let gates: Vec<_> = (0..200).map(|_| Gate::new()).collect();
    let tasks: Vec<_> = gates
        .iter()
        .map(|gate| {
            let gate = gate.clone();
            let not_send = Rc::new(());
            ex.spawn(async move {
                gate.await;
                assert_eq!(thread::current().id(), home);
                drop(not_send);
            })
        })
        .collect();
    let openers: Vec<_> = gates
        .chunks(50)
        .map(|gates| {
            let gates = gates.to_vec();
            thread::spawn(move || {
                gates.iter().for_each(|gate| {
                    gate.nudge();
                    gate.open();
                })
            })
        })
        .collect();
    block_on(ex.run(async {
        for task in tasks {
            task.await;
        }
    }));
    openers.into_iter().for_each(|thread| thread.join().unwrap());
    assert!(ex.is_empty());
}

#[test]
fn a_result_is_awaited_on_another_thread() {
    let _watchdog = watchdog("a_result_is_awaited_on_another_thread");
    let ex = LocalExecutor::new();
    let not_send = Rc::new(5);
    let task = ex.spawn(async move {
        yield_now().await;
        *not_send
    });
    let (tell, told) = async_channel::bounded(1);
    let waiter = thread::spawn(move || {
        let result = block_on(task);
        tell.send_blocking(()).unwrap();
        result
    });
    block_on(ex.run(told.recv())).unwrap();
    assert_eq!(waiter.join().unwrap(), 5);
}

#[test]
fn two_runs_beside_each_other_share_the_tasks() {
    let done = Cell::new(0);
    let ex = LocalExecutor::new();
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            ex.spawn(async {
                yield_now().await;
                done.set(done.get() + 1);
            })
        })
        .collect();
    let mut halves = tasks.into_iter();
    let first: Vec<_> = halves.by_ref().take(5).collect();
    let second: Vec<_> = halves.collect();
    let all = |tasks: Vec<async_executor::Task<()>>| async {
        for task in tasks {
            task.await;
        }
    };
    block_on(zip(ex.run(all(first)), ex.run(all(second))));
    assert_eq!(done.get(), 10);
}

#[test]
fn a_run_within_a_task() {
    let ex = Rc::new(LocalExecutor::new());
    let inner = ex.clone();
    let task = ex.spawn(async move {
        let task = inner.spawn(async {
            yield_now().await;
            1
        });
        // As a blocking call in the midst of a task would do it.
        block_on(inner.run(task))
    });
    assert_eq!(block_on(ex.run(task)), 1);
}

/// The inner run waits for a wake from another thread, which the outer one must not swallow.
#[test]
fn a_run_within_a_task_is_woken_from_elsewhere() {
    let _watchdog = watchdog("a_run_within_a_task_is_woken_from_elsewhere");
    let ex = Rc::new(LocalExecutor::new());
    let (inner, gate) = (ex.clone(), Gate::new());
    let opener = gate.clone();
    let task = ex.spawn(async move {
        let waiting = inner.spawn(gate);
        block_on(inner.run(waiting));
    });
    let opener = thread::spawn(move || {
        util::eventually(|| opener.polls() > 0);
        thread::sleep(std::time::Duration::from_millis(20));
        opener.open();
    });
    // A second run that sleeps on the same thread.
    block_on(or(ex.run(pending()), ex.run(task)));
    opener.join().unwrap();
}

#[test]
fn one_wake_for_a_sleeping_run() {
    let ex = LocalExecutor::new();
    let (wakes, waker) = WakeCount::new();
    let mut run = Box::pin(ex.run(pending::<()>()));
    assert!(poll_with(&mut run, &waker).is_pending());
    let gates: Vec<_> = (0..100).map(|_| Gate::new()).collect();
    gates.iter().for_each(|gate| ex.spawn(gate.clone()).detach());
    assert_eq!(wakes.get(), 1, "a hundred tasks, and nobody has looked yet");
    assert!(poll_with(&mut run, &waker).is_pending());
    assert!(gates.iter().all(|gate| gate.polls() == 1));
    let first = gates[0].clone();
    thread::spawn(move || first.nudge()).join().unwrap();
    assert_eq!(wakes.get(), 2);
    assert!(poll_with(&mut run, &waker).is_pending());
    assert_eq!(gates[0].polls(), 2);
}

#[test]
fn one_in_a_thread_local_is_dropped_with_its_thread() {
    thread_local! {
        static EX: LocalExecutor<'static> = const { LocalExecutor::new() };
    }
    let drops = Drops::new();
    let (guard, waiting) = (drops.guard(), drops.guard());
    thread::spawn(move || {
        EX.with(|ex| {
            let task = ex.spawn(async move {
                yield_now().await;
                drop(guard);
            });
            block_on(ex.run(task));
            ex.spawn(async move {
                let _waiting = waiting;
                Gate::new().await;
            })
            .detach();
            ex.try_tick();
        });
    })
    .join()
    .unwrap();
    assert_eq!(drops.get(), 2);
}

/// The executor is used in the destructor of another thread-local, after its own things may be gone.
#[test]
fn one_is_used_while_its_thread_ends() {
    thread_local! {
        static AT_EXIT: RefCell<Option<Box<dyn Drop2>>> = const { RefCell::new(None) };
    }
    trait Drop2 {}
    impl<F: FnMut()> Drop2 for OnDrop<F> {}

    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let ex = LocalExecutor::new();
        let task = ex.spawn(async {
            yield_now().await;
            4
        });
        let mut parts = Some((ex, task));
        let at_exit = OnDrop(move || {
            if let Some((ex, task)) = parts.take() {
                tell.send(block_on(ex.run(task))).unwrap();
            }
        });
        AT_EXIT.with(|cell| *cell.borrow_mut() = Some(Box::new(at_exit)));
    })
    .join()
    .unwrap();
    assert_eq!(told.recv(), Ok(4));
}

#[test]
fn a_waker_may_outlive_the_executor_and_its_thread() {
    let gate = Gate::new();
    let waiting = gate.clone();
    thread::spawn(move || {
        let ex = LocalExecutor::new();
        ex.spawn(waiting).detach();
        assert!(ex.try_tick());
        // The waker is kept by the gate.
    })
    .join()
    .unwrap();
    gate.nudge();
    gate.open();
}

#[test]
fn executors_of_many_threads_do_not_meet() {
    let _watchdog = watchdog("executors_of_many_threads_do_not_meet");
    let threads: Vec<_> = (0..8)
        .map(|number| {
            thread::spawn(move || {
                (0..200)
                    .map(|round| {
                        let ex = LocalExecutor::new();
                        let value = Rc::new(number * round);
                        let task = ex.spawn(async move {
                            yield_now().await;
                            *value
                        });
                        block_on(ex.run(task))
                    })
                    .sum::<usize>()
            })
        })
        .collect();
    for (number, thread) in threads.into_iter().enumerate() {
        assert_eq!(thread.join().unwrap(), number * (0..200).sum::<usize>());
    }
}
