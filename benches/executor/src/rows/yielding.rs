//! Tasks that yield, and nothing else: what a turn of the executor costs.

use std::time::Instant;

use anyhow::Result;

use crate::laps::Laps;
use crate::peer::{ours, tokio, upstream, Peer, Runtime};
use crate::row::{Body, Row, Work};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row {
            name: "yield-1",
            about: "a task yields, alone",
            ops: 400_000,
            cases: one_thread!(yielding, 1),
        },
        Row {
            name: "yield-100",
            about: "a task yields, among 100",
            ops: 400_000,
            cases: one_thread!(yielding, 100),
        },
        Row {
            name: "yield-10k",
            about: "a task yields, among 10,000",
            ops: 2_000_000,
            cases: one_thread!(yielding, 10_000),
        },
        Row {
            name: "yield-1-2t",
            about: "yield-1, two threads",
            ops: 200_000,
            cases: two_threads!(yielding, 1),
        },
        Row {
            name: "yield-100-2t",
            about: "yield-100, two threads",
            ops: 400_000,
            cases: two_threads!(yielding, 100),
        },
        Row {
            name: "yield-10k-2t",
            about: "yield-10k, two threads",
            ops: 2_000_000,
            cases: two_threads!(yielding, 10_000),
        },
    ]
}

/// On one thread, one of the tasks times its own laps: all take turns, so in the time of its lap each of
/// them has done as many.
fn yielding<R: Runtime, const TASKS: u64>(work: &Work) -> Result<f64> {
    let own = Work { warm_up: work.warm_up / TASKS, ops: work.ops / TASKS };
    let ns = R::run(|runtime| async move {
        let start = Instant::now();
        let others: Vec<_> = (1..TASKS)
            .map(|_| {
                runtime.spawn(async move {
                    for _ in 0..own.total() {
                        R::yield_now().await;
                    }
                })
            })
            .collect();
        let timed = runtime.spawn(async move {
            let mut laps = Laps::start(&own);
            for _ in 0..own.total() {
                R::yield_now().await;
                laps.op();
            }
            laps.ns_per_op::<R>()
        });
        let lap_ns = timed.await;
        for other in others {
            other.await;
        }
        match R::THREADS {
            1 => lap_ns,
            _ => start.elapsed().as_nanos() as f64 / own.total() as f64,
        }
    });
    Ok(ns / TASKS as f64)
}
