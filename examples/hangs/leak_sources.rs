//! A pool keeps each connection for the next request, and opens a new one for each request all the same.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use async_io::{block_on, Async, Timer};

use crate::story::{executor, hangs_now, limit, server};

fn waits(mut stream: TcpStream) {
    let _ = stream.read(&mut [0]);
}

async fn serve(server: SocketAddr) -> io::Result<()> {
    let mut pool = Vec::new();
    for request in 0..450 {
        Timer::after(Duration::from_millis(25)).await; // hangs here
        pool.push(Async::<TcpStream>::connect(server).await?); // hangs here
        if request == 110 {
            hangs_now();
        }
    }
    // The files that a process may have open are not used up.
    Timer::after(limit()).await;
    Ok(())
}

pub fn run() -> io::Result<()> {
    let executor = executor();
    block_on(executor.run(executor.spawn(serve(server(waits)?))))
}
