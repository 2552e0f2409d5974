//! Waiting with a bound, so that a lost wake-up fails a test with a sentence instead of hanging it.
//!
//! The bound is far above anything that a loaded machine or a sanitizer adds, and below the watchdog's.

use std::fmt::Debug;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// How long a wake-up may take before it is called lost.
pub const LOST_AFTER_S: u64 = 120;

/// Waits until `condition` holds. Fails the test when it does not come true; `what` names it.
#[track_caller]
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = deadline();
    while !condition() {
        assert!(Instant::now() < deadline, "still waiting after {LOST_AFTER_S} s: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Runs `future` on this thread and an executor that knows nothing of the reactor and does not drive
/// it; polls it when it was woken and at no other time.
/// Fails the test when the future is not woken; `what` names it.
#[track_caller]
pub fn finish<T>(what: &str, future: impl Future<Output = T>) -> T {
    let deadline = deadline();
    let mut future = pin!(future);
    let task = Arc::new(Task { thread: thread::current(), woken: AtomicBool::new(false) });
    let waker = Waker::from(task.clone());
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        while !task.woken.swap(false, Ordering::SeqCst) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "not woken after {LOST_AFTER_S} s: {what}");
            thread::park_timeout(left);
        }
    }
}

fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(LOST_AFTER_S)
}

struct Task {
    thread: Thread,
    // Unparking alone says nothing: other code may unpark the thread too.
    woken: AtomicBool,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

/// Runs `work` on a thread of its own. Fails the test when it does not end, and when it panics; `what`
/// names it.
#[track_caller]
pub fn elsewhere<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let worker = thread::Builder::new().name(what.to_owned()).spawn(work).expect("a thread starts");
    until(what, || worker.is_finished());
    match worker.join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Polls once with `waker`, for a wait that has nothing to wait for yet; `what` names it.
#[track_caller]
pub fn pending<T: Debug>(
    what: &str,
    waker: &Waker,
    poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
) {
    let result = poll(&mut Context::from_waker(waker));
    assert!(result.is_pending(), "{what} has nothing to wait for, yet its poll said {result:?}");
}
