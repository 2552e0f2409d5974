//! Several threads run one executor: no task is lost between them.

mod util;

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{mpsc, Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread;

use async_executor::Executor;
use easy_parallel::Parallel;
use futures_lite::future::{block_on, pending, yield_now};
use util::{poll_once, poll_with, watchdog, Gate, WakeCount};

/// Runs the executor on so many threads while `main` runs on this one, outside.
fn beside<T>(ex: &Executor<'_>, threads: usize, main: impl FnOnce() -> T) -> T {
    let (stop, stopped) = async_channel::bounded::<()>(1);
    let (_, value) =
        Parallel::new().each(0..threads, |_| block_on(ex.run(stopped.recv()))).finish(move || {
            let value = main();
            drop(stop);
            value
        });
    value
}

#[test]
fn tasks_that_wake_each_other_all_come_to_their_end() {
    let _watchdog = watchdog("tasks_that_wake_each_other_all_come_to_their_end");
    const RINGS: usize = 50;
    const TASKS: usize = 20;
    const LAPS: usize = 100;
    let ex = Executor::new();
    let sum = beside(&ex, 4, || {
        let mut lasts = Vec::new();
        for _ in 0..RINGS {
            // A number goes around, and grows at each task.
            let (first, mut before) = async_channel::bounded(1);
            for _ in 1..TASKS {
                let (next, after) = async_channel::bounded(1);
                let from = std::mem::replace(&mut before, after);
                ex.spawn(async move {
                    while let Ok(number) = from.recv().await {
                        if next.send(number + 1).await.is_err() {
                            break;
                        }
                    }
                })
                .detach();
            }
            lasts.push(ex.spawn(async move {
                let mut number = 0;
                for _ in 0..LAPS {
                    first.send(number + 1).await.unwrap();
                    number = before.recv().await.unwrap();
                }
                number
            }));
        }
        let sum = lasts.into_iter().map(block_on).sum::<usize>();
        // Those that pass numbers on end when their channels are closed.
        util::eventually(|| ex.is_empty());
        sum
    });
    assert_eq!(sum, RINGS * TASKS * LAPS);
}

#[test]
fn a_tree_of_tasks_is_counted_to_its_leaves() {
    let _watchdog = watchdog("a_tree_of_tasks_is_counted_to_its_leaves");

    fn grow(ex: &Arc<Executor<'static>>, depth: u32, leaves: &Arc<AtomicUsize>) {
        if depth == 0 {
            leaves.fetch_add(1, Ordering::SeqCst);
            return;
        }
        for _ in 0..4 {
            let (inner, leaves) = (ex.clone(), leaves.clone());
            ex.spawn(async move {
                if depth % 2 == 0 {
                    yield_now().await;
                }
                grow(&inner, depth - 1, &leaves);
            })
            .detach();
        }
    }

    let ex = Arc::new(Executor::new());
    let leaves = Arc::new(AtomicUsize::new(0));
    beside(&ex, 3, || {
        grow(&ex, 7, &leaves);
        util::eventually(|| ex.is_empty());
        // Not empty before the last leaf, though tasks spawn others and end all the time.
        assert_eq!(leaves.load(Ordering::SeqCst), 4_usize.pow(7));
    });
}

#[test]
fn spawning_from_many_threads() {
    let _watchdog = watchdog("spawning_from_many_threads");
    let done = AtomicUsize::new(0);
    let ex = Executor::new();
    beside(&ex, 2, || {
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..2_000 {
                        ex.spawn(async {
                            done.fetch_add(1, Ordering::SeqCst);
                        })
                        .detach();
                    }
                });
            }
        });
        util::eventually(|| done.load(Ordering::SeqCst) == 16_000);
    });
}

/// Each task is woken by a thread that is not the executor's, again and again, while it is run by others.
#[test]
fn no_wake_from_elsewhere_is_lost() {
    let _watchdog = watchdog("no_wake_from_elsewhere_is_lost");
    const TASKS: usize = 50;
    const TURNS: usize = 200;
    let ex = Executor::new();
    let (ask, asked) = mpsc::channel::<(Arc<AtomicBool>, Waker)>();
    beside(&ex, 3, || {
        let waker = thread::spawn(move || {
            for (flag, waker) in asked {
                flag.store(true, Ordering::SeqCst);
                waker.wake();
            }
        });
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let ask = Mutex::new(ask.clone());
                ex.spawn(async move {
                    for _ in 0..TURNS {
                        let flag = Arc::new(AtomicBool::new(false));
                        let mut has_asked = false;
                        poll_fn(|cx| {
                            if flag.load(Ordering::SeqCst) {
                                return Poll::Ready(());
                            }
                            if !has_asked {
                                has_asked = true;
                                let request = (flag.clone(), cx.waker().clone());
                                ask.lock().unwrap().send(request).unwrap();
                            }
                            Poll::Pending
                        })
                        .await;
                    }
                })
            })
            .collect();
        drop(ask);
        tasks.into_iter().for_each(block_on);
        waker.join().unwrap();
    });
}

/// A task that blocks its thread until a task is done that it has woken or spawned a moment ago: the other
/// thread, which is asleep, must get up for that one.
#[test]
fn a_task_that_blocks_its_thread_is_helped_by_one_that_sleeps() {
    let _watchdog = watchdog("a_task_that_blocks_its_thread_is_helped_by_one_that_sleeps");
    let ex = Arc::new(Executor::new());
    beside(&ex, 2, || {
        for _ in 0..200 {
            let inner = ex.clone();
            block_on(ex.spawn(async move {
                let (tell, told) = mpsc::channel();
                inner
                    .spawn(async move {
                        yield_now().await;
                        tell.send(7).unwrap();
                    })
                    .detach();
                assert_eq!(told.recv(), Ok(7));
            }));
        }
    });
}

/// The same for a main future that blocks, after the task has yielded in this run's own queue.
#[test]
fn a_main_future_that_blocks_its_thread_is_helped() {
    let _watchdog = watchdog("a_main_future_that_blocks_its_thread_is_helped");
    let ex = Executor::new();
    let turns = Arc::new(AtomicUsize::new(0));
    ex.spawn(util::yield_for_ever(turns.clone())).detach();
    beside(&ex, 1, || {
        block_on(ex.run(async {
            for _ in 0..50 {
                yield_now().await;
                let before = turns.load(Ordering::SeqCst);
                util::eventually(|| turns.load(Ordering::SeqCst) > before);
            }
        }));
    });
}

#[test]
fn block_on_in_a_task_and_run_within_it() {
    let _watchdog = watchdog("block_on_in_a_task_and_run_within_it");
    // One thread: the inner run has to do the outer one's work.
    let ex = Arc::new(Executor::new());
    let inner = ex.clone();
    let task = ex.spawn(async move {
        let task = inner.spawn(async {
            yield_now().await;
            1
        });
        let one = block_on(inner.run(task));
        let nested = inner.clone();
        let task = inner.spawn(async move {
            block_on(nested.run(async {
                yield_now().await;
                2
            }))
        });
        one + block_on(inner.run(task))
    });
    assert_eq!(block_on(ex.run(task)), 3);
}

/// A run that was told of a task sits below a `block_on` that waits for another run of the same executor.
#[test]
fn a_nested_run_is_told_of_tasks_though_an_outer_one_was_before() {
    let _watchdog = watchdog("a_nested_run_is_told_of_tasks_though_an_outer_one_was_before");
    let ex = Executor::new();
    let gate = Gate::new();
    let woken = ex.spawn(gate.clone());
    let mut outer = Box::pin(ex.run(pending::<()>()));
    assert!(poll_once(&mut outer).is_pending());
    // Tells `outer`, which nobody polls from here on.
    ex.spawn(async {}).detach();
    let opener = thread::spawn(move || {
        util::eventually(|| gate.polls() > 0);
        thread::sleep(std::time::Duration::from_millis(20));
        gate.open();
    });
    block_on(ex.run(woken));
    opener.join().unwrap();
}

#[test]
fn two_executors_on_one_thread() {
    let (one, two) = (Executor::new(), Executor::new());
    let gate = Gate::new();
    let (waiting, opening) = (gate.clone(), gate);
    let first = one.spawn(waiting);
    // A task of one wakes a task of the other, within a run of each.
    let second = two.spawn(async move {
        yield_now().await;
        opening.open();
    });
    block_on(one.run(async {
        two.run(second).await;
        first.await;
    }));
    assert!(one.is_empty() && two.is_empty());
}

#[test]
fn an_executor_is_run_by_tasks_of_another_one() {
    let _watchdog = watchdog("an_executor_is_run_by_tasks_of_another_one");
    let outer = Executor::new();
    let inner = Arc::new(Executor::new());
    let done = Arc::new(AtomicUsize::new(0));
    let runners: Vec<_> = (0..3)
        .map(|_| {
            let (inner, done) = (inner.clone(), done.clone());
            outer.spawn(async move {
                let tasks: Vec<_> = (0..100)
                    .map(|_| {
                        let done = done.clone();
                        inner.spawn(async move {
                            yield_now().await;
                            done.fetch_add(1, Ordering::SeqCst);
                        })
                    })
                    .collect();
                let all = async {
                    for task in tasks {
                        task.await;
                    }
                };
                inner.run(all).await;
            })
        })
        .collect();
    beside(&outer, 2, || runners.into_iter().for_each(block_on));
    assert_eq!(done.load(Ordering::SeqCst), 300);
}

/// A run future may go from thread to thread between its polls.
#[test]
fn a_run_goes_on_on_another_thread() {
    let ex = Executor::new();
    let turns = Arc::new(AtomicUsize::new(0));
    ex.spawn(util::yield_for_ever(turns.clone())).detach();
    let mut run: std::pin::Pin<Box<dyn std::future::Future<Output = ()> + Send + '_>> =
        Box::pin(ex.run(pending()));
    for _ in 0..10 {
        let before = turns.load(Ordering::SeqCst);
        run = thread::scope(|scope| {
            scope
                .spawn(move || {
                    let (_, waker) = WakeCount::new();
                    assert!(poll_with(&mut run, &waker).is_pending());
                    run
                })
                .join()
                .unwrap()
        });
        assert!(turns.load(Ordering::SeqCst) > before);
    }
}

#[test]
fn sleepers_are_woken_one_at_a_time() {
    let ex = Executor::new();
    let counts: Vec<_> = (0..4).map(|_| WakeCount::new()).collect();
    let mut runs: Vec<_> = (0..4).map(|_| Box::pin(ex.run(pending::<()>()))).collect();
    for (run, (_, waker)) in runs.iter_mut().zip(&counts) {
        assert!(poll_with(run, waker).is_pending());
    }
    let woken = || counts.iter().map(|(count, _)| count.get()).sum::<usize>();
    let gates: Vec<_> = (0..100).map(|_| Gate::new()).collect();
    gates.iter().for_each(|gate| ex.spawn(gate.clone()).detach());
    assert_eq!(woken(), 1, "a hundred tasks, and nobody has looked at the first yet");

    let first = counts.iter().position(|(count, _)| count.get() == 1).unwrap();
    assert!(poll_with(&mut runs[first], &counts[first].1).is_pending());
    assert_eq!(woken(), 2, "there was more than one, so the next is woken");
    assert!(gates.iter().all(|gate| gate.polls() == 1));
}

/// A thread that looks for I/O and wakes a task wakes its own run, not one on another thread, though that
/// fell asleep later.
#[test]
fn a_thread_wakes_its_own_run_first() {
    let _watchdog = watchdog("a_thread_wakes_its_own_run_first");
    let ex = Executor::new();
    let ((own_wakes, waker), (other_wakes, other_waker)) = (WakeCount::new(), WakeCount::new());
    let mut own = Box::pin(ex.run(pending::<()>()));
    let mut other = Box::pin(ex.run(pending::<()>()));
    let gate = Gate::new();
    ex.spawn(gate.clone()).detach();
    assert!(poll_with(&mut own, &waker).is_pending());
    thread::scope(|scope| {
        let other = &mut other;
        scope.spawn(move || assert!(poll_with(other, &other_waker).is_pending()));
    });
    gate.nudge();
    assert_eq!((own_wakes.get(), other_wakes.get()), (1, 0));

    // A thread without one wakes whichever sleeps.
    assert!(poll_with(&mut own, &waker).is_pending());
    thread::spawn(move || gate.nudge()).join().unwrap();
    assert_eq!(own_wakes.get() + other_wakes.get(), 2);
}
