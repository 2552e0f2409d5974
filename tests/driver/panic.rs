//! Futures that panic, wakers that panic, wakers that drop what they own: nobody else notices.

use std::future::Future;
use std::io::{self, Write};
use std::net::TcpStream;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use async_io::{block_on, Async, Timer};
use futures_lite::future;

use crate::util::{counting_waker, eventually, poll_with, tcp_pair, use_reactor, watchdog};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

/// A future that panics silently, so that the test's output stays readable.
async fn panics(with: &'static str) {
    resume_unwind(Box::new(with));
}

fn panic_text(future: impl Future<Output = ()>) -> &'static str {
    let panicked = catch_unwind(AssertUnwindSafe(|| block_on(future)));
    let text = panicked.expect_err("the future panics");
    text.downcast_ref::<&'static str>().expect("a text")
}

#[test]
fn a_panicking_future_panics_its_caller_and_nobody_else() -> io::Result<()> {
    let _watchdog = watchdog("a_panicking_future_panics_its_caller_and_nobody_else");
    for _ in 0..10 {
        assert_eq!(panic_text(panics("at once")), "at once");
        block_on(use_reactor())?;

        let later = async {
            use_reactor().await.expect("the reactor works");
            panics("after a wait").await;
        };
        assert_eq!(panic_text(later), "after a wait");
        block_on(use_reactor())?;

        let nested = async {
            assert_eq!(panic_text(panics("inside")), "inside");
            use_reactor().await.expect("the reactor works");
            panics("outside").await;
        };
        assert_eq!(panic_text(nested), "outside");
        future::block_on(use_reactor())?;
        thread::scope(|scope| {
            let other = scope.spawn(|| block_on(use_reactor()));
            other.join().expect("the other thread does not panic")
        })?;
    }
    Ok(())
}

/// Counts its wakes, and panics after it where it is told to.
struct CountingWaker {
    wakes: AtomicUsize,
    panics: bool,
}

impl Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
        if self.panics {
            // Without the hook's message, so that the test's output stays readable.
            resume_unwind(Box::new("a waker panics"));
        }
    }
}

/// Polls each of `waits` in a task of its own, every other one with a waker that panics, and says
/// which of them are to be woken.
fn wait_in_tasks<F: Future + Unpin>(waits: &mut [F]) -> Vec<Arc<CountingWaker>> {
    let mut waiting = Vec::new();
    for (n, wait) in waits.iter_mut().enumerate() {
        let task = Arc::new(CountingWaker { wakes: AtomicUsize::new(0), panics: n % 2 == 0 });
        if poll_with(wait, &Waker::from(task.clone())).is_pending() {
            waiting.push(task);
        }
    }
    waiting
}

/// Everybody else of the same round is woken, and each once; the reactor and its threads live on.
#[test]
fn panicking_wakers_are_contained() -> io::Result<()> {
    let _watchdog = watchdog("panicking_wakers_are_contained");
    for _ in 0..5 {
        let (near, mut far) = tcp_pair()?;
        let source = Async::new(near)?;
        let mut waits: Vec<_> = (0..6).map(|_| source.readable()).collect();
        let on_source = wait_in_tasks(&mut waits);
        assert_eq!(on_source.len(), 6);
        far.write_all(b"x")?;
        let woken = |task: &Arc<CountingWaker>| task.wakes.load(Ordering::SeqCst) > 0;
        eventually(|| on_source.iter().all(woken));

        let deadline = Instant::now() + 20 * MS;
        let mut timers: Vec<_> = (0..6).map(|_| Timer::at(deadline)).collect();
        // On a machine that stalls some may be due at once.
        let on_timer = wait_in_tasks(&mut timers);
        eventually(|| on_timer.iter().all(woken));

        block_on(use_reactor())?;
        future::block_on(use_reactor())?;
        for task in on_source.iter().chain(&on_timer) {
            assert_eq!(task.wakes.load(Ordering::SeqCst), 1);
        }
    }
    Ok(())
}

/// A task as its executor sees it: the last waker of it may be the last owner of what it waits for.
struct Owner {
    owned: Mutex<Option<(Async<TcpStream>, Timer)>>,
    woken: AtomicBool,
}

impl Wake for Owner {
    fn wake(self: Arc<Self>) {
        drop(self.owned.lock().expect("no owner panics").take());
        self.woken.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_waker_may_drop_sources_and_timers() -> io::Result<()> {
    let _watchdog = watchdog("a_waker_may_drop_sources_and_timers");
    for _ in 0..10 {
        let (near, mut far) = tcp_pair()?;
        let (other, _other_far) = tcp_pair()?;
        let source = Async::new(near)?;
        let other = Async::new(other)?;
        let mut timer = Timer::after(HOUR);
        let (waker, woken) = counting_waker();
        let mut cx = Context::from_waker(&waker);
        assert!(poll_with(&mut timer, &waker).is_pending());
        assert!(other.poll_readable(&mut cx).is_pending());

        let owner = Arc::new(Owner {
            owned: Mutex::new(Some((other, timer))),
            woken: AtomicBool::new(false),
        });
        let mut readable = source.readable();
        assert!(poll_with(&mut readable, &Waker::from(owner.clone())).is_pending());
        far.write_all(b"x")?;
        eventually(|| owner.woken.load(Ordering::SeqCst));
        assert_eq!(woken.get(), 0);
        drop(readable);
        block_on(use_reactor())?;
    }
    Ok(())
}
