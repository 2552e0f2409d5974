//! Whoever turns stacks off, because a program's frames cannot be followed or its wakers are cloned a million times a
//! second, still has the tasks: their names, what they do, who holds a waker. What they wait for is then said to be not
//! known, and nothing is made up.

use ticks_format::{Record, TaskState};

use crate::look::Look;
use crate::story::{executor, killed, run, seen, started_with};

async fn receives() {
    let (_sender, receiver) = async_channel::bounded::<()>(1);
    let _ = receiver.recv().await;
}

async fn forgets() {
    std::future::poll_fn(|cx| {
        drop(cx.waker().clone());
        std::task::Poll::<()>::Pending
    })
    .await;
}

fn judge(look: &Look) {
    let receives = look.task("receives");
    assert_eq!(
        (receives.asked_count, receives.asked.len(), receives.stack),
        (1, 0, 0),
        "{receives:?}"
    );
    assert_eq!(look.task("forgets").state, TaskState::Forgotten);
    let stacks = look.records().into_iter().map(|record| match record {
        Record::TaskSpawn(it) => it.stack,
        Record::TaskWait(it) => it.stack,
        Record::TaskPollEnd(it) => it.stack,
        Record::TaskForgotten(it) => it.stack,
        _ => 0,
    });
    assert!(stacks.into_iter().all(|stack| stack == 0));
    look.tells("::receives", "waiting", &[]);
    look.tells("::forgets", "forgotten", &[]);
}

#[test]
fn tasks_are_there_all_the_same() {
    let settings = ["ASYNC_IO_TRACE_STACKS=0"];
    let process = started_with(&settings, "without_stacks::tasks_are_there_all_the_same", || {
        let executor = executor();
        executor.spawn(receives()).detach();
        executor.spawn(forgets()).detach();
        run(executor);
    });
    let Some(mut process) = process else { return };
    let is_so = |look: &Look| look.waits("receives") && look.is("forgets", TaskState::Forgotten);
    judge(&seen(&process, "one waits, one is forgotten", is_so));
    judge(&killed(&mut process));
}
