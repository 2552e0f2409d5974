//! The configuration says how long to wait before another attempt, in milliseconds: 30000. The program takes them
//! for seconds, and tries again in eight hours.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use async_io::{block_on, Async, Timer};

use crate::story::{executor, hangs_now};

const RETRY: u64 = 30_000;

async fn connect(port: u16) -> Async<TcpStream> {
    loop {
        match Async::<TcpStream>::connect((Ipv4Addr::LOCALHOST, port)).await {
            Ok(stream) => return stream,
            Err(error) => println!("trying again soon: {error}"),
        }
        hangs_now();
        Timer::after(Duration::from_secs(RETRY)).await; // hangs here
    }
}

pub fn run() -> io::Result<()> {
    // A port that was somebody's, and is nobody's now.
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let executor = executor();
    block_on(executor.run(executor.spawn(connect(port))));
    Ok(())
}
