//! A backup is sent to a server whose disk is full: it stops reading. The socket's buffers fill up, on both sides,
//! and the client waits to write.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use async_io::{block_on, Async};
use futures_lite::AsyncWriteExt;

use crate::story::{executor, hangs_now, server};

fn disk_is_full(mut stream: TcpStream) {
    let got = stream.read(&mut [0; 4_096]);
    hangs_now();
    thread::sleep(Duration::from_secs(3_600));
    drop((got, stream));
}

async fn back_up(to: SocketAddr) -> io::Result<()> {
    let mut stream = Async::<TcpStream>::connect(to).await?;
    let block = vec![7; 64 * 1_024];
    for _ in 0..1_024 {
        stream.write_all(&block).await?; // hangs here
    }
    Ok(())
}

pub fn run() -> io::Result<()> {
    let executor = executor();
    block_on(executor.run(executor.spawn(back_up(server(disk_is_full)?))))
}
