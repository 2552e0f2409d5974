//! A consumer looks for the next job with `try_recv`, and yields when there is none. There is none any more.

use std::io;
use std::time::Duration;

use async_channel::{unbounded, Receiver, Sender};
use async_io::{block_on, Timer};
use futures_lite::future::yield_now;

use crate::story::{executor, hangs_now};

async fn consume(jobs: Receiver<u32>) {
    loop {
        match jobs.try_recv() {
            Ok(job) => println!("job {job} is done"),
            Err(_) => yield_now().await, // hangs here
        }
    }
}

async fn produce(jobs: &Sender<u32>) {
    for job in 0..3 {
        jobs.send(job).await.expect("somebody consumes");
        Timer::after(Duration::from_millis(20)).await;
    }
    hangs_now();
}

pub fn run() -> io::Result<()> {
    let (sender, receiver) = unbounded();
    let executor = executor();
    let consuming = executor.spawn(consume(receiver));
    block_on(executor.run(async {
        produce(&sender).await;
        consuming.await;
    }));
    Ok(())
}
