//! `block_on`: what it polls, what wakes it, and calls inside calls.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{mpsc, Arc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use async_io::{block_on, Timer};
use futures_lite::future::{self, poll_fn, poll_once};

use crate::util::{use_reactor, watchdog};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn returns_what_the_future_does() {
    let _watchdog = watchdog("returns_what_the_future_does");
    assert_eq!(block_on(async { 1 + 2 }), 3);
    assert_eq!(block_on(future::ready("at once")), "at once");
    let text = String::from("borrowed");
    assert_eq!(block_on(async { text.as_str() }), "borrowed");
    // Not Send, not Unpin.
    let local = std::rc::Rc::new(7);
    assert_eq!(
        block_on(async {
            let held = local.clone();
            future::yield_now().await;
            *held
        }),
        7
    );
}

#[test]
fn yields_as_often_as_asked() {
    let _watchdog = watchdog("yields_as_often_as_asked");
    let mut polls = 0;
    block_on(poll_fn(|cx| {
        polls += 1;
        if polls == 10_000 {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }));
    assert_eq!(polls, 10_000);
    block_on(async {
        for _ in 0..10_000 {
            future::yield_now().await;
        }
    });
}

/// Another thread wakes at any moment: before the poll is over, between two, while it sleeps.
#[test]
fn is_woken_by_another_thread_at_any_moment() {
    let _watchdog = watchdog("is_woken_by_another_thread_at_any_moment");
    const ROUNDS: usize = 5_000;
    let (to_waker, wakers) = mpsc::channel::<(Waker, Arc<AtomicBool>)>();
    let waking = thread::spawn(move || {
        for (round, (waker, set)) in wakers.into_iter().enumerate() {
            for _ in 0..round % 50 {
                std::hint::spin_loop();
            }
            set.store(true, Ordering::SeqCst);
            waker.wake();
        }
    });
    for _ in 0..ROUNDS {
        let set = Arc::new(AtomicBool::new(false));
        let mut sent = false;
        block_on(poll_fn(|cx| {
            if !sent {
                sent = true;
                to_waker.send((cx.waker().clone(), set.clone())).expect("the waking thread lives");
            }
            if set.load(Ordering::SeqCst) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }));
    }
    drop(to_waker);
    waking.join().expect("the waking thread does not panic");
}

/// Wakers of a call that is over are of no effect on the next one of the same thread.
#[test]
fn wakers_outlive_their_call() {
    let _watchdog = watchdog("wakers_outlive_their_call");
    let old: Vec<_> =
        (0..3).map(|_| block_on(poll_fn(|cx| Poll::Ready(cx.waker().clone())))).collect();
    let mut polls = 0;
    block_on(poll_fn(|cx| {
        polls += 1;
        old.iter().for_each(Waker::wake_by_ref);
        if polls == 10 {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }));
    assert_eq!(polls, 10);
    block_on(async {
        old.into_iter().for_each(Waker::wake);
        use_reactor().await
    })
    .expect("the reactor works");
}

#[test]
fn nests_in_itself() -> io::Result<()> {
    let _watchdog = watchdog("nests_in_itself");
    fn nested(depth: usize) -> io::Result<()> {
        block_on(async {
            // A wait of the outer call is under way while the inner one blocks.
            let mut outer = Timer::after(HOUR);
            assert!(poll_once(&mut outer).await.is_none());
            if depth > 0 {
                nested(depth - 1)?;
            }
            use_reactor().await?;
            outer.set_after(MS);
            outer.await;
            Ok(())
        })
    }
    nested(4)
}

/// The other crate's `block_on` parks the thread and knows no reactor: the timers and sockets of
/// the future in it are served all the same, whichever of the two is the outer one.
#[test]
fn nests_with_a_foreign_block_on() -> io::Result<()> {
    let _watchdog = watchdog("nests_with_a_foreign_block_on");
    for _ in 0..20 {
        block_on(async { future::block_on(use_reactor()) })?;
        future::block_on(async { block_on(use_reactor()) })?;
        block_on(async { future::block_on(async { block_on(use_reactor()) }) })?;
    }
    future::block_on(use_reactor())
}
