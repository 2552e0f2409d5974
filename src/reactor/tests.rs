//! The reactor under a scripted poller: every harvest is written in advance, so that what follows
//! from it is exact.

mod arming;
mod fork;
mod golden;
mod rounds;

use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Wake, Waker};

use ticks_format::Direction;

use super::attempt::{IoKind, Question, StreamRead};
use super::lock::{DriverGuard, Holder};
use super::readiness::WaiterId;
use super::source::Source;
use super::{Driver, Reactor};
use crate::poller::registration::Registration;
use crate::poller::scripted::Scripted;
use crate::poller::{Mode, Poller};

/// A reactor of its own for one test, with its script.
fn scripted(mode: Mode) -> (&'static Reactor, &'static Scripted) {
    /// Keeps the reactors where a leak checker finds them.
    static MADE: Mutex<Vec<&'static Reactor>> = Mutex::new(Vec::new());
    let mut reactor = Reactor::new(0);
    reactor.poller = OnceLock::from(Poller::Scripted(Scripted::new(mode)));
    let reactor: &'static Reactor = Box::leak(Box::new(reactor));
    MADE.lock().unwrap().push(reactor);
    match reactor.poller.get() {
        Some(Poller::Scripted(script)) => (reactor, script),
        _ => unreachable!("it was made above"),
    }
}

fn socket() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").unwrap()
}

/// A thread that does a round and has nobody to tell.
struct Alone;

impl Driver for Alone {
    fn is_awake(&self) {}

    fn unlock(&self, _: DriverGuard<'_>, _: usize) {}
}

/// One round that does not wait.
fn round(reactor: &'static Reactor) {
    let lock = reactor.lock().try_lock(Holder::BlockOn).expect("this test alone drives");
    reactor.react(lock, &mut super::Round::default(), Some(std::time::Duration::ZERO), &Alone);
}

/// Waits until this point on the reactor's clock has passed.
fn wait_until_ns(ns: u64) {
    while super::clock::now_ns() < ns {
        std::thread::yield_now();
    }
}

fn source(reactor: &'static Reactor, fd: &impl AsRawFd) -> Arc<Source> {
    Source::new_in(reactor, Registration::from_raw(fd.as_raw_fd())).expect("the script allows it")
}

/// Counts its wakes.
#[derive(Default)]
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Counter {
    fn new() -> (Arc<Counter>, Waker) {
        let counter = Arc::new(Counter::default());
        (counter.clone(), Waker::from(counter))
    }

    fn wakes(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// `poll_readable` or `poll_writable` of a source of std.
fn poll(source: &Arc<Source>, dir: Direction, waker: &Waker) -> Poll<()> {
    let mut cx = Context::from_waker(waker);
    let (waiter, mut question) = (&mut WaiterId::SHARED.clone(), Question(IoKind::Plain));
    let poll = source.wait(dir, waiter, &mut cx, &mut question);
    poll.map(|result| result.expect("the script has no error here"))
}
