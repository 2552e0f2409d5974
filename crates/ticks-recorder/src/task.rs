//! Tasks whose life is recorded: a future that stands for a task, with a waker of its own.
//!
//! A task is a top-level future that somebody polls: an executor, or `block_on`. While it is recorded, it is
//! polled with a waker of the recorder ([`waker`]). So the recorder knows how many wakers there are, who
//! wakes the task, and on which stack it asked to be woken. If the last waker is dropped while the task
//! waits, nobody can wake it any more ([`state`]).
//!
//! What is known goes to the recording: the records of tasks, and the table of those that are there.

pub(crate) mod current;
mod parent;
pub(crate) mod state;
mod waker;

#[cfg(all(test, loom))]
mod models;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;
use ticks_format::TaskKind;

use crate::recorder::tasks::Entry;

pub use current::{asks_reactor, round_wakes, Cause};
pub(crate) use current::{current_id, note_asked};
use waker::Shared;

pin_project! {
    /// A future that is recorded as a task, or one that is not, and is polled as it is.
    #[derive(Debug)]
    pub struct Task<F> {
        // First, so that it is dropped first: the task ends when its future's destructor has returned.
        #[pin]
        future: F,
        life: Option<Life>,
    }

    impl<F> PinnedDrop for Task<F> {
        fn drop(this: Pin<&mut Self>) {
            if let Some(life) = this.project().life {
                // From now on, the drop of the last waker does not make the task forgotten.
                life.0.entry.goes();
            }
        }
    }
}

impl<F> Task<F> {
    /// A task of this name, if anybody records. `owned`: its executor keeps it until it is done, even
    /// without wakers.
    ///
    /// Call it when [`listens`](crate::listens) has said yes; while nobody records the future is
    /// polled as it is.
    pub fn new(kind: TaskKind, name: &str, owned: bool, future: F) -> Task<F> {
        let life = Entry::new(kind, name, owned).map(|entry| Life(Shared::new(entry)));
        Task { future, life }
    }

    /// A future that is not recorded.
    #[inline]
    pub fn unrecorded(future: F) -> Task<F> {
        Task { future, life: None }
    }
}

impl<F: Future> Future for Task<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        match this.life {
            None => this.future.poll(cx),
            Some(life) => life.poll(cx.waker(), |cx| this.future.poll(cx)),
        }
    }
}

/// The task, as its poller has it.
#[derive(Debug)]
struct Life(waker::Handle);

impl Life {
    #[inline(never)]
    fn poll<T>(
        &mut self,
        parent: &Waker,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let polling = waker::Polling::begin(&self.0, parent);
        let polled = poll(&mut Context::from_waker(polling.waker()));
        polling.end(polled.is_ready());
        polled
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.0.entry.gone();
    }
}
