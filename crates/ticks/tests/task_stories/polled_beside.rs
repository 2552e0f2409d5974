//! What an executor's `run` was given is polled whenever the executor is, for the other tasks' sake too. The main function of
//! a service waited for a message for hours, and the tables said: for some milliseconds.

use std::time::Duration;

use async_io::{block_on, Timer};
use ticks_format::{TaskKind, TaskState};

use crate::look::Look;
use crate::story::{eventually, executor, seen, started};

async fn ticks() {
    loop {
        Timer::after(Duration::from_millis(5)).await;
    }
}

async fn receives(messages: async_channel::Receiver<()>) {
    let _ = messages.recv().await;
}

/// Begun when, polled how often, and waiting since when, by the counter.
fn main_of(look: &Look) -> Option<(u64, u64, u64)> {
    let main = look.tasks.iter().find(|task| task.kind == TaskKind::Run)?;
    let waits = main.state == TaskState::Waiting;
    waits.then(|| (main.begun, main.polls, look.recording.clock().whole(main.since)))
}

#[test]
fn it_waits_since_it_asked() {
    let process = started("polled_beside::it_waits_since_it_asked", || {
        let executor = executor();
        executor.spawn(ticks()).detach();
        let (_sender, messages) = async_channel::bounded(1);
        block_on(executor.run(receives(messages)));
    });
    let Some(process) = process else { return };
    let first = seen(&process, "it waits", |look| main_of(look).is_some());
    let (begun, polls, since) = main_of(&first).expect("it waits");
    assert!(begun <= since);
    let (again, later) = eventually("it was polled a hundred times more", || {
        let look = Look::at(&process.file());
        main_of(&look).filter(|now| now.1 > polls + 100).map(|now| (now.1, now.2))
    });
    // Each poll adds one, by which its own writer knows them apart.
    assert!(later - since <= again - polls, "{since} {later}: {polls} and {again} polls");
}
