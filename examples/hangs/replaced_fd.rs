//! A daemon points its descriptors elsewhere with `dup2`, one number too far: a socket that is in use becomes
//! `/dev/null`. The connection is gone, and the task waits for it.
//!
//! This file has `unsafe` code: it replaces the descriptor of another owner, which is the fault that it shows.

use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::AsyncReadExt;

use crate::story::{executor, hangs_now, server};

fn silent(stream: TcpStream) {
    thread::sleep(Duration::from_secs(3_600));
    drop(stream);
}

/// What becomes a daemon has no use for its terminal.
fn detach(fd: i32) -> io::Result<()> {
    let null = File::open("/dev/null")?;
    // SAFETY: the number is that of an open descriptor, and is not closed here. That it is another owner's is the
    // story.
    let mut fd = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(fd) });
    rustix::io::dup2(null, &mut fd)?;
    Ok(())
}

async fn next_message(stream: Arc<Async<TcpStream>>) -> io::Result<usize> {
    let mut message = [0; 64];
    (&*stream).read(&mut message).await // hangs here
}

async fn listen(server: SocketAddr) -> io::Result<()> {
    let stream = Arc::new(Async::<TcpStream>::connect(server).await?);
    let fd = stream.get_ref().as_raw_fd();
    let waiting = next_message(stream);
    let detaching = async {
        Timer::after(Duration::from_millis(100)).await;
        detach(fd)?;
        hangs_now();
        std::future::pending().await
    };
    println!("{} bytes", futures_lite::future::or(waiting, detaching).await?);
    Ok(())
}

pub fn run() -> io::Result<()> {
    let executor = executor();
    block_on(executor.run(executor.spawn(listen(server(silent)?))))
}
