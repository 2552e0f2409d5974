//! Whoever waits in a library's function is told by the library's line, and a service has a hundred tasks that wait
//! there. So the table of who waits holds the stack on which each wait began: of every kind of wait, however it is
//! asked for, and it stays that of the beginning while the wait goes on. Each test is a child process that looks
//! at its own recording. What the stacks contain is tested where they are taken, in `crates/ticks-recorder`.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

use std::fs::File;
use std::future::Future;
use std::hint::black_box;
use std::io;
use std::net::{TcpListener, UdpSocket};
use std::pin::Pin;
use std::process::Command;
use std::task::Context;
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::{AsyncReadExt, StreamExt};
use ticks_format::{Recording, Waiter};

use crate::util::{child, counting_waker, recording, tcp_pair, watchdog};

const FAR: Duration = Duration::from_secs(3_600);

/// Runs `work` in a child that records.
fn recorded(test: &str, settings: impl FnOnce(&mut Command), work: impl FnOnce()) {
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        // Whoever waits before the recorder has started has no stack.
        block_on(async {});
        return work();
    }
    let dir = tempfile::tempdir().unwrap();
    let mut command = child::command(test, "recorded", 0);
    recording::into(&mut command, dir.path());
    command.env_remove("ASYNC_IO_TRACE_STACKS");
    settings(&mut command);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", child::shown(&output));
    let path = std::fs::read_dir(dir.path()).unwrap().next();
    assert!(path.is_some(), "it recorded: {}", child::shown(&output));
}

fn own() -> Recording<File> {
    let dir = std::env::var_os("ASYNC_IO_TRACE").expect("the parent sets it");
    recording::open(&recording::path(dir.as_ref(), std::process::id()))
}

/// The one who has begun to wait last: tasks that share a direction go on after their futures are gone.
#[track_caller]
fn waiting() -> Waiter {
    let all = recording::waiters(&own());
    all.into_iter().max_by_key(|waiter| waiter.since).expect("somebody waits")
}

/// Whether the stack goes through the function.
fn goes_through(stack: u64, function: usize) -> bool {
    let recording = own();
    let stack = recording.stack(stack).unwrap().expect("a stack");
    let code = function as u64..function as u64 + 4_096;
    stack.frames.iter().any(|frame| {
        let module = recording.module(frame.module).unwrap().expect("a module");
        code.contains(&frame.address.wrapping_add(module.bias))
    })
}

/// Polls it from here, a place that is on the stack then.
#[inline(never)]
fn polls_here(future: Pin<&mut (dyn Future<Output = ()> + '_)>) {
    let (waker, _) = counting_waker();
    assert!(black_box(future.poll(&mut Context::from_waker(&waker)).is_pending()));
}

#[inline(never)]
fn polls_there(future: Pin<&mut (dyn Future<Output = ()> + '_)>) {
    let (waker, _) = counting_waker();
    assert!(black_box(future.poll(&mut Context::from_waker(&waker)).is_pending()));
}

type Waits<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

#[test]
fn every_kind_of_wait_has_its_stack() {
    recorded(
        "every_kind_of_wait_has_its_stack",
        |_| {},
        || {
            let here = polls_here as fn(Pin<&mut (dyn Future<Output = ()> + '_)>) as usize;
            let (near, _far) = tcp_pair().unwrap();
            let mut near = Async::new(near).unwrap();
            let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
            let udp = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
            let check = |what: &str, mut wait: Waits<'_>| {
                polls_here(wait.as_mut());
                let waiter = waiting();
                assert!(goes_through(waiter.stack, here), "{what}: {waiter:?}");
            };
            check("read", Box::pin(async { drop(near.read(&mut [0]).await) }));
            check("readable", Box::pin(async { drop(near.readable().await) }));
            check(
                "read_with",
                Box::pin(async {
                    let blocks = |_: &std::net::TcpStream| {
                        io::Result::<()>::Err(io::ErrorKind::WouldBlock.into())
                    };
                    drop(near.read_with(blocks).await);
                }),
            );
            check(
                "poll_readable",
                Box::pin(async {
                    drop(futures_lite::future::poll_fn(|cx| near.poll_readable(cx)).await);
                }),
            );
            check("accept", Box::pin(async { drop(listener.accept().await) }));
            check("recv", Box::pin(async { drop(udp.recv(&mut [0]).await) }));
            check(
                "timer",
                Box::pin(async {
                    let _ = Timer::after(FAR).await;
                }),
            );
            check(
                "interval",
                Box::pin(async {
                    let _ = Timer::interval(FAR).next().await;
                }),
            );
        },
    );
}

/// A wait that goes on, for another task or from another place, began where it began; one that begins anew is
/// where it is now.
#[test]
fn it_is_that_of_the_beginning() {
    recorded(
        "it_is_that_of_the_beginning",
        |_| {},
        || {
            let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
            let mut wait: Waits<'_> = Box::pin(async { drop(listener.readable().await) });
            polls_here(wait.as_mut());
            let first = waiting();
            polls_there(wait.as_mut());
            let still = waiting();
            assert_eq!((still.stack, still.since), (first.stack, first.since));
            drop(wait);
            let mut wait: Waits<'_> = Box::pin(async { drop(listener.readable().await) });
            polls_there(wait.as_mut());
            assert_ne!(waiting().stack, first.stack);
            drop(wait);

            let mut timer: Waits<'_> = Box::pin(async {
                let _ = Timer::after(FAR).await;
            });
            polls_here(timer.as_mut());
            let first = waiting();
            polls_there(timer.as_mut());
            assert_eq!(waiting().stack, first.stack);
        },
    );
}

#[test]
fn a_switch_turns_stacks_off() {
    let off = |command: &mut Command| {
        command.env("ASYNC_IO_TRACE_STACKS", "0");
    };
    recorded("a_switch_turns_stacks_off", off, || {
        let mut timer: Waits<'_> = Box::pin(async {
            let _ = Timer::after(FAR).await;
        });
        polls_there(timer.as_mut());
        assert_eq!(waiting().stack, 0);
    });
}
