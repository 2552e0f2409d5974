//! A task was dropped with its handle, as one is that nobody awaits, and its connection is closed: the client
//! says that the server hangs up on it, and nobody finds who. The task's end is on record as what it is, no
//! end of its own; with it what it waited for is gone from the tables.

use std::net::TcpListener;

use async_io::{block_on, Async, Timer};
use futures_lite::future;
use ticks_format::{Kind, Record};

use crate::look::Look;
use crate::story::{executor, killed, seen, started, FAR};

async fn server() {
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).expect("a listener");
    drop(listener.accept().await);
}

async fn remains() {
    Timer::after(FAR).await;
}

fn work() {
    let executor = executor();
    let server = executor.spawn(server());
    let waits = async {
        while async_io::trace::waits().iter().all(|wait| !wait.name.contains("server")) {
            future::yield_now().await;
        }
    };
    block_on(executor.run(waits));
    drop(server);
    executor.spawn(remains()).detach();
    crate::story::run(executor);
}

fn judge(look: &Look) {
    assert_eq!(look.named("server").count(), 0, "{}", look.shown());
    assert!(look.sources.iter().all(|source| !source.registered), "{:?}", look.sources);
    let remains = look.task("remains");
    assert!(look.waiters.iter().all(|waiter| waiter.task_id == remains.id), "{}", look.shown());
    let records = look.records();
    let ended: Vec<_> = records
        .iter()
        .filter_map(|record| match record {
            Record::TaskCancelled(it) => Some((it.task, it.polls)),
            _ => None,
        })
        .collect();
    let spawned = records.iter().find_map(|record| match record {
        Record::TaskSpawn(it) => {
            let name = look.recording.place(it.name).expect("readable").unwrap_or_default();
            name.contains("server").then_some(it.task)
        }
        _ => None,
    });
    assert_eq!(ended, [(spawned.expect("its record"), 1)]);
    // Its future is gone before it is said to be.
    let at = |kind| records.iter().position(|record| record.kind() == kind);
    assert!(at(Kind::SourceDrop).expect("it is") < at(Kind::TaskCancelled).expect("it is"));
}

#[test]
fn it_is_cancelled_and_its_sources_are_gone() {
    let process = started("dropped::it_is_cancelled_and_its_sources_are_gone", work);
    let Some(mut process) = process else { return };
    judge(&seen(&process, "the other waits", |look| look.waits("remains")));
    judge(&killed(&mut process));
}
