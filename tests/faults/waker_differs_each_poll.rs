//! Some combinators hand their children a waker of their own, made anew at every poll
//! (agent-client-protocol's rust-sdk #254 met it). To the reactor each such waker is another task's.
//! Upstream keeps one waker a direction for `poll_readable` and `poll_writable` and wakes the one it
//! replaces, in case another task is being pushed out. Here both belong to the same task: its own poll
//! wakes it, and so on without end, 2.7 million polls a second on a socket where nothing happens.
//! Ours keeps a few distinct wakers a direction, so that nobody is pushed out; and a task that
//! somebody else polls for ever must not come back to the same spin when the few places are taken.

use std::future::poll_fn;
use std::io;
use std::net::UdpSocket;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::future::{or, poll_once};
use futures_lite::Stream;

use crate::util;
use crate::util::child::own_process;
use crate::util::counting_waker;

/// A waker that wakes another one and equals no other.
struct Forward(Waker);

impl Wake for Forward {
    fn wake(self: Arc<Self>) {
        self.0.wake_by_ref();
    }
}

fn forward(waker: &Waker) -> Waker {
    Waker::from(Arc::new(Forward(waker.clone())))
}

fn udp() -> io::Result<Async<UdpSocket>> {
    Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))
}

/// How often a task is polled while it waits for an idle socket: one timer polls it once more, so that
/// it shows a second waker, and another ends the wait.
fn polls_while_idle(wait: impl Fn(&mut Context<'_>) -> Poll<io::Result<()>>) -> usize {
    let mut polls = 0;
    let idle = poll_fn(|cx| {
        polls += 1;
        wait(&mut Context::from_waker(&forward(cx.waker()))).map(|result| result.is_ok())
    });
    let timeout = async {
        Timer::after(Duration::from_millis(20)).await;
        Timer::after(Duration::from_millis(200)).await;
        false
    };
    assert!(!block_on(or(idle, timeout)), "an idle socket became ready");
    polls
}

#[test]
fn an_idle_reader_is_not_polled() {
    let Some(_watchdog) = own_process("an_idle_reader_is_not_polled") else {
        return;
    };
    let socket = udp().unwrap();
    // One poll to begin, one for each of the two timers, two to spare.
    let polls = polls_while_idle(|cx| socket.poll_readable(cx));
    assert!(polls <= 5, "{polls} polls of a task that was woken twice");
}

#[test]
#[cfg(unix)]
fn an_idle_writer_is_not_polled() {
    let Some(_watchdog) = own_process("an_idle_writer_is_not_polled") else {
        return;
    };
    let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
    let stream = Async::new(near).unwrap();
    util::fill(stream.get_ref()).unwrap();
    let polls = polls_while_idle(|cx| stream.poll_writable(cx));
    assert!(polls <= 5, "{polls} polls of a task that was woken twice");
}

#[test]
fn a_task_polled_by_others_does_not_begin_to_spin() {
    let Some(_watchdog) = own_process("a_task_polled_by_others_does_not_begin_to_spin") else {
        return;
    };
    const OTHERS: usize = 100;
    let socket = udp().unwrap();
    let mut polls = 0;
    let mut ticks = 0;
    let mut interval = Timer::interval(Duration::from_millis(2));
    block_on(poll_fn(|cx| {
        polls += 1;
        let readable = socket.poll_readable(&mut Context::from_waker(&forward(cx.waker())));
        assert!(readable.is_pending(), "an idle socket became ready");
        while Stream::poll_next(Pin::new(&mut interval), cx).is_ready() {
            ticks += 1;
        }
        if ticks < OTHERS {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }));
    // Making room may cost a poll now and then, but not one for each.
    assert!(polls <= OTHERS + OTHERS / 2, "{polls} polls of a task that was woken {OTHERS} times");
}

#[test]
fn the_task_of_the_last_poll_is_woken() {
    let Some(_watchdog) = own_process("the_task_of_the_last_poll_is_woken") else {
        return;
    };
    let socket = udp().unwrap();
    let (waker, wakes) = counting_waker();
    for _ in 0..50 {
        let readable = socket.poll_readable(&mut Context::from_waker(&forward(&waker)));
        assert!(readable.is_pending(), "an idle socket became ready");
    }
    let before = wakes.get();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.send_to(b"x", socket.get_ref().local_addr().unwrap()).unwrap();
    util::eventually(|| wakes.get() > before);
    let ready = block_on(poll_once(poll_fn(|cx| {
        socket.poll_readable(&mut Context::from_waker(&forward(cx.waker())))
    })));
    assert!(matches!(ready, Some(Ok(()))), "woken, yet {ready:?}");
}
