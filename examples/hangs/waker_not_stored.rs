//! A future of the program's own waits until its socket is readable, reads until `WouldBlock`, and returns Pending
//! at once. It would have to ask `poll_readable` again: `WouldBlock` of the socket itself stores no waker. Only its
//! status of each hour wakes it from then on.

use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::Stream;

use crate::story::{executor, hangs_now, server};

fn ten_events(mut stream: TcpStream) {
    for number in 0..10 {
        thread::sleep(Duration::from_millis(50));
        if stream.write_all(&[number]).is_err() {
            return;
        }
    }
    hangs_now();
    thread::sleep(Duration::from_secs(3_600));
}

/// Ready at the end of the stream.
fn poll_all(stream: &Async<TcpStream>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    let mut buffer = [0; 64];
    let readable = stream.poll_readable(cx); // hangs here
    match readable {
        Poll::Pending => return Poll::Pending,
        Poll::Ready(ready) => ready?,
    }
    loop {
        match stream.get_ref().read(&mut buffer) {
            Ok(0) => return Poll::Ready(Ok(())),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
}

async fn watch(server: SocketAddr) -> io::Result<()> {
    let stream = Async::<TcpStream>::connect(server).await?;
    let mut status = Timer::interval(Duration::from_secs(3_600));
    poll_fn(|cx| {
        while Pin::new(&mut status).poll_next(cx).is_ready() {
            println!("still there");
        }
        poll_all(&stream, cx)
    })
    .await
}

pub fn run() -> io::Result<()> {
    let executor = executor();
    block_on(executor.run(executor.spawn(watch(server(ten_events)?))))
}
