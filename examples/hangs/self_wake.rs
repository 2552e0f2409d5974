//! A future of the program's own asks a flag, wakes itself when it is not set, and returns Pending. So its task is
//! polled without end, and a processor is busy.

use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use async_io::block_on;

use crate::story::{executor, hangs_now};

static IS_READY: AtomicBool = AtomicBool::new(false);

fn poll_flag(cx: &mut Context<'_>) -> Poll<()> {
    if IS_READY.load(Ordering::Acquire) {
        return Poll::Ready(());
    }
    cx.waker().wake_by_ref(); // hangs here
    Poll::Pending
}

async fn wait_until_ready() {
    hangs_now();
    poll_fn(poll_flag).await;
}

pub fn run() -> io::Result<()> {
    let executor = executor();
    block_on(executor.run(executor.spawn(wait_until_ready())));
    Ok(())
}
