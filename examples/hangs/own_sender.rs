//! Three workers send what they count, and a task adds it up until all senders are gone. It has one itself, so that it
//! waits for a message that nobody can send. The service goes on with the rest: whether somebody will send, only its
//! author knows.

use std::io;
use std::time::Duration;

use async_channel::{bounded, Sender};
use async_executor::Executor;
use async_io::{block_on, Timer};

use crate::story::{executor, hangs_now};

async fn count(counted: Sender<u64>) {
    for number in 0..10 {
        if counted.send(number).await.is_err() {
            return;
        }
    }
}

async fn add_up(executor: &'static Executor<'static>, workers: u64) {
    let (send, counted) = bounded(4);
    for _ in 0..workers {
        executor.spawn(count(send.clone())).detach();
    }
    hangs_now();
    let mut sum = 0;
    loop {
        let next = counted.recv().await; // hangs here
        match next {
            Ok(number) => sum += number,
            Err(_) => break,
        }
    }
    drop(send);
    println!("{sum}");
}

pub fn run() -> io::Result<()> {
    let executor = executor();
    executor.spawn(add_up(executor, 3)).detach();
    block_on(executor.run(async {
        loop {
            Timer::after(Duration::from_millis(100)).await;
        }
    }))
}
