//! Things that live for ever and are used by one executor after the other.
//!
//! This file has unsafe code: it follows pointers to what is never freed.

#![allow(unsafe_code)]

use std::mem::offset_of;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

/// Holds those that nobody uses: as many as there ever were executors at the same time.
pub(crate) struct Pool<T: 'static> {
    free: Mutex<Vec<&'static T>>,
    /// All that were ever made, for readers of this memory; the last one first.
    last: AtomicPtr<Made<T>>,
}

struct Made<T: 'static> {
    value: T,
    /// The one that was made before. Set before anybody else sees it.
    next: *const Made<T>,
}

impl<T> Pool<T> {
    pub(crate) const fn new() -> Pool<T> {
        Pool { free: Mutex::new(Vec::new()), last: AtomicPtr::new(ptr::null_mut()) }
    }

    pub(crate) fn take(&self, make: impl FnOnce() -> T) -> &'static T {
        let mut free = self.lock();
        if let Some(free) = free.pop() {
            return free;
        }
        // Holding the lock allows to change `last`.
        let next = self.last.load(Ordering::Relaxed);
        let made = Box::into_raw(Box::new(Made { value: make(), next }));
        // Release: a reader of the memory that sees the pointer is to see what it points to.
        self.last.store(made, Ordering::Release);
        // SAFETY: made above, and never freed. Nobody writes to it through a pointer.
        unsafe { &(*made).value }
    }

    pub(crate) fn give_back(&self, free: &'static T) {
        self.lock().push(free);
    }

    /// All that were ever made, used or not, and how many of them are used. `None`: another thread takes or gives
    /// back just now.
    pub(crate) fn try_all(&self) -> Option<(impl Iterator<Item = &'static T> + use<T>, usize)> {
        let free = match self.free.try_lock() {
            Ok(free) => free.len(),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().len(),
            Err(TryLockError::WouldBlock) => return None,
        };
        // SAFETY: null, or the address of what `take` has made and nobody frees.
        let made = |made: *const Made<T>| unsafe { made.as_ref() };
        // Acquire: pairs with the Release in `take`.
        let last = made(self.last.load(Ordering::Acquire));
        let all = std::iter::successors(last, move |it| made(it.next)).map(|made| &made.value);
        let used = all.clone().count().saturating_sub(free);
        Some((all, used))
    }

    /// Where a reader of this memory finds all of them: the address of the pointer to the last, and in what that
    /// points to the value and the pointer to the one before.
    pub(crate) fn published(&self) -> [u64; 3] {
        let address = &raw const self.last;
        let (value, next) = (offset_of!(Made<T>, value), offset_of!(Made<T>, next));
        [address as u64, value as u64, next as u64]
    }

    /// Allows to take and give back. A panic leaves it consistent.
    fn lock(&self) -> MutexGuard<'_, Vec<&'static T>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
