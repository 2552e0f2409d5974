//! Tasks that do nothing: what it costs to spawn one, run it, and get its result.

use anyhow::Result;

use crate::laps::Laps;
use crate::peer::{ours, tokio, upstream, Peer, Runtime};
use crate::row::{Body, Row, Work};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row {
            name: "spawn-1",
            about: "a task is spawned and awaited, then the next",
            ops: 200_000,
            cases: one_thread!(spawn_here, 1),
        },
        Row {
            name: "spawn-10k",
            about: "10,000 tasks are spawned, then all awaited; a task",
            ops: 400_000,
            cases: one_thread!(spawn_here, 10_000),
        },
        Row {
            name: "spawn-1-2t",
            about: "spawn-1 in a task, two threads",
            ops: 100_000,
            cases: two_threads!(spawn_in_task, 1),
        },
        Row {
            name: "spawn-10k-2t",
            about: "spawn-10k in a task, two threads",
            ops: 400_000,
            cases: two_threads!(spawn_in_task, 10_000),
        },
    ]
}

fn spawn_here<R: Runtime, const BATCH: u64>(work: &Work) -> Result<f64> {
    Ok(R::run(|runtime| batches::<R, BATCH>(runtime, *work)))
}

fn spawn_in_task<R: Runtime + Send + Sync, const BATCH: u64>(work: &Work) -> Result<f64> {
    let work = *work;
    Ok(R::run(|runtime| async move {
        let spawner = runtime.clone();
        runtime.spawn(batches::<R, BATCH>(spawner, work)).await
    }))
}

async fn batches<R: Runtime, const BATCH: u64>(runtime: R, work: Work) -> f64 {
    let mut laps = Laps::of(&work, BATCH);
    let mut tasks = Vec::with_capacity(BATCH as usize);
    let mut sum = 0;
    for _ in 0..work.total() / BATCH {
        for number in 0..BATCH {
            tasks.push(runtime.spawn(async move { number }));
        }
        for task in tasks.drain(..) {
            sum += task.await;
        }
        laps.ops(BATCH);
    }
    assert_eq!(sum, work.total() / BATCH * (BATCH * (BATCH - 1) / 2));
    laps.ns_per_op::<R>()
}
