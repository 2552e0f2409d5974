//! The program runs on tokio, and a library of it on async-io. Nobody tells of tokio's tasks, but those that go
//! through `async_io::trace::task` are told of: by name, whoever polls and wakes them, what they wait for at the reactor
//! and elsewhere.

use std::sync::mpsc;

use async_io::{trace, Timer};
use ticks_format::{Record, TaskKind, TaskState, WokenBy};
use tokio::task::{spawn_blocking, yield_now};

use crate::look::{goes_through, Look};
use crate::story::{killed, seen, started, FAR};

async fn asks_prices(gate: mpsc::Receiver<()>) {
    let asked = spawn_blocking(move || gate.recv().is_ok());
    assert!(asked.await.expect("it does not panic"));
    Timer::after(FAR).await;
}
const WAITS: u32 = line!() - 2;

async fn waits_for_prices() {
    let (_sender, receiver) = async_channel::bounded::<()>(1);
    let _ = receiver.recv().await;
}
const RECEIVES: u32 = line!() - 2;

fn work() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let (sender, gate) = mpsc::channel();
        let asks = tokio::spawn(trace::task("prices", asks_prices(gate)));
        let waits = tokio::spawn(trace::task("waits for prices", waits_for_prices()));
        while trace::waits().iter().filter(|wait| wait.name.ends_with("prices")).count() < 2 {
            yield_now().await;
        }
        sender.send(()).expect("it receives");
        let _ = (asks.await, waits.await);
    });
}

fn judge(look: &Look) {
    let is = |name: &'static str| look.tasks.iter().find(|task| look.name(task) == name);
    let prices = is("prices").expect("it is there");
    assert_eq!((prices.kind, prices.state, prices.polls), (TaskKind::Named, TaskState::Waiting, 2));
    let waits: Vec<_> = look.waits_of(prices).collect();
    assert_eq!(waits.len(), 1, "{}", look.shown());
    goes_through(&look.calls(waits[0].stack), "asks_prices", WAITS);
    let records = look.records();
    let wake = records.iter().find_map(|record| match record {
        Record::TaskWake(wake) if wake.task == prices.id => Some(wake),
        _ => None,
    });
    let wake = wake.expect("it was woken");
    assert_eq!((wake.by, wake.first), (WokenBy::Thread, true));
    assert!(wake.from != 0 && wake.from != prices.thread, "by a thread of tokio's: {wake:?}");
    let calls = look.calls(wake.stack);
    assert!(calls.iter().any(|call| call.function.contains("tokio::")), "{calls:#?}");
    let other = is("waits for prices").expect("it is there");
    assert_eq!((other.state, other.wakers), (TaskState::Waiting, 1));
    goes_through(&look.asked_last(other), "waits_for_prices", RECEIVES);
    look.tells("for prices", "waiting", &[("Receiver::recv", "waits_for_prices", RECEIVES)]);
}

#[test]
fn a_named_task_under_tokio() {
    let process = started("under_tokio::a_named_task_under_tokio", work);
    let Some(mut process) = process else { return };
    let waits = |look: &Look| {
        let asks = look.tasks.iter().find(|task| look.name(task) == "prices");
        look.waiters.len() == 1
            && asks.is_some_and(|task| task.polls == 2 && task.state == TaskState::Waiting)
    };
    judge(&seen(&process, "both wait", waits));
    judge(&killed(&mut process));
}
