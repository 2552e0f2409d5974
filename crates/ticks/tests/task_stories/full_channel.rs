//! A channel has room for four, its receiver is busy with something else, and whoever sends waits. Neither waits for a
//! socket, so nothing of it was to be seen. It is the sender's task that is to be found, in the channel's `send`,
//! at the line of the program that sends; and the receiver's, with what keeps it.

use async_channel::{bounded, Receiver, Sender};
use async_io::Timer;
use ticks_format::Awaited;

use crate::look::{goes_through, Look};
use crate::story::{executor, killed, run, seen, started, FAR};

async fn produce(sender: Sender<u32>) {
    for number in 0.. {
        sender.send(number).await.expect("somebody receives");
    }
}
const SENDS: u32 = line!() - 3;

async fn consume(receiver: Receiver<u32>) {
    let first = receiver.recv().await;
    write_to_disk(first.expect("somebody sends")).await;
    drop(receiver);
}

async fn write_to_disk(_: u32) {
    Timer::after(FAR).await;
}
const WRITES: u32 = line!() - 2;

fn hangs(look: &Look) -> bool {
    let is_kept = |look: &Look| look.waits_of(look.task("consume")).next().is_some();
    look.waits("produce")
        && look.waits("consume")
        && is_kept(look)
        && look.task("produce").wakes > 0
}

fn judge(look: &Look) {
    let producer = look.task("produce");
    goes_through(&look.asked_last(producer), "produce", SENDS);
    assert_eq!((producer.wakers, look.waits_of(producer).count()), (1, 0), "{producer:?}");
    let consumer = look.task("consume");
    let waits: Vec<_> = look.waits_of(consumer).collect();
    assert!(
        matches!(waits[..], [wait] if matches!(wait.awaited, Awaited::Timer { .. })),
        "{waits:?}"
    );
    goes_through(&look.calls(waits[0].stack), "write_to_disk", WRITES);
    look.tells("::produce", "waiting", &[("Sender::send", "produce", SENDS)]);
    look.tells("::consume", "waiting", &[("timer", "write_to_disk", WRITES)]);
}

#[test]
fn whoever_sends_is_found() {
    let process = started("full_channel::whoever_sends_is_found", || {
        let (sender, receiver) = bounded(4);
        let executor = executor();
        executor.spawn(produce(sender)).detach();
        executor.spawn(consume(receiver)).detach();
        run(executor);
    });
    let Some(mut process) = process else { return };
    judge(&seen(&process, "both wait", hangs));
    judge(&killed(&mut process));
}
