//! A panic of a task goes to whoever awaits it, that of the main future to whoever runs, and the executor
//! goes on after either.

mod util;

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread;

use async_executor::{Executor, LocalExecutor};
use futures_lite::future::{block_on, yield_now};
use util::{watchdog, Drops, Gate};

/// The text of a panic.
fn message(panic: Box<dyn std::any::Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast_ref::<&str>().map_or("?".into(), |text| text.to_string()),
    }
}

#[test]
fn whoever_awaits_the_task_gets_its_panic() {
    let ex = Executor::new();
    let task = ex.spawn(async {
        yield_now().await;
        panic!("a task's own");
    });
    let awaited = catch_unwind(AssertUnwindSafe(|| block_on(ex.run(task))));
    assert_eq!(message(awaited.unwrap_err()), "a task's own");
    assert!(ex.is_empty());
    assert_eq!(block_on(ex.run(ex.spawn(async { 1 }))), 1);
}

#[test]
fn whoever_ticks_does_not_get_it() {
    let ex = Executor::new();
    let task = ex.spawn(async { panic!("not here") });
    assert!(ex.try_tick());
    assert!(ex.is_empty());
    let awaited: Result<(), _> = catch_unwind(AssertUnwindSafe(|| block_on(task)));
    assert_eq!(message(awaited.unwrap_err()), "not here");

    let local = LocalExecutor::new();
    let task = local.spawn(async { panic!("nor here") });
    block_on(local.tick());
    let awaited: Result<(), _> = catch_unwind(AssertUnwindSafe(|| block_on(task)));
    assert_eq!(message(awaited.unwrap_err()), "nor here");
}

#[test]
fn nobody_gets_the_panic_of_a_detached_task() {
    let ex = Executor::new();
    let drops = Drops::new();
    for number in 0..100 {
        let guard = drops.guard();
        ex.spawn(async move {
            let _guard = guard;
            yield_now().await;
            if number % 2 == 0 {
                panic!("every second one");
            }
        })
        .detach();
    }
    while ex.try_tick() {}
    assert_eq!(drops.get(), 100);
    assert!(ex.is_empty());
}

#[test]
fn a_panic_of_the_main_future_leaves_the_tasks_to_others() {
    let ex = Executor::new();
    let count = Arc::new(AtomicUsize::new(0));
    for _ in 0..100 {
        let count = count.clone();
        ex.spawn(async move {
            for _ in 0..10 {
                yield_now().await;
            }
            count.fetch_add(1, Ordering::SeqCst);
        })
        .detach();
    }
    let run = catch_unwind(AssertUnwindSafe(|| {
        block_on(ex.run(async {
            for _ in 0..3 {
                yield_now().await;
            }
            panic!("main");
        }))
    }));
    let run: Result<(), _> = run;
    assert_eq!(message(run.unwrap_err()), "main");
    while ex.try_tick() {}
    assert_eq!(count.load(Ordering::SeqCst), 100);
}

/// What is woken after the panic must not go to the queue of the run that is gone.
#[test]
fn a_thread_whose_run_has_panicked_is_as_any_other() {
    let ex = Executor::new();
    let gate = Gate::new();
    let task = ex.spawn(gate.clone());
    let run: Result<(), _> = catch_unwind(AssertUnwindSafe(|| {
        block_on(ex.run(async {
            yield_now().await;
            panic!("main");
        }))
    }));
    assert!(run.is_err());
    gate.open();
    assert!(ex.try_tick());
    block_on(task);
    let other = Executor::new();
    assert_eq!(block_on(other.run(other.spawn(async { 2 }))), 2);
}

#[test]
fn panics_on_several_threads() {
    let _watchdog = watchdog("panics_on_several_threads");
    const TASKS: usize = 1_000;
    let drops = Drops::new();
    let ex = Executor::new();
    let (stop, stopped) = async_channel::bounded::<()>(1);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| block_on(ex.run(stopped.recv())));
        }
        let tasks: Vec<_> = (0..TASKS)
            .map(|number| {
                let guard = drops.guard();
                ex.spawn(async move {
                    let _guard = guard;
                    yield_now().await;
                    assert!(number % 10 != 0, "one in ten");
                })
            })
            .collect();
        let failed = tasks
            .into_iter()
            .filter_map(|task| catch_unwind(AssertUnwindSafe(|| block_on(task))).err())
            .count();
        assert_eq!(failed, TASKS / 10);
        drop(stop);
    });
    assert_eq!(drops.get(), TASKS);
}
