//! What programs do with tasks and wakers that nobody expects, and may: the recorder must neither fail nor accuse.

use std::cell::RefCell;
use std::future::Future;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{mpsc, Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use async_executor::{Executor, LocalExecutor};
use async_io::{block_on, trace, Timer};
use futures_lite::future;
use ticks_format::layout::counter;
use ticks_format::{Kind, Record, TaskState, Verdict, WokenBy};

use crate::look::Look;
use crate::story::{executor, run, seen, started, started_with, FAR};
use crate::util::process::Process;

/// All went well so far.
async fn survived() {
    Timer::after(FAR).await;
}

fn survives(look: &Look) -> bool {
    look.waits("survived")
}

/// All that the program does is done. It is looked at anew: of a table that is read while it changes, entries at its
/// beginning may be older than the one at its end that says so.
#[track_caller]
fn at_the_end(process: &Process) -> Look {
    seen(process, "it survives", survives);
    seen(process, "it survives", survives)
}

fn count(look: &Look, kind: Kind) -> usize {
    look.records().iter().filter(|record| record.kind() == kind).count()
}

/// Gives its waker away, and is done when it is told so.
async fn gives_away(to: mpsc::Sender<Waker>, is_over: Arc<AtomicBool>) {
    future::poll_fn(|cx| match is_over.load(Ordering::SeqCst) {
        true => Poll::Ready(()),
        false => {
            let _ = to.send(cx.waker().clone());
            Poll::Pending
        }
    })
    .await;
}

/// Threads clone, wake and drop one task's wakers, in any order, while it is polled.
#[test]
fn wakers_that_are_cloned_across_threads() {
    const THREADS: usize = 4;
    const ROUNDS: usize = 2_000;
    let test = "attacks::wakers_that_are_cloned_across_threads";
    let process = started_with(&["ASYNC_IO_TRACE_MIB=64"], test, || {
        let executor = executor();
        let (sender, wakers) = mpsc::channel();
        let wakers = Arc::new(Mutex::new(wakers));
        let is_over = Arc::new(AtomicBool::new(false));
        executor.spawn(gives_away(sender, is_over.clone())).detach();
        thread::spawn(|| run(executor));
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let wakers = wakers.clone();
                thread::spawn(move || {
                    for round in 0..ROUNDS {
                        let waker: Waker = wakers.lock().unwrap().recv().expect("one more");
                        let clones: Vec<Waker> = (0..round % 4).map(|_| waker.clone()).collect();
                        for (index, clone) in clones.into_iter().enumerate() {
                            match index % 3 {
                                0 => clone.wake_by_ref(),
                                1 => drop(clone),
                                _ => clone.wake(),
                            }
                        }
                        waker.wake();
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        let last: Waker = wakers.lock().unwrap().recv().expect("one more");
        is_over.store(true, Ordering::SeqCst);
        last.wake();
        executor.spawn(survived()).detach();
    });
    let Some(process) = process else { return };
    let look = seen(&process, "it survives", |look| {
        survives(look) && look.named("gives_away").count() == 0
    });
    assert_eq!(count(&look, Kind::TaskForgotten), 0);
}

/// A waker is kept for longer than its task, and used: the task is over, and its entry is nobody else's until the
/// waker is gone.
#[test]
fn wakers_that_are_kept_after_the_end() {
    const TASKS: usize = 600;
    let test = "attacks::wakers_that_are_kept_after_the_end";
    let process = started_with(&["ASYNC_IO_TRACE_MIB=4"], test, || {
        let executor = executor();
        for _ in 0..5 {
            let kept = Arc::new(Mutex::new(Vec::new()));
            let tasks: Vec<_> = (0..TASKS)
                .map(|_| {
                    let kept = kept.clone();
                    executor.spawn(async move {
                        future::poll_fn(|cx| {
                            kept.lock().unwrap().push(cx.waker().clone());
                            Poll::Ready(())
                        })
                        .await;
                    })
                })
                .collect();
            block_on(executor.run(async {
                for task in tasks {
                    task.await;
                }
            }));
            for waker in kept.lock().unwrap().drain(..) {
                waker.wake_by_ref();
                let clone = waker.clone();
                drop(waker);
                clone.wake();
            }
        }
        executor.spawn(survived()).detach();
        run(executor);
    });
    let Some(process) = process else { return };
    let look = at_the_end(&process);
    assert_eq!(look.recording.counter(counter::TASKS_LEFT_OUT).unwrap(), 0);
    assert_eq!(look.own_count(), 1, "{}", look.shown());
    assert_eq!(count(&look, Kind::TaskForgotten), 0);
}

/// A waker of the program's own, which blocks on a future when it is woken.
struct Blocks(AtomicUsize);

impl Wake for Blocks {
    fn wake(self: Arc<Blocks>) {
        block_on(async {
            Timer::after(Duration::from_millis(1)).await;
        });
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// The reactor wakes a task, and in the midst of that `block_on` is called, which has the reactor wake others. Who is
/// woken afterwards is told of by its own cause.
#[test]
fn block_on_within_a_wake() {
    let process = started("attacks::block_on_within_a_wake", || {
        let blocks = Arc::new(Blocks(AtomicUsize::new(0)));
        let waker = Waker::from(blocks.clone());
        let mut timer = Box::pin(trace::task("blocks", async {
            Timer::after(Duration::from_millis(1)).await;
        }));
        let mut cx = Context::from_waker(&waker);
        assert!(timer.as_mut().poll(&mut cx).is_pending());
        // Others that are due in the same round.
        let executor = executor();
        let naps: Vec<_> = (0..3)
            .map(|_| executor.spawn(async { Timer::after(Duration::from_millis(1)).await }))
            .collect();
        block_on(executor.run(async {
            for nap in naps {
                nap.await;
            }
            while blocks.0.load(Ordering::SeqCst) == 0 {
                Timer::after(Duration::from_millis(1)).await;
            }
        }));
        assert!(timer.as_mut().poll(&mut cx).is_ready());
        executor.spawn(survived()).detach();
        run(executor);
    });
    let Some(process) = process else { return };
    let look = at_the_end(&process);
    let records = look.records();
    let named = records.iter().find_map(|record| match record {
        Record::TaskSpawn(it) => {
            let name = look.recording.place(it.name).unwrap();
            (name.as_deref() == Some("blocks")).then_some(it.task)
        }
        _ => None,
    });
    let wakes = records.iter().filter_map(|record| match record {
        Record::TaskWake(wake) if Some(wake.task) == named => Some(wake.by),
        _ => None,
    });
    assert_eq!(wakes.collect::<Vec<_>>(), [WokenBy::Timer]);
}

/// Drops its own handle in its poll.
#[test]
fn a_task_that_is_dropped_in_its_own_poll() {
    let process = started("attacks::a_task_that_is_dropped_in_its_own_poll", || {
        let executor = LocalExecutor::new();
        let own = Rc::new(RefCell::new(None));
        let task = executor.spawn({
            let own = own.clone();
            async move {
                drop(own.take());
                future::yield_now().await;
                unreachable!("it was cancelled");
            }
        });
        *own.borrow_mut() = Some(task);
        while executor.try_tick() {}
        assert!(executor.is_empty());
        executor.spawn(survived()).detach();
        block_on(executor.run(future::pending::<()>()));
    });
    let Some(process) = process else { return };
    let look = at_the_end(&process);
    assert_eq!((count(&look, Kind::TaskCancelled), count(&look, Kind::TaskForgotten)), (1, 0));
    assert_eq!(look.own_count(), 1, "{}", look.shown());
}

/// Holds a waker of its own task, which goes with it.
struct HoldsItself(Option<Waker>);

impl Future for HoldsItself {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0 = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for HoldsItself {
    fn drop(&mut self) {
        let waker = self.0.take().expect("it was polled");
        waker.wake_by_ref();
        drop(waker);
    }
}

/// A task that is dropped is not one that was forgotten, though its last waker is dropped while it waits.
#[test]
fn a_waker_that_goes_with_the_future() {
    let process = started("attacks::a_waker_that_goes_with_the_future", || {
        let executor = executor();
        let task = executor.spawn(HoldsItself(None));
        while executor.try_tick() {}
        drop(task);
        while executor.try_tick() {}
        let mut named = Box::pin(trace::task("holds itself", HoldsItself(None)));
        assert!(block_on(future::poll_once(&mut named)).is_none());
        drop(named);
        executor.spawn(survived()).detach();
        run(executor);
    });
    let Some(process) = process else { return };
    let look = at_the_end(&process);
    assert_eq!((count(&look, Kind::TaskCancelled), count(&look, Kind::TaskForgotten)), (2, 0));
    assert_eq!(look.own_count(), 1, "{}", look.shown());
}

/// Panics when it is dropped, or polled.
struct Explodes {
    in_poll: bool,
}

impl Future for Explodes {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        std::mem::forget(cx.waker().clone());
        if self.in_poll {
            resume_unwind(Box::new("in poll"));
        }
        Poll::Pending
    }
}

impl Drop for Explodes {
    fn drop(&mut self) {
        if !self.in_poll {
            resume_unwind(Box::new("in drop"));
        }
    }
}

/// In a poll within a poll, and in a destructor: each task has its end, and the thread is in no task's poll after.
#[test]
fn panics_in_polls_and_destructors() {
    let process = started("attacks::panics_in_polls_and_destructors", || {
        let outer = trace::task("outer", async {
            let inner = trace::task("inner", Explodes { in_poll: true });
            assert!(catch_unwind(AssertUnwindSafe(|| block_on(inner))).is_err());
            resume_unwind(Box::new("outer"));
        });
        assert!(catch_unwind(AssertUnwindSafe(|| block_on::<()>(outer))).is_err());
        let mut waits = Box::pin(trace::task("waits", Explodes { in_poll: false }));
        assert!(block_on(future::poll_once(&mut waits)).is_none());
        assert!(catch_unwind(AssertUnwindSafe(|| drop(waits))).is_err());
        let executor = executor();
        executor.spawn(survived()).detach();
        run(executor);
    });
    let Some(process) = process else { return };
    let look = at_the_end(&process);
    // The two that were named, and the two futures of `block_on` around them.
    assert_eq!((count(&look, Kind::TaskPanicked), count(&look, Kind::TaskCancelled)), (4, 1));
    let failed = look
        .records()
        .into_iter()
        .filter(|record| matches!(record, Record::TaskPollEnd(it) if it.result == Verdict::Failed));
    assert_eq!(failed.count(), 4);
    // It was spawned in no task's poll.
    assert_eq!(look.task("survived").parent, 0);
}

/// Spawns another task when it is dropped.
struct Spawns(&'static Executor<'static>);

impl Drop for Spawns {
    fn drop(&mut self) {
        self.0.spawn(survived()).detach();
    }
}

#[test]
fn a_task_that_is_spawned_by_a_destructor() {
    let process = started("attacks::a_task_that_is_spawned_by_a_destructor", || {
        let executor = executor();
        let guard = Spawns(executor);
        let task = executor.spawn(async move {
            let _guard = guard;
            future::pending::<()>().await;
        });
        while executor.try_tick() {}
        drop(task);
        run(executor);
    });
    let Some(process) = process else { return };
    let look = at_the_end(&process);
    assert_eq!(count(&look, Kind::TaskCancelled), 1);
    assert_eq!(look.own_count(), 1, "{}", look.shown());
}

/// Is polled after its end, as futures may be that say so: it is not a task that waits.
#[test]
fn a_task_that_is_polled_after_its_end() {
    let process = started("attacks::a_task_that_is_polled_after_its_end", || {
        let mut polls = 0;
        let fused = future::poll_fn(|_| {
            polls += 1;
            if polls == 1 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        let mut fused = Box::pin(trace::task("fused", fused));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(fused.as_mut().poll(&mut cx).is_ready());
        assert!(fused.as_mut().poll(&mut cx).is_pending());
        let executor = executor();
        executor.spawn(survived()).detach();
        run(executor);
    });
    let Some(process) = process else { return };
    let look = at_the_end(&process);
    let is_there = |look: &Look| look.tasks.iter().any(|task| look.name(task) == "fused");
    assert!(!is_there(&look), "{}", look.shown());
    assert_eq!(count(&look, Kind::TaskForgotten), 0);
}

/// Polled by two who have wakers of their own: the later one's is used.
#[test]
fn a_task_that_changes_hands() {
    struct Counts(AtomicUsize);
    impl Wake for Counts {
        fn wake(self: Arc<Counts>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let process = started("attacks::a_task_that_changes_hands", || {
        let kept = Arc::new(Mutex::new(None));
        let mut task = Box::pin(trace::task("changes hands", {
            let kept = kept.clone();
            future::poll_fn(move |cx: &mut Context<'_>| {
                *kept.lock().unwrap() = Some(cx.waker().clone());
                Poll::<()>::Pending
            })
        }));
        let hands: Vec<_> = (0..2).map(|_| Arc::new(Counts(AtomicUsize::new(0)))).collect();
        for round in 0..10 {
            let waker = Waker::from(hands[round % 2].clone());
            assert!(task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            kept.lock().unwrap().as_ref().expect("it was kept").wake_by_ref();
        }
        let woken: Vec<_> = hands.iter().map(|hand| hand.0.load(Ordering::SeqCst)).collect();
        assert_eq!(woken, [5, 5]);
        let executor = executor();
        executor.spawn(survived()).detach();
        run(executor);
    });
    let Some(process) = process else { return };
    let look = at_the_end(&process);
    let task = look.tasks.iter().find(|task| look.name(task) == "changes hands").expect("there");
    assert_eq!(
        (task.state, task.polls, task.wakes, task.wakers),
        (TaskState::Scheduled, 10, 10, 1)
    );
}
