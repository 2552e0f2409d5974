//! A task starts another program by hand, as old libraries do: with `vfork`, after which the thread waits in the
//! kernel until the child runs the new program. The child waits before that for a lock that nobody gives it. No
//! signal reaches the thread, and no debugger.

use std::io;
use std::time::Duration;

use async_io::{block_on, Timer};

use crate::story::{executor, hangs_now};
use crate::vfork::start_helper;

async fn work() {
    for _ in 0..3 {
        Timer::after(Duration::from_millis(20)).await;
    }
    hangs_now();
    start_helper(None).expect("a child");
}

async fn heartbeat() {
    loop {
        Timer::after(Duration::from_millis(20)).await;
    }
}

pub fn run() -> io::Result<()> {
    let executor = executor();
    executor.spawn(heartbeat()).detach();
    block_on(executor.run(executor.spawn(work())));
    Ok(())
}
