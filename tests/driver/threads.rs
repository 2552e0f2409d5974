//! Threads that wait for the same reactor, some idle, some busy, some on their way out.

use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::future::{self, poll_fn};
use futures_lite::{AsyncReadExt, AsyncWriteExt};

use crate::util::{eventually, tcp_pair, use_reactor, watchdog};

const MS: Duration = Duration::from_millis(1);

/// A thread in `block_on` with nothing to do keeps nobody else's events to itself.
#[test]
fn an_idle_call_stands_in_nobodys_way() -> io::Result<()> {
    let _watchdog = watchdog("an_idle_call_stands_in_nobodys_way");
    let (waker_out, waker_in) = mpsc::channel();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            block_on(poll_fn(|cx| {
                if over.load(Ordering::SeqCst) {
                    return Poll::Ready(());
                }
                waker_out.send(cx.waker().clone()).expect("the test waits for the waker");
                Poll::Pending
            }))
        });
        let idle: Waker = waker_in.recv().expect("the idle call is polled");
        let worked = (0..20).try_for_each(|_| {
            future::block_on(use_reactor())?;
            block_on(use_reactor())
        });
        over.store(true, Ordering::SeqCst);
        idle.wake();
        worked
    })
}

/// A thread that computes in `block_on` and never waits drives nothing: the others do.
#[test]
fn a_busy_call_stands_in_nobodys_way() -> io::Result<()> {
    let _watchdog = watchdog("a_busy_call_stands_in_nobodys_way");
    let over = AtomicBool::new(false);
    let busy = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            block_on(async {
                // It has driven the reactor before.
                Timer::after(MS).await;
                busy.store(true, Ordering::SeqCst);
                while !over.load(Ordering::SeqCst) {
                    thread::yield_now();
                }
            })
        });
        eventually(|| busy.load(Ordering::SeqCst));
        let worked = future::block_on(use_reactor()).and_then(|()| block_on(use_reactor()));
        over.store(true, Ordering::SeqCst);
        worked
    })
}

/// A token goes round a ring of threads, each of which waits in its own `block_on` for its
/// neighbour's socket.
#[test]
fn many_threads_hand_on_a_token() -> io::Result<()> {
    let _watchdog = watchdog("many_threads_hand_on_a_token");
    const THREADS: usize = 8;
    const LAPS: u32 = 200;
    let mut outs = Vec::new();
    let mut ins = Vec::new();
    for _ in 0..THREADS {
        let (out, next) = tcp_pair()?;
        out.set_nodelay(true)?;
        outs.push(out);
        ins.push(next);
    }
    // Thread `n` reads what thread `n - 1` writes.
    ins.rotate_right(1);

    async fn hand_on(input: TcpStream, output: TcpStream, starts: bool) -> io::Result<u32> {
        let (mut input, mut output) = (Async::new(input)?, Async::new(output)?);
        let mut token = 0_u32;
        for lap in 0..LAPS {
            if starts {
                output.write_all(&token.to_be_bytes()).await?;
            }
            let mut buf = [0; 4];
            input.read_exact(&mut buf).await?;
            token = u32::from_be_bytes(buf) + 1;
            if !starts {
                output.write_all(&token.to_be_bytes()).await?;
            } else {
                assert_eq!(token, (lap + 1) * THREADS as u32);
            }
        }
        Ok(token)
    }

    thread::scope(|scope| {
        let threads: Vec<_> = ins
            .into_iter()
            .zip(outs)
            .enumerate()
            .map(|(n, (input, output))| {
                scope.spawn(move || block_on(hand_on(input, output, n == 0)))
            })
            .collect();
        for (n, thread) in threads.into_iter().enumerate() {
            let token = thread.join().expect("no thread panics")?;
            let behind = (THREADS - n) % THREADS;
            assert_eq!(token, LAPS * THREADS as u32 - behind as u32);
        }
        Ok(())
    })
}

#[test]
fn many_threads_wait_for_timers() {
    let _watchdog = watchdog("many_threads_wait_for_timers");
    let fired = AtomicUsize::new(0);
    thread::scope(|scope| {
        for thread in 0..8_u32 {
            let fired = &fired;
            scope.spawn(move || {
                block_on(async {
                    for round in 0..50 {
                        Timer::after(Duration::from_micros(u64::from(
                            (thread * 131 + round * 17) % 2000,
                        )))
                        .await;
                        fired.fetch_add(1, Ordering::SeqCst);
                    }
                })
            });
        }
    });
    assert_eq!(fired.into_inner(), 8 * 50);
}

/// One thread's future ends while it is the one that drives: the others go on.
#[test]
fn threads_leave_while_others_wait() -> io::Result<()> {
    let _watchdog = watchdog("threads_leave_while_others_wait");
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    block_on(async {
                        for _ in 0..30 {
                            use_reactor().await?;
                        }
                        io::Result::Ok(())
                    })
                })
            })
            .collect();
        for round in 0..200 {
            block_on(Timer::after(Duration::from_micros(round % 300)));
        }
        waiting.into_iter().try_for_each(|thread| thread.join().expect("no thread panics"))
    })
}
