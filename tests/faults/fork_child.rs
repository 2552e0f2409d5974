//! A daemon that forks after its first await, or a test harness that forks per test: the child has one
//! thread, and the parent's epoll instance, which both now share. In upstream's child nobody drives for
//! foreign executors any more, so timers hang. What the child waits for is registered with the parent's
//! instance, and the parent may take its events. And a child that merely drops what it inherited, as each
//! does on its way to `exec`, takes the parent's registrations out: the parent's tasks are never woken.
//! In ours a child notices that it is one at its first use, makes a reactor of its own, registers with that
//! what it goes on to use, and never touches its parent's.
#![cfg(unix)]

use std::future::Future;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use async_io::{block_on, Async, Timer};
use futures_lite::{AsyncReadExt, AsyncWriteExt, StreamExt};

use crate::util::alive::reactor_is_alive;
use crate::util::child::own_process;
use crate::util::fork::Child;
use crate::util::{bounded, counting_waker, tcp_pair};

const FAR: Duration = Duration::from_secs(3600);
/// How many parents there are that begin. A fork meets the first use within their first millisecond.
const BEGINNINGS: u32 = 100;
const SHORT: Duration = Duration::from_millis(2);

fn connected() -> (Async<TcpStream>, TcpStream) {
    let (near, far) = tcp_pair().unwrap();
    // A lost message fails the test instead of hanging it.
    let patience = Duration::from_secs(bounded::LOST_AFTER_S);
    far.set_read_timeout(Some(patience)).unwrap();
    (Async::new(near).unwrap(), far)
}

#[test]
fn timers_fire_in_a_child() {
    let Some(_watchdog) = own_process("timers_fire_in_a_child") else {
        return;
    };
    reactor_is_alive();
    let child = Child::start("which waits for timers", || {
        bounded::finish("a timer under a foreign executor", Timer::after(SHORT));
        let mut ticks = Timer::interval(SHORT);
        bounded::finish("an interval", async {
            for _ in 0..3 {
                ticks.next().await;
            }
        });
        block_on(Timer::after(SHORT));
    });
    child.succeeds();
    reactor_is_alive();
}

#[test]
fn new_sources_work_in_a_child_and_in_its_child() {
    let Some(_watchdog) = own_process("new_sources_work_in_a_child_and_in_its_child") else {
        return;
    };
    reactor_is_alive();
    let child = Child::start("which makes sources and forks", || {
        reactor_is_alive();
        Child::start("whose parent is a child", reactor_is_alive).succeeds();
        reactor_is_alive();
    });
    child.succeeds();
    reactor_is_alive();
}

/// The child serves a connection that it inherited, under both kinds of executor; each message comes when
/// the answer to the one before is there, so that it must wait for each.
#[test]
fn an_inherited_source_works_in_a_child() {
    let Some(_watchdog) = own_process("an_inherited_source_works_in_a_child") else {
        return;
    };
    let (near, mut far) = connected();
    // The parent waited before it forked, and still does.
    let (waker, _wakes) = counting_waker();
    bounded::pending("the socket", &waker, |cx| near.poll_readable(cx));

    let child = Child::start("which serves its parent's connection", || {
        let mut near = &near;
        let serve = |count: usize| async move {
            for _ in 0..count {
                let mut message = [0; 4];
                near.read_exact(&mut message).await.expect("a message comes");
                near.write_all(&message).await.expect("the answer goes");
            }
        };
        block_on(serve(10));
        bounded::finish("messages under a foreign executor", serve(10));
    });
    for message in 0..20_u32 {
        far.write_all(&message.to_be_bytes()).unwrap();
        let mut answer = [0; 4];
        far.read_exact(&mut answer).expect("the child answers");
        assert_eq!(u32::from_be_bytes(answer), message);
    }
    child.succeeds();
    reactor_is_alive();
}

/// The child waits for, reads from and drops what it inherited; the parent's waits go on as if nothing was.
#[test]
fn what_a_child_does_leaves_its_parent_alone() {
    let Some(_watchdog) = own_process("what_a_child_does_leaves_its_parent_alone") else {
        return;
    };
    let (near, mut far) = connected();
    let (waker, wakes) = counting_waker();
    bounded::pending("the socket", &waker, |cx| near.poll_readable(cx));
    let mut near = Some(near);

    let child = Child::start("which reads and drops its parent's source", || {
        let mut inherited = near.take().expect("inherited");
        let mut message = [0; 1];
        block_on(inherited.read_exact(&mut message)).expect("the first message comes");
    });
    far.write_all(b"1").unwrap();
    child.succeeds();

    let mut near = near.expect("the parent's own");
    // The parent was woken, unless the child had taken the message when the parent's reactor looked. One
    // event may be known: what is told now is that, and then that there is nothing.
    let mut cx = Context::from_waker(&waker);
    if let Poll::Ready(result) = near.poll_readable(&mut cx) {
        result.expect("the parent's wait succeeds");
        bounded::pending("the parent's socket", &waker, |cx| near.poll_readable(cx));
    }
    let before = wakes.get();
    far.write_all(b"2").unwrap();
    bounded::until("the parent's reader is woken by the second", || wakes.get() > before);
    let mut message = [0; 2];
    let len = bounded::finish("the parent's read", near.read(&mut message)).unwrap();
    assert_eq!(&message[..len], b"2");
}

#[test]
fn what_a_child_drops_stays_registered_in_its_parent() {
    let Some(_watchdog) = own_process("what_a_child_drops_stays_registered_in_its_parent") else {
        return;
    };
    let (waker, wakes) = counting_waker();
    let mut waiting = Vec::new();
    let mut idle = Vec::new();
    let mut converted = Vec::new();
    for _ in 0..4 {
        waiting.push(connected());
        idle.push(connected());
        converted.push(connected());
    }
    for (near, _) in waiting.iter().chain(&converted) {
        bounded::pending("a socket", &waker, |cx| near.poll_readable(cx));
    }
    let mut timer = Timer::after(FAR);
    bounded::pending("a timer", &waker, |cx| Pin::new(&mut timer).poll(cx));

    let mut timer = Some(timer);
    let mut inherited = (waiting, idle, converted);
    let child = Child::start("which drops what it inherited", || {
        drop(timer.take());
        let (waiting, idle, converted) = std::mem::take(&mut inherited);
        drop((waiting, idle));
        for (near, _) in converted {
            near.into_inner().expect("the socket is given back");
        }
    });
    child.succeeds();

    let (mut waiting, mut idle, mut converted) = inherited;
    for (near, _) in &idle {
        bounded::pending("a socket", &waker, |cx| near.poll_readable(cx));
    }
    let all = waiting.iter_mut().chain(&mut idle).chain(&mut converted);
    let sent = all.map(|(_, far)| far.write_all(b"x").unwrap()).count();
    bounded::until("every reader of the parent is woken", || wakes.get() >= sent);
    for (near, _) in waiting.iter_mut().chain(&mut idle).chain(&mut converted) {
        let mut message = [0; 2];
        let len = bounded::finish("the parent's read", near.read(&mut message)).unwrap();
        assert_eq!(len, 1);
    }
    let mut timer = timer.expect("the parent's own");
    timer.set_after(SHORT);
    bounded::finish("the parent's timer", &mut timer);
}

/// A child of a thread that is itself within `block_on`, and so perhaps the one that drives.
#[test]
fn a_fork_within_block_on_works_on_both_sides() {
    let Some(_watchdog) = own_process("a_fork_within_block_on_works_on_both_sides") else {
        return;
    };
    bounded::elsewhere("block_on around a fork", || {
        block_on(async {
            Timer::after(SHORT).await;
            let child = Child::start("of a thread in block_on", || {
                block_on(Timer::after(SHORT));
                reactor_is_alive();
            });
            child.succeeds();
            Timer::after(SHORT).await;
        });
    });
    reactor_is_alive();
}

/// Whatever the other threads held when it was forked is gone in the child, and must not be missed.
#[test]
fn children_of_a_busy_parent_work() {
    let Some(_watchdog) = own_process("children_of_a_busy_parent_work") else {
        return;
    };
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let (runs, has_begun) = channel();
    let busy = thread::spawn(move || {
        reactor_is_alive();
        runs.send(()).expect("the test waits");
        let (near, mut far) = connected();
        let mut near = &near;
        block_on(async {
            while !stopped.load(Ordering::SeqCst) {
                far.write_all(b"x").expect("a byte is sent");
                near.read_exact(&mut [0]).await.expect("the byte comes");
                Timer::after(Duration::from_micros(10)).await;
                drop(connected());
            }
        });
    });
    // All its threads run: a child of a fork that meets the start of a thread of std's can start none itself.
    has_begun.recv().expect("it begins");
    for _ in 0..20 {
        Child::start("of a busy parent", reactor_is_alive).succeeds();
    }
    stop.store(true, Ordering::SeqCst);
    bounded::until("the busy thread ends", || busy.is_finished());
    busy.join().unwrap();
    reactor_is_alive();
}

/// A fork copies the memory page by page, and other threads go on meanwhile. So a child may have one page as it was
/// before another one was copied. A program that forked while another thread of it used the reactor for the first
/// time had a child, once in sixty times on musl, with the pointer to its parent's reactor and without what tells a
/// child that it is one: what the child waited for never came.
#[test]
fn children_of_a_parent_that_begins_work() {
    let Some(_watchdog) = own_process("children_of_a_parent_that_begins_work") else {
        return;
    };
    for round in 0..BEGINNINGS {
        // It has never used the reactor.
        Child::start("which begins", move || begin(Duration::from_micros(10 * u64::from(round))))
            .succeeds();
    }
}

/// One thread uses the reactor for the first time, and the other forks, so much later.
///
/// No thread starts meanwhile: a child of a fork that meets the start of a thread of std's can start none itself.
fn begin(later: Duration) {
    let (runs, goes) = (AtomicBool::new(false), AtomicBool::new(false));
    let wait = |flag: &AtomicBool| while !flag.load(Ordering::Acquire) {};
    thread::scope(|scope| {
        let begins = scope.spawn(|| {
            runs.store(true, Ordering::Release);
            wait(&goes);
            // Nobody waits for it, so that the thread which drives is not started.
            drop(connected());
        });
        wait(&runs);
        goes.store(true, Ordering::Release);
        let begun = Instant::now();
        while begun.elapsed() < later {}
        let child = Child::start("of a parent that begins", reactor_is_alive);
        begins.join().expect("the parent uses its reactor");
        child.succeeds();
    });
    reactor_is_alive();
}
