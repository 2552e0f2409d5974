//! Two leads give jobs to their helpers, and compute while these wait for their turn: at nearly any moment a lead is being
//! polled, and its helpers are to be polled.

use std::hint::spin_loop;
use std::io;
use std::time::{Duration, Instant};

use async_channel::{bounded, Receiver, Sender};
use async_executor::Executor;

const HELPERS: usize = 8;

/// How long a lead computes in one poll.
const COMPUTES: Duration = Duration::from_millis(1);

async fn help(jobs: Receiver<u64>, results: Sender<u64>) {
    while let Ok(job) = jobs.recv().await {
        if results.send(job / 2).await.is_err() {
            return;
        }
    }
}

async fn lead(helpers: Vec<Sender<u64>>, results: Receiver<u64>, done: Sender<u64>) {
    for job in 1.. {
        for helper in &helpers {
            if helper.send(job).await.is_err() {
                return;
            }
        }
        let began = Instant::now();
        while began.elapsed() < COMPUTES {
            spin_loop();
        }
        for _ in &helpers {
            if results.recv().await.is_err() {
                return;
            }
        }
        if done.send(job).await.is_err() {
            return;
        }
    }
}

pub async fn run(executor: &'static Executor<'static>) -> io::Result<()> {
    let (done, jobs) = bounded(16);
    for _ in 0..2 {
        let (send, results) = bounded(HELPERS);
        let mut helpers = Vec::new();
        for _ in 0..HELPERS {
            let (helper, jobs) = bounded(1);
            helpers.push(helper);
            executor.spawn(help(jobs, send.clone())).detach();
        }
        executor.spawn(lead(helpers, results, done.clone())).detach();
    }
    let mut sum = 0_u64;
    while let Ok(job) = jobs.recv().await {
        sum = sum.wrapping_add(job);
    }
    println!("{sum}");
    Ok(())
}
