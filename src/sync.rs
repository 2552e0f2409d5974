//! The primitives that the concurrent parts are built from: std's, or loom's in model checks.
//!
//! Locks here are never poisoned: what they guard is left consistent by every panic, because no
//! foreign code runs while one is held.

#[cfg(all(test, loom))]
pub(crate) use loom::sync::{atomic, MutexGuard};
#[cfg(not(all(test, loom)))]
pub(crate) use std::sync::{atomic, MutexGuard};

#[cfg(all(test, loom))]
use loom::sync::Mutex as Inner;
#[cfg(not(all(test, loom)))]
use std::sync::Mutex as Inner;

/// A mutex whose `lock` cannot fail.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(Inner<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Mutex<T> {
        Mutex(Inner::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Whether this thread holds the right to poll. Model checks run all threads on one, where this would
/// be everybody's: there nobody holds it twice.
pub(crate) mod holds_right {
    use std::cell::Cell;

    thread_local! {
        static HOLDS: Cell<bool> = const { Cell::new(false) };
    }

    pub(crate) fn get() -> bool {
        !cfg!(all(test, loom)) && HOLDS.with(Cell::get)
    }

    pub(crate) fn set(holds: bool) {
        HOLDS.with(|cell| cell.set(holds));
    }
}

/// Parks for a while. Returns whether the thread was unparked. Model checks have no time.
pub(crate) fn park_for(parker: &parking::Parker, period: std::time::Duration) -> bool {
    #[cfg(not(loom))]
    return parker.park_timeout(period);
    #[cfg(loom)]
    {
        let _ = period;
        parker.park();
        true
    }
}

/// A `SeqCst` fence: between a store here and a load there, see where it is called.
///
/// On x86-64 a locked exchange orders as much as `mfence` and takes a third of the time.
pub(crate) fn full_fence() {
    #[cfg(all(target_arch = "x86_64", not(loom)))]
    {
        let local = atomic::AtomicU8::new(0);
        local.swap(1, atomic::Ordering::SeqCst);
        std::hint::black_box(&local);
    }
    #[cfg(not(all(target_arch = "x86_64", not(loom))))]
    atomic::fence(atomic::Ordering::SeqCst);
}
