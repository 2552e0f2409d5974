//! Tasks: top-level futures, whose life the flight recorder follows.

use std::any::type_name;
use std::future::Future;

use ticks_format::TaskKind;
use ticks_recorder as recorder;

use super::{is_recording, refresh, Cause};

/// Makes the future a task of this name in the flight recorder's files.
///
/// `ticks who` then shows it by its name, with what it waits for and by which calls; `ticks show` tells when it was
/// polled, and who woke it. Whatever its waker is kept for is seen: a socket, a timer, a lock, a channel, another
/// task. If its last waker is dropped while it waits, so that nobody can wake it any more, it is reported as
/// forgotten.
///
/// Tasks of an executor that is `async-executor` need not be told of, if that is patched too, and neither does the
/// future of [`block_on`](crate::block_on). It is for all others: tokio's, those of `futures`, one of your own.
/// Give it the future that you spawn. While nobody records, the future is polled as it is.
///
/// # Panics
///
/// If the future panics when it is polled, with its panic.
///
/// # Cancel safety
///
/// As that of the future, which is dropped with the returned one.
///
/// # Examples
///
/// ```
/// use futures_lite::future;
///
/// let price = async_io::trace::task("price of apples", async { 3 });
/// // An executor that has not heard of async-io:
/// assert_eq!(future::block_on(price), 3);
/// ```
pub fn task<F: Future>(name: &str, future: F) -> impl Future<Output = F::Output> {
    refresh();
    match is_recording() {
        true => recorder::Task::new(TaskKind::Named, name, true, future),
        false => recorder::Task::unrecorded(future),
    }
}

/// The future of a `block_on`, which is a task.
#[inline]
pub(crate) fn block_on_task<F: Future>(future: F) -> impl Future<Output = F::Output> {
    match is_recording() {
        true => recorder::Task::new(TaskKind::BlockOn, type_name::<F>(), true, future),
        false => recorder::Task::unrecorded(future),
    }
}

/// The wakes that follow on this thread are for this.
pub(super) fn woken_by(by: Cause) {
    recorder::round_wakes(Some(match by {
        Cause::Source { key, dir, .. } => recorder::Cause::Source(key, dir),
        Cause::Timer { id } => recorder::Cause::Timer(id),
        Cause::Notify => recorder::Cause::Other,
    }));
}

/// All are woken that were to be.
#[inline(always)]
pub(crate) fn all_woken() {
    if is_recording() {
        recorder::round_wakes(None);
    }
}

/// The reactor is asked for the polling task, and keeps wakers of it; until this is dropped.
#[inline(always)]
pub(crate) fn asks_reactor() -> Asks {
    let asks = is_recording();
    Asks { asks, before: asks && recorder::asks_reactor(true) }
}

/// As `asks_reactor`, for a timer, which keeps wakers; one that is never due waits for nobody.
#[inline(always)]
pub(crate) fn asks_timer(deadline_ns: Option<u64>) -> Asks {
    let asks = is_recording() && deadline_ns.is_some();
    Asks { asks, before: asks && recorder::asks_reactor(true) }
}

/// The reactor is asked.
pub(crate) struct Asks {
    asks: bool,
    before: bool,
}

impl Drop for Asks {
    #[inline(always)]
    fn drop(&mut self) {
        if self.asks {
            recorder::asks_reactor(self.before);
        }
    }
}
