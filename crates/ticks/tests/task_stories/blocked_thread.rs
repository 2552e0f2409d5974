//! A task calls `std::thread::sleep`, or any function that takes its time, and its executor's thread polls
//! nobody else meanwhile. The others look as if they waited for something. It is to be seen that one task runs, on which
//! thread and since when, and that the others were woken, and wait for that thread.

use std::path::Path;
use std::thread;

use futures_lite::future;
use ticks_format::TaskState;

use crate::look::Look;
use crate::story::{executor, killed, run, seen, started, FAR};

async fn sleeper() {
    future::yield_now().await;
    thread::sleep(FAR);
}

async fn starved() {
    loop {
        future::yield_now().await;
    }
}

fn hangs(look: &Look) -> bool {
    let runs = |look: &Look| look.task("sleeper").polls == 2 && look.task("starved").polls > 0;
    look.is("sleeper", TaskState::Running { woken: false })
        && look.is("starved", TaskState::Scheduled)
        && runs(look)
}

#[test]
fn one_runs_and_the_others_are_scheduled() {
    let process = started("blocked_thread::one_runs_and_the_others_are_scheduled", || {
        let executor = executor();
        executor.spawn(starved()).detach();
        executor.spawn(sleeper()).detach();
        run(executor);
    });
    let Some(mut process) = process else { return };
    let first = seen(&process, "it sleeps", hangs);
    let sleeper = first.task("sleeper");
    assert!(Path::new(&format!("/proc/{}/task/{}", process.pid(), sleeper.thread)).exists());
    // It may have been about to yield when it was looked at first; not for ever.
    let is_same = |look: &Look| hangs(look) && look.task("starved") == first.task("starved");
    let again = seen(&process, "nothing happens", is_same);
    assert_eq!(again.task("sleeper"), sleeper, "since the same time");
    again.tells("::sleeper", "running", &[]);
    again.tells("::starved", "scheduled", &[]);
    let left = killed(&mut process);
    assert!(hangs(&left) && left.task("sleeper") == sleeper, "{}", left.shown());
}
