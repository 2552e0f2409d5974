//! Where tasks are made.
//!
//! This file has unsafe code: async-task leaves to the executor what a future borrows and which threads it
//! may go to.

#![allow(unsafe_code)]

use std::future::Future;

use async_task::{Builder, Runnable, ScheduleInfo, Task, WithInfo};

use crate::live::{Live, Members};
use crate::trace;

/// For an executor that drops its tasks when it is dropped.
///
/// # Safety
///
/// The future is polled and dropped on threads that may have it. What it borrows outlives the executor,
/// or the executor is leaked.
#[inline]
pub(crate) unsafe fn tracked<M: Members, F: Future>(
    members: &'static M,
    future: F,
) -> Task<F::Output> {
    members.count_spawned();
    if trace::is_recording() {
        let future = Live::new(members, trace::recorded(true, future));
        // SAFETY: as below.
        return unsafe { spawn(members, future) };
    }
    let future = Live::new(members, future);
    // SAFETY: an executor that is dropped drops the future. The rest is the caller's promise.
    unsafe { spawn(members, future) }
}

/// For an executor that is never dropped: the future goes to async-task as it is.
///
/// # Safety
///
/// The future is polled and dropped on threads that may have it. What it borrows outlives the task.
#[cfg(feature = "static")]
#[inline]
pub(crate) unsafe fn untracked<M: Members, F: Future>(
    members: &'static M,
    future: F,
) -> Task<F::Output> {
    if trace::is_recording() {
        // SAFETY: the caller's promise.
        return unsafe { spawn(members, trace::recorded(false, future)) };
    }
    // SAFETY: the caller's promise.
    unsafe { spawn(members, future) }
}

/// If the future panics, awaiting the task panics.
///
/// # Safety
///
/// As for `untracked`.
#[inline]
unsafe fn spawn<M: Members, F: Future>(members: &'static M, future: F) -> Task<F::Output> {
    let schedule = WithInfo(move |runnable: Runnable, info: ScheduleInfo| {
        members.schedule(runnable, info.woken_while_running)
    });
    let builder = Builder::new().propagate_panic(true);
    // SAFETY: the caller's promise. The schedule function may be called and dropped on any thread, as what
    // it holds is a reference to something that is `Sync`.
    let (runnable, task) = unsafe { builder.spawn_unchecked(|()| future, schedule) };
    // Not by `runnable.schedule()`, which would keep a waker meanwhile.
    members.schedule(runnable, false);
    task
}
