//! A task is freed with its last waker, and what it owns may panic in its destructor. Upstream drops the
//! wakers of cancelled timers, and wakes those of a round, wherever it happens to be, on its own thread and
//! with its mutexes locked. One panic ends the thread that drives on behalf of everybody, poisons a mutex,
//! and drops the rest of the round: later timers never fire, or `Timer::after` itself panics, in tasks that
//! have nothing to do with it.
//! In ours a panic of a waker stays with that waker, whether it is woken or dropped, on whatever thread,
//! and out of the callers' way; every other waker of the round is woken.

use std::fmt::Debug;
use std::future::Future;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use async_io::{block_on, Async, Timer};

use crate::util::alive::reactor_is_alive;
use crate::util::child::own_process;
use crate::util::foreign_waker::{foreign_waker, Call};
use crate::util::{bounded, counting_waker, tcp_pair};

const FAR: Duration = Duration::from_secs(3600);

fn connected() -> (Async<TcpStream>, TcpStream) {
    let (near, far) = tcp_pair().unwrap();
    (Async::new(near).unwrap(), far)
}

/// A task that panics when it is freed, which is when its last waker goes: by being dropped, or within
/// `wake`, which consumes it.
struct Task(Arc<AtomicUsize>);

impl Wake for Task {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        // As destructors do that would otherwise end the process.
        if !thread::panicking() {
            // A panic without the hook's message, which would look like a failure.
            panic::resume_unwind(Box::new("a task's own panic"));
        }
    }
}

/// Does something with the reactor that frees tasks, and expects that their panics do not come out of it.
#[track_caller]
fn contained<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let Ok(result) = panic::catch_unwind(AssertUnwindSafe(work)) else {
        panic!("a task's panic, or another, came out of {what}");
    };
    result
}

/// Polls with the waker of a new task, which only the reactor then has. Its freeing is counted in `freed`.
#[track_caller]
fn given_to<T: Debug>(
    what: &str,
    freed: &Arc<AtomicUsize>,
    poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
) {
    let waker = Waker::from(Arc::new(Task(freed.clone())));
    contained(what, || bounded::pending(what, &waker, poll));
}

#[test]
fn a_cancelled_timer_may_free_a_task_that_panics() {
    let Some(_watchdog) = own_process("a_cancelled_timer_may_free_a_task_that_panics") else {
        return;
    };
    let freed = Arc::default();
    for round in 1..=3 {
        let mut timer = Timer::after(FAR);
        given_to("a timer", &freed, |cx| Pin::new(&mut timer).poll(cx));
        contained("the end of a timer", || drop(timer));
        // Gives the reactor something to do, so that it frees what it has kept.
        bounded::finish("another timer", Timer::after(Duration::from_millis(1)));
        reactor_is_alive();
        bounded::until("the task is freed", || freed.load(Ordering::SeqCst) == round);
    }
}

#[test]
fn a_replaced_task_may_panic() {
    let Some(_watchdog) = own_process("a_replaced_task_may_panic") else {
        return;
    };
    let freed = Arc::default();
    let (near, mut far) = connected();
    let mut timer = Timer::after(FAR);
    let mut readable = Box::pin(near.readable());
    for _ in 0..3 {
        given_to("a timer", &freed, |cx| Pin::new(&mut timer).poll(cx));
        given_to("a socket", &freed, |cx| readable.as_mut().poll(cx));
    }
    let (waker, wakes) = counting_waker();
    contained("the polls of the last task", || {
        bounded::pending("a timer", &waker, |cx| Pin::new(&mut timer).poll(cx));
        bounded::pending("a socket", &waker, |cx| readable.as_mut().poll(cx));
    });
    far.write_all(b"x").unwrap();
    bounded::until("the reader after those that panicked is woken", || wakes.get() == 1);
    timer.set_after(Duration::from_millis(1));
    bounded::until("the sleeper after those that panicked is woken", || wakes.get() == 2);
    reactor_is_alive();
    bounded::until("the tasks are freed", || freed.load(Ordering::SeqCst) == 6);
}

#[test]
fn a_source_and_its_tasks_may_end_in_panics() {
    let Some(_watchdog) = own_process("a_source_and_its_tasks_may_end_in_panics") else {
        return;
    };
    let freed = Arc::default();
    let (near, _far) = connected();
    let mut readable = Box::pin(near.readable());
    given_to("a socket", &freed, |cx| readable.as_mut().poll(cx));
    contained("the end of a wait", || drop(readable));
    given_to("a socket", &freed, |cx| near.poll_readable(cx));
    contained("the end of a source", || drop(near));
    reactor_is_alive();
    bounded::until("the tasks are freed", || freed.load(Ordering::SeqCst) == 2);
}

/// Keeps the thread that wakes it until told, so that what happens meanwhile is one round.
fn busy() -> (Waker, Arc<AtomicBool>, Arc<AtomicBool>) {
    let (begun, go_on) = <(Arc<AtomicBool>, Arc<AtomicBool>)>::default();
    let (begin, end) = (begun.clone(), go_on.clone());
    let waker = foreign_waker(move |call| {
        if call == Call::Wake {
            begin.store(true, Ordering::SeqCst);
            bounded::until("the round is prepared", || end.load(Ordering::SeqCst));
        }
    });
    (waker, begun, go_on)
}

/// One round with sockets and timers of tasks that panic among those of tasks that do not.
fn round_with_panics() {
    const TASKS: usize = 4;
    let (busy_source, mut busy_far) = connected();
    let (busy_waker, begun, go_on) = busy();
    bounded::pending("a socket", &busy_waker, |cx| busy_source.poll_readable(cx));
    busy_far.write_all(b"x").unwrap();
    bounded::until("the busy task is woken", || begun.load(Ordering::SeqCst));

    let freed = Arc::default();
    let (good, wakes) = counting_waker();
    let mut sources = Vec::new();
    let mut timers = Vec::new();
    for _ in 0..TASKS {
        let (bad_source, bad_far) = connected();
        let (good_source, good_far) = connected();
        given_to("a socket", &freed, |cx| bad_source.poll_readable(cx));
        bounded::pending("a socket", &good, |cx| good_source.poll_readable(cx));
        sources.extend([(bad_source, bad_far), (good_source, good_far)]);

        let (mut bad_timer, mut good_timer) = (Timer::after(FAR), Timer::after(FAR));
        given_to("a timer", &freed, |cx| Pin::new(&mut bad_timer).poll(cx));
        bounded::pending("a timer", &good, |cx| Pin::new(&mut good_timer).poll(cx));
        timers.extend([bad_timer, good_timer]);
    }
    for (_, far) in &mut sources {
        far.write_all(b"x").unwrap();
    }
    for timer in &mut timers {
        timer.set_after(Duration::from_millis(1));
    }
    // Until the timers are due too.
    thread::sleep(Duration::from_millis(5));
    go_on.store(true, Ordering::SeqCst);

    bounded::until("the other tasks of the round are woken", || wakes.get() == 2 * TASKS);
    contained("the end of a round's sources and timers", || drop((sources, timers)));
    bounded::until("the tasks that panic are freed", || freed.load(Ordering::SeqCst) == 2 * TASKS);
    assert_eq!(wakes.get(), 2 * TASKS, "a task was woken twice");
}

#[test]
fn a_woken_task_that_panics_takes_no_other_with_it() {
    let Some(_watchdog) = own_process("a_woken_task_that_panics_takes_no_other_with_it") else {
        return;
    };
    for _ in 0..3 {
        round_with_panics();
    }
    reactor_is_alive();
}

/// Whoever waits in `block_on` drives for all, and so wakes and frees strangers' tasks.
#[test]
fn a_stranger_that_panics_does_not_end_block_on() {
    let Some(_watchdog) = own_process("a_stranger_that_panics_does_not_end_block_on") else {
        return;
    };
    let (near, mut far) = connected();
    let blocked = thread::spawn(move || {
        block_on(near.read_with(|mut tcp| tcp.read(&mut [0; 2]))).expect("the end comes")
    });
    for _ in 0..3 {
        round_with_panics();
        let mut timer = Timer::after(FAR);
        let freed = Arc::default();
        given_to("a timer", &freed, |cx| Pin::new(&mut timer).poll(cx));
        contained("the end of a timer", || drop(timer));
        bounded::finish("another timer", Timer::after(Duration::from_millis(1)));
        bounded::until("the task is freed", || freed.load(Ordering::SeqCst) == 1);
    }
    far.write_all(b"x").unwrap();
    bounded::until("block_on ends", || blocked.is_finished());
    assert_eq!(blocked.join().expect("block_on does not panic"), 1);
    reactor_is_alive();
}
