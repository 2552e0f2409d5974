//! Jobs that are due each hour, each night and each week, on purpose, beside a server that works.

use std::io;
use std::time::Duration;

use async_executor::Executor;
use async_io::Timer;

use crate::net::{ask_on, echo_server};

const HOUR: Duration = Duration::from_secs(3_600);

async fn each(period: Duration, job: &str) {
    loop {
        Timer::after(period).await;
        println!("{job}");
    }
}

pub async fn run(executor: &'static Executor<'static>) -> io::Result<()> {
    executor.spawn(each(HOUR, "the certificates are looked at")).detach();
    executor.spawn(each(8 * HOUR, "the backup is made")).detach();
    executor.spawn(each(7 * 24 * HOUR, "the logs are thrown away")).detach();
    let server = echo_server(executor)?;
    loop {
        ask_on(server, 20).await?;
        Timer::after(Duration::from_millis(50)).await;
    }
}
