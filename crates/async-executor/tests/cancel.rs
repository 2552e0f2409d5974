//! Tasks are cancelled: by their handle, in each state they may be in.

mod util;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::task::Poll;
use std::thread;

use async_executor::{Executor, LocalExecutor};
use futures_lite::future::{block_on, poll_once, yield_now};
use util::{watchdog, Drops, Gate};

#[test]
fn a_dropped_handle_cancels_a_task_that_was_never_polled() {
    let ex = Executor::new();
    let drops = Drops::new();
    let guard = drops.guard();
    let task = ex.spawn(async move {
        let _guard = guard;
        unreachable!("it was cancelled");
    });
    drop(task);
    while ex.try_tick() {}
    assert_eq!(drops.get(), 1);
    assert!(ex.is_empty());
}

#[test]
fn a_dropped_handle_cancels_a_task_that_waits() {
    let ex = Executor::new();
    let (drops, gate) = (Drops::new(), Gate::new());
    let (guard, waiting) = (drops.guard(), gate.clone());
    let task = ex.spawn(async move {
        let _guard = guard;
        waiting.await;
        unreachable!("it was cancelled");
    });
    assert!(ex.try_tick());
    drop(task);
    while ex.try_tick() {}
    assert_eq!(drops.get(), 1);
    assert!(ex.is_empty());
    // What is left of it does nothing.
    gate.open();
    assert!(!ex.try_tick());
}

#[test]
fn cancel_waits_until_the_future_is_dropped() {
    let ex = Executor::new();
    let drops = Drops::new();
    let guard = drops.guard();
    let task = ex.spawn(async move {
        let _guard = guard;
        Gate::new().await;
    });
    assert!(ex.try_tick());
    assert_eq!(block_on(ex.run(task.cancel())), None);
    assert_eq!(drops.get(), 1);
}

#[test]
fn cancel_gives_the_result_of_a_task_that_was_done() {
    let ex = Executor::new();
    let task = ex.spawn(async { 5 });
    assert!(ex.try_tick());
    assert_eq!(block_on(task.cancel()), Some(5));
}

#[test]
fn a_task_that_cancels_another_one_goes_on() {
    let ex = Executor::new();
    let drops = Drops::new();
    let guard = drops.guard();
    let victim = ex.spawn(async move {
        let _guard = guard;
        loop {
            yield_now().await;
        }
    });
    let killer = ex.spawn(async move { victim.cancel().await });
    let cancelled: Option<()> = block_on(ex.run(killer));
    assert_eq!(cancelled, None);
    assert_eq!(drops.get(), 1);
    assert!(ex.is_empty());
}

#[test]
fn a_fallible_task_tells_that_it_was_cancelled() {
    let ex = Executor::new();
    let task = ex.spawn(Gate::new()).fallible();
    let done = ex.spawn(async { 1 }).fallible();
    block_on(ex.run(async {
        assert_eq!(done.await, Some(1));
        assert_eq!(task.cancel().await, None);
    }));
}

#[test]
fn cancelling_from_other_threads_loses_no_future() {
    let _watchdog = watchdog("cancelling_from_other_threads_loses_no_future");
    const TASKS: usize = 2_000;
    let (drops, done) = (Drops::new(), AtomicUsize::new(0));
    let ex = Executor::new();
    let (stop, stopped) = async_channel::bounded::<()>(1);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| block_on(ex.run(stopped.recv())));
        }
        let (handles, inbox) = std::sync::mpsc::channel();
        scope.spawn(move || {
            // In every state: queued, running, waiting for its turn, done.
            for (number, task) in inbox.into_iter().enumerate() {
                let task: async_executor::Task<()> = task;
                match number % 3 {
                    0 => drop(task),
                    1 => task.detach(),
                    _ => {
                        let _ = block_on(poll_once(task.cancel()));
                    }
                }
            }
        });
        for number in 0..TASKS {
            let (guard, done) = (drops.guard(), &done);
            let task = ex.spawn(async move {
                let _guard = guard;
                for _ in 0..number % 5 {
                    yield_now().await;
                }
                done.fetch_add(1, Ordering::SeqCst);
            });
            handles.send(task).unwrap();
        }
        drop(handles);
        util::eventually(|| drops.get() == TASKS && ex.is_empty());
        drop(stop);
    });
    assert!(done.load(Ordering::SeqCst) >= TASKS / 3, "those that were detached are done");
}

#[test]
fn a_handle_is_dropped_by_the_task_itself() {
    let ex = Arc::new(Executor::new());
    let (give, given) = async_channel::bounded(1);
    let drops = Drops::new();
    let guard = drops.guard();
    let task = ex.spawn(async move {
        let _guard = guard;
        let own: async_executor::Task<()> = given.recv().await.unwrap();
        drop(own);
        yield_now().await;
        unreachable!("it has cancelled itself");
    });
    give.try_send(task).unwrap();
    while ex.try_tick() {}
    assert_eq!(drops.get(), 1);
    assert!(ex.is_empty());
}

#[test]
fn a_local_task_is_cancelled_on_its_own_thread() {
    let ex = LocalExecutor::new();
    let drops = Drops::new();
    let home = thread::current().id();
    let guard = drops.guard();
    let at_home = util::OnDrop(move || assert_eq!(thread::current().id(), home));
    // Not Send because of the raw pointer.
    let pinned_here = std::marker::PhantomData::<*const ()>;
    let task = ex.spawn(async move {
        let _held = (guard, at_home, pinned_here);
        Gate::new().await;
    });
    assert!(ex.try_tick());
    // The handle may leave the thread: what it would return may.
    thread::spawn(move || drop(task)).join().unwrap();
    assert_eq!(drops.get(), 0, "nothing but its own thread drops the future");
    assert!(ex.try_tick());
    assert_eq!(drops.get(), 1);
}

#[test]
fn a_cancelled_task_is_not_polled_again() {
    let ex = Executor::new();
    let gate = Gate::new();
    let task = ex.spawn(gate.clone());
    assert!(ex.try_tick());
    gate.nudge();
    let mut cancelling = Box::pin(task.cancel());
    assert_eq!(util::poll_once(&mut cancelling), Poll::Pending);
    while ex.try_tick() {}
    assert_eq!(gate.polls(), 1);
    assert_eq!(block_on(cancelling), None);
}
