//! Where tasks are made.
//!
//! This file has unsafe code: async-task leaves to the executor what a future borrows and which threads it
//! may go to.

#![allow(unsafe_code)]

use std::any::type_name;
use std::future::Future;
use std::mem::{self, offset_of};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

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
        return unsafe { spawn(members, type_name::<F>(), future) };
    }
    let future = Live::new(members, future);
    // SAFETY: an executor that is dropped drops the future. The rest is the caller's promise.
    unsafe { spawn(members, type_name::<F>(), future) }
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
        return unsafe { spawn(members, type_name::<F>(), trace::recorded(false, future)) };
    }
    // SAFETY: the caller's promise.
    unsafe { spawn(members, type_name::<F>(), future) }
}

/// What an executor keeps in a task.
struct Kept<M: 'static> {
    members: &'static M,
    /// For readers of this memory: the type of what was spawned.
    #[allow(dead_code)]
    name: &'static str,
}

/// If the future panics, awaiting the task panics. `name` is the type of what was spawned.
///
/// # Safety
///
/// As for `untracked`.
#[inline]
unsafe fn spawn<M: Members, F: Future>(
    members: &'static M,
    name: &'static str,
    future: F,
) -> Task<F::Output> {
    let kept = Kept { members, name };
    let schedule = WithInfo(move |runnable: Runnable, info: ScheduleInfo| {
        // All of it, not only what is used.
        let kept = &kept;
        kept.members.schedule(runnable, info.woken_while_running)
    });
    let builder = Builder::new().propagate_panic(true);
    // SAFETY: the caller's promise. The schedule function may be called and dropped on any thread, as what
    // it holds is a reference to something that is `Sync`.
    let (runnable, task) = unsafe { builder.spawn_unchecked(|()| future, schedule) };
    // Not by `runnable.schedule()`, which would keep a waker meanwhile.
    members.schedule(runnable, false);
    task
}

/// A task that is measured.
pub(crate) struct Pattern {
    /// Where it is.
    pub(crate) task: *const (),
    /// How far from there the executor, its name and its name's length are, in bytes.
    pub(crate) kept: [usize; 3],
    /// How far from there what the executor keeps in it ends.
    pub(crate) end: usize,
    _runnable: Runnable,
    _task: Task<()>,
}

/// Makes a task as `spawn` does, which nobody will run.
pub(crate) fn pattern() -> Pattern {
    static NOBODY: () = ();
    static KEPT: AtomicUsize = AtomicUsize::new(0);
    static RUNNABLE: Mutex<Option<Runnable>> = Mutex::new(None);

    let kept = Kept { members: &NOBODY, name: "pattern" };
    // SAFETY: a string is a pointer and a length, and of the size of these.
    let words: [usize; 2] = unsafe { mem::transmute(kept.name) };
    let [name, len] = [kept.name.as_ptr() as usize, kept.name.len()].map(|wanted| {
        words.iter().position(|word| *word == wanted).unwrap_or(0) * size_of::<usize>()
    });
    let schedule = move |runnable: Runnable| {
        // The task has it in place.
        let kept = &kept;
        KEPT.store(kept as *const Kept<()> as usize, Ordering::Relaxed);
        *RUNNABLE.lock().unwrap_or_else(PoisonError::into_inner) = Some(runnable);
    };
    let (runnable, task) = async_task::spawn(std::future::pending::<()>(), schedule);
    runnable.schedule();
    let runnable = RUNNABLE.lock().unwrap_or_else(PoisonError::into_inner).take();
    let runnable = runnable.expect("it was scheduled");
    let address = runnable.waker().data();
    let kept = KEPT.load(Ordering::Relaxed) - address as usize;
    let name_at = kept + offset_of!(Kept<()>, name);
    Pattern {
        task: address,
        kept: [kept + offset_of!(Kept<()>, members), name_at + name, name_at + len],
        end: kept + size_of::<Kept<()>>(),
        _runnable: runnable,
        _task: task,
    }
}
