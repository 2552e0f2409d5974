//! One request makes its task panic. The panic goes to whoever awaits the task, the executor goes on, and the other
//! tasks are served. In the recording the task has ended, and how; the one who awaited it is there, and goes on.

use std::panic::AssertUnwindSafe;

use async_executor::Task;
use async_io::Timer;
use futures_lite::{future, FutureExt};
use ticks_format::{Record, Verdict};

use crate::look::Look;
use crate::story::{executor, killed, run, seen, started, FAR};

async fn request() {
    future::yield_now().await;
    // Without the message, which would be taken for a failure of this test.
    std::panic::resume_unwind(Box::new("no such item"));
}

async fn awaits(request: Task<()>) {
    let panic = AssertUnwindSafe(request).catch_unwind().await;
    assert!(panic.is_err());
    Timer::after(FAR).await;
}

fn judge(look: &Look) {
    assert_eq!(look.named("request").filter(|task| !look.name(task).contains("awaits")).count(), 0);
    let records = look.records();
    let (mut panicked, mut failed) = (Vec::new(), Vec::new());
    for record in &records {
        match record {
            Record::TaskPanicked(it) => panicked.push((it.task, it.polls)),
            Record::TaskPollEnd(it) if it.result == Verdict::Failed => failed.push(it.task),
            Record::TaskDone(it) => assert!(!failed.contains(&it.task)),
            Record::TaskCancelled(it) => panic!("{it:?}"),
            _ => {}
        }
    }
    assert_eq!(panicked, [(failed[0], 2)]);
    assert_eq!(failed.len(), 1);
    assert!(look.waits("awaits"), "{}", look.shown());
}

#[test]
fn it_has_panicked_and_the_others_go_on() {
    let process = started("panics::it_has_panicked_and_the_others_go_on", || {
        let executor = executor();
        let request = executor.spawn(request());
        executor.spawn(awaits(request)).detach();
        run(executor);
    });
    let Some(mut process) = process else { return };
    let rests = |look: &Look| look.waits("awaits") && look.waiters.len() == 1;
    judge(&seen(&process, "the other goes on", rests));
    judge(&killed(&mut process));
}
