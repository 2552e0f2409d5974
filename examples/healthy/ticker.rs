//! Three tickers, and work under a timeout that never comes to pass.

use std::io;
use std::time::Duration;

use async_executor::Executor;
use async_io::Timer;
use futures_lite::future::or;
use futures_lite::StreamExt;

async fn tick(period: Duration) {
    let mut ticker = Timer::interval(period);
    while ticker.next().await.is_some() {}
}

async fn work() -> bool {
    Timer::after(Duration::from_millis(3)).await;
    true
}

pub async fn run(executor: &'static Executor<'static>) -> io::Result<()> {
    for period in [5, 50, 250] {
        executor.spawn(tick(Duration::from_millis(period))).detach();
    }
    loop {
        let timeout = async {
            Timer::after(Duration::from_secs(30)).await;
            false
        };
        if !or(work(), timeout).await {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
}
