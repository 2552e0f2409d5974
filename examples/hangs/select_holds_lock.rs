//! `select!` over `&mut saving` and a timeout. `saving` holds the lock and sleeps; the timeout comes first, and its
//! branch wants the lock too. `saving` is still there, borrowed and not polled, so that it never lets go of it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_io::{block_on, Timer};
use async_lock::Mutex;
use futures_util::future::{select, Either};

use crate::story::{executor, hangs_now};

async fn save(file: Arc<Mutex<Vec<u8>>>) {
    let mut file = file.lock().await;
    Timer::after(Duration::from_millis(200)).await; // holds the lock here
    file.push(1);
}

async fn save_or_say_so(file: Arc<Mutex<Vec<u8>>>) {
    let mut saving = Box::pin(save(file.clone()));
    let timeout = Timer::after(Duration::from_millis(50));
    match select(&mut saving, timeout).await {
        Either::Left(_) => println!("saved"),
        Either::Right(_) => {
            hangs_now();
            let file = file.lock().await; // hangs here
            println!("it takes long; so far {} bytes are there", file.len());
        }
    }
    saving.await;
}

pub fn run() -> io::Result<()> {
    let executor = executor();
    let file = Arc::new(Mutex::new(Vec::new()));
    block_on(executor.run(executor.spawn(save_or_say_so(file))));
    Ok(())
}
