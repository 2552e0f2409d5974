//! The tasks of a `LocalExecutor`, and of executors that live for ever. The latter do not keep a task that nobody can wake
//! and nobody awaits: it is dropped, without a word, and its work is not done. That is a lost task, and it must not
//! vanish from the recording as one that was done.

use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use async_executor::{LocalExecutor, StaticExecutor, StaticLocalExecutor};
use async_io::{block_on, Timer};
use futures_lite::future;
use ticks_format::{Record, TaskState};

use crate::look::{goes_through, Look};
use crate::story::{killed, seen, started, FAR};

async fn rests() {
    Timer::after(FAR).await;
}

#[test]
fn tasks_of_a_local_executor() {
    let process = started("executors::tasks_of_a_local_executor", || {
        let executor = LocalExecutor::new();
        executor.spawn(async { rests().await }).detach();
        block_on(executor.run(future::pending::<()>()));
    });
    let Some(mut process) = process else { return };
    let rests = |look: &Look| look.waits("tasks_of_a_local_executor::{{closure}}::{{closure}}");
    seen(&process, "it waits", |look| rests(look) && look.waiters.len() == 1);
    assert!(rests(&killed(&mut process)));
}

/// Where wakers are kept, until somebody throws them away.
type Kept = Arc<Mutex<Option<Waker>>>;

async fn orders_more(kept: Kept) {
    let asks = future::poll_fn(|cx| {
        *kept.lock().unwrap() = Some(cx.waker().clone());
        Poll::<()>::Pending
    });
    asks.await;
}
const ASKS: u32 = line!() - 2;

/// Drops the waker, while its task is not polled, and goes on.
async fn throws_away(kept: Kept) {
    while kept.lock().unwrap().take().is_none() {
        future::yield_now().await;
    }
    rests().await;
}

fn judge(look: &Look) {
    let lost = look.task("orders_more");
    assert_eq!((lost.state, lost.polls, lost.wakers), (TaskState::Lost, 1, 0), "{lost:?}");
    goes_through(&look.asked_last(lost), "orders_more", ASKS);
    look.tells("::orders_more", "lost", &[]);
    let of_it: Vec<&str> = look
        .records()
        .iter()
        .filter_map(|record| match record {
            Record::TaskForgotten(it) if it.task == lost.id => Some("forgotten"),
            Record::TaskCancelled(it) if it.task == lost.id => Some("cancelled"),
            Record::TaskDone(it) if it.task == lost.id => Some("done"),
            _ => None,
        })
        .collect();
    assert_eq!(of_it, ["forgotten", "cancelled"]);
    assert!(look.waits("throws_away"), "{}", look.shown());
}

fn loses(test: &str, work: impl FnOnce()) {
    let Some(mut process) = started(test, work) else { return };
    let is_lost = |look: &Look| {
        look.is("orders_more", TaskState::Lost)
            && look.waits("throws_away")
            && look.records().iter().any(|record| matches!(record, Record::TaskCancelled(_)))
    };
    judge(&seen(&process, "it is lost", is_lost));
    judge(&killed(&mut process));
}

#[test]
fn a_task_that_a_static_executor_loses() {
    static EXECUTOR: StaticExecutor = StaticExecutor::new();
    loses("executors::a_task_that_a_static_executor_loses", || {
        let kept = Kept::default();
        EXECUTOR.spawn(orders_more(kept.clone())).detach();
        EXECUTOR.spawn(throws_away(kept)).detach();
        block_on(EXECUTOR.run(future::pending::<()>()));
    });
}

#[test]
fn a_task_that_a_static_local_executor_loses() {
    loses("executors::a_task_that_a_static_local_executor_loses", || {
        let executor: &StaticLocalExecutor = Box::leak(Box::new(StaticLocalExecutor::new()));
        let kept = Kept::default();
        executor.spawn(orders_more(kept.clone())).detach();
        executor.spawn(throws_away(kept)).detach();
        block_on(executor.run(future::pending::<()>()));
    });
}
