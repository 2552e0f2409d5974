//! A task starts another program by hand, as old libraries do: with `vfork`, after which the thread waits in the
//! kernel until the child runs the new program. The child waits before that for a lock that nobody gives it. No
//! signal reaches the thread, and no debugger.
//!
//! This file has `unsafe` code: std starts no such child.

use std::io;
use std::time::Duration;

use async_io::{block_on, Timer};

use crate::story::{executor, hangs_now};

/// Starts a child that never gets as far as its program.
fn start_helper() -> io::Result<()> {
    // SAFETY: without CLONE_VM the child has a copy of the memory, as after a fork. It calls nothing but prctl and
    // pause, which take no lock and touch no memory, and never returns. The arguments that are 0 mean: this stack, and
    // no place to store a thread's number.
    let child = unsafe {
        let child = libc::syscall(libc::SYS_clone, libc::CLONE_VFORK | libc::SIGCHLD, 0, 0, 0, 0);
        if child == 0 {
            // It goes with its parent.
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            loop {
                libc::pause();
            }
        }
        child
    };
    match child {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

async fn work() {
    for _ in 0..3 {
        Timer::after(Duration::from_millis(20)).await;
    }
    hangs_now();
    start_helper().expect("a child");
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
