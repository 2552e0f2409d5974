//! The tasks that have not ended.
//!
//! An executor that is dropped must find its tasks. Those that are scheduled lie in a queue. The others
//! wait to be woken, and only those are kept in a set, by their wakers: a task enters it when its poll
//! returns Pending for the first time, and leaves it when its future is dropped. One that is done after
//! one poll is never there.

use std::future::Future;
use std::mem::offset_of;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use async_task::Runnable;
use pin_project_lite::pin_project;
use slab::Slab;
use ticks_format::published::{executor as word, offset};

use crate::published::Table;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::Mutex;

/// What an executor does for its tasks.
pub(crate) trait Members: Sync + 'static {
    /// Puts a task that was spawned or woken into a queue, and wakes a runner if needed.
    /// `woken_while_running`: it was woken during its poll, and the thread that polled it schedules it.
    fn schedule(&'static self, task: Runnable, woken_while_running: bool);

    /// A task is about to be spawned: from now on the executor is not empty.
    fn count_spawned(&'static self);

    /// A task waits for the first time. Returns its place in the set.
    fn insert(&self, waker: &Waker) -> usize;

    /// A task that has waited has ended.
    fn remove(&self, place: usize);

    /// A task has ended.
    fn count_finished(&self);
}

pin_project! {
    /// A task's future, polled as it is, and its place in the set of those that wait.
    pub(crate) struct Live<M: Members, F> {
        // First, so that it is dropped first: a task has ended when its future's destructor has.
        #[pin]
        future: F,
        membership: Membership<M>,
    }
}

impl<M: Members, F> Live<M, F> {
    #[inline]
    pub(crate) fn new(members: &'static M, future: F) -> Live<M, F> {
        Live { future, membership: Membership { members, place: NOWHERE } }
    }
}

impl<M: Members, F: Future> Future for Live<M, F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let polled = this.future.poll(cx);
        if polled.is_pending() && this.membership.place == NOWHERE {
            this.membership.insert(cx.waker());
        }
        polled
    }
}

/// The place of a task that has not waited yet.
const NOWHERE: usize = usize::MAX;

struct Membership<M: Members> {
    members: &'static M,
    place: usize,
}

impl<M: Members> Membership<M> {
    fn insert(&mut self, waker: &Waker) {
        self.place = self.members.insert(waker);
    }
}

impl<M: Members> Drop for Membership<M> {
    #[inline]
    fn drop(&mut self) {
        if self.place != NOWHERE {
            self.members.remove(self.place);
        }
        self.members.count_finished();
    }
}

/// A number that only grows.
#[derive(Debug)]
pub(crate) struct Count(AtomicUsize);

impl Count {
    pub(crate) fn new() -> Count {
        Count(AtomicUsize::new(0))
    }

    /// Adds one. Only one thread at a time may do that in this way.
    #[inline]
    pub(crate) fn add_alone(&self) {
        let next = self.0.load(Ordering::Relaxed).wrapping_add(1);
        // `Release`: see `is_settled`.
        self.0.store(next, Ordering::Release);
    }

    /// Adds one.
    #[inline]
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

/// Tasks that were spawned and that have ended, as one thread or runner has counted them.
#[derive(Debug)]
pub(crate) struct Counts {
    pub(crate) spawned: Count,
    pub(crate) finished: Count,
}

impl Counts {
    pub(crate) fn new() -> Counts {
        Counts { spawned: Count::new(), finished: Count::new() }
    }
}

/// How many tasks there are: 0 only if there was an instant without any.
///
/// The finished tasks are counted first, then the spawned ones. A thread that reads that a task has
/// finished (`Acquire`) also sees that it was spawned, and all tasks that it spawned. So the count of
/// spawned tasks is at least, and that of finished ones at most, what it was between the two halves.
pub(crate) fn live<'a>(counts: impl Iterator<Item = &'a Counts> + Clone) -> usize {
    let finished = sum(counts.clone().map(|counts| counts.finished.get()));
    let spawned = sum(counts.map(|counts| counts.spawned.get()));
    spawned.wrapping_sub(finished)
}

fn sum(counts: impl Iterator<Item = usize>) -> usize {
    counts.fold(0, usize::wrapping_add)
}

/// A part of the set of tasks, used by every n-th thread.
#[derive(Debug)]
pub(crate) struct Shard {
    pub(crate) counts: Counts,
    /// Holding the lock allows to add and remove wakers. They are cloned and dropped without it, though
    /// they are async-task's own: the last clone may drop a task's output.
    wakers: Mutex<Slab<Waker>>,
}

impl Shard {
    pub(crate) fn new() -> Shard {
        Shard { counts: Counts::new(), wakers: Mutex::new(Slab::new()) }
    }

    /// Says what one is like to readers of this memory. A `Padded` is where its value is.
    pub(crate) fn publish(table: &Table) {
        let pattern = Shard::new();
        table.set(word::SHARD_WAKERS, offset(&pattern, &*pattern.wakers.lock()));
        let counts = offset_of!(Shard, counts);
        table.set(word::SHARD_SPAWNED, counts + offset_of!(Counts, spawned));
        table.set(word::SHARD_FINISHED, counts + offset_of!(Counts, finished));
    }

    pub(crate) fn insert(&self, waker: Waker) -> usize {
        self.wakers.lock().insert(waker)
    }

    /// What `look` says of each task that has waited and not ended. `None`: another thread is at work on the
    /// set. The lock is held meanwhile, so `look` must not call foreign code.
    pub(crate) fn try_look<T>(&self, look: impl FnMut(&Waker) -> T) -> Option<Vec<T>> {
        let wakers = self.wakers.try_lock()?;
        Some(wakers.iter().map(|(_, waker)| waker).map(look).collect())
    }

    #[must_use = "to be dropped with nothing locked"]
    pub(crate) fn remove(&self, key: usize) -> Option<Waker> {
        self.wakers.lock().try_remove(key)
    }

    /// Gives back the memory of an empty set.
    pub(crate) fn tidy(&self) {
        self.wakers.lock().shrink_to_fit();
    }

    pub(crate) fn wakers(&self) -> Vec<Waker> {
        self.wakers.lock().iter().map(|(_, waker)| waker.clone()).collect()
    }
}
