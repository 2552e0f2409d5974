//! Threads that accept connections register a source for each, and drop as many. Upstream does both with
//! the reactor's table of sources locked, `epoll_ctl` included: 2 to 3 µs in which every other thread
//! that registers waits. Under strace a system call takes fifty times as long, so that whoever makes one
//! with the lock held is sure to be met by the others, who then sleep in `futex`: those calls are
//! what is counted. Ours takes the lock for the table alone, and calls the kernel outside it.
#![cfg(target_os = "linux")]

use std::os::unix::net::UnixStream;
use std::sync::Barrier;
use std::thread;

use async_io::Async;

use crate::util::{child, poller, strace, watchdog};

const THREADS: usize = 2;

#[test]
fn threads_that_register_do_not_wait_for_each_other() {
    let test = "threads_that_register_do_not_wait_for_each_other";
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        return register(child::count());
    }
    if !poller::is_epoll(test) {
        return;
    }
    if let Some(cost) = strace::per_operation(test, "counted", 500) {
        // Two threads that each make a source and drop it: two registrations and two removals. Once
        // in a run both may find no poller, and each makes one.
        assert!(cost.of(&["futex"]) <= 0.1 * THREADS as f64, "{cost}");
        assert!(cost.of(&["epoll_ctl"]) <= 2.01 * THREADS as f64, "{cost}");
    }
}

/// Makes and drops `count` sources in each thread at the same time.
fn register(count: usize) {
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let (stream, _peer) = UnixStream::pair().unwrap();
                stream.set_nonblocking(true).unwrap();
                start.wait();
                for _ in 0..count {
                    drop(Async::new_nonblocking(&stream).unwrap());
                }
            });
        }
    });
}
