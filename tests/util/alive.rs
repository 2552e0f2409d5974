//! Whether the reactor still does its work, whoever drives it.

use std::io::Write;
use std::time::Duration;

use async_io::{block_on, Async, Timer};

use super::bounded;
use super::{counting_waker, tcp_pair};

/// Fails the test unless an event and a timer reach their tasks, under an executor that leaves the driving
/// to the reactor's own thread and under one that drives.
#[track_caller]
pub fn reactor_is_alive() {
    let (near, mut far) = tcp_pair().expect("two sockets");
    let near = Async::new(near).expect("a new source");
    let (waker, wakes) = counting_waker();
    bounded::pending("a new source", &waker, |cx| near.poll_readable(cx));
    far.write_all(b"x").expect("a byte is sent");
    bounded::until("the reader of a new source is woken", || wakes.get() > 0);
    bounded::finish("a new timer", Timer::after(Duration::from_millis(1)));

    bounded::elsewhere("block_on of a socket and a timer", move || {
        block_on(async {
            near.readable().await.expect("the byte is there");
            Timer::after(Duration::from_millis(1)).await;
        });
    });
}
