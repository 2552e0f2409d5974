//! A window has a loop of its own, and polls its futures in it: a clock. The clock's waker posts into the loop's queue,
//! which has room for one message, and the loop takes one a frame. So whoever wakes waits for the window, and that is
//! the reactor. A server in the same program has nothing to do with the window, and all its timers are late.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::mpsc::{sync_channel, Receiver, SyncSender};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use async_io::{block_on, Timer};

use crate::story::{executor, hangs_now};

const SESSIONS: usize = 40;
const FRAME: Duration = Duration::from_millis(300);

/// Wakes the window.
struct Post(SyncSender<()>);

impl Wake for Post {
    fn wake(self: Arc<Self>) {
        // The loop is there until the program ends. It waits here, while the queue is full.
        let _ = self.0.send(());
    }
}

async fn hand() {
    loop {
        Timer::after(Duration::from_millis(10)).await;
    }
}

fn window(posts: &SyncSender<()>, messages: &Receiver<()>) {
    let waker = Waker::from(Arc::new(Post(posts.clone())));
    let mut cx = Context::from_waker(&waker);
    // Hours, minutes and seconds are drawn by one each.
    let mut hands = [pin!(hand()), pin!(hand()), pin!(hand())];
    loop {
        for hand in &mut hands {
            // It goes on for ever.
            let _: Poll<()> = hand.as_mut().poll(&mut cx);
        }
        if messages.recv().is_err() {
            return;
        }
        thread::sleep(FRAME);
    }
}

async fn session(number: usize) {
    for round in 0.. {
        Timer::after(Duration::from_millis(20)).await;
        if (number, round) == (0, 8) {
            hangs_now();
        }
    }
}

pub fn run() -> io::Result<()> {
    let (posts, messages) = sync_channel(1);
    let gui = thread::Builder::new().name("gui".into());
    gui.spawn(move || window(&posts, &messages))?;
    let executor = executor();
    (1..SESSIONS).for_each(|number| executor.spawn(session(number)).detach());
    block_on(executor.run(executor.spawn(session(0))));
    Ok(())
}
