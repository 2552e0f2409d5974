//! An executor that is dropped drops all its tasks, in whichever state they are, and nothing of them is
//! touched afterwards.

mod util;

use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use async_executor::{Executor, LocalExecutor};
use futures_lite::future::{block_on, yield_now};
use util::{watchdog, Drops, Gate, OnDrop};

#[test]
fn tasks_that_were_never_polled_are_dropped() {
    let drops = Drops::new();
    let ex = Executor::new();
    for _ in 0..100 {
        let guard = drops.guard();
        ex.spawn(async move { drop(guard) }).detach();
    }
    drop(ex);
    assert_eq!(drops.get(), 100);
}

#[test]
fn tasks_that_wait_are_woken_and_dropped() {
    let drops = Drops::new();
    let gates: Vec<_> = (0..100).map(|_| Gate::new()).collect();
    let ex = Executor::new();
    for gate in &gates {
        let (guard, gate) = (drops.guard(), gate.clone());
        ex.spawn(async move {
            gate.await;
            drop(guard);
        })
        .detach();
    }
    while ex.try_tick() {}
    drop(ex);
    assert_eq!(drops.get(), 100);
    // Their wakers are still there, and wake nobody.
    gates.iter().for_each(Gate::open);
    assert_eq!(drops.get(), 100);
}

#[test]
fn local_tasks_are_woken_and_dropped() {
    let drops = Drops::new();
    let ex = LocalExecutor::new();
    let gates: Vec<_> = (0..100).map(|_| Gate::new()).collect();
    for (number, gate) in gates.iter().enumerate() {
        let (guard, gate) = (Rc::new(drops.guard()), gate.clone());
        ex.spawn(async move {
            gate.await;
            drop(guard);
        })
        .detach();
        if number % 2 == 0 {
            ex.try_tick();
        }
    }
    // Some are in the queue of other threads' wakes.
    let half: Vec<_> = gates.iter().step_by(4).cloned().collect();
    thread::spawn(move || half.iter().for_each(Gate::nudge)).join().unwrap();
    drop(ex);
    assert_eq!(drops.get(), 100);
    gates.iter().for_each(Gate::open);
}

/// Tasks that have yielded within `run` lie in its own queue when it is dropped.
#[test]
fn tasks_in_the_queue_of_a_run_that_is_gone_are_dropped() {
    let drops = Drops::new();
    let ex = Executor::new();
    for _ in 0..1_000 {
        let guard = drops.guard();
        ex.spawn(async move {
            let _guard = guard;
            loop {
                yield_now().await;
            }
        })
        .detach();
    }
    block_on(ex.run(async {
        for _ in 0..20 {
            yield_now().await;
        }
    }));
    drop(ex);
    assert_eq!(drops.get(), 1_000);
}

/// A `run` future that is leaked cannot give back its queue.
#[test]
fn tasks_in_the_queue_of_a_run_that_was_leaked_are_dropped() {
    // Where a leak checker sees it.
    static LEAKED: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    let drops = Drops::new();
    let ex = Executor::new();
    for _ in 0..10 {
        let guard = drops.guard();
        ex.spawn(async move {
            let _guard = guard;
            loop {
                yield_now().await;
            }
        })
        .detach();
    }
    {
        let mut run = Box::pin(ex.run(std::future::pending::<()>()));
        assert!(util::poll_once(&mut run).is_pending());
        let leaked: *mut _ = Box::leak(unbox(run));
        LEAKED.lock().unwrap().push(leaked as *mut () as usize);
    }
    drop(ex);
    assert_eq!(drops.get(), 10);

    // The next executor may get what that one had, and is not disturbed.
    let ex = Executor::new();
    let task = ex.spawn(async {
        yield_now().await;
        5
    });
    assert_eq!(block_on(ex.run(task)), 5);
}

/// For leaking it.
fn unbox<F>(pinned: std::pin::Pin<Box<F>>) -> Box<std::pin::Pin<Box<F>>> {
    Box::new(pinned)
}

#[test]
fn a_task_that_is_awaited_elsewhere_tells_that_it_was_dropped() {
    let ex = Executor::new();
    let fallible = ex.spawn(Gate::new()).fallible();
    let task = ex.spawn(Gate::new());
    assert!(ex.try_tick());
    drop(ex);
    assert_eq!(block_on(fallible), None);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| block_on(task)));
    assert!(panicked.is_err(), "a handle whose task was dropped has nothing to return");
}

#[test]
fn a_result_outlives_the_executor() {
    let ex = Executor::new();
    let task = ex.spawn(async { "done".to_owned() });
    assert!(ex.try_tick());
    drop(ex);
    assert_eq!(block_on(task), "done");
}

#[test]
fn a_task_whose_destructor_wakes_another_task_does_not_hide_that() {
    let drops = Drops::new();
    let ex = Executor::new();
    let gates: Vec<_> = (0..10).map(|_| Gate::new()).collect();
    for number in 0..10 {
        let (guard, own) = (drops.guard(), gates[number].clone());
        let next = gates[(number + 1) % 10].clone();
        ex.spawn(async move {
            let _guard = guard;
            let _wakes = OnDrop(move || next.open());
            own.await;
        })
        .detach();
    }
    while ex.try_tick() {}
    drop(ex);
    assert_eq!(drops.get(), 10);
}

#[test]
fn a_task_whose_destructor_drops_the_handle_of_another_one() {
    let drops = Drops::new();
    let ex = Executor::new();
    let (first, second) = (drops.guard(), drops.guard());
    let victim = ex.spawn(async move {
        let _guard = first;
        Gate::new().await;
    });
    ex.spawn(async move {
        let _held = (second, victim);
        Gate::new().await;
    })
    .detach();
    while ex.try_tick() {}
    drop(ex);
    assert_eq!(drops.get(), 2);
}

#[test]
fn a_task_that_spawns_when_it_is_dropped_finds_the_executor_at_work() {
    let ex = Arc::new(Executor::new());
    let spawned = Arc::new(AtomicUsize::new(0));
    let task = {
        let (weak, spawned) = (Arc::downgrade(&ex), spawned.clone());
        let spawns = OnDrop(move || {
            if let Some(ex) = weak.upgrade() {
                let spawned = spawned.clone();
                ex.spawn(async move {
                    spawned.fetch_add(1, Ordering::SeqCst);
                })
                .detach();
            }
        });
        ex.spawn(async move {
            let _spawns = spawns;
            Gate::new().await;
        })
    };
    // Dropped by the run, in the midst of which it spawns.
    block_on(ex.run(async {
        yield_now().await;
        task.cancel().await;
    }));
    while ex.try_tick() {}
    assert_eq!(spawned.load(Ordering::SeqCst), 1);

    // And while the executor itself is dropped there is none any more.
    let (weak, missed) = (Arc::downgrade(&ex), Arc::new(AtomicBool::new(false)));
    let sees = {
        let missed = missed.clone();
        OnDrop(move || missed.store(weak.upgrade().is_none(), Ordering::SeqCst))
    };
    ex.spawn(async move {
        let _sees = sees;
        Gate::new().await;
    })
    .detach();
    ex.try_tick();
    drop(ex);
    assert!(missed.load(Ordering::SeqCst));
}

/// The tasks borrow from the stack. Wakers on other threads go on waking them while the executor is
/// dropped, and whoever is in the midst of that must not touch them afterwards.
#[test]
fn wakes_from_other_threads_do_not_outlive_the_executor() {
    let _watchdog = watchdog("wakes_from_other_threads_do_not_outlive_the_executor");
    for round in 0..200 {
        let gates: Vec<_> = (0..20).map(|_| Gate::new()).collect();
        let stop = AtomicBool::new(false);
        let alive = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..2 {
                let (gates, stop) = (&gates, &stop);
                scope.spawn(move || {
                    while !stop.load(Ordering::SeqCst) {
                        gates.iter().for_each(Gate::nudge);
                    }
                });
            }
            {
                let ex = Executor::new();
                for gate in &gates {
                    let alive = &alive;
                    alive.fetch_add(1, Ordering::SeqCst);
                    let leaves = OnDrop(|| {
                        alive.fetch_sub(1, Ordering::SeqCst);
                    });
                    ex.spawn(async move {
                        let _leaves = leaves;
                        gate.clone().await;
                    })
                    .detach();
                }
                for _ in 0..round {
                    ex.try_tick();
                }
            }
            assert_eq!(alive.load(Ordering::SeqCst), 0, "all are dropped when `drop` returns");
            stop.store(true, Ordering::SeqCst);
        });
    }
}

/// As above, with tasks that must not leave their thread.
#[test]
fn wakes_from_other_threads_do_not_outlive_the_local_executor() {
    let _watchdog = watchdog("wakes_from_other_threads_do_not_outlive_the_local_executor");
    for round in 0..200 {
        let gates: Vec<_> = (0..20).map(|_| Gate::new()).collect();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let (shared, stop) = (&gates, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::SeqCst) {
                    shared.iter().for_each(Gate::nudge);
                }
            });
            let alive = Rc::new(());
            let ex = LocalExecutor::new();
            for gate in &gates {
                let alive = alive.clone();
                ex.spawn(async move {
                    let _alive = alive;
                    gate.clone().await;
                })
                .detach();
            }
            for _ in 0..round {
                ex.try_tick();
            }
            drop(ex);
            assert_eq!(Rc::strong_count(&alive), 1, "all are dropped when `drop` returns");
            stop.store(true, Ordering::SeqCst);
        });
    }
}

#[test]
fn many_executors_one_after_the_other_and_at_once() {
    let drops = Drops::new();
    for _ in 0..1_000 {
        let ex = Executor::new();
        let (guard, held) = (drops.guard(), drops.guard());
        ex.spawn(async move {
            let _held = held;
            Gate::new().await;
        })
        .detach();
        block_on(ex.run(ex.spawn(async move { drop(guard) })));
    }
    assert_eq!(drops.get(), 2_000);

    let executors: Vec<_> = (0..100).map(|_| LocalExecutor::new()).collect();
    for ex in &executors {
        let guard = drops.guard();
        ex.spawn(async move {
            let _guard = guard;
            Gate::new().await;
        })
        .detach();
        assert!(ex.try_tick() && !ex.try_tick());
    }
    drop(executors);
    assert_eq!(drops.get(), 2_100);
}

#[test]
fn an_executor_that_was_never_used_is_dropped() {
    drop(Executor::new());
    drop(LocalExecutor::new());
    drop(Executor::default());
    drop(LocalExecutor::default());
}
