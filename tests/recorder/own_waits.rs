//! A service shows on its status page what it waits for: `async_io::trace::waits()`, which must say what is so. Each
//! kind of wait is there once while it lasts, with the task that waits, and is gone when it is over. Where nobody
//! records there is no table.
#![cfg(any(target_os = "linux", target_os = "macos", target_os = "freebsd", windows))]

use std::future::poll_fn;
use std::process::Command;
use std::sync::Mutex;
use std::task::{Poll, Waker};
use std::time::Duration;

use async_executor::LocalExecutor;
use async_io::trace::{task, waits, Wait, WaitsFor};
use async_io::{block_on, Async, Timer};
use futures_lite::future;

use crate::util::{child, recording, tcp_pair, watchdog};

/// Runs `work` in a child that is started with `settings`.
fn in_child(test: &str, settings: impl FnOnce(&mut Command), work: impl FnOnce()) {
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        return work();
    }
    let mut command = child::command(test, "looks", 0);
    settings(&mut command);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", child::shown(&output));
}

/// The wait of the task of this name.
#[track_caller]
fn of(waits: &[Wait], name: &str) -> Wait {
    let found: Vec<&Wait> = waits.iter().filter(|wait| wait.name == name).collect();
    assert!(found.len() == 1, "{name}: expected one wait, found {found:?}");
    found[0].clone()
}

#[test]
fn each_wait_is_in_the_programs_own_table() {
    let dir = tempfile::tempdir().unwrap();
    let settings = |command: &mut Command| recording::into(command, dir.path());
    in_child("each_wait_is_in_the_programs_own_table", settings, || {
        let (near, far) = tcp_pair().unwrap();
        let (near, peer) = (Async::new(near).unwrap(), far.local_addr().unwrap().to_string());
        let (lock, executor) = (async_lock::Mutex::new(()), LocalExecutor::new());
        let held = lock.try_lock();
        let reads = task("reads", async { near.readable().await.unwrap() });
        let sleeps = task("sleeps", Timer::after(Duration::from_secs(3_600)));
        let locks = task("locks", async { drop(lock.lock().await) });
        // Whoever it told has forgotten it.
        let forgets = task(
            "forgets",
            poll_fn(|cx| -> Poll<()> {
                drop(cx.waker().clone());
                Poll::Pending
            }),
        );
        let tasks = [
            executor.spawn(reads),
            executor.spawn(async {
                sleeps.await;
            }),
            executor.spawn(locks),
            executor.spawn(forgets),
        ];
        let seen = block_on(executor.run(async {
            while executor.try_tick() {}
            future::yield_now().await;
            waits()
        }));
        let reads = of(&seen, "reads");
        assert!(reads.task.is_some() && reads.place.is_some(), "{reads:?}");
        match &reads.waits_for {
            WaitsFor::Source { kind: "tcp", to_write: false, peer: other, .. } => {
                assert_eq!(*other, peer);
            }
            other => panic!("{other:?}"),
        }
        let line = reads.to_string();
        assert!(
            line.contains("(reads) waits to read from tcp fd") && line.contains(&peer),
            "{line}"
        );
        match of(&seen, "sleeps").waits_for {
            WaitsFor::Timer { due_in, .. } => {
                assert!(due_in > Duration::from_secs(3_000) && due_in < Duration::from_secs(3_601));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(of(&seen, "locks").waits_for, WaitsFor::Other);
        assert_eq!(of(&seen, "forgets").waits_for, WaitsFor::Nobody);

        // The one that gets its lock is there no more; the others are.
        drop(held);
        let [_reads, _sleeps, locks, _forgets] = tasks;
        let seen = block_on(executor.run(async {
            locks.await;
            waits()
        }));
        assert!(seen.iter().all(|wait| wait.name != "locks"), "{seen:?}");
        of(&seen, "reads");
    });
}

/// A wait is over while the program looks.
#[test]
fn who_looks_from_many_threads_disturbs_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let settings = |command: &mut Command| recording::into(command, dir.path());
    in_child("who_looks_from_many_threads_disturbs_nobody", settings, || {
        let turns = Mutex::new(0);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        block_on(task("turns", Timer::after(Duration::from_micros(50))));
                        *turns.lock().unwrap() += 1;
                    }
                });
            }
            while *turns.lock().unwrap() < 400 {
                for wait in waits() {
                    let is_known =
                        matches!(wait.waits_for, WaitsFor::Timer { .. } | WaitsFor::Other);
                    assert!(is_known && wait.waited < Duration::from_secs(60), "{wait}");
                }
            }
        });
    });
}

#[test]
fn without_a_recording_there_is_no_table() {
    let settings = |command: &mut Command| {
        command.env_remove("ASYNC_IO_TRACE");
    };
    in_child("without_a_recording_there_is_no_table", settings, || {
        let mut sleeps = Box::pin(task("sleeps", Timer::after(Duration::from_secs(3_600))));
        let mut cx = std::task::Context::from_waker(Waker::noop());
        assert!(std::future::Future::poll(sleeps.as_mut(), &mut cx).is_pending());
        assert_eq!(waits(), []);
    });
}
