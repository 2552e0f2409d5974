//! A program that closes a descriptor twice hits somebody else's socket: its number is closed while a
//! reactor still waits for it. The registration lives on while a duplicate is open, so an event comes.
//! Upstream then registers anew by number, for the direction that still waits, gets `EBADF`, and leaves
//! the round with `?`. Every waker collected in it is dropped: other sources' and those of timers that
//! were due. Their tasks never wake, through no fault of theirs, and nothing is reported.
//! Ours has nothing to register after the first time; where a poller is one-shot, an error stays with its
//! source: the waiters of that source are woken, to meet it in their next operation, and so are all others.
#![cfg(target_os = "linux")]

use std::future::{poll_fn, Future};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::thread;
use std::time::Duration;

use async_io::{Async, Timer};

use crate::util::child::own_process;
use crate::util::lent_fd::LentSocket;
use crate::util::{bounded, counting_waker};

/// A task that keeps the thread that wakes it, so that what happens meanwhile is all found in its next
/// round. Nothing is asserted about how long.
#[derive(Default)]
struct Busy(AtomicBool);

impl Wake for Busy {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(20));
    }
}

/// One round of the reactor with an event of a closed number, one of another source, and a timer.
fn round(closed_first: bool) {
    let (busy, mut busy_peer) = UnixStream::pair().unwrap();
    let (closed, mut closed_peer) = UnixStream::pair().unwrap();
    let (other, mut other_peer) = UnixStream::pair().unwrap();
    let busy = Async::new(busy).unwrap();
    let closed = Async::new(LentSocket::new(&closed)).unwrap();
    let other = Async::new(other).unwrap();
    let mut timer = Timer::after(Duration::from_secs(3600));

    let busy_task = Arc::new(Busy::default());
    let (reader, reads) = counting_waker();
    let (writer, writes) = counting_waker();
    let (other_reader, other_reads) = counting_waker();
    let (sleeper, fires) = counting_waker();
    closed.get_ref().fill();
    let busy_waker = Waker::from(busy_task.clone());
    bounded::pending("the busy source", &busy_waker, |cx| busy.poll_readable(cx));
    bounded::pending("the closed source", &reader, |cx| closed.poll_readable(cx));
    bounded::pending("the closed source", &writer, |cx| closed.poll_writable(cx));
    bounded::pending("the other source", &other_reader, |cx| other.poll_readable(cx));
    bounded::pending("the timer", &sleeper, |cx| Pin::new(&mut timer).poll(cx));

    let _keeps_the_registration = closed.get_ref().duplicate();
    closed.get_ref().close();

    busy_peer.write_all(b"x").unwrap();
    bounded::until("the busy task is woken", || busy_task.0.load(Ordering::SeqCst));
    timer.set_after(Duration::from_millis(1));
    if closed_first {
        closed_peer.write_all(b"x").unwrap();
        other_peer.write_all(b"x").unwrap();
    } else {
        other_peer.write_all(b"x").unwrap();
        closed_peer.write_all(b"x").unwrap();
    }

    bounded::until("the other source's reader is woken", || other_reads.get() > 0);
    bounded::until("the timer's task is woken", || fires.get() > 0);
    bounded::until("the closed source's reader is woken", || reads.get() > 0);
    let error = closed.get_ref().read(&mut [0]).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EBADF), "{error}");

    // The writer was woken with the error, or is woken now: there is room.
    let mut buffer = vec![0; 1 << 20];
    assert!(closed_peer.read(&mut buffer).unwrap() > 0);
    bounded::until("the closed source's writer is woken", || writes.get() > 0);
    let _ready_or_error = bounded::finish(
        "the woken writer of the closed source",
        poll_fn(|cx| closed.poll_writable(cx)),
    );
    let error = closed.get_ref().write(b"x").unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EBADF), "{error}");
}

#[test]
fn the_round_goes_on_after_the_closed_source() {
    let Some(_watchdog) = own_process("the_round_goes_on_after_the_closed_source") else {
        return;
    };
    (0..5).for_each(|_| round(true));
}

#[test]
fn the_round_is_kept_before_the_closed_source() {
    let Some(_watchdog) = own_process("the_round_is_kept_before_the_closed_source") else {
        return;
    };
    (0..5).for_each(|_| round(false));
}
