//! The waker that a task's executor has given it, kept for as long as somebody may wake the task by it.
//!
//! It is dropped as soon as nobody needs it. An executor may count its wakers, to drop a task that nobody can
//! wake. It must count the same as without the recorder.

use std::sync::Arc;
use std::task::Waker;

#[cfg(all(test, loom))]
use loom::sync::Mutex;
#[cfg(not(all(test, loom)))]
use std::sync::Mutex;

/// The executor's waker of a task.
#[derive(Debug)]
pub(super) struct Parent(Mutex<Kept>);

#[derive(Debug)]
struct Kept {
    /// In an `Arc`, so that no code of the executor runs while this is locked.
    waker: Option<Arc<Waker>>,
    /// The task is being polled, and may hand out a waker at any time.
    is_polled: bool,
}

impl Parent {
    pub(super) fn new() -> Parent {
        Parent(Mutex::new(Kept { waker: None, is_polled: false }))
    }

    /// Holding it grants the waker to be changed. Nobody panics in the midst of that.
    fn kept<T>(&self, change: impl FnOnce(&mut Kept) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }

    /// A poll begins, with this waker.
    pub(super) fn poll_begins(&self, waker: &Waker) {
        let is_same = self.kept(|kept| {
            kept.is_polled = true;
            kept.waker.as_ref().is_some_and(|known| known.will_wake(waker))
        });
        if !is_same {
            let new = Arc::new(waker.clone());
            let _old = self.kept(|kept| kept.waker.replace(new));
        }
    }

    /// A poll has ended. `is_needed`: whether there are wakers of the task.
    pub(super) fn poll_ends(&self, is_needed: impl Fn() -> bool) {
        let _unneeded = self.kept(|kept| {
            kept.is_polled = false;
            kept.take_unless(is_needed)
        });
    }

    /// The last waker of the task is gone, unless there is another one by now.
    pub(super) fn waker_gone(&self, is_needed: impl Fn() -> bool) {
        let _unneeded = self.kept(|kept| match kept.is_polled {
            true => None,
            false => kept.take_unless(is_needed),
        });
    }

    /// Has the task polled.
    pub(super) fn wake(&self) {
        let waker = self.kept(|kept| kept.waker.clone());
        if let Some(waker) = waker {
            waker.wake_by_ref();
        }
    }
}

impl Kept {
    fn take_unless(&mut self, is_needed: impl Fn() -> bool) -> Option<Arc<Waker>> {
        match is_needed() {
            true => None,
            false => self.waker.take(),
        }
    }
}
