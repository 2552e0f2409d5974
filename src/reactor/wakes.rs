//! Waking: what a round took, woken once everything is unlocked.

use std::task::Waker;

use crate::contain::contain;
use crate::trace::{self, Cause};

/// A waker that was taken out and still has to be woken.
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
/// The caller holds no lock, the driver lock neither: a waker may run any code, `block_on` included.
pub(crate) fn wake_all(wakers: &mut Vec<Woken>) {
    let mut wakers = wakers.drain(..);
    while wakers.len() > 0 {
        // A waker that panics ends the inner loop. The outer loop goes on with the next one.
        contain(|| {
            for Woken { waker, by } in wakers.by_ref() {
                trace::wake(&waker, by);
                waker.wake();
            }
        });
    }
    trace::all_woken();
}

/// Drops a waker, whose task's destructors may run here and panic.
#[inline]
pub(crate) fn drop_contained(waker: Option<Waker>) {
    if waker.is_some() {
        contain(|| drop(waker));
    }
}
