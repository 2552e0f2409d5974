//! What a program's own work costs in system calls, beside what the work itself needs. Upstream, counted
//! with strace: a task that merely yields under `block_on` pays 5 system calls (tokio 1); a 64-byte
//! ping-pong between two tasks of one thread 10.6 a round trip (tokio 5.8); a timeout put around an
//! operation about 6, and a wake of the helper thread, because each timer is the earliest for a moment;
//! a connect over loopback 20 besides those that make and close the socket.
//! Ours: 1 for a yield; 8 for a round trip (two waits, two writes, two reads, two reads that find
//! nothing); none for a timeout that is never reached; 3 for a connect (registered, asked for its
//! peer, deregistered).
#![cfg(target_os = "linux")]

use std::future::Future;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use async_io::{block_on, Async, Timer};
use futures_lite::future::{self, or, yield_now, zip};
use futures_lite::{AsyncReadExt, AsyncWriteExt};

use crate::util;
use crate::util::strace::PerOperation;
use crate::util::{child, poller, strace, watchdog};

/// Runs `work` in a child with N and 2N operations under strace; the cost of one, where it can be counted.
fn cost(test: &str, count: usize, work: impl FnOnce(usize)) -> Option<PerOperation> {
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        work(child::count());
        return None;
    }
    if !poller::is_epoll(test) {
        return None;
    }
    strace::per_operation(test, "counted", count)
}

/// What the operations themselves cost, which send and receive: all but the helper thread's looks at
/// whether somebody drives, its turns when the driver has been kept waiting, and the notifications that
/// end them. Those go by time, and so by how much strace and other programs slow this one down.
fn own_calls(cost: &PerOperation) -> f64 {
    cost.total() - cost.of(&["futex", "write"])
}

/// For a turn of the helper thread now and then: eight, and a wait in the poller.
const ROUND_TRIP_MAX: f64 = 8.3;

/// Ends `operation` after half a minute, which no operation here takes.
async fn guarded<T>(operation: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    or(operation, async {
        Timer::after(Duration::from_secs(30)).await;
        Err(io::ErrorKind::TimedOut.into())
    })
    .await
}

#[test]
fn a_yield_is_one_call() {
    let cost = cost("a_yield_is_one_call", 500, |count| {
        block_on(async {
            for _ in 0..count {
                yield_now().await;
            }
        });
    });
    if let Some(cost) = cost {
        assert!(cost.total() <= 1.05, "{cost}");
    }
}

/// `count` round trips of 64 bytes between two tasks of this thread.
fn ping_pong(count: usize) {
    let (near, far) = util::tcp_pair().unwrap();
    let (mut near, mut far) = (connected(near), connected(far));
    let ping = async {
        let mut message = [1; 64];
        for _ in 0..count {
            near.write_all(&message).await?;
            near.read_exact(&mut message).await?;
        }
        io::Result::Ok(())
    };
    let pong = async {
        let mut message = [0; 64];
        for _ in 0..count {
            far.read_exact(&mut message).await?;
            far.write_all(&message).await?;
        }
        io::Result::Ok(())
    };
    let (ping, pong) = block_on(zip(ping, pong));
    ping.and(pong).unwrap();
}

fn connected(stream: TcpStream) -> Async<TcpStream> {
    stream.set_nodelay(true).unwrap();
    Async::new(stream).unwrap()
}

#[test]
fn a_round_trip_is_eight_calls() {
    if let Some(cost) = cost("a_round_trip_is_eight_calls", 500, ping_pong) {
        assert!(own_calls(&cost) <= ROUND_TRIP_MAX, "{cost}");
    }
}

/// Asking whether the attempt has ended, and how, were two calls once.
#[test]
fn a_connect_that_is_done_at_once_is_asked_once() {
    let cost = cost("a_connect_that_is_done_at_once_is_asked_once", 100, |count| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        block_on(async {
            for _ in 0..count {
                let near = Async::<TcpStream>::connect(addr).await.unwrap();
                drop((near, listener.accept().unwrap()));
            }
        });
    });
    if let Some(cost) = cost {
        // Of a connection, made and closed at both ends: a debug build of std sees to it that what it
        // closes is open.
        let connection = cost.of(&["socket", "connect", "accept4", "close", "fcntl"]);
        // Registered, asked, deregistered; the helper thread's looks go by time.
        assert!(cost.total() - connection - cost.of(&["futex"]) <= 3.1, "{cost}");
    }
}

/// An operation that another task completes while this thread is busy for a moment, long enough for
/// another thread that the timer has woken to go through a round of its own.
async fn operation() -> io::Result<()> {
    yield_now().await;
    thread::sleep(Duration::from_millis(2));
    Ok(())
}

/// The calls of an [`operation`] apart from its own sleep.
fn overhead(cost: &PerOperation) -> f64 {
    cost.total() - cost.of(&["clock_nanosleep"])
}

/// The helper thread does rounds itself when there was none for ten milliseconds. Each operation here brings
/// one, unless other programs keep this one from running.
const ROUNDS_APART_MAX: Duration = Duration::from_millis(9);

#[test]
fn a_timeout_under_block_on_is_free() {
    let cost = cost("a_timeout_under_block_on_is_free", 100, |count| {
        let (mut last, mut apart_max) = (Instant::now(), Duration::ZERO);
        block_on(async {
            for _ in 0..count {
                guarded(operation()).await.unwrap();
                apart_max = apart_max.max(last.elapsed());
                last = Instant::now();
            }
        });
        if apart_max > ROUNDS_APART_MAX {
            strace::disturbed();
        }
    });
    if let Some(cost) = cost {
        // The one that any yield costs. The helper thread's looks go by time; a notification would be
        // a write.
        assert!(overhead(&cost) - cost.of(&["futex"]) <= 1.1, "{cost}");
    }
}

#[test]
fn a_timeout_under_a_foreign_executor_is_free() {
    let cost = cost("a_timeout_under_a_foreign_executor_is_free", 100, |count| {
        future::block_on(async {
            for _ in 0..count {
                guarded(operation()).await.unwrap();
            }
        });
    });
    if let Some(cost) = cost {
        // The helper is woken for the first, for none after it.
        assert!(overhead(&cost) <= 0.1, "{cost}");
    }
}

#[test]
fn a_timeout_around_a_round_trip_is_free() {
    let cost = cost("a_timeout_around_a_round_trip_is_free", 500, |count| {
        let (near, far) = util::tcp_pair().unwrap();
        let (mut near, mut far) = (connected(near), connected(far));
        let ping = async {
            let mut message = [1; 64];
            for _ in 0..count {
                guarded(near.write_all(&message)).await?;
                guarded(near.read_exact(&mut message)).await?;
            }
            io::Result::Ok(())
        };
        let pong = async {
            let mut message = [0; 64];
            for _ in 0..count {
                guarded(far.read_exact(&mut message)).await?;
                guarded(far.write_all(&message)).await?;
            }
            io::Result::Ok(())
        };
        let (ping, pong) = block_on(zip(ping, pong));
        ping.and(pong).unwrap();
    });
    if let Some(cost) = cost {
        assert!(own_calls(&cost) <= ROUND_TRIP_MAX, "{cost}");
    }
}
