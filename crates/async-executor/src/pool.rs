//! Things that live for ever and are used by one executor after the other.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Holds those that nobody uses: as many as there ever were executors at the same time.
pub(crate) struct Pool<T: 'static>(Mutex<Vec<&'static T>>);

impl<T> Pool<T> {
    pub(crate) const fn new() -> Pool<T> {
        Pool(Mutex::new(Vec::new()))
    }

    pub(crate) fn take(&self, make: impl FnOnce() -> T) -> &'static T {
        let free = self.lock().pop();
        free.unwrap_or_else(|| Box::leak(Box::new(make())))
    }

    pub(crate) fn give_back(&self, free: &'static T) {
        self.lock().push(free);
    }

    /// Allows to take and give back. A panic leaves it consistent.
    fn lock(&self) -> MutexGuard<'_, Vec<&'static T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
