//! "WOKEN: its executor has not polled it, because one of its threads is busy or blocked", said `ticks who` of a
//! task inside `select!`, and whoever believed it looked for a blocked thread that was not there. The task had
//! been polled, and had not polled the future that waits. Where each thread's last record is a park or a wait,
//! none is busy, and that is said; else the thread is named that has recorded nothing for longest.
#![cfg(target_os = "linux")]

mod util;

use std::future::{poll_fn, Future};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use async_io::{block_on, Async};
use util::process::{role, wait, Process};
use util::stdout;

/// A future that is polled once, waits, and is not polled again though its task is, as the parts of a
/// `FuturesUnordered` whose own waker was not used.
fn forgets_a_part(mut far: UnixStream, near: Async<UnixStream>) {
    let mut begun = false;
    let mut readable = pin!(near.readable());
    // Written by another thread once this one sleeps in the poller; nothing here is polled until then.
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        far.write_all(b"x").expect("sent");
        wait();
        drop(far);
        std::process::exit(0);
    });
    block_on(poll_fn(|cx| {
        if !std::mem::replace(&mut begun, true) {
            assert!(readable.as_mut().poll(cx).is_pending());
        }
        Poll::<()>::Pending
    }));
}

/// A task that was woken, and whose thread is blocked.
fn blocks(mut far: UnixStream, near: Async<UnixStream>) {
    let mut begun = false;
    let mut readable = pin!(near.readable());
    block_on(poll_fn(|cx| {
        assert!(!std::mem::replace(&mut begun, true), "the thread is blocked");
        assert!(readable.as_mut().poll(cx).is_pending());
        // The helper thread drives meanwhile.
        far.write_all(b"x").expect("sent");
        wait();
        std::process::exit(0);
        #[allow(unreachable_code)] // It tells the type.
        Poll::<()>::Pending
    }));
}

/// Runs `ticks who` on the process until it tells of a wake.
fn told(process: &Process) -> String {
    let until = Instant::now() + Duration::from_secs(300);
    loop {
        let shown = stdout(["who", &process.pid()]);
        if shown.contains("\nWOKEN: ") {
            return shown;
        }
        assert!(Instant::now() < until, "{shown}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_part_that_its_task_does_not_poll() {
    let test = "a_part_that_its_task_does_not_poll";
    if role().is_some() {
        let (near, far) = UnixStream::pair().expect("a pair");
        return forgets_a_part(far, Async::new(near).expect("registered"));
    }
    let process = Process::start(test, "forgets", true);
    let shown = told(&process);
    let wanted = "no thread is busy, each one's last record is a park or a wait. So the task was polled, and \
                  the future that waits was not";
    assert!(shown.contains(wanted), "{shown}");
}

#[test]
fn a_thread_that_is_blocked() {
    let test = "a_thread_that_is_blocked";
    if role().is_some() {
        let (near, far) = UnixStream::pair().expect("a pair");
        return blocks(far, Async::new(near).expect("registered"));
    }
    let process = Process::start(test, "blocks", true);
    let shown = told(&process);
    // The name of the thread that runs the test is the test's.
    let wanted = format!("({}) has recorded nothing for ", &test[..15]);
    assert!(shown.contains(&wanted), "{shown}");
    assert!(shown.contains("neither a park nor a wait"), "{shown}");
}
