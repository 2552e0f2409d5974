//! Each request spawns a task that waits for a cancellation, and detaches it. Nobody ever cancels.

use std::io;
use std::time::Duration;

use async_channel::{unbounded, Receiver};
use async_executor::Executor;
use async_io::{block_on, Timer};

use crate::story::{executor, hangs_now};

async fn watch(cancelled: Receiver<()>) {
    let _ = cancelled.recv().await; // leaks here
}

async fn serve(executor: &Executor<'static>) {
    let (_cancel, cancelled) = unbounded();
    for request in 0.. {
        Timer::after(Duration::from_millis(2)).await;
        executor.spawn(watch(cancelled.clone())).detach(); // hangs here
        if request == 200 {
            hangs_now();
        }
    }
}

pub fn run() -> io::Result<()> {
    let executor = executor();
    block_on(executor.run(executor.spawn(serve(executor))));
    Ok(())
}
