//! A transfer locks the account that pays, then the one that is paid. Two people pay each other at once.

use std::io;
use std::sync::Arc;

use async_io::block_on;
use async_lock::{Barrier, Mutex};

use crate::story::{add_threads, executor, Last};

static BOTH: Last = Last::of(2);
static BANK: Barrier = Barrier::new(2);

async fn transfer(from: Arc<Mutex<i64>>, to: Arc<Mutex<i64>>, amount: i64) {
    let mut from = from.lock().await;
    // The bank takes two transfers at a time.
    BANK.wait().await;
    BOTH.comes();
    let mut to = to.lock().await; // hangs here
    *from -= amount;
    *to += amount;
}

pub fn run() -> io::Result<()> {
    let (anna, bert) = (Arc::new(Mutex::new(100)), Arc::new(Mutex::new(100)));
    let executor = executor();
    add_threads(executor, 1);
    let there = executor.spawn(transfer(anna.clone(), bert.clone(), 10));
    let back = executor.spawn(transfer(bert, anna, 20));
    block_on(executor.run(futures_lite::future::zip(there, back)));
    Ok(())
}
