//! The waits on threads that never do a round: somebody else must drive for them.

use std::cell::Cell;

use crate::sync::atomic::{AtomicUsize, Ordering};

/// The waits of threads that are not in `block_on`, and so never do a round themselves.
#[derive(Debug)]
pub(crate) struct Demand {
    /// How many wakers they have stored with sources. Relaxed: the helper thread, which reads it, looks
    /// again soon.
    outside: AtomicUsize,
}

impl Demand {
    pub(crate) fn new() -> Demand {
        Demand { outside: AtomicUsize::new(0) }
    }

    /// Counts a wait of this thread if the thread does no rounds, until the returned value is dropped.
    #[inline]
    pub(crate) fn count(&'static self) -> Option<Outside> {
        (!is_inside()).then(|| self.count_always())
    }

    /// Counts a wait that is known to be one of these.
    pub(crate) fn count_always(&'static self) -> Outside {
        Outside::new(&self.outside)
    }

    /// Whether any such wait is stored.
    pub(crate) fn is_outside(&self) -> bool {
        self.outside.load(Ordering::Relaxed) > 0
    }
}

/// One such wait.
#[derive(Debug)]
pub(crate) struct Outside(&'static AtomicUsize);

impl Outside {
    fn new(count: &'static AtomicUsize) -> Outside {
        count.fetch_add(1, Ordering::Relaxed);
        Outside(count)
    }
}

impl Clone for Outside {
    fn clone(&self) -> Outside {
        Outside::new(self.0)
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

thread_local! {
    /// How many calls of `block_on` this thread is in.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Whether this thread is in `block_on`.
#[inline]
pub(crate) fn is_inside() -> bool {
    DEPTH.with(Cell::get) > 0
}

/// This thread enters `block_on`. [`leave`] follows.
pub(crate) fn enter() {
    DEPTH.with(|depth| depth.set(depth.get() + 1));
}

/// This thread leaves `block_on`.
pub(crate) fn leave() {
    DEPTH.with(|depth| depth.set(depth.get() - 1));
}
