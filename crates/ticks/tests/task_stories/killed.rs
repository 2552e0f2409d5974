//! A service under load is killed at any instant, by the kernel when memory runs out or by whoever has lost patience.
//! Tasks begin and end by the thousand then, stacks are taken, entries change hands. Whatever the instant was, the file
//! opens, nothing of it is damaged, and the tasks that had waited for long are there with their stacks.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use async_channel::{bounded, Receiver, Sender};
use async_executor::Executor;
use async_io::Timer;
use async_lock::Mutex;
use futures_lite::future;
use ticks_format::TaskState;

use crate::look::Look;
use crate::story::{executor, killed, run, seen, started};

/// As often as the time allows on a slow machine, and no more than this.
const KILLS_MAX: u64 = 200;
const TIME_LIMIT: Duration = Duration::from_secs(60);
const KILLS_MIN: u64 = 20;

const IDLE: usize = 8;

async fn idle(lock: Arc<Mutex<()>>) {
    drop(lock.lock().await);
}

async fn pings(sender: Sender<u32>, receiver: Receiver<u32>) {
    for number in 0..20 {
        let _ = sender.send(number).await;
        let _ = receiver.recv().await;
    }
}

async fn naps() {
    Timer::after(Duration::from_micros(200)).await;
}

async fn load(executor: &'static Executor<'static>) {
    loop {
        let (there, back) = (bounded(1), bounded(1));
        let pair = [
            executor.spawn(pings(there.0, back.1)),
            executor.spawn(pings(back.0, there.1)),
            executor.spawn(naps()),
        ];
        // One is dropped before its end.
        drop(executor.spawn(naps()));
        for task in pair {
            task.await;
        }
    }
}

fn work() {
    let executor = executor();
    let lock = Arc::new(Mutex::new(()));
    let _held = lock.try_lock().expect("it is free");
    for _ in 0..IDLE {
        executor.spawn(idle(lock.clone())).detach();
    }
    for _ in 0..4 {
        executor.spawn(load(executor)).detach();
    }
    thread::spawn(|| run(executor));
    async_io::block_on(executor.run(future::pending::<()>()));
}

fn idle_wait(look: &Look) -> bool {
    look.named("killed::idle").filter(|task| task.state == TaskState::Waiting).count() == IDLE
}

fn kill_once(test: &str, after: Duration) -> bool {
    let Some(mut process) = started(test, work) else { return false };
    let is_loaded = |look: &Look| idle_wait(look) && look.named("pings").count() > 0;
    seen(&process, "it is under load", is_loaded);
    thread::sleep(after);
    // Damage is a panic here.
    let look = killed(&mut process);
    assert!(!look.records().is_empty());
    let threads = look.recording.rings().expect("readable").len();
    assert!(look.torn_tasks <= threads, "{} of {threads} threads", look.torn_tasks);
    assert!(idle_wait(&look), "{}", look.shown());
    for task in &look.tasks {
        assert!(!look.name(task).is_empty(), "{task:?}");
        assert!(
            task.polls > 0 || task.state == TaskState::Scheduled || task.thread == 0,
            "{task:?}"
        );
        for stack in task.asked.iter().map(|asked| asked.stack).chain([task.stack]) {
            let found = look.recording.stack(stack).expect("readable");
            // A new task's stack may be stored before the number is.
            assert!(found.is_some_and(|stack| !stack.frames.is_empty()), "{task:?}");
        }
    }
    let idle = look.named("killed::idle").all(|task| {
        task.asked.len() == 1 && task.wakers == 1 && task.polls == 1 && task.stack != 0
    });
    assert!(idle, "{}", look.shown());
    true
}

#[test]
fn whatever_the_instant_every_file_opens() {
    let test = "killed::whatever_the_instant_every_file_opens";
    let begun = Instant::now();
    let mut random = begun.elapsed().as_nanos() as u64 ^ u64::from(std::process::id()) | 1;
    let mut kills = 0;
    while kills < KILLS_MIN || kills < KILLS_MAX && begun.elapsed() < TIME_LIMIT {
        // xorshift64.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        if !kill_once(test, Duration::from_micros(random % 5_000)) {
            return;
        }
        kills += 1;
    }
    println!("{kills} times");
}
