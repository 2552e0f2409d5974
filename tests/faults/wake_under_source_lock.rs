//! A task is dropped by its executor when it is woken after the executor's end, and with it the futures
//! that it owns. Upstream's `poll_readable` wakes the waker that it replaces while the source is locked; when
//! that drops a task that owns a `Readable` of the same source, the `Readable` locks the source to take
//! its own waker out, and waits for itself. The reactor's thread then stops at that source too, at the next
//! event, and with it all sources and timers of the process.
//! In ours no lock is held while a waker is cloned, woken or dropped, so each of these may do anything
//! with the reactor.

use std::future::Future;
use std::io::Write;
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::pin::{pin, Pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Waker};
use std::time::Duration;

use async_io::{Async, Timer};

use crate::util::alive::reactor_is_alive;
use crate::util::child::own_process;
use crate::util::foreign_waker::{foreign_waker, Call};
use crate::util::{bounded, counting_waker, tcp_pair};

/// More tasks than a source can remember apart, so that some are replaced.
const TASKS: usize = 64;

fn connected() -> (Arc<Async<TcpStream>>, TcpStream) {
    let (near, far) = tcp_pair().unwrap();
    (Arc::new(Async::new(near).unwrap()), far)
}

/// A waker of a task that owns a wait for `source` and is dropped when it is woken.
fn owner_dropped_when_woken(source: &Arc<Async<TcpStream>>, count: Arc<AtomicUsize>) -> Waker {
    let mut wait = Box::pin(Async::readable_owned(source.clone()));
    bounded::pending("the socket", &counting_waker().0, |cx| wait.as_mut().poll(cx));
    let task = Mutex::new(Some(wait));
    foreign_waker(move |call| {
        let task = match call {
            Call::Wake => task.lock().unwrap().take(),
            Call::Clone | Call::Drop => None,
        };
        if task.is_some() {
            drop(task);
            count.fetch_add(1, Ordering::SeqCst);
        }
    })
}

#[test]
fn a_woken_task_may_drop_its_wait_for_the_same_source() {
    let Some(_watchdog) = own_process("a_woken_task_may_drop_its_wait_for_the_same_source") else {
        return;
    };
    let dropped = Arc::new(AtomicUsize::new(0));
    let (source, mut far) = connected();
    let polls = {
        let (source, dropped) = (source.clone(), dropped.clone());
        move || {
            for _ in 0..TASKS {
                let waker = owner_dropped_when_woken(&source, dropped.clone());
                bounded::pending("the socket", &waker, |cx| source.poll_readable(cx));
            }
        }
    };
    bounded::elsewhere("polls by one task after the other", polls);
    far.write_all(b"x").unwrap();
    bounded::until("every task is woken", || dropped.load(Ordering::SeqCst) == TASKS);
    reactor_is_alive();
    assert_eq!(Arc::strong_count(&source), 1, "owners of the source");
}

/// Does one of everything that locks something in the reactor.
fn touch(source: &Weak<Async<TcpStream>>) {
    let (waker, _wakes) = counting_waker();
    let mut cx = Context::from_waker(&waker);
    if let Some(source) = source.upgrade() {
        let _ = pin!(source.readable()).poll(&mut cx);
        let _ = pin!(source.writable()).poll(&mut cx);
        let _ = Pin::new(&mut Async::readable_owned(source.clone())).poll(&mut cx);
        let _ = source.poll_writable(&mut cx);
    }
    let mut timer = Timer::after(Duration::from_secs(3600));
    let _ = Pin::new(&mut timer).poll(&mut cx);
    timer.set_after(Duration::ZERO);
    drop(timer);
    drop(Async::<UdpSocket>::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
}

/// A waker that does everything with the reactor in its function `at`, and how often it did.
fn meddler(source: &Arc<Async<TcpStream>>, at: Call) -> (Waker, Arc<AtomicUsize>) {
    let source = Arc::downgrade(source);
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    let waker = foreign_waker(move |call| {
        if call == at {
            touch(&source);
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    (waker, calls)
}

/// Gives the reactor wakers that meddle in their function `at` in every place where it keeps a waker,
/// replaces them, drops them, and lets an event and a timer wake them.
fn meddle(at: Call) {
    let (source, mut far) = connected();
    let all = Arc::new(Mutex::new(Vec::new()));
    let work = {
        let (source, all) = (source.clone(), all.clone());
        move || {
            let waker = || {
                let (waker, calls) = meddler(&source, at);
                all.lock().unwrap().push(calls);
                waker
            };
            for _ in 0..TASKS {
                bounded::pending("the socket", &waker(), |cx| source.poll_readable(cx));
            }
            let mut dropped = Box::pin(source.readable());
            for _ in 0..2 {
                bounded::pending("the socket", &waker(), |cx| dropped.as_mut().poll(cx));
            }
            drop(dropped);
            let mut far_timer = Timer::after(Duration::from_secs(3600));
            for _ in 0..2 {
                bounded::pending("a timer", &waker(), |cx| Pin::new(&mut far_timer).poll(cx));
            }
            drop(far_timer);
            let mut timer = Timer::after(Duration::from_secs(3600));
            bounded::pending("a timer", &waker(), |cx| Pin::new(&mut timer).poll(cx));
            timer.set_after(Duration::from_millis(5));
            let mut kept = Box::pin(Async::readable_owned(source.clone()));
            bounded::pending("the socket", &waker(), |cx| kept.as_mut().poll(cx));
            (timer, kept)
        }
    };
    let (mut timer, mut kept) = bounded::elsewhere("polls by tasks that meddle", work);
    far.write_all(b"x").unwrap();
    bounded::finish("a timer after its first task", &mut timer);
    bounded::finish("a wait after its first task", &mut kept).unwrap();
    reactor_is_alive();

    let mut last = Timer::after(Duration::from_secs(3600));
    bounded::pending("a timer", &meddler(&source, at).0, |cx| Pin::new(&mut last).poll(cx));
    bounded::elsewhere("the end of a source and a timer", move || drop((kept, source, last)));
    reactor_is_alive();
    let calls = all.lock().unwrap();
    let meddled = calls.iter().filter(|calls| calls.load(Ordering::SeqCst) > 0).count();
    assert!(meddled > 0, "no waker of {} saw {at:?}", calls.len());
}

#[test]
fn a_waker_may_use_the_reactor_while_it_is_woken() {
    let Some(_watchdog) = own_process("a_waker_may_use_the_reactor_while_it_is_woken") else {
        return;
    };
    meddle(Call::Wake);
}

#[test]
fn a_waker_may_use_the_reactor_while_it_is_dropped() {
    let Some(_watchdog) = own_process("a_waker_may_use_the_reactor_while_it_is_dropped") else {
        return;
    };
    meddle(Call::Drop);
}

#[test]
fn a_waker_may_use_the_reactor_while_it_is_cloned() {
    let Some(_watchdog) = own_process("a_waker_may_use_the_reactor_while_it_is_cloned") else {
        return;
    };
    meddle(Call::Clone);
}
