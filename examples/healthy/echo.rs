//! A server sends back what sixteen clients send, as fast as it can.

use std::io;

use async_executor::Executor;

use crate::net::{ask_on, echo_server};

pub async fn run(executor: &'static Executor<'static>) -> io::Result<()> {
    let server = echo_server(executor)?;
    (1..16).for_each(|_| executor.spawn(ask_on(server, usize::MAX)).detach());
    ask_on(server, usize::MAX).await
}
