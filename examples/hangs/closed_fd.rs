//! A library of C is given the number of a socket's descriptor, and closes it when it is done. The socket is still in
//! use. The kernel forgets that it is watched, and the answer wakes nobody.
//!
//! This file has `unsafe` code: it closes the descriptor of another owner, which is the fault that it shows.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::AsyncReadExt;

use crate::story::{executor, hangs_now, server};

fn answers_late(mut stream: TcpStream) {
    thread::sleep(Duration::from_millis(300));
    let _ = stream.write_all(b"here it is");
    thread::sleep(Duration::from_secs(3_600));
}

/// What the library does at its end.
fn library_cleans_up(fd: i32) {
    // SAFETY: it is not safe, and that is the story: the socket owns its descriptor, and this closes it. Nobody opens
    // a file afterwards, so that the number is nobody else's as long as the program runs.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
}

async fn wait_for_answer(stream: Arc<Async<TcpStream>>) -> io::Result<usize> {
    let mut answer = [0; 64];
    (&*stream).read(&mut answer).await // hangs here
}

async fn ask(server: SocketAddr) -> io::Result<()> {
    let stream = Arc::new(Async::<TcpStream>::connect(server).await?);
    let fd = stream.get_ref().as_raw_fd();
    let waiting = wait_for_answer(stream);
    let cleaning = async {
        Timer::after(Duration::from_millis(100)).await;
        library_cleans_up(fd);
        hangs_now();
        std::future::pending().await
    };
    println!("{} bytes", futures_lite::future::or(waiting, cleaning).await?);
    Ok(())
}

pub fn run() -> io::Result<()> {
    let executor = executor();
    block_on(executor.run(executor.spawn(ask(server(answers_late)?))))
}
