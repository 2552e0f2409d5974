//! Model checks: every interleaving of the few threads that meet at one point.
//!
//! Run by `RUSTFLAGS="--cfg loom" cargo test -p async-executor --release --lib models`. Loom reports a thread
//! that waits for ever as a deadlock, and a lost wake-up is such a thread, or an assertion here.
//!
//! Loom's threads are taken for threads of the machine, so each has a runner of its own; async-task's
//! atomics are the real ones, and switches of threads happen in ours and in concurrent-queue's.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use loom::sync::atomic::{AtomicUsize, Ordering};

mod counting;
mod queues;
mod sleeping;
mod tasks;

/// So many switches of a thread that could have gone on. Most faults need one or two.
const PREEMPTIONS_MAX: usize = 3;

fn check(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS_MAX);
    builder.check(model);
}

/// Counts its wakes.
struct Flag(std::sync::atomic::AtomicUsize);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}

impl Flag {
    fn new() -> (Arc<Flag>, Waker) {
        let flag = Arc::new(Flag(Default::default()));
        (flag.clone(), Waker::from(flag))
    }

    fn get(&self) -> usize {
        self.0.load(std::sync::atomic::Ordering::SeqCst)
    }
}

/// What lives for ever elsewhere lives for one execution of a model here.
fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// A future that is ready once the number has come to `enough`. Whoever brings it there wakes the task.
async fn reaches(number: &'static AtomicUsize, enough: usize) {
    std::future::poll_fn(|_: &mut Context<'_>| match number.load(Ordering::SeqCst) {
        now if now >= enough => Poll::Ready(()),
        _ => Poll::Pending,
    })
    .await
}
