//! A server forks its workers. A worker inherits its parent's memory, with all of its tasks: it may even poll them. They
//! are the parent's, which goes on with them, and so is the parent's recording, which the worker must leave alone.
//! What it begins itself is in its own.
//!
//! This file has unsafe code: `fork`.

use std::fs;

use async_channel::{unbounded, Receiver};
use async_io::{block_on, Timer};
use futures_lite::future;
use ticks_format::TaskState;

use crate::look::Look;
use crate::story::{eventually, executor, killed, run, seen, started, FAR};

async fn inherited(receiver: Receiver<()>) {
    for _ in 0..3 {
        receiver.recv().await.expect("somebody sends");
    }
}

async fn own() {
    Timer::after(FAR).await;
}

fn work() {
    let executor = executor();
    let (sender, receiver) = unbounded();
    executor.spawn(inherited(receiver)).detach();
    while executor.try_tick() {}
    // SAFETY: `fork` takes nothing. What the child does then, it does with what it has of this thread.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let dir = std::env::var("ASYNC_IO_TRACE").expect("it records");
        fs::write(format!("{dir}/child"), std::process::id().to_string()).expect("written");
        // SAFETY: `prctl` with this argument takes a number.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        // It polls the parent's task, and ends it.
        for _ in 0..3 {
            sender.try_send(()).expect("there is room");
            while executor.try_tick() {}
        }
        executor.spawn(own()).detach();
        run(executor);
    }
    assert!(child > 0);
    block_on(future::pending::<()>());
    drop(sender);
}

#[test]
fn each_has_its_own_tasks() {
    let Some(mut process) = started("forked::each_has_its_own_tasks", work) else { return };
    let dir = process.dir.path().join("here");
    let child = eventually("the child's number", || {
        fs::read_to_string(dir.join("child")).ok().filter(|text| !text.is_empty())
    });
    let file = dir.join(format!("{child}.ticks"));
    let own = eventually("the child's task waits", || {
        file.exists().then(|| Look::at(&file)).filter(|look| look.waits("own"))
    });
    assert_eq!(own.named("inherited").count(), 0, "{}", own.shown());
    assert_eq!(own.waits_of(own.task("own")).count(), 1);

    let of_parent = |look: &Look| {
        let task = look.task("inherited");
        assert_eq!((task.state, task.polls, task.wakes), (TaskState::Waiting, 1, 0), "{task:?}");
        assert_eq!(look.named("own").count(), 0, "{}", look.shown());
    };
    of_parent(&seen(&process, "it waits", |look| look.waits("inherited")));
    of_parent(&killed(&mut process));
}
