//! The relay with which it all began: a task computes before it asks `poll_readable`, as a GUI's loop does. With
//! 2.6.0 it is told Pending for ever, though its socket is readable. Here it goes on, and `ticks explain` says what
//! 2.6.0 would have done.

use std::future::poll_fn;
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use async_io::{block_on, Async};

use crate::story::{executor, hangs_now, server};

fn chatters(mut stream: TcpStream) {
    hangs_now();
    while stream.write_all(b"tick\n").is_ok() {
        thread::sleep(Duration::from_millis(20));
    }
}

/// The rest of what the loop does in a turn.
fn draw() {
    let until = Instant::now() + Duration::from_micros(200);
    while Instant::now() < until {
        black_box(());
    }
}

async fn show(server: SocketAddr) -> io::Result<()> {
    let stream = Async::<TcpStream>::connect(server).await?;
    let mut line = [0; 64];
    loop {
        poll_fn(|cx| {
            draw();
            stream.poll_readable(cx)
        })
        .await?; // hangs here
        if stream.get_ref().read(&mut line)? == 0 {
            return Ok(());
        }
    }
}

pub fn run() -> io::Result<()> {
    let executor = executor();
    block_on(executor.run(executor.spawn(show(server(chatters)?))))
}
