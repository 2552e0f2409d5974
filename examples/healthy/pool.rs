//! Four workers take jobs from a channel, compute for a moment and give back what they found.

use std::hint::black_box;
use std::io;

use async_channel::{bounded, Receiver, Sender};
use async_executor::Executor;

fn collatz(mut number: u64) -> u64 {
    let mut steps = 0;
    while number > 1 {
        number = if number % 2 == 0 { number / 2 } else { 3 * number + 1 };
        steps += 1;
    }
    steps
}

async fn work(jobs: Receiver<u64>, results: Sender<u64>) {
    while let Ok(job) = jobs.recv().await {
        let longest = (1..500).map(|number| collatz(black_box(job + number))).max();
        if results.send(longest.unwrap_or(0)).await.is_err() {
            return;
        }
    }
}

async fn order(jobs: Sender<u64>) {
    for job in 1.. {
        if jobs.send(job).await.is_err() {
            return;
        }
    }
}

pub async fn run(executor: &'static Executor<'static>) -> io::Result<()> {
    let (jobs, taken) = bounded(16);
    let (done, results) = bounded(16);
    executor.spawn(order(jobs)).detach();
    (0..4).for_each(|_| executor.spawn(work(taken.clone(), done.clone())).detach());
    let mut sum = 0_u64;
    while let Ok(result) = results.recv().await {
        sum = sum.wrapping_add(result);
    }
    println!("{sum}");
    Ok(())
}
