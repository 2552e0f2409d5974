//! The life of tasks on record: a task's future passes through here once, on its way to async-task.
//!
//! While somebody records (`ASYNC_IO_TRACE`, as `async_io::trace` describes it), the future goes into a box, and
//! its wakers are the recorder's. Otherwise it goes on as it is.

use std::any::type_name;
use std::future::Future;
use std::pin::Pin;

use ticks_recorder::{Client, Task, TaskKind};

/// This crate, as the recorder knows it.
static CLIENT: Client = Client {
    version: concat!("async-executor ", env!("CARGO_PKG_VERSION")),
    is_reactor: false,
    passes_on: |_| false,
};

/// Whether tasks that are spawned now are recorded.
#[inline]
pub(crate) fn is_recording() -> bool {
    !cfg!(loom) && ticks_recorder::listens(&CLIENT)
}

/// The main future of a `run`, which is a task of its own: `run` polls it, and gives it a waker of its own.
pub(crate) fn main<F: Future>(future: F) -> Task<F> {
    match is_recording() {
        true => Task::new(TaskKind::Run, type_name::<F>(), true, future),
        false => Task::unrecorded(future),
    }
}

/// A future that is recorded as a task. It is of one type for all futures of one output, so that an executor's
/// code is not compiled once more for each.
///
/// `owned`: the executor keeps the task until it is done, even if there is no waker.
pub(crate) fn recorded<'a, F: Future + 'a>(
    owned: bool,
    future: F,
) -> Pin<Box<dyn Future<Output = F::Output> + 'a>> {
    Box::pin(Task::new(TaskKind::Spawned, type_name::<F>(), owned, future))
}
