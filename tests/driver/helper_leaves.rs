//! A waker that the helper thread wakes calls `block_on`, as a logger over the network does. Within it, the
//! helper's round wakes only another thread, one that came for the driver lock meanwhile: so the helper left
//! the lock to that one, and parked. The other thread was done, and ended. Whoever leaves the lock
//! relies on the helper to offer it again should nobody take it; and the helper slept. All threads slept,
//! and nobody was in the poller. The helper thread no longer leaves the lock to a thread that is not in line.
#![cfg(target_os = "linux")]

use std::net::UdpSocket;
use std::pin::pin;
use std::sync::mpsc;
use std::sync::Mutex;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use async_io::{block_on, Async, Readable};
use futures_lite::future;

use crate::util::asleep;
use crate::util::child::own_process;
use crate::util::foreign_waker::{foreign_waker, Call};
use crate::util::{poll_with, socket_and_peer};

/// A wait for the socket, at whose end `on_wake` is called.
fn register(
    socket: &Async<UdpSocket>,
    on_wake: impl FnOnce() + Send + 'static,
) -> Readable<'_, UdpSocket> {
    let on_wake = Mutex::new(Some(on_wake));
    let waker = foreign_waker(move |call| {
        if call == Call::Wake {
            if let Some(on_wake) = on_wake.lock().unwrap().take() {
                on_wake();
            }
        }
    });
    let mut waits = socket.readable();
    assert!(matches!(poll_with(&mut waits, &waker), Poll::Pending));
    waits
}

#[test]
fn the_helper_does_not_leave_the_lock_to_a_thread_that_ends() {
    let test = "the_helper_does_not_leave_the_lock_to_a_thread_that_ends";
    let Some(_watchdog) = own_process(test) else {
        return;
    };
    let [first, second, third] = [(); 3].map(|()| socket_and_peer().unwrap());
    let (done, is_done) = mpsc::channel();
    let (inside, is_inside) = mpsc::channel();
    // On the helper thread, which waits within for what comes last.
    let (socket, peer) = third;
    let _first = register(&first.0, move || {
        inside.send(rustix::thread::gettid()).unwrap();
        block_on(socket.readable()).unwrap();
        done.send(()).unwrap();
    });
    first.1.send(b"1").unwrap();
    let helper = is_inside.recv().unwrap();
    while !asleep::in_a_poller(helper.as_raw_nonzero().get()).unwrap() {}

    // A thread that comes for the lock in vain, and ends when it is woken, in the midst of a round.
    let (end, ends) = mpsc::channel();
    let (tid, is_tid) = mpsc::channel();
    let (joined, is_joined) = mpsc::channel();
    let other = thread::spawn(move || {
        tid.send(rustix::thread::gettid()).unwrap();
        let mut told = pin!(future::poll_fn(move |cx| match ends.try_recv() {
            Ok(()) => Poll::Ready(()),
            Err(_) => {
                WAKER.lock().unwrap().replace(cx.waker().clone());
                Poll::Pending
            }
        }));
        block_on(&mut told);
    });
    let other_tid = is_tid.recv().unwrap().as_raw_nonzero().get();
    while WAKER.lock().unwrap().is_none() || asleep::in_a_poller(other_tid).unwrap() {}
    // It is parked: not in a poller, and its waker is stored.
    let _second = register(&second.0, move || {
        end.send(()).unwrap();
        WAKER.lock().unwrap().take().unwrap().wake();
        other.join().unwrap();
        joined.send(()).unwrap();
    });
    second.1.send(b"2").unwrap();
    is_joined.recv().unwrap();
    // Time enough for the end of that round: the helper is in the poller again, or parked for ever.
    thread::sleep(Duration::from_millis(50));
    peer.send(b"3").unwrap();
    is_done.recv().unwrap();
}

static WAKER: Mutex<Option<std::task::Waker>> = Mutex::new(None);
