//! Lines are parsed by one task and stored by another. Between them is a channel of std, whose `send` blocks its
//! thread when it is full. There is one thread, so the task that would make room is never polled.

use std::io;
use std::sync::mpsc::{sync_channel, Receiver, SyncSender};
use std::time::Duration;

use async_io::{block_on, Timer};

use crate::story::{executor, hangs_now};

async fn parse(lines: SyncSender<String>) {
    Timer::after(Duration::from_millis(50)).await; // hangs here
    for number in 0..100 {
        if number == 8 {
            hangs_now();
        }
        lines.send(format!("line {number}")).expect("it is stored");
    }
}

async fn store(lines: Receiver<String>) {
    loop {
        Timer::after(Duration::from_millis(400)).await; // waits meanwhile
        for line in lines.try_iter() {
            println!("stored: {line}");
        }
    }
}

pub fn run() -> io::Result<()> {
    let (sender, receiver) = sync_channel(8);
    let executor = executor();
    executor.spawn(store(receiver)).detach();
    block_on(executor.run(executor.spawn(parse(sender))));
    Ok(())
}
