//! What `ticks explain` says of a program, and of one that looks like it and is well: of each kind of hang that tasks
//! get into, one that is it and one that is not.

use std::future::{poll_fn, Future};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use async_channel::{bounded, unbounded, Receiver, Sender};
use async_io::{Async, Timer};
use async_lock::Mutex;
use futures_lite::future;
use serde_json::Value as Json;

use crate::look::have_lines;
use crate::story::{eventually, executor, run, started_with, FAR};
use crate::util::path;
use crate::util::process::Process;
use crate::util::{stderr, ticks};

/// Ages are told by the moment at which a process is looked at, so that it is there.
const SETTINGS: &[&str] = &["ASYNC_IO_TRACE_MIB=16"];

/// What is said of a process, or of a file.
#[track_caller]
fn explained(of: &str) -> Json {
    let output = ticks(["explain", "--json", of]);
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 1)), "{code:?}: {}", stderr(&output));
    let answer: Json = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answer["wrong"], code == Some(1), "{answer:#}");
    answer
}

/// The findings of a kind.
fn of_kind(answer: &Json, kind: &str) -> Vec<Json> {
    let findings = answer["findings"].as_array().expect("an array").iter();
    findings.filter(|finding| finding["kind"] == kind).cloned().collect()
}

/// Waits until this kind is found in the process that plays it, that sure, and in its sentence these parts.
#[track_caller]
fn finds(process: &Process, kind: &str, sure: &str, parts: &[&str]) -> Json {
    eventually(kind, || {
        let answer = explained(&process.pid());
        let found = of_kind(&answer, kind).into_iter().find(|finding| finding["sure"] == sure)?;
        let sentence = found["sentence"].as_str().expect("a text");
        for part in parts {
            assert!(sentence.contains(part), "no {part} in {sentence}");
        }
        assert!(!found["evidence"].as_array().expect("an array").is_empty(), "{found:#}");
        assert!(!found["proof"].as_array().expect("an array").is_empty(), "{found:#}");
        assert!(!found["advice"].as_array().expect("an array").is_empty(), "{found:#}");
        Some(found)
    })
}

/// Waits until the process says that it is there, and looks that this kind is not found.
#[track_caller]
fn finds_none(process: &mut Process, kind: &str) {
    let said = process.stdout.by_ref().any(|line| line.is_ok_and(|line| line.ends_with("there")));
    assert!(said, "it ended");
    let answer = explained(&process.pid());
    assert!(of_kind(&answer, kind).is_empty(), "{answer:#}");
    let looked_for = answer["looked_for"].as_array().expect("an array");
    assert!(!looked_for.is_empty(), "{answer:#}");
}

/// A line of this file, as a sentence has it.
fn line(number: u32) -> String {
    match have_lines() {
        true => format!("explained.rs:{number}"),
        false => String::new(),
    }
}

fn there() {
    println!("there");
}

/// Takes no waker with it.
struct Careless;

impl Future for Careless {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        drop(cx.waker().clone());
        Poll::Pending
    }
}

async fn careless() {
    Careless.await;
}

#[test]
fn a_forgotten_task() {
    let process = started_with(SETTINGS, "explained::a_forgotten_task", || {
        let executor = executor();
        executor.spawn(careless()).detach();
        run(executor);
    });
    let Some(mut process) = process else { return };
    finds(&process, "forgotten", "proven", &["careless", "nobody can wake it"]);
    // Also of a file, when the process was killed; and there in text, in 80 columns.
    process.child.kill().expect("it was there");
    process.child.wait().expect("it was there");
    let file = process.file();
    let output = ticks(["explain", path(&file)]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.starts_with("proven (forgotten)\n  task 2 ("), "{text}");
    assert!(text.contains("cannot tell:\n"), "{text}");
    // What is to be copied is a line.
    let is_wide = |line: &&str| line.chars().count() > 80 && !line.starts_with("  $ ");
    assert_eq!(text.lines().filter(is_wide).count(), 0, "{text}");
    // `who` says that there is more to be said.
    let who = ticks(["who", path(&file)]);
    let who = String::from_utf8(who.stdout).expect("UTF-8");
    let hint = format!("\nsomething is wrong; try: ticks explain {}\n", path(&file));
    assert!(who.ends_with(&hint), "{who}");
}

#[test]
fn one_that_waits_for_good_reason_is_not_forgotten() {
    let test = "explained::one_that_waits_for_good_reason_is_not_forgotten";
    let process = started_with(SETTINGS, test, || {
        let executor = executor();
        let (_sender, receiver) = bounded::<()>(1);
        executor.spawn(async move { receiver.recv().await }).detach();
        // On purpose.
        executor.spawn(future::pending::<()>()).detach();
        executor.spawn(async { there() }).detach();
        run(executor);
    });
    let Some(mut process) = process else { return };
    finds_none(&mut process, "forgotten");
    let who = ticks(["who", &process.pid()]);
    let who = String::from_utf8(who.stdout).expect("UTF-8");
    assert!(!who.contains("ticks explain"), "{who}");
}

async fn transfer(from: Arc<Mutex<i64>>, to: Arc<Mutex<i64>>) {
    let from = from.lock().await;
    Timer::after(Duration::from_millis(20)).await;
    let to = to.lock().await;
    drop((from, to));
}
const SECOND_LOCK: u32 = line!() - 3;

#[test]
fn two_tasks_want_each_others_locks() {
    let process = started_with(SETTINGS, "explained::two_tasks_want_each_others_locks", || {
        let executor = executor();
        let (one, other) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)));
        executor.spawn(transfer(one.clone(), other.clone())).detach();
        executor.spawn(transfer(other, one)).detach();
        run(executor);
    });
    let Some(process) = process else { return };
    let line = line(SECOND_LOCK);
    // A thread of the program's own waits for its input, and may have them.
    finds(&process, "deadlock", "likely", &["task 2", "task 3", "each other", &line]);
}

#[test]
fn a_lock_that_is_held_for_long_is_no_deadlock() {
    let process =
        started_with(SETTINGS, "explained::a_lock_that_is_held_for_long_is_no_deadlock", || {
            let executor = executor();
            let lock = Arc::new(Mutex::new(0));
            let held = lock.clone();
            executor
                .spawn(async move {
                    let _held = held.lock().await;
                    Timer::after(FAR).await;
                })
                .detach();
            executor
                .spawn(async move {
                    Timer::after(Duration::from_millis(20)).await;
                    there();
                    drop(lock.lock().await);
                })
                .detach();
            run(executor);
        });
    let Some(mut process) = process else { return };
    finds_none(&mut process, "deadlock");
}

#[test]
fn workers_that_wait_for_jobs_are_no_deadlock() {
    let process =
        started_with(SETTINGS, "explained::workers_that_wait_for_jobs_are_no_deadlock", || {
            let executor = executor();
            let (jobs, taken) = unbounded::<u32>();
            for _ in 0..3 {
                let taken = taken.clone();
                executor.spawn(async move { while taken.recv().await.is_ok() {} }).detach();
            }
            // The jobs come from a thread.
            thread::spawn(move || {
                (0..10).for_each(|job| jobs.send_blocking(job).expect("they are there"));
                there();
                thread::sleep(FAR);
            });
            run(executor);
        });
    let Some(mut process) = process else { return };
    finds_none(&mut process, "deadlock");
}

async fn holds_unpolled(lock: Arc<Mutex<()>>) {
    let holder = async {
        let _held = lock.lock().await;
        Timer::after(Duration::from_millis(20)).await;
    };
    let holder = std::pin::pin!(holder);
    let timeout = Timer::after(Duration::from_millis(1));
    let _ = futures_util::future::select(holder, timeout).await;
    // `holder` lives on, and is not polled.
    drop(lock.lock().await);
}
const WANTS_ITS_OWN: u32 = line!() - 2;

#[test]
fn a_future_that_is_not_polled_holds_the_lock() {
    let process =
        started_with(SETTINGS, "explained::a_future_that_is_not_polled_holds_the_lock", || {
            let executor = executor();
            executor.spawn(holds_unpolled(Arc::default())).detach();
            run(executor);
        });
    let Some(process) = process else { return };
    let line = line(WANTS_ITS_OWN);
    finds(&process, "deadlock", "likely", &["holds_unpolled", "holds it itself", &line]);
}

async fn send_blocking(sender: std::sync::mpsc::SyncSender<u32>) {
    Timer::after(Duration::from_millis(10)).await;
    for number in 0.. {
        sender.send(number).expect("somebody receives");
    }
}

async fn receive(receiver: std::sync::mpsc::Receiver<u32>) {
    loop {
        Timer::after(Duration::from_millis(20)).await;
        receiver.try_iter().for_each(drop);
    }
}

#[test]
fn a_blocked_thread_polls_nobody() {
    let process = started_with(SETTINGS, "explained::a_blocked_thread_polls_nobody", || {
        let executor = executor();
        let (sender, receiver) = std::sync::mpsc::sync_channel(4);
        executor.spawn(receive(receiver)).detach();
        executor.spawn(send_blocking(sender)).detach();
        run(executor);
    });
    let Some(process) = process else { return };
    let found = finds(&process, "never_polled", "proven", &["send_blocking", "is blocked"]);
    let evidence = found["evidence"].to_string();
    assert!(evidence.contains("receive"), "who waits is named: {found:#}");
    assert!(evidence.contains("futex"), "the kernel knows what blocks: {found:#}");
}

#[test]
fn a_block_on_in_a_task() {
    let process = started_with(SETTINGS, "explained::a_block_on_in_a_task", || {
        let executor = executor();
        let (ask, asked) = bounded::<u32>(1);
        let (answer, answered) = bounded::<u32>(1);
        executor.spawn(answers(asked, answer)).detach();
        executor.spawn(asks(ask, answered)).detach();
        run(executor);
    });
    let Some(process) = process else { return };
    finds(&process, "never_polled", "proven", &["asks", "is inside block_on", "recv"]);
}

async fn answers(asked: Receiver<u32>, answer: Sender<u32>) {
    while let Ok(number) = asked.recv().await {
        answer.send(number).await.expect("it waits");
    }
}

async fn asks(ask: Sender<u32>, answered: Receiver<u32>) {
    Timer::after(Duration::from_millis(10)).await;
    async_io::block_on(async {
        ask.send(1).await.expect("somebody answers");
        answered.recv().await.expect("somebody answers");
    });
}

#[test]
fn a_thread_of_its_own_may_block() {
    let process = started_with(SETTINGS, "explained::a_thread_of_its_own_may_block", || {
        let executor = executor();
        executor.spawn(blocking::unblock(|| thread::sleep(FAR))).detach();
        executor
            .spawn(async {
                for _ in 0..60 {
                    Timer::after(Duration::from_millis(20)).await;
                }
                there();
                Timer::after(FAR).await;
            })
            .detach();
        run(executor);
    });
    let Some(mut process) = process else { return };
    finds_none(&mut process, "never_polled");
}

async fn beats() {
    loop {
        Timer::after(Duration::from_millis(10)).await;
    }
}

async fn computes() {
    loop {
        Timer::after(Duration::from_millis(5)).await;
        thread::sleep(Duration::from_millis(200));
    }
}
const GOES_ON: u32 = line!() - 4;

#[test]
fn a_long_poll() {
    let process = started_with(SETTINGS, "explained::a_long_poll", || {
        let executor = executor();
        executor.spawn(beats()).detach();
        executor.spawn(computes()).detach();
        run(executor);
    });
    let Some(process) = process else { return };
    let found = finds(&process, "long_poll", "proven", &["computes", &line(GOES_ON)]);
    assert!(found["evidence"].to_string().contains("beats"), "who waited is named: {found:#}");
}

#[test]
fn a_long_poll_that_keeps_nobody_waiting() {
    let process =
        started_with(SETTINGS, "explained::a_long_poll_that_keeps_nobody_waiting", || {
            let executor = executor();
            executor
                .spawn(async {
                    for _ in 0..4 {
                        Timer::after(Duration::from_millis(5)).await;
                        thread::sleep(Duration::from_millis(150));
                    }
                    there();
                    Timer::after(FAR).await;
                })
                .detach();
            run(executor);
        });
    let Some(mut process) = process else { return };
    finds_none(&mut process, "long_poll");
}

async fn spins() {
    poll_fn(|cx| {
        cx.waker().wake_by_ref();
        Poll::<()>::Pending
    })
    .await;
}

#[test]
fn a_task_that_wakes_itself() {
    let process = started_with(SETTINGS, "explained::a_task_that_wakes_itself", || {
        let executor = executor();
        executor.spawn(spins()).detach();
        run(executor);
    });
    let Some(process) = process else { return };
    finds(&process, "busy_loop", "likely", &["spins", "wakes itself"]);
}

#[test]
fn one_that_waits_in_between_is_no_busy_loop() {
    let process =
        started_with(SETTINGS, "explained::one_that_waits_in_between_is_no_busy_loop", || {
            let executor = executor();
            executor
                .spawn(async {
                    for round in 0.. {
                        Timer::after(Duration::from_millis(1)).await;
                        future::yield_now().await;
                        if round == 100 {
                            there();
                        }
                    }
                })
                .detach();
            run(executor);
        });
    let Some(mut process) = process else { return };
    finds_none(&mut process, "busy_loop");
}

async fn always_writes(stream: Async<UnixStream>) {
    poll_fn(|cx| {
        // There is room all the time, and nothing to say.
        let _ = stream.poll_writable(cx);
        cx.waker().wake_by_ref();
        Poll::<()>::Pending
    })
    .await;
}

#[test]
fn a_source_that_is_always_ready() {
    let process = started_with(SETTINGS, "explained::a_source_that_is_always_ready", || {
        let executor = executor();
        let (near, far) = Async::<UnixStream>::pair().expect("a pair");
        executor.spawn(always_writes(near)).detach();
        run(executor);
        drop(far);
    });
    let Some(process) = process else { return };
    finds(&process, "always_ready", "likely", &["always_writes", "never waits"]);
}

async fn watch(cancelled: Receiver<()>) {
    let _ = cancelled.recv().await;
}

/// A request each two milliseconds. Each spawns a task.
async fn serve(keeps: bool) {
    let executor = executor();
    let (_cancel, cancelled) = unbounded();
    let requests = async {
        for request in 0.. {
            Timer::after(Duration::from_millis(2)).await;
            let task = executor.spawn(watch(cancelled.clone()));
            match keeps {
                true => task.detach(),
                false => drop(task),
            }
            if request == 800 {
                there();
            }
        }
    };
    executor.run(requests).await;
}

#[test]
fn tasks_that_only_become_more() {
    let process = started_with(SETTINGS, "explained::tasks_that_only_become_more", || {
        async_io::block_on(serve(true));
    });
    let Some(process) = process else { return };
    // A release build has it inlined, and no debug information to say so.
    let words: &[&str] = if cfg!(debug_assertions) { &["watch", "serve"] } else { &["watch"] };
    finds(&process, "leak", "likely", words);
}

#[test]
fn tasks_that_come_and_go_are_no_leak() {
    let process = started_with(SETTINGS, "explained::tasks_that_come_and_go_are_no_leak", || {
        async_io::block_on(serve(false));
    });
    let Some(mut process) = process else { return };
    finds_none(&mut process, "leak");
}
