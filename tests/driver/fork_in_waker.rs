//! A waker forks (a supervisor that starts its workers from wherever it is woken), and the child returns from
//! it into the midst of its parent's round. It then went on with its parent's reactor: drove the epoll
//! instance that both share, took the parent's events, and woke nobody, because whoever it would wake
//! had been left behind. A child looks who it is when it comes back from waking: one in `block_on` is polled
//! again and joins a reactor of its own, and the helper thread, whose parent has another, ends.
//! Each test has a process of its own: a waker forks whichever thread drives, and that of another test would
//! not know that it is a child.
#![cfg(unix)]

use std::future::{poll_fn, Future};
use std::io::Write;
use std::net::TcpStream;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use async_io::{block_on, Async, Timer};

use crate::util::child::own_process;
use crate::util::fork::{leave, Child};
use crate::util::{bounded, counting_waker, tcp_pair};

/// More timers than are woken in one piece.
const MANY: usize = 600;

/// Forks when it is woken for the first time.
#[derive(Default)]
struct Forks(Mutex<Forked>);

#[derive(Default)]
enum Forked {
    #[default]
    NotYet,
    Parent(Option<Child>),
    Child,
}

impl Wake for Forks {
    fn wake(self: Arc<Self>) {
        let mut forked = self.0.lock().unwrap();
        if matches!(*forked, Forked::NotYet) {
            *forked = match Child::fork("which returns from a waker") {
                Some(child) => Forked::Parent(Some(child)),
                None => Forked::Child,
            };
        }
    }
}

impl Forks {
    fn is_child(&self) -> bool {
        matches!(*self.0.lock().unwrap(), Forked::Child)
    }

    /// Waits until the waker has forked.
    fn child(&self) -> Child {
        let mut child = None;
        bounded::until("the waker forks", || match &mut *self.0.lock().unwrap() {
            Forked::Parent(forked) => {
                child = forked.take();
                true
            }
            _ => false,
        });
        child.expect("taken once")
    }
}

fn connected() -> (Async<TcpStream>, TcpStream) {
    let (near, far) = tcp_pair().unwrap();
    (Async::new(near).unwrap(), far)
}

/// Has `near` wait with a waker that forks.
fn wait_and_fork(near: &Async<TcpStream>) -> Arc<Forks> {
    let forks = Arc::new(Forks::default());
    let waker = Waker::from(forks.clone());
    bounded::pending("the socket", &waker, |cx| near.poll_readable(cx));
    forks
}

/// The child is polled, though nothing has woken its future, and the parent goes on.
#[test]
fn a_child_of_the_driver_is_polled() {
    let Some(_watchdog) = own_process("a_child_of_the_driver_is_polled") else {
        return;
    };
    let (near, mut far) = connected();
    let (parents, mut tell) = connected();
    let forks = wait_and_fork(&near);
    let waits = forks.clone();
    let parent = thread::spawn(move || {
        far.write_all(b"x").unwrap();
        waits.child().exits();
        tell.write_all(b"x").unwrap();
    });
    let mut readable = Box::pin(parents.readable());
    block_on(poll_fn(|cx| match forks.is_child() {
        true => leave(0),
        false => readable.as_mut().poll(cx),
    }))
    .unwrap();
    parent.join().unwrap();
}

/// Nobody but the helper thread drives, and it forks: the child is that thread alone.
#[test]
fn a_child_of_the_helper_ends() {
    let Some(_watchdog) = own_process("a_child_of_the_helper_ends") else {
        return;
    };
    let (near, mut far) = connected();
    let forks = wait_and_fork(&near);
    far.write_all(b"x").unwrap();
    forks.child().exits();

    let (near, mut far) = connected();
    let (waker, wakes) = counting_waker();
    bounded::pending("the next socket", &waker, |cx| near.poll_readable(cx));
    far.write_all(b"x").unwrap();
    bounded::until("the parent's task is woken", || wakes.get() > 0);
}

/// What the child waits for was due in the same round, behind hundreds of others.
#[test]
fn a_childs_timer_that_was_due_is_over() {
    let Some(_watchdog) = own_process("a_childs_timer_that_was_due_is_over") else {
        return;
    };
    let forks = Arc::new(Forks::default());
    let at = Instant::now() + Duration::from_millis(30);
    let mut timers: Vec<Timer> = (0..MANY).map(|_| Timer::at(at)).collect();
    let mut armed = false;
    block_on(poll_fn(|cx| {
        let (last, others) = timers.split_last_mut().unwrap();
        if !armed {
            armed = true;
            let mut waker = Waker::from(forks.clone());
            for timer in others {
                let poll = Pin::new(timer).poll(&mut Context::from_waker(&waker));
                // A machine that stalls for 30 ms has nothing to tell here.
                if poll.is_ready() {
                    return Poll::Ready(());
                }
                waker = Waker::noop().clone();
            }
        }
        Pin::new(last).poll(cx).map(drop)
    }));
    if forks.is_child() {
        leave(0);
    }
    if matches!(*forks.0.lock().unwrap(), Forked::Parent(_)) {
        forks.child().exits();
    }
}
