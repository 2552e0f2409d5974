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

    /// `None`: somebody holds it.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        #[cfg(all(test, loom))]
        return self.0.try_lock().ok();
        #[cfg(not(all(test, loom)))]
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(std::sync::TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(std::sync::TryLockError::WouldBlock) => None,
        }
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner())
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
/// It is a real fence. On x86-64 a locked exchange of a local costs a third of it, but the memory model
/// does not count that as a fence.
#[inline]
pub(crate) fn full_fence() {
    atomic::fence(atomic::Ordering::SeqCst);
}
