//! A child process, or a library, holds a copy of a socket. Then the socket's number is given to another file, and the
//! socket is dropped. It is the other file that is to be taken out of the poller now, which does not know it. The
//! copy keeps the socket watched: each message of the peer is an event for nobody, as long as the program runs.
//!
//! This file has `unsafe` code: it replaces the descriptor of another owner, which is the fault that it shows.

use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::net::{TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::thread;
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::AsyncReadExt;

use crate::story::{executor, hangs_now, server};

fn talks(mut stream: TcpStream) {
    while stream.write_all(b"news").is_ok() {
        thread::sleep(Duration::from_millis(20));
    }
}

/// What has its own idea of the number takes it.
fn take_number(fd: i32) -> io::Result<()> {
    let other = UdpSocket::bind(("127.0.0.1", 0))?;
    // SAFETY: the number is that of an open descriptor, and is not closed here. That it is another owner's is the
    // story.
    let mut fd = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(fd) });
    rustix::io::dup2(other, &mut fd)?;
    Ok(())
}

async fn read_once() -> io::Result<TcpStream> {
    let mut stream = Async::<TcpStream>::connect(server(talks)?).await?;
    let mut news = [0; 4];
    stream.read_exact(&mut news).await?;
    let copy = stream.get_ref().try_clone()?;
    take_number(stream.get_ref().as_raw_fd())?;
    drop(stream);
    Ok(copy)
}

async fn work() -> io::Result<()> {
    let copy = read_once().await?;
    hangs_now();
    loop {
        Timer::after(Duration::from_millis(100)).await;
        copy.peer_addr()?;
    }
}

pub fn run() -> io::Result<()> {
    let executor = executor();
    block_on(executor.run(executor.spawn(work())))
}
