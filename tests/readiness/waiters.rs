//! Many tasks that wait on one source: all of them are served, none in another's place.
#![cfg(unix)]

use std::future::Future;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{mpsc, Arc};
use std::thread;
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::future::{self, poll_fn, poll_once};
use futures_lite::{pin, AsyncReadExt};

use crate::util::{drain, eventually, fill, watchdog};

/// Tasks that wait on one source in one direction.
const TASKS: usize = 8;

/// A source, and its other end in non-blocking mode.
fn pair() -> io::Result<(Arc<Async<UnixStream>>, UnixStream)> {
    let (near, far) = UnixStream::pair()?;
    far.set_nonblocking(true)?;
    Ok((Arc::new(Async::new(near)?), far))
}

/// Waits in `TASKS` threads, each in its own task; all of them have begun when `event` is called.
fn in_many_tasks(
    wait: impl Fn(usize, &AtomicUsize) -> io::Result<()> + Sync,
    event: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    let begun = AtomicUsize::new(0);
    thread::scope(|scope| {
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let (wait, begun) = (&wait, &begun);
                scope.spawn(move || wait(task, begun))
            })
            .collect();
        eventually(|| begun.load(Ordering::SeqCst) == TASKS);
        event()?;
        tasks.into_iter().try_for_each(|task| task.join().expect("no task panics"))
    })
}

/// Counts a task as waiting once its first poll is over.
async fn counted<T>(begun: &AtomicUsize, wait: impl Future<Output = T>) -> T {
    pin!(wait);
    if let Some(done) = poll_once(wait.as_mut()).await {
        begun.fetch_add(1, Ordering::SeqCst);
        return done;
    }
    begun.fetch_add(1, Ordering::SeqCst);
    wait.await
}

#[test]
fn all_tasks_that_wait_to_read_are_served_by_one_event() -> io::Result<()> {
    let _watchdog = watchdog("all_tasks_that_wait_to_read_are_served_by_one_event");
    let (source, mut far) = pair()?;
    in_many_tasks(
        |task, begun| {
            block_on(async {
                if task % 2 == 0 {
                    counted(begun, source.readable()).await
                } else {
                    counted(begun, source.clone().readable_owned()).await
                }
            })
        },
        || far.write_all(b"x"),
    )
}

#[test]
fn all_tasks_that_wait_to_write_are_served_by_one_event() -> io::Result<()> {
    let _watchdog = watchdog("all_tasks_that_wait_to_write_are_served_by_one_event");
    let (source, far) = pair()?;
    fill(source.get_ref())?;
    in_many_tasks(
        |task, begun| {
            block_on(async {
                if task % 2 == 0 {
                    counted(begun, source.writable()).await
                } else {
                    counted(begun, source.clone().writable_owned()).await
                }
            })
        },
        || drain(&far).map(drop),
    )
}

/// Every task takes one byte, however the bytes arrive: none is forgotten while others are woken for
/// nothing.
#[test]
fn all_tasks_that_read_get_their_byte() -> io::Result<()> {
    let _watchdog = watchdog("all_tasks_that_read_get_their_byte");
    for arrival in [1, 3, TASKS] {
        let (source, mut far) = pair()?;
        in_many_tasks(
            |_, begun| {
                let take = source.read_with(|mut stream| stream.read_exact(&mut [0]));
                block_on(counted(begun, take))
            },
            || [0; TASKS].chunks(arrival).try_for_each(|some| far.write_all(some)),
        )?;
    }
    Ok(())
}

/// More is written by many tasks than fits; what arrives is what they wrote.
#[test]
fn all_tasks_that_write_get_their_room() -> io::Result<()> {
    let _watchdog = watchdog("all_tasks_that_write_get_their_room");
    const PIECE: usize = 4096;
    const PIECES: usize = 64;
    let (source, far) = pair()?;
    let filled = fill(source.get_ref())?;
    let mut arrived = 0;
    in_many_tasks(
        |_, begun| {
            block_on(async {
                for piece in 0..PIECES {
                    let put = source.write_with(|mut stream| stream.write(&[1; PIECE]));
                    let count = if piece == 0 { counted(begun, put).await? } else { put.await? };
                    // A stream may take part of a piece; the rest is this task's still.
                    let mut left = PIECE - count;
                    while left > 0 {
                        left -= source
                            .write_with(|mut stream| stream.write(&[1; PIECE][..left]))
                            .await?;
                    }
                }
                Ok(())
            })
        },
        || {
            eventually(|| {
                arrived += drain(&far).expect("the far end reads");
                arrived == filled + TASKS * PIECES * PIECE
            });
            Ok(())
        },
    )
}

#[test]
fn poll_readable_and_readable_wait_side_by_side() -> io::Result<()> {
    let _watchdog = watchdog("poll_readable_and_readable_wait_side_by_side");
    let (source, mut far) = pair()?;
    in_many_tasks(
        |task, begun| {
            block_on(async {
                if task == 0 {
                    counted(begun, poll_fn(|cx| source.poll_readable(cx))).await
                } else {
                    counted(begun, source.readable()).await
                }
            })
        },
        || far.write_all(b"x"),
    )
}

/// Sources come and go in all threads while others wait: nobody gets another's event, nobody
/// misses his own.
#[test]
fn sources_come_and_go_while_others_wait() -> io::Result<()> {
    let _watchdog = watchdog("sources_come_and_go_while_others_wait");
    const ROUNDS: usize = 200;
    let (idle, mut idle_far) = pair()?;
    let (done, ended) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let idler = scope.spawn(|| block_on(idle.readable()));
        for _ in 0..4 {
            let done = done.clone();
            scope.spawn(move || {
                let _done = done;
                for round in 0..ROUNDS {
                    let (source, mut far) = pair().expect("two sockets");
                    block_on(async {
                        let read = async {
                            let mut buf = [0; 8];
                            (&*source)
                                .read_exact(&mut buf)
                                .await
                                .map(|()| usize::from_ne_bytes(buf))
                        };
                        let write = async {
                            if round % 3 == 0 {
                                Timer::after(Duration::from_micros(100)).await;
                            }
                            far.write_all(&round.to_ne_bytes())
                        };
                        let (read, written) = future::zip(read, write).await;
                        written.expect("the far end writes");
                        assert_eq!(read.expect("the source reads"), round);
                    });
                }
            });
        }
        drop(done);
        let _ = ended.recv();
        assert!(!idler.is_finished(), "woken by an event that is not its own");
        idle_far.write_all(b"x")?;
        idler.join().expect("the idle task does not panic")
    })
}
