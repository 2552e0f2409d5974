//! Threads that are not the executor's spawn tasks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::Result;

use crate::peer::{ours, tokio, upstream, Peer, Runtime};
use crate::row::{Body, Row, Work};

/// Threads that spawn.
const THREADS: u64 = 4;

/// Tasks that a thread spawns before all are waited for.
const BATCH: u64 = 2_500;

pub(crate) fn row() -> Row {
    Row {
        name: "spawn-4x-2t",
        about: "four other threads spawn, two run; a task",
        ops: 200_000,
        cases: two_threads!(crowd),
    }
}

fn crowd<R: Runtime + Send + Sync>(work: &Work) -> Result<f64> {
    let rounds = (work.ops / (THREADS * BATCH)).max(1);
    let ns = R::run(|runtime| async move {
        let mut ns = Vec::new();
        for _ in 0..=rounds {
            ns.push(round(&runtime).await);
        }
        // The first is the warm-up.
        crate::stats::median(&ns[1..])
    });
    Ok(ns)
}

async fn round<R: Runtime + Send + Sync>(runtime: &R) -> f64 {
    // Done, and so closed, when the last task has ended.
    let (alive, done) = async_channel::bounded::<()>(1);
    let ended = std::sync::Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    for _ in 0..THREADS {
        let (runtime, alive, ended) = (runtime.clone(), alive.clone(), ended.clone());
        thread::spawn(move || {
            for _ in 0..BATCH {
                let (alive, ended) = (alive.clone(), ended.clone());
                runtime.spawn_detached(async move {
                    ended.fetch_add(1, Ordering::Relaxed);
                    drop(alive);
                });
            }
        });
    }
    drop(alive);
    let _closed = done.recv().await;
    assert_eq!(ended.load(Ordering::Relaxed), THREADS * BATCH);
    start.elapsed().as_nanos() as f64 / (THREADS * BATCH) as f64
}
