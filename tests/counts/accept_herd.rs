//! A server starts 64 tasks that all accept on one listener. The kernel reports a connection to the
//! listener's one registration, and the reactor wakes all who wait in that direction, since a waker may
//! belong to a task that has been dropped and would let the connection lie: 64 tasks are woken, one
//! gets the connection, 63 are told `WouldBlock`; upstream makes 65 accept calls a connection. Waking
//! one would be cheaper and would lose connections. Ours promises no worse than that, and one task that
//! accepts in a loop and hands the connections on has no herd at all.
#![cfg(target_os = "linux")]

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{poll_fn, Future};
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::future::zip;

use crate::util::strace::PerOperation;
use crate::util::{child, poller, strace, watchdog};

const TASKS: usize = 64;

/// A task with a waker of its own, polled when that was woken.
struct Task<F> {
    future: Pin<Box<F>>,
    wakes: Arc<Wakes>,
}

/// The waker of a [`Task`]: remembers the wake and wakes the task around it.
struct Wakes {
    woken: AtomicBool,
    around: Mutex<Option<Waker>>,
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        let around = self.around.lock().unwrap().clone();
        if let Some(around) = around {
            around.wake();
        }
    }
}

impl<F: Future<Output = Infallible>> Task<F> {
    fn new(future: F) -> Self {
        let wakes = Wakes { woken: AtomicBool::new(true), around: Mutex::new(None) };
        Task { future: Box::pin(future), wakes: Arc::new(wakes) }
    }

    fn poll_if_woken(&mut self, around: &Waker) {
        *self.wakes.around.lock().unwrap() = Some(around.clone());
        if self.wakes.woken.swap(false, Ordering::SeqCst) {
            let waker = Waker::from(self.wakes.clone());
            let polled = self.future.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
        }
    }
}

/// Runs a server of `tasks` tasks in a child with N and 2N connections under strace; what one costs,
/// where it can be counted.
fn cost(test: &str, tasks: usize) -> Option<PerOperation> {
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        serve(tasks, child::count());
        return None;
    }
    if !poller::is_epoll(test) {
        return None;
    }
    strace::per_operation(test, "counted", 30)
}

/// Accepts `count` connections, one at a time, in `tasks` tasks of this thread.
fn serve(tasks: usize, count: usize) {
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
    let address = listener.get_ref().local_addr().unwrap();
    let accepted = Cell::new(0);
    let accept = || async {
        loop {
            listener.accept().await.unwrap();
            accepted.set(accepted.get() + 1);
        }
    };
    let mut servers: Vec<_> = (0..tasks).map(|_| Task::new(accept())).collect();
    let server = poll_fn(|cx| {
        servers.iter_mut().for_each(|server| server.poll_if_woken(cx.waker()));
        if accepted.get() < count {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    });
    let client = async {
        for _ in 0..count {
            Async::<TcpStream>::connect(address).await.unwrap();
            // The next one comes when all wait again.
            Timer::after(Duration::from_millis(5)).await;
        }
    };
    block_on(zip(server, client));
    assert_eq!(accepted.get(), count);
}

fn accepts(cost: &PerOperation) -> f64 {
    cost.of(&["accept", "accept4"])
}

#[test]
fn many_tasks_accept() {
    if let Some(cost) = cost("many_tasks_accept", TASKS) {
        assert!(accepts(&cost) <= TASKS as f64 + 1.0, "{cost}");
    }
}

#[test]
fn one_task_accepts() {
    if let Some(cost) = cost("one_task_accepts", 1) {
        // The connection, and the end of the queue.
        assert!(accepts(&cost) <= 2.0, "{cost}");
    }
}
