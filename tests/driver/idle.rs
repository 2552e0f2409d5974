//! A wait costs two polls: the one that begins it and the one that ends it.
//!
//! Alone in its process, as other tests' threads may pass the driving of the reactor on to this one
//! and poll it once more for that.

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use async_io::{block_on, Timer};
use futures_lite::future::poll_fn;

use crate::util::child::own_process;

#[test]
fn a_timer_is_polled_when_it_is_due() {
    let Some(_watchdog) = own_process("a_timer_is_polled_when_it_is_due") else {
        return;
    };
    for _ in 0..10 {
        let mut polls = 0;
        let mut timer = Timer::after(Duration::from_millis(5));
        block_on(poll_fn(|cx| {
            polls += 1;
            Pin::new(&mut timer).poll(cx)
        }));
        // One, where the machine stalled until it was due.
        assert!(polls <= 2, "{polls} polls");
    }
    let mut polls = 0;
    block_on(poll_fn(|_| {
        polls += 1;
        Poll::Ready(())
    }));
    assert_eq!(polls, 1);
}
