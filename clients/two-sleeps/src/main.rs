//! Sleeps twice, in a function of its own and in `main`: the example program of Rust-Async-Context-Tracer, whose
//! picture `ticks export` draws.

use std::time::Duration;

use async_std::task;

async fn my_test() {
    task::sleep(Duration::from_millis(100)).await;
}

#[async_std::main]
async fn main() {
    my_test().await;
    task::sleep(Duration::from_millis(150)).await;
}
