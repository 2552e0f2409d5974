//! A destructor that says goodbye with `block_on(…)` runs where its task is dropped, and that may be within
//! a wake-up. Upstream wakes while the thread that drives holds the reactor's lock. The inner
//! `block_on` on this thread waits for a timer that only a driver can fire, and no other thread may
//! drive: one such destructor with a timer of a millisecond stops all I/O and all timers of the process.
//! Ours has let go of everything, the driver lock included, before it wakes or drops a waker; the inner
//! `block_on` drives by itself, or another thread does.

use std::future::Future;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{mpsc, Arc, Mutex};
use std::task::Waker;
use std::thread;
use std::time::Duration;

use async_io::{block_on, Async, Timer};

use crate::util::alive::reactor_is_alive;
use crate::util::child::own_process;
use crate::util::foreign_waker::{foreign_waker, Call};
use crate::util::{bounded, tcp_pair};

fn connected() -> (Async<TcpStream>, TcpStream) {
    let (near, far) = tcp_pair().unwrap();
    (Async::new(near).unwrap(), far)
}

/// What the destructor blocks on: a timer, then an answer from a thread that needs the question first.
fn say_goodbye() {
    let (near, mut far) = connected();
    let answer = thread::spawn(move || {
        let mut question = [0];
        far.read_exact(&mut question).expect("the question comes");
        far.write_all(&question).expect("the answer goes");
    });
    block_on(async {
        Timer::after(Duration::from_millis(1)).await;
        near.write_with(|mut tcp| tcp.write(b"x")).await.expect("the question goes");
        let len = near.read_with(|mut tcp| tcp.read(&mut [0; 2])).await;
        assert_eq!(len.expect("the answer comes"), 1);
    });
    answer.join().expect("the answering thread ends");
}

/// A waker that says goodbye in its function `at`, and how often it did.
fn goodbye(at: Call) -> (Waker, Arc<AtomicUsize>) {
    let done = Arc::new(AtomicUsize::new(0));
    let count = done.clone();
    let waker = foreign_waker(move |call| {
        if call == at {
            say_goodbye();
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    (waker, done)
}

#[track_caller]
fn ends(done: &AtomicUsize) {
    bounded::until("the block_on within the waker ends", || done.load(Ordering::SeqCst) > 0);
}

/// Gives an event to a task that blocks when it is woken.
fn woken_by_a_socket() {
    let (near, mut far) = connected();
    let (waker, done) = goodbye(Call::Wake);
    bounded::pending("a new source", &waker, |cx| near.poll_readable(cx));
    far.write_all(b"x").unwrap();
    ends(&done);
}

/// Fires a timer of a task that blocks when it is woken.
fn woken_by_a_timer() {
    let (waker, done) = goodbye(Call::Wake);
    let mut timer = Timer::after(Duration::from_secs(3600));
    bounded::pending("a new timer", &waker, |cx| Pin::new(&mut timer).poll(cx));
    timer.set_after(Duration::from_millis(1));
    ends(&done);
}

#[test]
fn a_task_woken_by_a_socket_may_block() {
    let Some(_watchdog) = own_process("a_task_woken_by_a_socket_may_block") else {
        return;
    };
    for _ in 0..5 {
        woken_by_a_socket();
    }
    reactor_is_alive();
}

#[test]
fn a_task_woken_by_a_timer_may_block() {
    let Some(_watchdog) = own_process("a_task_woken_by_a_timer_may_block") else {
        return;
    };
    for _ in 0..5 {
        woken_by_a_timer();
    }
    reactor_is_alive();
}

/// A cancelled timer's wakers are dropped; which thread drops them is not said.
#[test]
fn a_dropped_waker_may_block() {
    let Some(_watchdog) = own_process("a_dropped_waker_may_block") else {
        return;
    };
    for _ in 0..5 {
        let (waker, done) = goodbye(Call::Drop);
        bounded::elsewhere("the end of a timer and its waker", move || {
            let mut timer = Timer::after(Duration::from_secs(3600));
            bounded::pending("a new timer", &waker, |cx| Pin::new(&mut timer).poll(cx));
        });
        ends(&done);
        bounded::finish("another timer", Timer::after(Duration::from_millis(1)));
    }
    reactor_is_alive();
}

/// The thread that drives is one in `block_on`, which is woken for others and blocks once more.
#[test]
fn a_thread_in_block_on_may_block_within_a_wake() {
    let Some(_watchdog) = own_process("a_thread_in_block_on_may_block_within_a_wake") else {
        return;
    };
    let (near, mut far) = connected();
    let blocked = thread::spawn(move || {
        let read = near.read_with(|mut tcp| tcp.read(&mut [0; 2]));
        assert_eq!(block_on(read).expect("the end comes"), 1);
    });
    for _ in 0..5 {
        woken_by_a_socket();
        woken_by_a_timer();
    }
    far.write_all(b"x").unwrap();
    bounded::until("the outer block_on ends", || blocked.is_finished());
    blocked.join().unwrap();
    reactor_is_alive();
}

/// A waker that is woken by the helper thread waits for what a `block_on` thread is about to do. That one
/// had found the helper driving, and parked; the helper let go of the driver lock before it woke, and told nobody,
/// because it would have been back in a moment.
#[test]
fn a_waker_that_blocks_the_helper_keeps_no_other_thread() {
    let Some(_watchdog) = own_process("a_waker_that_blocks_the_helper_keeps_no_other_thread")
    else {
        return;
    };
    for _ in 0..5 {
        // On a machine that stalls, the timer may be due in the round of the event, and is then woken after
        // the waker. A later one is not.
        let mut delay = Duration::from_millis(5);
        while timer_waits_for_the_waker(delay) {
            assert!(delay < Duration::from_secs(1), "a timer of {delay:?} waited for the waker");
            delay *= 8;
        }
    }
}

/// Whether the waker gave up waiting for a timer of this delay in `block_on`.
fn timer_waits_for_the_waker(delay: Duration) -> bool {
    let (near, mut far) = connected();
    let (done, is_done) = mpsc::channel::<()>();
    let is_done = Mutex::new(is_done);
    let (gave_up, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (give_up, end) = (gave_up.clone(), ended.clone());
    let this = thread::current().id();
    let waker = foreign_waker(move |call| {
        if call == Call::Wake {
            // Where this thread got the driver lock before the event was harvested, it wakes itself.
            if thread::current().id() != this {
                let waited = is_done.lock().unwrap().recv_timeout(Duration::from_secs(20));
                give_up.fetch_add(usize::from(waited.is_err()), Ordering::SeqCst);
            }
            end.fetch_add(1, Ordering::SeqCst);
        }
    });
    bounded::pending("a new source", &waker, |cx| near.poll_readable(cx));
    // Long enough for the helper to be in the poller.
    thread::sleep(Duration::from_millis(30));
    block_on(async {
        far.write_all(b"x").unwrap();
        Timer::after(delay).await;
    });
    done.send(()).unwrap();
    ends(&ended);
    gave_up.load(Ordering::SeqCst) > 0
}
