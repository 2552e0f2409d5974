//! A program looks whether something has come, without waiting for it: a signal handler writes to a pipe
//! and the next look reads it, a game looks at its socket once a frame, two ends of a connection live in one
//! task. To save system calls, ours used to go by what a socket had been like before, and said that there
//! was nothing though a byte was there; 2.6.0 tries the read. The published suite of async-signal failed on
//! it. Now each look asks the kernel, but for the one that follows a short read of the same task.

use std::future::{poll_fn, Future};
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread::{self, Scope};
use std::time::Duration;

use async_io::{Async, Timer};
use futures_lite::{future, AsyncReadExt, AsyncWriteExt};

use crate::util::child::own_process;
use crate::util::{socket_and_peer, tcp_pair};

/// Looks under each executor, alone and beside busy threads: 100,000 in all.
const LOOKS: usize = 25_000;

/// The same for the other kinds of looks.
const FEWER: usize = 4_000;

/// Under what a thread looks.
#[derive(Clone, Copy, Debug)]
enum Executor {
    Ours,
    Foreign,
}

impl Executor {
    fn block_on<T>(self, future: impl Future<Output = T>) -> T {
        match self {
            Executor::Ours => async_io::block_on(future),
            Executor::Foreign => future::block_on(future),
        }
    }

    /// Polls once.
    fn look<T>(self, future: impl Future<Output = T>) -> Option<T> {
        self.block_on(future::poll_once(future))
    }
}

/// Runs `test` under each executor, alone and beside threads that keep the reactor busy.
fn everywhere(test: impl Fn(Executor)) {
    for beside in [false, true] {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let _stop = StopWhenDropped(&stop);
            if beside {
                keep_busy(scope, &stop);
            }
            test(Executor::Ours);
            test(Executor::Foreign);
        });
    }
}

struct StopWhenDropped<'a>(&'a AtomicBool);

impl Drop for StopWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Two busy sockets and a ticking timer, on a thread each, until told to stop.
fn keep_busy<'scope>(scope: &'scope Scope<'scope, '_>, stop: &'scope AtomicBool) {
    for _ in 0..2 {
        scope.spawn(move || {
            let (near, far) = socket_and_peer().unwrap();
            async_io::block_on(async {
                while !stop.load(Ordering::Relaxed) {
                    far.send(b"busy").unwrap();
                    near.recv(&mut [0; 8]).await.unwrap();
                }
            });
        });
    }
    scope.spawn(move || {
        future::block_on(async {
            while !stop.load(Ordering::Relaxed) {
                Timer::after(Duration::from_micros(300)).await;
            }
        });
    });
}

fn stream_and_peer() -> (Async<TcpStream>, TcpStream) {
    let (near, far) = tcp_pair().unwrap();
    (Async::new(near).unwrap(), far)
}

/// As async-signal does it. The look that finds the byte reads into a larger buffer, which is a short read;
/// so the look after it may begin to wait without a read, and the one after the write may not.
#[test]
fn a_byte_written_between_two_looks_is_seen() {
    let Some(_watchdog) = own_process("a_byte_written_between_two_looks_is_seen") else {
        return;
    };
    everywhere(|under| {
        let (mut near, mut far) = stream_and_peer();
        for n in 0..LOOKS {
            assert!(under.look(near.read(&mut [0; 8])).is_none(), "{under:?}: nothing was written");
            far.write_all(b"!").unwrap();
            let read = under.look(near.read(&mut [0; 8])).expect("a byte is there").unwrap();
            assert_eq!(read, 1, "{under:?}: look {n}");
        }
    });
}

/// `readable()` is asked anew each time. 2.6.0 answers such a question by the reactor's rounds, and misses.
#[test]
fn readable_asked_anew_is_answered_by_the_kernel() {
    let Some(_watchdog) = own_process("readable_asked_anew_is_answered_by_the_kernel") else {
        return;
    };
    everywhere(|under| {
        let (mut near, mut far) = stream_and_peer();
        for n in 0..FEWER {
            assert!(under.look(near.readable()).is_none(), "{under:?}: nothing was written");
            far.write_all(b"!").unwrap();
            under.look(near.readable()).expect("a byte is there").unwrap();
            let read = under.look(near.read(&mut [0; 1])).expect("a byte is there").unwrap();
            assert_eq!(read, 1, "{under:?}: look {n}");
        }
    });
}

/// The same future is polled again, and no event has been harvested in between.
#[test]
fn a_later_poll_of_the_same_wait_asks_again() {
    let Some(_watchdog) = own_process("a_later_poll_of_the_same_wait_asks_again") else {
        return;
    };
    everywhere(|under| {
        let (near, mut far) = stream_and_peer();
        for _ in 0..FEWER {
            let ready = under.block_on(async {
                let mut waits = pin!(near.readable());
                assert!(future::poll_once(&mut waits).await.is_none(), "nothing was written");
                far.write_all(b"!").unwrap();
                future::poll_once(&mut waits).await
            });
            ready.expect("a byte is there").unwrap();
            io::Read::read_exact(&mut near.get_ref(), &mut [0]).unwrap();
        }
    });
}

/// What was in the queue all along is never answered with Pending, whatever was taken out before.
#[test]
fn what_was_queued_beforehand_is_there_at_each_look() {
    let Some(_watchdog) = own_process("what_was_queued_beforehand_is_there_at_each_look") else {
        return;
    };
    const QUEUED: usize = 50;
    everywhere(|under| {
        let (near, far) = socket_and_peer().unwrap();
        let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
        let address = listener.get_ref().local_addr().unwrap();
        for _ in 0..FEWER / QUEUED {
            for _ in 0..QUEUED {
                far.send(b"queued").unwrap();
            }
            for n in 0..QUEUED {
                let received = under.look(near.recv(&mut [0; 8]));
                assert!(received.is_some(), "{under:?}: datagram {n} of {QUEUED} is missed");
            }
            assert!(under.look(near.recv(&mut [0; 8])).is_none());
        }
        for _ in 0..FEWER / QUEUED / 10 {
            let _callers: Vec<_> =
                (0..QUEUED).map(|_| TcpStream::connect(address).unwrap()).collect();
            for n in 0..QUEUED {
                let accepted = under.look(listener.accept());
                assert!(accepted.is_some(), "{under:?}: connection {n} of {QUEUED} is missed");
            }
            assert!(under.look(listener.accept()).is_none());
        }
    });
}

/// Two ends of a connection in one task: each finds the other's bytes when it is polled, without a round of
/// the reactor in between. Every second poll of the task is one that only the other end has woken it for.
#[test]
fn two_ends_in_one_task_find_each_others_bytes_at_once() {
    let Some(_watchdog) = own_process("two_ends_in_one_task_find_each_others_bytes_at_once") else {
        return;
    };
    everywhere(|under| {
        let (mut near, far) = stream_and_peer();
        let mut far = Async::new(far).unwrap();
        for _ in 0..FEWER / 2 {
            under.block_on(async {
                let asks = async {
                    near.write_all(b"ask").await?;
                    near.read(&mut [0; 8]).await
                };
                let answers = async {
                    let read = far.read(&mut [0; 8]).await?;
                    far.write_all(b"answer").await.map(|()| read)
                };
                let (mut asks, mut answers) = (pin!(asks), pin!(answers));
                // One after the other, and no wait is given the time to be over.
                poll_fn(|cx| {
                    let _ = answers.as_mut().poll(cx);
                    let asked = asks.as_mut().poll(cx);
                    assert!(asked.is_pending(), "nobody has answered");
                    let answered = answers.as_mut().poll(cx);
                    assert!(matches!(answered, Poll::Ready(Ok(3))), "{under:?}: {answered:?}");
                    let asked = asks.as_mut().poll(cx);
                    assert!(matches!(asked, Poll::Ready(Ok(6))), "{under:?}: {asked:?}");
                    Poll::Ready(())
                })
                .await;
            });
        }
    });
}

/// A closure is called at each poll, and once: so it sees what has come, and a hundred idle sockets cost a
/// call each.
#[test]
fn a_closure_is_called_once_a_poll() {
    let Some(_watchdog) = own_process("a_closure_is_called_once_a_poll") else {
        return;
    };
    let (near, far) = socket_and_peer().unwrap();
    let mut calls = 0;
    let mut polls = 0;
    let received = async_io::block_on(async {
        let receive = |socket: &UdpSocket| {
            calls += 1;
            socket.recv(&mut [0; 8])
        };
        let mut receives = pin!(near.read_with(receive));
        poll_fn(|cx| {
            polls += 1;
            if polls == 50 {
                far.send(b"closure").unwrap();
            }
            let polled = receives.as_mut().poll(cx);
            if polls < 50 {
                assert!(polled.is_pending(), "nothing was sent");
                cx.waker().wake_by_ref();
            }
            polled
        })
        .await
    });
    assert_eq!((received.unwrap(), calls, polls), (7, 50, 50));
}
