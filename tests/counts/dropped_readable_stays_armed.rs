//! A task asks whether a socket is readable, is told to wait, and is cancelled or goes on to something
//! else. Upstream has armed the source for it and leaves it armed, and arms it again for whoever asks
//! next: one datagram that nobody fetches wakes the reactor once for each of 200 abandoned questions.
//! The wakes are for nothing, since nobody waits any more. Ours arms nothing: an edge wakes the reactor at
//! most once, whoever asks and leaves; and what asks later gets its answer from the kernel at once.
#![cfg(target_os = "linux")]

use std::fs;
use std::net::UdpSocket;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use async_io::{Async, Timer};
use futures_lite::future::{self, block_on, Future};

use crate::util::child::own_process;
use crate::util::{counting_waker, socket_and_peer};

const TIMES: u64 = 200;

/// The helper thread may also wake up for its own sake now and then.
const SLACK: u64 = 10;

/// A socket known to the running reactor, and its peer.
fn pair() -> (Async<UdpSocket>, UdpSocket) {
    block_on(Timer::after(Duration::from_millis(10)));
    socket_and_peer().unwrap()
}

/// How often the helper thread has gone to sleep, and so the rounds of the reactor that it drives here.
fn rounds() -> u64 {
    fs::read_dir("/proc/self/task")
        .unwrap()
        .map(|task| task.unwrap().path())
        .filter(|task| {
            fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == "async-io")
        })
        .map(|task| {
            let status = fs::read_to_string(task.join("status")).unwrap();
            let switches = status
                .lines()
                .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))
                .expect("the kernel counts the switches of a thread");
            switches.trim().parse::<u64>().unwrap()
        })
        .next()
        .expect("a helper thread")
}

/// Asks whether the socket is readable and leaves without waiting for the answer.
fn ask_and_leave(socket: &Async<UdpSocket>, waker: &Waker) -> bool {
    let readable = pin!(socket.readable());
    match readable.poll(&mut Context::from_waker(waker)) {
        Poll::Ready(result) => result.map(|()| true).unwrap(),
        Poll::Pending => false,
    }
}

/// Gives the reactor the time to react.
fn a_moment() {
    thread::sleep(Duration::from_millis(2));
}

/// Waits for a datagram of its own, which costs a round. The kernel reports events in their order: what
/// was sent before is harvested by then.
fn wait_for_one_more((socket, peer): &(Async<UdpSocket>, UdpSocket)) {
    let send = async {
        peer.send(b"one more").unwrap();
    };
    // Polled in this order, so that the wait has begun when it is sent.
    let (received, ()) = block_on(future::zip(socket.recv(&mut [0; 8]), send));
    received.unwrap();
}

#[test]
fn one_datagram_wakes_the_reactor_once() {
    let Some(_watchdog) = own_process("one_datagram_wakes_the_reactor_once") else {
        return;
    };
    let (socket, peer) = pair();
    let (waker, wakes) = counting_waker();
    let before = rounds();
    assert!(!ask_and_leave(&socket, &waker), "nothing has been sent");
    peer.send(b"nobody fetches me").unwrap();
    for _ in 0..TIMES {
        a_moment();
        ask_and_leave(&socket, &waker);
    }
    let rounds = rounds() - before;
    assert!(rounds <= 1 + SLACK, "{rounds} rounds for one datagram");
    assert_eq!(wakes.get(), 0, "a task was woken that no longer waits");
    assert!(ask_and_leave(&socket, &waker), "the datagram is still there");
}

#[test]
fn each_datagram_wakes_the_reactor_at_most_once() {
    let Some(_watchdog) = own_process("each_datagram_wakes_the_reactor_at_most_once") else {
        return;
    };
    let (socket, peer) = pair();
    let another = pair();
    let (waker, wakes) = counting_waker();
    let before = rounds();
    for _ in 0..TIMES {
        assert!(!ask_and_leave(&socket, &waker), "nothing is left");
        peer.send(b"fetched without asking").unwrap();
        wait_for_one_more(&another);
        socket.get_ref().recv(&mut [0; 32]).unwrap();
    }
    let rounds = rounds() - before;
    assert!(rounds <= 2 * TIMES + SLACK, "{rounds} rounds for twice {TIMES} datagrams");
    assert_eq!(wakes.get(), 0, "a task was woken that no longer waits");
}
