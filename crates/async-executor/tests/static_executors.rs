//! Executors that are never dropped: in a `static`, in a thread, and leaked.

mod util;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;

use async_executor::{Executor, LocalExecutor, StaticExecutor, StaticLocalExecutor};
use futures_lite::future::{block_on, pending, yield_now};
use util::{poll_with, watchdog, Gate, WakeCount};

/// Where a leak checker sees what is leaked on purpose.
static KEPT: Mutex<Vec<usize>> = Mutex::new(Vec::new());

fn keep<T>(leaked: &'static T) -> &'static T {
    KEPT.lock().unwrap().push(leaked as *const T as usize);
    leaked
}

#[test]
fn one_in_a_static_is_run_by_many_threads() {
    static EX: StaticExecutor = StaticExecutor::new();
    let _watchdog = watchdog("one_in_a_static_is_run_by_many_threads");
    let sum: usize = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|number| {
                scope.spawn(move || {
                    let task = EX.spawn(async move {
                        for _ in 0..100 {
                            yield_now().await;
                        }
                        number
                    });
                    block_on(EX.run(task))
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(sum, 6);
    assert!(!EX.try_tick());
}

#[test]
fn a_leaked_executor_goes_on_with_its_tasks() {
    let ex = Executor::new();
    let gate = Gate::new();
    let before = ex.spawn({
        let gate = gate.clone();
        async move {
            gate.await;
            1
        }
    });
    assert!(ex.try_tick());
    let ex = keep(ex.leak());
    let after = ex.spawn(async { 2 });
    gate.open();
    assert_eq!(block_on(ex.run(async { before.await + after.await })), 3);

    let unused = keep(Executor::new().leak());
    assert!(!unused.try_tick());
    assert_eq!(block_on(unused.run(unused.spawn(async { 4 }))), 4);
}

#[test]
fn a_leaked_local_executor_goes_on_with_its_tasks() {
    let ex = LocalExecutor::new();
    let not_send = std::rc::Rc::new(1);
    let before = ex.spawn(async move {
        yield_now().await;
        *not_send
    });
    assert!(ex.try_tick());
    let ex = keep(ex.leak());
    let not_send = std::rc::Rc::new(2);
    let after = ex.spawn(async move { *not_send });
    assert_eq!(block_on(ex.run(async { before.await + after.await })), 3);
    assert!(!ex.try_tick());
}

#[test]
fn a_task_may_borrow_what_it_does_not_outlive() {
    static EX: StaticExecutor = StaticExecutor::new();
    let count = AtomicUsize::new(0);
    // SAFETY: awaited before `count` is gone.
    let task = unsafe {
        EX.spawn_scoped(async {
            yield_now().await;
            count.fetch_add(1, Ordering::SeqCst)
        })
    };
    assert_eq!(block_on(EX.run(task)), 0);
    assert_eq!(count.load(Ordering::SeqCst), 1);

    let ex = keep(LocalExecutor::new().leak());
    let cell = std::cell::Cell::new(0);
    // SAFETY: awaited before `cell` is gone.
    let task = unsafe { ex.spawn_scoped(async { cell.set(5) }) };
    block_on(ex.run(task));
    assert_eq!(cell.get(), 5);
}

#[test]
fn tick_waits() {
    static EX: StaticExecutor = StaticExecutor::new();
    let (wakes, waker) = WakeCount::new();
    let mut tick = Box::pin(EX.tick());
    assert!(poll_with(&mut tick, &waker).is_pending());
    let task = EX.spawn(async { 1 });
    assert_eq!(wakes.get(), 1);
    assert!(poll_with(&mut tick, &waker).is_ready());
    assert_eq!(block_on(task), 1);
}

#[test]
fn a_cancelled_task_is_dropped() {
    static EX: StaticExecutor = StaticExecutor::new();
    let drops = util::Drops::new();
    let guard = drops.guard();
    let task = EX.spawn(async move {
        let _guard = guard;
        pending::<()>().await;
    });
    assert!(EX.try_tick());
    assert_eq!(block_on(EX.run(task.cancel())), None);
    assert_eq!(drops.get(), 1);
}

#[test]
fn a_panic_goes_to_whoever_awaits() {
    static EX: StaticExecutor = StaticExecutor::new();
    let task = EX.spawn(async { panic!("a task's own") });
    let awaited: Result<(), _> =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| block_on(EX.run(task))));
    assert!(awaited.is_err());
    assert_eq!(block_on(EX.run(EX.spawn(async { 1 }))), 1);
}

/// It may be moved to another thread until somebody borrows it for ever.
#[test]
fn a_local_one_belongs_to_the_thread_that_spawns() {
    let ex = StaticLocalExecutor::new();
    assert!(!ex.try_tick());
    thread::spawn(move || {
        assert!(!ex.try_tick());
        let ex: &'static StaticLocalExecutor = keep(Box::leak(Box::new(ex)));
        let not_send = std::rc::Rc::new(6);
        let task = ex.spawn(async move {
            yield_now().await;
            *not_send
        });
        assert_eq!(block_on(ex.run(task)), 6);
    })
    .join()
    .unwrap();
}

#[test]
fn one_in_a_static_that_is_made_later() {
    static EX: OnceLock<&'static StaticExecutor> = OnceLock::new();
    let ex = *EX.get_or_init(|| Executor::new().leak());
    assert_eq!(block_on(ex.run(ex.spawn(async { 8 }))), 8);
}
