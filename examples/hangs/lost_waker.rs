//! A download whose progress is awaited. Its future leaves its waker when it is polled for the first time. The
//! second report wakes nobody, because the waker went with the first. In tests the file was done after one report.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use std::{io, thread};

use async_io::block_on;

use crate::story::{executor, hangs_now};

#[derive(Default)]
struct Progress {
    percent: u32,
    waker: Option<Waker>,
}

struct Download {
    progress: Arc<Mutex<Progress>>,
    is_registered: bool,
}

impl Future for Download {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let mut progress = this.progress.lock().expect("nobody panics");
        if progress.percent == 100 {
            return Poll::Ready(());
        }
        if !this.is_registered {
            this.is_registered = true;
            progress.waker = Some(cx.waker().clone()); // hangs here
        }
        Poll::Pending
    }
}

fn report(progress: &Mutex<Progress>, percent: u32) {
    let mut progress = progress.lock().expect("nobody panics");
    progress.percent = percent;
    if let Some(waker) = progress.waker.take() {
        waker.wake();
    }
}

async fn fetch(progress: Arc<Mutex<Progress>>) {
    Download { progress, is_registered: false }.await;
}

pub fn run() -> io::Result<()> {
    let progress = Arc::new(Mutex::new(Progress::default()));
    let reporting = progress.clone();
    thread::spawn(move || {
        for percent in [50, 100] {
            thread::sleep(Duration::from_millis(100));
            report(&reporting, percent);
        }
        hangs_now();
    });
    let executor = executor();
    let fetching = executor.spawn(fetch(progress));
    block_on(executor.run(fetching));
    Ok(())
}
