//! A server puts a timeout around every request and drops it when the answer is there. Upstream queues
//! timer operations for the reactor's next round and the queue owns the wakers; with nothing else going
//! on no round comes, so 500 cancelled timers kept 500 finished tasks (1 MiB each, half a gigabyte)
//! alive until some unrelated timer or socket moved. Ours drops the waker within the call that cancels,
//! moves or completes the timer, or replaces its task.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use async_io::Timer;

use crate::util::watchdog;

const TIMERS: usize = 500;
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Stands for a task: alive as long as somebody keeps its waker.
struct Task;

impl Wake for Task {
    fn wake(self: Arc<Self>) {}
}

fn task() -> (Waker, Weak<Task>) {
    let task = Arc::new(Task);
    let alive = Arc::downgrade(&task);
    (Waker::from(task), alive)
}

/// Begins to wait for `timer` in a task that nothing but the reactor keeps.
fn wait_in_a_task(timer: &mut Timer) -> Weak<Task> {
    let (waker, alive) = task();
    let polled = Pin::new(timer).poll(&mut Context::from_waker(&waker));
    assert_eq!(polled, Poll::Pending, "an hour has not gone by");
    drop(waker);
    assert_ne!(alive.strong_count(), 0, "the timer forgot who waits");
    alive
}

fn count_alive(tasks: &[Weak<Task>]) -> usize {
    tasks.iter().filter(|task| task.strong_count() > 0).count()
}

/// Timers with ever later deadlines, so that none of them concerns the reactor's sleep but the first.
fn timers() -> impl Iterator<Item = Timer> {
    (0..TIMERS as u32).map(|n| Timer::after(HOUR + n * Duration::from_secs(1)))
}

#[test]
fn each_cancelled_before_the_next() {
    let _watchdog = watchdog("each_cancelled_before_the_next");
    let tasks: Vec<_> = timers().map(|mut timer| wait_in_a_task(&mut timer)).collect();
    assert_eq!(count_alive(&tasks), 0, "tasks kept by cancelled timers");
}

#[test]
fn all_cancelled_together() {
    let _watchdog = watchdog("all_cancelled_together");
    let mut timers: Vec<_> = timers().collect();
    let tasks: Vec<_> = timers.iter_mut().map(wait_in_a_task).collect();
    assert_eq!(count_alive(&tasks), TIMERS);
    drop(timers);
    assert_eq!(count_alive(&tasks), 0, "tasks kept by cancelled timers");
}

#[test]
fn polled_by_another_task() {
    let _watchdog = watchdog("polled_by_another_task");
    let mut timers: Vec<_> = timers().collect();
    let first: Vec<_> = timers.iter_mut().map(wait_in_a_task).collect();
    let second: Vec<_> = timers.iter_mut().map(wait_in_a_task).collect();
    assert_eq!(count_alive(&first), 0, "tasks kept that no longer wait");
    assert_eq!(count_alive(&second), TIMERS, "the tasks that wait now");
    drop(timers);
    assert_eq!(count_alive(&second), 0, "tasks kept by cancelled timers");
}
