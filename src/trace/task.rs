//! Tasks: top-level futures, whose life the flight recorder follows.

use std::any::type_name;
use std::future::Future;

use ticks_format::TaskKind;
use ticks_recorder as recorder;

use super::{is_recording, refresh, Cause};

/// Makes the future a task of this name in the flight recorder's files.
///
/// `ticks who` then shows it by its name, with what it waits for and by which calls; `ticks show` tells when it was
/// polled, and who woke it. The recorder sees each copy of its waker, whether a socket, a timer, a lock, a channel
/// or another task keeps it. If the last copy is dropped while the task waits, nobody can wake it any more, and it
/// is reported as forgotten.
///
/// Tasks of `async-executor` need no such call if that crate is patched too; neither does the future of
/// [`block_on`](crate::block_on). Use it for tasks of all other executors: tokio, `futures`, your own. Pass it the
/// future that you spawn. While nobody records, the future is polled as it is.
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
    of_kind(TaskKind::Named, name, future)
}

/// The future of a `block_on`, which is a task.
#[inline]
pub(crate) fn block_on_task<F: Future>(future: F) -> impl Future<Output = F::Output> {
    of_kind(TaskKind::BlockOn, type_name::<F>(), future)
}

#[inline]
fn of_kind<F>(kind: TaskKind, name: &str, future: F) -> recorder::Task<F> {
    match is_recording() {
        true => recorder::Task::new(kind, name, true, future),
        false => recorder::Task::unrecorded(future),
    }
}

/// The wakes that follow on this thread have this cause.
pub(super) fn woken_by(by: Cause) {
    recorder::round_wakes(Some(match by {
        Cause::Source { key, dir, .. } => recorder::Cause::Source(key, dir),
        Cause::Timer { id } => recorder::Cause::Timer(id),
        Cause::Notify => recorder::Cause::Other,
    }));
}

/// All wakes of this round are done.
#[inline(always)]
pub(crate) fn all_woken() {
    if is_recording() {
        recorder::round_wakes(None);
    }
}

/// Until this is dropped, the polling task asks the reactor, which keeps wakers of it.
#[inline(always)]
pub(crate) fn asks_reactor() -> Asks {
    Asks::begin(true)
}

/// As `asks_reactor`, for a timer, which keeps wakers; one that is never due waits for nobody.
#[inline(always)]
pub(crate) fn asks_timer(deadline_ns: Option<u64>) -> Asks {
    Asks::begin(deadline_ns.is_some())
}

/// The reactor is asked.
pub(crate) struct Asks {
    asks: bool,
    before: bool,
}

impl Asks {
    #[inline(always)]
    fn begin(does: bool) -> Asks {
        let asks = is_recording() && does;
        Asks { asks, before: asks && recorder::asks_reactor(true) }
    }
}

impl Drop for Asks {
    #[inline(always)]
    fn drop(&mut self) {
        if self.asks {
            recorder::asks_reactor(self.before);
        }
    }
}
