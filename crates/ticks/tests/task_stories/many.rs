//! A service has more tasks than the table has room for. Those that found none are counted, so that nobody takes the
//! table for all there is, and their records are kept. But a task that has ended must make room for another one: a
//! service that runs for weeks begins millions.

use async_executor::Executor;
use async_io::block_on;
use futures_lite::future;
use ticks_format::layout::counter;
use ticks_format::{Record, TaskState};

use crate::look::Look;
use crate::story::{executor, killed, run, seen, started_with};

async fn rests() {
    future::poll_fn(|cx| {
        // Somebody has a waker of it.
        std::mem::forget(cx.waker().clone());
        std::task::Poll::<()>::Pending
    })
    .await;
}

async fn short() {
    future::yield_now().await;
}

async fn last() {
    rests().await;
}

fn spawn_resting(executor: &Executor<'static>, count: usize) {
    for _ in 0..count {
        executor.spawn(rests()).detach();
    }
}

fn left_out(look: &Look) -> u64 {
    look.recording.counter(counter::TASKS_LEFT_OUT).expect("readable")
}

/// How many tasks rest.
fn resting(look: &Look) -> usize {
    look.named("many::rests").filter(|task| task.state == TaskState::Waiting).count()
}

/// The smallest file has room for this many.
const ROOM: usize = 256;

/// What the executor's thread is blocked on, and the main future of its run.
const RUNNERS: usize = 2;

#[test]
fn those_without_room_are_counted() {
    const COUNT: usize = 1_000;
    let settings = ["ASYNC_IO_TRACE_MIB=1"];
    let process = started_with(&settings, "many::those_without_room_are_counted", || {
        let executor = executor();
        spawn_resting(executor, COUNT);
        run(executor);
    });
    let Some(mut process) = process else { return };
    let is_full = |look: &Look| left_out(look) > 0 && look.tasks.len() == ROOM;
    seen(&process, "the table is full", is_full);
    // All were polled.
    let polled = |look: &Look| {
        look.tasks.iter().all(|task| task.state == TaskState::Waiting)
            && !look.recording.rings().expect("readable").is_empty()
            && left_out(look) as usize == COUNT + RUNNERS - ROOM
    };
    seen(&process, "all wait", polled);
    let look = killed(&mut process);
    assert_eq!((look.tasks.len(), left_out(&look) as usize), (ROOM, COUNT + RUNNERS - ROOM));
    let known = |id: u64| look.tasks.iter().any(|task| task.id == id);
    let has_records = look.records().iter().any(|record| match record {
        Record::TaskPollEnd(it) => !known(it.task),
        _ => false,
    });
    assert!(has_records, "of those that are not in the table");
}

#[test]
fn ten_thousand_are_all_there() {
    const COUNT: usize = 10_000;
    let settings = ["ASYNC_IO_TRACE_MIB=64"];
    let process = started_with(&settings, "many::ten_thousand_are_all_there", || {
        let executor = executor();
        spawn_resting(executor, COUNT);
        run(executor);
    });
    let Some(mut process) = process else { return };
    seen(&process, "all wait", |look| resting(look) == COUNT);
    let look = killed(&mut process);
    assert_eq!((resting(&look), left_out(&look), look.torn_tasks), (COUNT, 0, 0));
}

/// Waits for as many short tasks, one after the other or some at once.
fn spawn_short(executor: &Executor<'static>, count: usize, at_once: usize) {
    for _ in 0..count / at_once {
        let all: Vec<_> = (0..at_once).map(|_| executor.spawn(short())).collect();
        block_on(executor.run(async {
            for task in all {
                task.await;
            }
        }));
    }
}

#[test]
fn entries_are_given_back() {
    let test = "many::entries_are_given_back";
    let process = started_with(&["ASYNC_IO_TRACE_MIB=4"], test, || {
        let executor = executor();
        spawn_short(executor, 100_000, 500);
        executor.spawn(last()).detach();
        run(executor);
    });
    let Some(mut process) = process else { return };
    seen(&process, "the last one", |look| look.waits("many::last"));
    let look = killed(&mut process);
    assert_eq!((look.own_count(), left_out(&look)), (1, 0), "{}", look.shown());
}

/// Short tasks come and go among many that stay. The table had room for all, but those that stay lie side by side in
/// it, and whoever came to look for room among them gave up: half of the tasks of a service with some thousand
/// connections were not in the table.
#[test]
fn room_is_found_wherever_it_is() {
    const STAY: usize = 900;
    let test = "many::room_is_found_wherever_it_is";
    let process = started_with(&["ASYNC_IO_TRACE_MIB=4"], test, || {
        let executor = executor();
        spawn_resting(executor, STAY);
        spawn_short(executor, 3_000, 50);
        executor.spawn(last()).detach();
        run(executor);
    });
    let Some(process) = process else { return };
    let last = |record: &Record| matches!(record, Record::TaskSpawn(it) if it.task > 3_900);
    let look = seen(&process, "the last one", |look| {
        resting(look) == STAY && look.records().iter().any(last)
    });
    assert_eq!(left_out(&look), 0, "{}", look.tasks.len());
    seen(&process, "the last one", |look| look.waits("many::last"));
}
