//! The relay with which it all began: a task computes before it asks `poll_readable`, as a GUI's loop does, while
//! another thread drives the reactor. With 2.6.0 it is told Pending for ever, though its socket is readable. Here it
//! goes on, and `ticks explain` says what 2.6.0 would have done.

use std::future::{poll_fn, Future};
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use async_io::{trace, Async};

use crate::story::{hangs_now, server};

fn chatters(mut stream: TcpStream) {
    for number in 0.. {
        if number == 50 {
            hangs_now();
        }
        if stream.write_all(b"tick\n").is_err() {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// The rest of what the loop does in a turn.
fn draw() {
    let until = Instant::now() + Duration::from_millis(2);
    while Instant::now() < until {
        black_box(());
    }
}

async fn show(server: SocketAddr) -> io::Result<()> {
    let stream = Async::<TcpStream>::connect(server).await?;
    let mut line = [0; 64];
    loop {
        poll_fn(|cx| stream.poll_readable(cx)).await?; // hangs here
        while let Ok(len) = stream.get_ref().read(&mut line) {
            if len == 0 {
                return Ok(());
            }
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

pub fn run() -> io::Result<()> {
    let mut showing = pin!(trace::task("show", show(server(chatters)?)));
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        draw();
        if let Poll::Ready(ended) = showing.as_mut().poll(&mut Context::from_waker(&waker)) {
            return ended;
        }
        draw();
        thread::park();
    }
}
