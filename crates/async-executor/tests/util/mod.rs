//! What several test files share: a bound on every wait, and futures and threads to play with.
//!
//! No test asserts on elapsed time; a wait that never ends is ended by the [`Watchdog`].

// Every test file compiles its own copy and uses part of it.
#![allow(dead_code)]

use std::future::{poll_fn, Future};
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

/// How long a test may take before its watchdog ends the process. Far more than any test needs, so that a
/// loaded machine or a sanitizer does not reach it.
const WATCHDOG_S: u64 = 300;

/// Ends the process with a message that names the test unless it is dropped in time.
#[must_use = "dropping the watchdog stops it"]
pub struct Watchdog {
    // Dropped with the watchdog; the watching thread sees the disconnection and ends.
    _alive: mpsc::Sender<()>,
}

/// Starts a watchdog for the test called `name`.
pub fn watchdog(name: &str) -> Watchdog {
    let (alive, ended) = mpsc::channel();
    let name = name.to_owned();
    thread::spawn(move || {
        if ended.recv_timeout(Duration::from_secs(WATCHDOG_S)) == Err(RecvTimeoutError::Timeout) {
            // Not eprintln!: the test harness would capture it and lose it in the abort.
            let _ = writeln!(
                io::stderr(),
                "watchdog: test `{name}` still runs after {WATCHDOG_S} s; aborting the process"
            );
            std::process::abort();
        }
    });
    Watchdog { _alive: alive }
}

/// Waits until `condition` holds. Bounded only by the test's watchdog.
pub fn eventually(mut condition: impl FnMut() -> bool) {
    while !condition() {
        thread::sleep(Duration::from_millis(1));
    }
}

/// A future that is ready once it is told to be, and the way to tell it. The wakers are those of whoever
/// has polled it last.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<Mutex<Opening>>);

#[derive(Debug, Default)]
struct Opening {
    is_open: bool,
    waker: Option<Waker>,
    polls: usize,
}

impl Gate {
    pub fn new() -> Gate {
        Gate::default()
    }

    /// The future is ready, and its task is woken.
    pub fn open(&self) {
        let mut opening = self.0.lock().unwrap();
        opening.is_open = true;
        let waker = opening.waker.take();
        drop(opening);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Wakes the task for nothing.
    pub fn nudge(&self) {
        let waker = self.0.lock().unwrap().waker.clone();
        waker.into_iter().for_each(Waker::wake);
    }

    /// The waker of the task that waits.
    pub fn waker(&self) -> Option<Waker> {
        self.0.lock().unwrap().waker.clone()
    }

    /// Polls so far that were not ready.
    pub fn polls(&self) -> usize {
        self.0.lock().unwrap().polls
    }
}

impl Future for Gate {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut opening = self.0.lock().unwrap();
        if opening.is_open {
            return Poll::Ready(());
        }
        opening.polls += 1;
        let outgoing = opening.waker.replace(cx.waker().clone());
        drop(opening);
        drop(outgoing);
        Poll::Pending
    }
}

/// Counts how often it was dropped.
#[derive(Clone, Debug, Default)]
pub struct Drops(Arc<AtomicUsize>);

impl Drops {
    pub fn new() -> Drops {
        Drops::default()
    }

    pub fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// Something whose drop is counted.
    pub fn guard(&self) -> DropGuard {
        DropGuard(self.0.clone())
    }
}

#[derive(Debug)]
pub struct DropGuard(Arc<AtomicUsize>);

impl Drop for DropGuard {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Calls a function when it is dropped.
pub struct OnDrop<F: FnMut()>(pub F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Counts how often its wakers were woken.
#[derive(Debug, Default)]
pub struct WakeCount(AtomicUsize);

impl WakeCount {
    pub fn new() -> (Arc<WakeCount>, Waker) {
        let count = Arc::new(WakeCount::default());
        (count.clone(), Waker::from(count))
    }

    pub fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for WakeCount {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Polls a future once with a waker.
pub fn poll_with<F: Future + ?Sized>(future: &mut Pin<Box<F>>, waker: &Waker) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(waker))
}

/// Polls a future once, with a waker that does nothing.
pub fn poll_once<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    let (_, waker) = WakeCount::new();
    poll_with(future, &waker)
}

/// Yields for ever, each time counted.
pub async fn yield_for_ever(count: Arc<AtomicUsize>) {
    poll_fn(|cx| {
        count.fetch_add(1, Ordering::SeqCst);
        cx.waker().wake_by_ref();
        Poll::<()>::Pending
    })
    .await
}
