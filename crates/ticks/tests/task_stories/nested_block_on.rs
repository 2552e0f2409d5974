//! A task calls a function that is not async, which calls `block_on`. Its executor's thread is busy with that, and the
//! task, which seems to wait for a timer, blocks all others. Both are tasks: the outer one runs, the inner one waits,
//! and is the outer one's.

use async_io::{block_on, Timer};
use ticks_format::{TaskKind, TaskState};

use crate::look::{goes_through, Look};
use crate::story::{executor, killed, run, seen, started, FAR};

async fn outer() {
    not_async();
}

fn not_async() {
    block_on(inner());
}

async fn inner() {
    Timer::after(FAR).await;
}
const INNER: u32 = line!() - 2;

fn judge(look: &Look) {
    let (outer, inner) = (look.task("outer"), look.task("inner"));
    assert_eq!((outer.kind, outer.state), (TaskKind::Spawned, TaskState::Running { woken: false }));
    assert_eq!((inner.kind, inner.state), (TaskKind::BlockOn, TaskState::Waiting));
    assert_eq!((inner.parent, inner.thread), (outer.id, outer.thread));
    assert!(inner.begun >= outer.since);
    assert_eq!(look.waits_of(outer).count(), 0);
    let waits: Vec<_> = look.waits_of(inner).collect();
    assert_eq!(waits.len(), 1);
    goes_through(&look.calls(waits[0].stack), "inner", INNER);
    look.tells("::outer", "running", &[]);
    look.tells("::inner", "waiting", &[("timer", "inner", INNER)]);
}

#[test]
fn the_outer_one_runs_and_the_inner_one_waits() {
    let process = started("nested_block_on::the_outer_one_runs_and_the_inner_one_waits", || {
        let executor = executor();
        executor.spawn(outer()).detach();
        run(executor);
    });
    let Some(mut process) = process else { return };
    judge(&seen(&process, "it waits", |look| look.waits("inner")));
    judge(&killed(&mut process));
}
