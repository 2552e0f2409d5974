//! Each request gets a timeout, which is kept in a list and polled with it. A request that is done leaves its timeout
//! there, for an hour.

use std::io;
use std::time::Duration;

use async_io::{block_on, Timer};
use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::story::{executor, hangs_now};

async fn timeout() {
    Timer::after(Duration::from_secs(3_600)).await; // hangs here
}

async fn serve() {
    let mut timeouts = FuturesUnordered::new();
    let mut requests = Timer::interval(Duration::from_millis(2));
    for request in 0.. {
        futures_lite::future::or(
            async { _ = requests.next().await },
            async { _ = timeouts.next().await },
        )
        .await;
        timeouts.push(timeout());
        if request == 200 {
            hangs_now();
        }
    }
}

pub fn run() -> io::Result<()> {
    let executor = executor();
    block_on(executor.run(executor.spawn(serve())));
    Ok(())
}
