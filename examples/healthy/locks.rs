//! Sixteen tasks move money between four accounts, each with a lock. All take the locks in the same order.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_executor::Executor;
use async_io::Timer;
use async_lock::Mutex;

type Accounts = Arc<[Mutex<i64>; 4]>;

async fn transfer(accounts: Accounts, number: usize) {
    for round in number.. {
        let (one, other) = (round % 4, (round / 4 + number) % 4);
        if one == other {
            continue;
        }
        let (mut first, mut second) = (
            accounts[one.min(other)].lock().await,
            accounts[one.max(other)].lock().await,
        );
        *first -= 1;
        *second += 1;
        // The bank takes its time.
        Timer::after(Duration::from_micros(500)).await;
    }
}

pub async fn run(executor: &'static Executor<'static>) -> io::Result<()> {
    let accounts = Accounts::default();
    (1..16).for_each(|number| executor.spawn(transfer(accounts.clone(), number)).detach());
    transfer(accounts, 16).await;
    Ok(())
}
