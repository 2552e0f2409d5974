//! A page is made of twenty answers, and one of them never comes. The task was polled for each of the others, the last
//! time long after the one that is stuck had asked. So the stack of the last ask says where the others are; the
//! branch that is stuck must be among those that are kept.

use std::pin::Pin;
use std::sync::Arc;

use async_channel::{unbounded, Receiver};
use async_lock::Mutex;
use futures_lite::{future, Future};
use futures_util::future::join_all;
use ticks_format::Task;

use crate::look::{calls_have, have_lines, Look};
use crate::story::{executor, killed, run, seen, started};

const OTHERS: u64 = 19;

/// Several steps, each a wait.
async fn answer(steps: Receiver<u32>) {
    for _ in 0..3 {
        steps.recv().await.expect("a step");
    }
}

async fn stuck(lock: Arc<Mutex<u32>>) {
    *lock.lock().await += 1;
}
const STUCK: u32 = line!() - 2;

async fn page(steps: Receiver<u32>, lock: Arc<Mutex<u32>>) {
    let mut parts: Vec<Pin<Box<dyn Future<Output = ()> + Send>>> = vec![Box::pin(stuck(lock))];
    parts.extend((0..OTHERS).map(|_| Box::pin(answer(steps.clone())) as _));
    join_all(parts).await;
}

fn work() {
    let (sender, steps) = unbounded();
    let lock = Arc::new(Mutex::new(0));
    let held = lock.try_lock_arc().expect("it is free");
    let executor = executor();
    executor.spawn(page(steps, lock)).detach();
    executor
        .spawn(async move {
            for step in 0..3 * OTHERS as u32 {
                sender.send(step).await.expect("somebody receives");
                while !sender.is_empty() {
                    future::yield_now().await;
                }
            }
            drop(sender);
            future::pending::<()>().await;
            drop(held);
        })
        .detach();
    run(executor);
}

fn page_of(look: &Look) -> Option<&Task> {
    look.named("join::page").next()
}

fn judge(look: &Look) {
    let page = page_of(look).expect("it is there");
    assert!(page.asked.len() >= 2, "{page:?}");
    let stacks = look.asked(page);
    // Others have asked since, so that it is not sure.
    look.tells("::page", "waiting", &[("perhaps Mutex::lock (async-lock)", "stuck", STUCK)]);
    if have_lines() {
        let is_stuck =
            |call: &crate::look::Call| call.line == STUCK && call.file.ends_with("join.rs");
        assert_eq!(
            stacks.iter().filter(|calls| calls.iter().any(is_stuck)).count(),
            1,
            "{stacks:#?}"
        );
    } else {
        assert!(stacks.iter().any(|calls| calls_have(calls, "stuck")), "{stacks:#?}");
    }
    // It asked in the first poll, and there were many since.
    assert!(page.asked.iter().any(|asked| asked.poll == 1), "{page:?}");
    assert!(page.polls > 3 * OTHERS, "{page:?}");
}

#[test]
fn the_stuck_branch_is_shown() {
    let process = started("join::the_stuck_branch_is_shown", work);
    let Some(mut process) = process else { return };
    let hangs = |look: &Look| {
        // The lock has a waker, and nobody else.
        page_of(look).is_some_and(|page| page.polls > 3 * OTHERS && page.wakers == 1)
            && look.waits("join::page")
    };
    judge(&seen(&process, "the others are done", hangs));
    judge(&killed(&mut process));
}
