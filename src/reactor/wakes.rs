//! Waking: what a round took, woken once everything is unlocked.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::task::Waker;

use ticks_format::{Direction, Key};

use crate::trace;

/// Why a waker is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// An event of a source.
    Source { key: Key, dir: Direction, tick: u64 },
    /// A timer that fired.
    Timer { id: u64 },
    /// Its place was taken away, or its source cannot be waited for any longer.
    Notify,
}

/// A waker taken out of its place, which owes its task a wake.
#[derive(Debug)]
pub(crate) struct Woken {
    pub(crate) waker: Waker,
    pub(crate) by: Cause,
}

impl Woken {
    /// For `map`: attaches the cause.
    pub(crate) fn by(by: Cause) -> impl FnMut(Waker) -> Woken {
        move |waker| Woken { waker, by }
    }
}

/// Wakes each waker exactly once, in order. One that panics costs the others nothing: the panic
/// hook has reported it, and it ends here.
///
/// The caller holds no lock and no right to poll: a waker may run any code, `block_on` included.
pub(crate) fn wake_all(wakers: &mut Vec<Woken>) {
    let mut wakers = wakers.drain(..);
    while wakers.len() > 0 {
        // One that panics ends the inner loop, and the outer one goes on behind it.
        contain(|| {
            for Woken { waker, by } in wakers.by_ref() {
                trace::wake(&waker, by);
                waker.wake();
            }
        });
    }
}

/// Runs foreign code that may panic: a waker's `wake` or `drop`.
pub(crate) fn contain(foreign: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(foreign)) {
        // The payload's own drop may panic as well, and there is nobody left to tell.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(panic)));
    }
}

/// Drops a waker, whose task's destructors may run here and panic.
#[inline]
pub(crate) fn drop_contained(waker: Option<Waker>) {
    if waker.is_some() {
        contain(|| drop(waker));
    }
}
