//! A thread of its own starts one helper after the other, by `vfork`. Each is slow to begin, as from a slow disk, and for
//! so long the thread sits in the kernel, where no signal reaches it. Nobody else waits for that.

use std::io;
use std::thread;
use std::time::Duration;

use async_executor::Executor;
use async_io::Timer;

#[path = "../hangs/vfork.rs"]
mod vfork;

const SLOW: Duration = Duration::from_millis(400);

pub async fn run(_: &'static Executor<'static>) -> io::Result<()> {
    let (failed, failure) = async_channel::bounded(1);
    thread::Builder::new().name("helpers".into()).spawn(move || loop {
        if let Err(error) = vfork::start_helper(Some(SLOW)) {
            let _ = failed.send_blocking(error);
            return;
        }
    })?;
    loop {
        if let Ok(error) = failure.try_recv() {
            return Err(error);
        }
        Timer::after(Duration::from_millis(20)).await;
    }
}
