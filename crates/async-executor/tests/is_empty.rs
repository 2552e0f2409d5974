//! `is_empty` tells whether there are tasks that have not ended, at whatever point of their lives.

mod util;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread;

use async_executor::{Executor, LocalExecutor};
use futures_lite::future::{block_on, yield_now};
use util::{watchdog, Gate};

#[test]
fn a_task_counts_from_its_spawn_to_its_end() {
    let ex = Executor::new();
    assert!(ex.is_empty());
    let gate = Gate::new();
    let task = ex.spawn(gate.clone());
    assert!(!ex.is_empty(), "spawned");
    assert!(ex.try_tick());
    assert!(!ex.is_empty(), "waiting");
    gate.open();
    assert!(!ex.is_empty(), "woken");
    assert!(ex.try_tick());
    assert!(ex.is_empty(), "done, though nobody has asked for the result");
    block_on(task);
    assert!(ex.is_empty());
}

#[test]
fn a_task_counts_itself() {
    let ex = Arc::new(Executor::new());
    let inner = ex.clone();
    let was_empty = block_on(ex.run(ex.spawn(async move { inner.is_empty() })));
    assert!(!was_empty);
    assert!(ex.is_empty());
}

#[test]
fn whoever_has_awaited_the_last_task_finds_it_empty() {
    let _watchdog = watchdog("whoever_has_awaited_the_last_task_finds_it_empty");
    let ex = Executor::new();
    let (stop, stopped) = async_channel::bounded::<()>(1);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| block_on(ex.run(stopped.recv())));
        }
        for _ in 0..2_000 {
            block_on(ex.spawn(yield_now()));
            assert!(ex.is_empty());
        }
        drop(stop);
    });
}

/// Each task spawns its successor and ends: there is always one, wherever it is.
#[test]
fn a_chain_of_tasks_is_never_empty() {
    let _watchdog = watchdog("a_chain_of_tasks_is_never_empty");

    fn link(ex: &Arc<Executor<'static>>, links: usize, over: &Arc<AtomicBool>) {
        let (inner, over) = (ex.clone(), over.clone());
        ex.spawn(async move {
            if links % 3 == 0 {
                yield_now().await;
            }
            match links {
                0 => over.store(true, Ordering::SeqCst),
                _ => link(&inner, links - 1, &over),
            }
        })
        .detach();
    }

    let ex = Arc::new(Executor::new());
    let over = Arc::new(AtomicBool::new(false));
    let (stop, stopped) = async_channel::bounded::<()>(1);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| block_on(ex.run(stopped.recv())));
        }
        link(&ex, 50_000, &over);
        let mut looks = 0;
        while !over.load(Ordering::SeqCst) {
            let was_empty = ex.is_empty();
            assert!(!was_empty || over.load(Ordering::SeqCst), "empty at look {looks}");
            looks += 1;
        }
        util::eventually(|| ex.is_empty());
        drop(stop);
    });
}

#[test]
fn a_local_executor_counts_too() {
    let ex = LocalExecutor::new();
    assert!(ex.is_empty());
    let gate = Gate::new();
    let (cancelled, waits) = (ex.spawn(Gate::new()), ex.spawn(gate.clone()));
    assert!(ex.try_tick() && ex.try_tick());
    assert!(!ex.is_empty());
    drop(cancelled);
    assert!(ex.try_tick());
    assert!(!ex.is_empty());
    thread::spawn(move || gate.open()).join().unwrap();
    assert!(ex.try_tick());
    assert!(ex.is_empty());
    block_on(waits);
}

#[test]
fn spawn_many_counts_each() {
    let ex = Executor::new();
    let count = Arc::new(AtomicUsize::new(0));
    let mut tasks = Vec::new();
    let futures = (0..100).map(|_| {
        let count = count.clone();
        async move {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    ex.spawn_many(futures, &mut tasks);
    let mut ticks = 0;
    while !ex.is_empty() {
        assert!(ex.try_tick());
        ticks += 1;
    }
    assert_eq!((ticks, count.load(Ordering::SeqCst)), (100, 100));
}
