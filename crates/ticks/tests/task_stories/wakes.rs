//! A task is polled again and again, and the question is who wakes it. The last wake is in its entry and each is on
//! record: a timer, a source and its direction, another task by its number and the calls by which it woke, a thread
//! that is in no task, or the task itself.

use std::future::Future;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use async_channel::{bounded, Receiver, Sender};
use async_io::{Async, Timer};
use futures_lite::{future, AsyncReadExt};
use ticks_format::records::TaskWake;
use ticks_format::{Direction, Record, Task, WokenBy};

use crate::look::{calls_have, goes_through, Look};
use crate::story::{executor, killed, run, seen, started, FAR};

/// Each of them waits here in the end, and is woken no more.
async fn rests() {
    Timer::after(FAR).await;
}

async fn by_timer() {
    Timer::after(Duration::from_millis(1)).await;
    rests().await;
}

async fn by_source(near: UnixStream, writer: mpsc::Sender<()>) {
    let mut near = Async::new(near).expect("a source");
    let mut byte = [0];
    let mut read = near.read(&mut byte);
    let asks = future::poll_fn(|cx| {
        let polled = std::pin::Pin::new(&mut read).poll(cx);
        // It waits from now on, whoever comes first.
        let _ = writer.send(());
        polled
    });
    assert_eq!(asks.await.expect("somebody writes"), 1);
    rests().await;
}

async fn by_task(receiver: Receiver<()>) {
    receiver.recv().await.expect("somebody sends");
    rests().await;
}

async fn waker(sender: Sender<()>) {
    while sender.receiver_count() == 0 || !is_waiting("by_task") {
        future::yield_now().await;
    }
    sender.send(()).await.expect("somebody receives");
    rests().await;
}
const SENDS: u32 = line!() - 3;

fn is_waiting(name: &str) -> bool {
    async_io::trace::waits().iter().any(|wait| wait.name.contains(name))
}

async fn by_thread(thread: mpsc::Sender<Waker>) {
    let mut asked = false;
    let asks = future::poll_fn(|cx| match std::mem::replace(&mut asked, true) {
        true => Poll::Ready(()),
        false => {
            thread.send(cx.waker().clone()).expect("the thread is there");
            Poll::Pending
        }
    });
    asks.await;
    rests().await;
}

async fn by_itself() {
    future::yield_now().await;
    rests().await;
}

/// Wakes each that asks.
fn wakes_from_afar(asked: mpsc::Receiver<Waker>) {
    asked.iter().for_each(|waker| waker.wake_by_ref());
}

fn work() {
    let executor = executor();
    let (near, mut far) = UnixStream::pair().expect("a pair");
    let (writer, asked_to_write) = mpsc::channel();
    let (thread, asked) = mpsc::channel();
    let (sender, receiver) = bounded(1);
    thread::spawn(move || wakes_from_afar(asked));
    thread::spawn(move || {
        asked_to_write.recv().expect("it asks");
        far.write_all(&[7]).expect("it reads");
        thread::park();
    });
    executor.spawn(by_timer()).detach();
    executor.spawn(by_source(near, writer)).detach();
    executor.spawn(by_task(receiver)).detach();
    executor.spawn(waker(sender)).detach();
    executor.spawn(by_thread(thread)).detach();
    executor.spawn(by_itself()).detach();
    run(executor);
}

const ALL: [&str; 5] = ["by_timer", "by_source", "by_task", "by_thread", "by_itself"];

fn rest(look: &Look) -> bool {
    ALL.iter().all(|name| {
        let is_last = |task: &Task| task.wakes > 0 && look.waits_of(task).count() == 1;
        look.waits(name) && look.named(name).all(is_last)
    })
}

#[track_caller]
fn last_wake(look: &Look, name: &str) -> (WokenBy, u64, Option<Direction>, u64) {
    let wake = look.task(name).last_wake.expect("it was woken");
    (wake.by, wake.from, wake.dir, wake.stack)
}

fn judge(look: &Look) {
    let (by, timer, dir, stack) = last_wake(look, "by_timer");
    assert_eq!((by, dir, stack), (WokenBy::Timer, None, 0));
    let records = look.records();
    let fired = |record: &Record| matches!(record, Record::TimerFire(fire) if fire.id == timer);
    assert!(records.iter().any(fired));

    let (by, key, dir, stack) = last_wake(look, "by_source");
    assert_eq!((by, dir, stack), (WokenBy::Source, Some(Direction::Read), 0));
    assert!(look.sources.iter().any(|source| source.key.0 == key));

    let (by, task, dir, stack) = last_wake(look, "by_task");
    assert_eq!((by, task, dir), (WokenBy::Task, look.task("waker").id, None));
    goes_through(&look.calls(stack), "waker", SENDS);

    let (by, thread, _, stack) = last_wake(look, "by_thread");
    assert_eq!(by, WokenBy::Thread);
    assert_ne!(thread, look.task("by_thread").thread);
    assert!(calls_have(&look.calls(stack), "wakes_from_afar"), "{:#?}", look.calls(stack));

    let (by, task, _, _) = last_wake(look, "by_itself");
    assert_eq!((by, task), (WokenBy::Itself, look.task("by_itself").id));

    for name in ALL {
        let task = look.task(name);
        let wakes: Vec<_> = records
            .iter()
            .filter_map(|record| match record {
                Record::TaskWake(wake) if wake.task == task.id => Some(wake),
                _ => None,
            })
            .collect();
        assert_eq!(wakes.len() as u64, task.wakes, "{name}");
        let last = task.last_wake.expect("it was woken");
        let is_last = |wake: &TaskWake| {
            (wake.by, wake.from, wake.dir, wake.stack) == (last.by, last.from, last.dir, last.stack)
        };
        assert!(wakes.last().is_some_and(|wake| is_last(wake)), "{name}");
    }
}

#[test]
fn each_is_told_of_by_its_cause() {
    let test = "wakes::each_is_told_of_by_its_cause";
    let Some(mut process) = started(test, work) else { return };
    judge(&seen(&process, "all rest", rest));
    judge(&killed(&mut process));
}

/// A source's other direction.
async fn writes(near: UnixStream, reader: mpsc::Sender<()>) {
    let near = Async::new(near).expect("a source");
    while near.get_ref().try_clone().and_then(|mut it| it.write(&[0; 4096])).is_ok() {}
    let mut writable = near.writable();
    let asks = future::poll_fn(|cx| {
        let polled = std::pin::Pin::new(&mut writable).poll(cx);
        let _ = reader.send(());
        polled
    });
    asks.await.expect("it is a socket");
    rests().await;
}

#[test]
fn room_to_write_is_the_other_direction() {
    let test = "wakes::room_to_write_is_the_other_direction";
    let process = started(test, || {
        let executor = executor();
        let (near, mut far) = UnixStream::pair().expect("a pair");
        let (reader, asked) = mpsc::channel();
        thread::spawn(move || {
            asked.recv().expect("it asks");
            drop(std::io::copy(&mut far, &mut std::io::sink()));
        });
        executor.spawn(writes(near, reader)).detach();
        run(executor);
    });
    let Some(process) = process else { return };
    let rests = |look: &Look| {
        let is_timer = |task| look.waits_of(task).count() == 1 && look.waiters.len() == 1;
        look.waits("writes") && look.task("writes").wakes > 0 && is_timer(look.task("writes"))
    };
    let look = seen(&process, "it rests", rests);
    let (by, _, dir, _) = last_wake(&look, "writes");
    assert_eq!((by, dir), (WokenBy::Source, Some(Direction::Write)));
}
