//! A message is received, looked into, and dropped: the race that its reception was part of was won by another branch.
//! The server waits for the next order, the customer for an answer, and nothing is on its way. Both tasks must be
//! found, each in its channel; and on record must be what the race has taken away, the wait of the branch that lost.

use async_channel::{unbounded, Receiver, Sender};
use async_io::Timer;
use futures_lite::future;
use ticks_format::Kind;

use crate::look::{goes_through, Look};
use crate::story::{executor, killed, run, seen, started, FAR};

async fn next_order(orders: &Receiver<u32>) -> Option<u32> {
    let order = orders.recv().await.ok()?;
    // The stock is asked.
    Timer::after(FAR).await;
    Some(order)
}

async fn server(orders: Receiver<u32>, interrupts: Receiver<()>, answers: Sender<u32>) {
    let interrupted = async {
        interrupts.recv().await.ok()?;
        None
    };
    assert_eq!(future::or(next_order(&orders), interrupted).await, None);
    let order = orders.recv().await;
    answers.send(order.expect("an order")).await.expect("a customer");
}
const RECEIVES: u32 = line!() - 3;

async fn customer(orders: Sender<u32>, interrupts: Sender<()>, answers: Receiver<u32>) {
    orders.send(7).await.expect("a server");
    while !orders.is_empty() {
        future::yield_now().await;
    }
    interrupts.send(()).await.expect("a server");
    assert_eq!(answers.recv().await, Ok(7));
    drop((orders, interrupts));
}
const AWAITS: u32 = line!() - 3;

fn hangs(look: &Look) -> bool {
    // None but the channels' wakers are left of the server.
    look.waits("server") && look.waits("customer") && look.waiters.is_empty()
}

fn judge(look: &Look) {
    assert!(hangs(look), "{}", look.shown());
    look.tells("::server", "waiting", &[("Receiver::recv", "server", RECEIVES)]);
    look.tells("::customer", "waiting", &[("Receiver::recv", "customer", AWAITS)]);
    goes_through(&look.asked_last(look.task("server")), "server", RECEIVES);
    goes_through(&look.asked_last(look.task("customer")), "customer", AWAITS);
    let kinds: Vec<Kind> = look.records().iter().map(|record| record.kind()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == Kind::TimerRemove).count(), 1, "{kinds:?}");
}

#[test]
fn both_wait_and_nothing_is_on_its_way() {
    let process = started("lost_message::both_wait_and_nothing_is_on_its_way", || {
        let executor = executor();
        let (orders, interrupts, answers) = (unbounded(), unbounded(), unbounded());
        executor.spawn(server(orders.1, interrupts.1, answers.0)).detach();
        executor.spawn(customer(orders.0, interrupts.0, answers.1)).detach();
        run(executor);
    });
    let Some(mut process) = process else { return };
    let is_lost = |look: &Look| {
        hangs(look) && look.records().iter().any(|record| record.kind() == Kind::TimerRemove)
    };
    judge(&seen(&process, "both wait", is_lost));
    judge(&killed(&mut process));
}
