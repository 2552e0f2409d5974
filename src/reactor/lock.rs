//! The driver lock: one thread at a time does rounds.
//!
//! Only the lock itself is here. [`crate::driver`] decides who takes it and who is told of its release.

use std::cell::Cell;

use crate::fork;
use crate::sync::atomic::{AtomicU8, Ordering};
use crate::sync::full_fence;

/// Who holds the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Holder {
    Nobody = 0,
    BlockOn = 1,
    Helper = 2,
}

/// Holding it grants the right to wait in the poller and to do a round.
#[derive(Debug)]
pub(crate) struct DriverLock {
    /// Who holds it. Acquire when it is taken pairs with Release when it is released.
    ///
    /// A thread that releases the lock stores here, and then looks who sleeps. A thread that is about
    /// to sleep stores that it does, and then looks here. Each has a `SeqCst` fence between its store
    /// and its look, so at least one of the two sees the other's store.
    holder: AtomicU8,
}

/// The driver lock, held.
#[derive(Debug)]
pub(crate) struct DriverGuard<'a> {
    lock: &'a DriverLock,
    /// The thread holds the lock already: a logger calls `block_on` while a round writes a record.
    nested: bool,
}

impl DriverLock {
    pub(crate) fn new() -> DriverLock {
        DriverLock { holder: AtomicU8::new(Holder::Nobody as u8) }
    }

    /// The byte that says who holds it, for readers of this memory.
    pub(crate) fn published(&self) -> &AtomicU8 {
        &self.holder
    }

    /// Takes the lock if it is free, or if this thread holds it.
    #[inline]
    pub(crate) fn try_lock(&self, holder: Holder) -> Option<DriverGuard<'_>> {
        let (free, taken) = (Holder::Nobody as u8, holder as u8);
        let exchanged =
            self.holder.compare_exchange(free, taken, Ordering::Acquire, Ordering::Relaxed);
        match exchanged {
            Ok(_) => {
                held_here::set(true);
                Some(DriverGuard { lock: self, nested: false })
            }
            Err(_) if held_here::get() => Some(DriverGuard { lock: self, nested: true }),
            Err(_) => None,
        }
    }

    /// Who holds it now.
    #[inline]
    pub(crate) fn holder(&self) -> Holder {
        match self.holder.load(Ordering::Relaxed) {
            0 => Holder::Nobody,
            1 => Holder::BlockOn,
            _ => Holder::Helper,
        }
    }
}

impl DriverGuard<'_> {
    /// Whether this thread holds the lock elsewhere too.
    pub(crate) fn is_nested(&self) -> bool {
        self.nested
    }
}

impl Drop for DriverGuard<'_> {
    fn drop(&mut self) {
        if self.nested {
            // The outer round is about to wait until a deadline that may be stale by now.
            super::current::get().notify();
            return;
        }
        held_here::set(false);
        self.lock.holder.store(Holder::Nobody as u8, Ordering::Release);
        // See `holder`: this thread looks next who sleeps.
        full_fence();
    }
}

/// Whether this thread holds the driver lock. Loom runs all threads of a model on one, which would then
/// share this. In models nobody holds the lock twice.
mod held_here {
    use super::*;

    thread_local! {
        /// In which fork it took the lock: a forked child does not hold the lock that its parent held.
        static HELD: Cell<Option<u32>> = const { Cell::new(None) };
    }

    pub(super) fn get() -> bool {
        !cfg!(all(test, loom)) && HELD.with(Cell::get) == Some(fork::count())
    }

    pub(super) fn set(held: bool) {
        HELD.with(|cell| cell.set(held.then(fork::count)));
    }
}

#[cfg(all(test, unix, not(loom)))]
mod tests {
    #![allow(unsafe_code)]

    use super::*;

    /// A logger forks in the midst of a round. What the thread held is its parent's: the lock of the
    /// child's own reactor has another holder.
    #[test]
    fn a_child_holds_no_lock() {
        super::super::current::get();
        held_here::set(true);
        // SAFETY: the child makes one system call, which ends it.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: ends the process at once.
            unsafe { libc::_exit(i32::from(held_here::get())) };
        }
        held_here::set(false);
        let mut status = 0;
        // SAFETY: `child` is not reaped yet, or fork's -1 for an error, and `status` outlives the call.
        let reaped = unsafe { libc::waitpid(child, &mut status, 0) };
        assert!(child > 0 && reaped == child, "{}", std::io::Error::last_os_error());
        assert_eq!(status, 0, "the child took over its parent's lock");
    }
}
