//! Where the life of a task can be recorded: each task's future passes through here once, on its way to
//! async-task. Today nobody records, and it goes on as it is.

/// A task is spawned.
#[inline(always)]
pub(crate) fn spawned<F>(future: F) -> F {
    future
}
