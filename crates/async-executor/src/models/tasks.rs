//! The whole: tasks that are spawned and woken, `run` futures, and an executor that is dropped.

#![allow(unsafe_code)]

use std::future::{pending, poll_fn, Future};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::Mutex;
use loom::thread;

use super::{check, leak, reaches, Flag};
use crate::run::{Core, Run};
use crate::spawn;
use crate::state::State;

fn spawn(state: &'static State, future: impl Future<Output = ()> + Send + 'static) {
    // SAFETY: the future is `Send` and borrows nothing that ends.
    unsafe { spawn::tracked(state, future) }.detach();
}

/// The waker of whoever waits for a number.
type Waiting = Mutex<Option<Waker>>;

/// Adds one, and wakes whoever waits.
fn add(number: &AtomicUsize, waiting: &Waiting) {
    number.fetch_add(1, Ordering::SeqCst);
    let waker = waiting.lock().unwrap().take();
    waker.into_iter().for_each(Waker::wake);
}

/// Waits until the number has come to `enough`.
async fn reached(number: &'static AtomicUsize, waiting: &'static Waiting, enough: usize) {
    let mut reaches = pin!(reaches(number, enough));
    poll_fn(|cx: &mut Context<'_>| {
        *waiting.lock().unwrap() = Some(cx.waker().clone());
        reaches.as_mut().poll(cx)
    })
    .await
}

/// A task is spawned on another thread while a `run` looks for one and falls asleep. Were it missed, nobody
/// would end.
#[test]
fn model_a_spawned_task_is_run() {
    check(|| {
        let state = leak(State::new());
        let (done, waiting) = (leak(AtomicUsize::new(0)), leak(Waiting::new(None)));
        let spawner = thread::spawn(|| spawn(state, async { add(done, waiting) }));
        loom::future::block_on(Run::new(state, reached(done, waiting, 1)));
        spawner.join().unwrap();
        assert!(state.is_empty());
    });
}

/// A task that waits is woken from another thread.
#[test]
fn model_a_woken_task_is_run() {
    check(|| {
        let state = leak(State::new());
        let (done, waiting) = (leak(AtomicUsize::new(0)), leak(Waiting::new(None)));
        let (asked, asks) = (leak(AtomicUsize::new(0)), leak(Waiting::new(None)));
        spawn(state, async {
            reached(asked, asks, 1).await;
            add(done, waiting);
        });
        let waker = thread::spawn(|| add(asked, asks));
        loom::future::block_on(Run::new(state, reached(done, waiting, 1)));
        waker.join().unwrap();
        assert!(state.is_empty());
    });
}

/// A task spawns another one on its own thread and then blocks that thread until it is done. The other
/// thread's `run`, which may be about to fall asleep, must do it.
#[test]
fn model_a_task_that_blocks_is_helped() {
    check(|| {
        let state = leak(State::new());
        let (done, waiting) = (leak(AtomicUsize::new(0)), leak(Waiting::new(None)));
        let helper = thread::spawn(|| {
            loom::future::block_on(Run::new(state, reached(done, waiting, 1)));
        });
        let mut blocking = pin!(Run::new(state, async {
            spawn(state, async { add(done, waiting) });
            // Stands for a lock or a channel of std.
            helper.join().unwrap();
        }));
        let (_, waker) = Flag::new();
        assert!(blocking.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
        assert!(state.is_empty());
    });
}

/// A task wakes itself, and the next one in the queue blocks the thread until the first is done. A helper
/// that saw the next one alone in the queue may have left it to the runner, and fallen asleep: the runner,
/// when it takes that one, must wake the helper for the other.
#[test]
fn model_a_runner_that_takes_its_task_and_blocks_is_helped() {
    check(|| {
        let state = leak(State::new());
        let (done, waiting) = (leak(AtomicUsize::new(0)), leak(Waiting::new(None)));
        let helper = thread::spawn(|| {
            loom::future::block_on(Run::new(state, reached(done, waiting, 1)));
        });
        let here = thread::current().id();
        let helper = Arc::new(std::sync::Mutex::new(Some(helper)));
        let join = move || helper.lock().unwrap().take().map(|helper| helper.join().unwrap());
        let mut blocking = pin!(Run::new(state, async {
            spawn(state, async {
                futures_lite::future::yield_now().await;
                add(done, waiting);
            });
            let join = join.clone();
            spawn(state, async move {
                // The helper may run this too, and does not wait for itself.
                if thread::current().id() == here {
                    join();
                }
            });
            pending::<()>().await;
        }));
        let (_, waker) = Flag::new();
        assert!(blocking.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        join();
        assert_eq!(done.load(Ordering::SeqCst), 1);
    });
}

/// A `run` that has a task in its queue is dropped while another one falls asleep.
#[test]
fn model_a_run_that_goes_leaves_its_task() {
    check(|| {
        let state = leak(State::new());
        let (done, waiting) = (leak(AtomicUsize::new(0)), leak(Waiting::new(None)));
        let goes = thread::spawn(|| {
            let mut run = Box::pin(Run::new(state, async {
                spawn(state, async { add(done, waiting) });
                panic!("before the task has its turn");
            }));
            let (_, waker) = Flag::new();
            let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let _: Poll<()> = run.as_mut().poll(&mut Context::from_waker(&waker));
            }));
            assert!(polled.is_err());
        });
        loom::future::block_on(Run::new(state, reached(done, waiting, 1)));
        goes.join().unwrap();
        assert!(state.is_empty());
    });
}

/// Of two that sleep one is told of a task, and dropped before it looks: the other one does it.
#[test]
fn model_a_run_that_was_told_and_goes_tells_another() {
    check(|| {
        let state = leak(State::new());
        let (done, waiting) = (leak(AtomicUsize::new(0)), leak(Waiting::new(None)));
        let stays = thread::spawn(|| {
            loom::future::block_on(Run::new(state, reached(done, waiting, 1)));
        });
        let mut goes = Box::pin(Run::new(state, pending::<()>()));
        let (_, waker) = Flag::new();
        assert!(goes.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        spawn(state, async { add(done, waiting) });
        drop(goes);
        stays.join().unwrap();
        assert!(state.is_empty());
    });
}

/// The executor is dropped while a thread is about to wake a task of it.
#[test]
fn model_all_tasks_are_gone_when_the_executor_is() {
    struct Leaves(Arc<std::sync::atomic::AtomicUsize>);

    impl Drop for Leaves {
        fn drop(&mut self) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    }

    check(|| {
        let state = leak(State::new());
        let kept = leak(Waiting::new(None));
        let gone = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let leaves = Leaves(gone.clone());
        spawn(state, async move {
            let _leaves = leaves;
            poll_fn(|cx: &mut Context<'_>| {
                *kept.lock().unwrap() = Some(cx.waker().clone());
                Poll::<()>::Pending
            })
            .await;
            pending::<()>().await;
        });
        assert!(state.try_tick());
        // Loom does not see async-task's atomics, by which the wake and the drop meet: this stands for them.
        let met = leak(AtomicUsize::new(0));
        let waker = thread::spawn(|| {
            let waker = kept.lock().unwrap().take();
            met.fetch_add(1, Ordering::SeqCst);
            waker.into_iter().for_each(Waker::wake);
        });
        met.fetch_add(1, Ordering::SeqCst);
        state.drop_tasks();
        assert_eq!(gone.load(std::sync::atomic::Ordering::SeqCst), 1);
        waker.join().unwrap();
        assert!(!state.try_tick(), "nothing came after");
    });
}
