//! Tasks are spawned, run, awaited and detached.

mod util;

use std::cell::Cell;
use std::future::ready;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use async_executor::{Executor, LocalExecutor, Task};
use futures_lite::future::{block_on, yield_now};
use util::{watchdog, Drops, Gate};

#[test]
fn an_awaited_task_gives_its_result() {
    let ex = Executor::new();
    let task = ex.spawn(async { 1 + 2 });
    assert_eq!(block_on(ex.run(async { task.await * 2 })), 6);
}

#[test]
fn a_task_spawned_from_a_task_runs() {
    let ex = Arc::new(Executor::new());
    let inner = ex.clone();
    let task = ex.spawn(async move {
        let mut sum = 0;
        for number in 0..10 {
            sum += inner.spawn(async move { number }).await;
        }
        sum
    });
    assert_eq!(block_on(ex.run(task)), 45);
}

#[test]
fn a_detached_task_goes_on() {
    let ex = Executor::new();
    let count = Arc::new(AtomicUsize::new(0));
    for _ in 0..100 {
        let count = count.clone();
        ex.spawn(async move {
            yield_now().await;
            count.fetch_add(1, Ordering::SeqCst);
        })
        .detach();
    }
    while ex.try_tick() {}
    assert_eq!(count.load(Ordering::SeqCst), 100);
}

#[test]
fn a_task_may_borrow_what_lives_longer_than_the_executor() {
    let words = ["a", "b", "c"];
    let hits = Cell::new(0);
    let ex = Executor::new();
    let joined = block_on(ex.run(ex.spawn(async { words.concat() })));
    assert_eq!(joined, "abc");

    let local = LocalExecutor::new();
    block_on(local.run(local.spawn(async { hits.set(hits.get() + 1) })));
    assert_eq!(hits.get(), 1);
}

#[test]
fn a_task_is_not_polled_before_the_executor_runs() {
    let ex = Executor::new();
    let polled = Arc::new(AtomicUsize::new(0));
    let task = ex.spawn({
        let polled = polled.clone();
        async move { polled.fetch_add(1, Ordering::SeqCst) }
    });
    assert_eq!(polled.load(Ordering::SeqCst), 0);
    block_on(ex.run(task));
    assert_eq!(polled.load(Ordering::SeqCst), 1);
}

#[test]
fn a_future_is_dropped_when_it_is_done_and_not_later() {
    let ex = Executor::new();
    let drops = Drops::new();
    let guard = drops.guard();
    let task = ex.spawn(async move {
        let _guard = guard;
        yield_now().await;
    });
    assert!(ex.try_tick());
    assert_eq!(drops.get(), 0);
    assert!(ex.try_tick());
    assert_eq!(drops.get(), 1, "the handle is still there, the future is not");
    block_on(task);
}

#[test]
fn a_large_future_and_one_without_size_are_tasks_like_others() {
    let ex = Executor::new();
    let large = [7_u8; 100_000];
    let task = ex.spawn(async move {
        yield_now().await;
        large.iter().map(|byte| usize::from(*byte)).sum::<usize>()
    });
    let small = ex.spawn(ready(()));
    assert_eq!(block_on(ex.run(async { (task.await, small.await) })), (700_000, ()));
}

#[test]
fn spawn_many_keeps_the_order_of_its_handles() {
    let ex = Executor::new();
    let mut tasks = Vec::new();
    ex.spawn_many((0..10_000).map(ready), &mut tasks);
    ex.spawn_many(std::iter::empty::<std::future::Ready<i32>>(), &mut tasks);
    let numbers = block_on(ex.run(collect(tasks)));
    assert_eq!(numbers, (0..10_000).collect::<Vec<_>>());

    let local = LocalExecutor::new();
    let mut tasks = Vec::new();
    local.spawn_many((0..1_000).map(ready), &mut tasks);
    let numbers = block_on(local.run(collect(tasks)));
    assert_eq!(numbers, (0..1_000).collect::<Vec<_>>());
}

async fn collect<T>(tasks: Vec<Task<T>>) -> Vec<T> {
    let mut values = Vec::new();
    for task in tasks {
        values.push(task.await);
    }
    values
}

#[test]
fn spawn_many_takes_an_iterator_that_uses_the_executor() {
    let ex = Executor::new();
    let mut tasks = Vec::new();
    let futures = (0..100).map(|number| {
        ex.spawn(async {}).detach();
        ex.try_tick();
        ready(number)
    });
    ex.spawn_many(futures, &mut tasks);
    assert_eq!(block_on(ex.run(collect(tasks))).len(), 100);
}

#[test]
fn run_without_tasks_is_its_future() {
    let ex = Executor::new();
    assert_eq!(block_on(ex.run(ready(5))), 5);
    let gate = Gate::new();
    let opener = gate.clone();
    let thread = std::thread::spawn(move || opener.open());
    let _watchdog = watchdog("run_without_tasks_is_its_future");
    block_on(ex.run(gate));
    thread.join().unwrap();
}

#[test]
fn tasks_woken_in_turn_run_in_turn() {
    let ex = Executor::new();
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let tasks: Vec<_> = (0..50)
        .map(|number| {
            let order = order.clone();
            ex.spawn(async move {
                for _ in 0..3 {
                    order.lock().unwrap().push(number);
                    yield_now().await;
                }
            })
        })
        .collect();
    block_on(ex.run(collect(tasks)));
    let rounds: Vec<_> = (0..3).flat_map(|_| 0..50).collect();
    assert_eq!(*order.lock().unwrap(), rounds);
}

#[test]
fn an_executor_in_a_static_runs_tasks_of_many_threads() {
    static EX: Executor<'static> = Executor::new();
    let _watchdog = watchdog("an_executor_in_a_static_runs_tasks_of_many_threads");
    let threads: Vec<_> = (0..4)
        .map(|number| std::thread::spawn(move || block_on(EX.run(EX.spawn(ready(number))))))
        .collect();
    let sum: i32 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(sum, 6);
}
