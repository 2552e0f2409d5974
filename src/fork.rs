//! Forks: how many led to this process, and values that each process makes for itself.
//!
//! A forked child has a copy of its parent's memory and one of its threads. A lock that another thread
//! held stays locked in the child for ever, and the child shares the parent's epoll instance. So a
//! child never touches such values, nor their locks. It makes its own.
//!
//! This file may contain `unsafe`: it follows pointers to leaked values.

#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::mem::offset_of;
use std::panic::RefUnwindSafe;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// Another number in each process: how many forks lie between the first one and this one, at least. Relaxed: it
/// changes only in a child that has one thread.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// Another number in each process, as far as anybody has watched.
#[inline]
pub(crate) fn count() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// The address of that number, for readers of this memory.
pub(crate) fn published() -> u64 {
    (&raw const FORKS) as u64
}

/// A value that each process makes on first use and never drops.
#[derive(Debug)]
pub(crate) struct PerProcess<T: 'static> {
    /// The latest value, of this process or of a parent. Released when it is made, acquired by `get`.
    latest: AtomicPtr<Made<T>>,
}

#[derive(Debug)]
struct Made<T> {
    forks: u32,
    value: T,
}

impl<T: 'static> PerProcess<T> {
    pub(crate) const fn new() -> PerProcess<T> {
        PerProcess { latest: AtomicPtr::new(ptr::null_mut()) }
    }

    /// This process's value. `make` is given the parent's, if there is one; two threads may call it at
    /// once, and one of the two results is dropped.
    #[inline]
    pub(crate) fn get(&self, make: impl FnOnce(Option<&T>) -> T) -> &'static T {
        // SAFETY: null, or leaked by `make_own`.
        match unsafe { self.latest.load(Ordering::Acquire).as_ref() } {
            Some(made) if made.forks == count() => &made.value,
            _ => self.make_own(make),
        }
    }

    /// This process's value, if it has been made.
    pub(crate) fn made(&self) -> Option<&'static T> {
        // SAFETY: null, or leaked by `make_own`.
        let made = unsafe { self.latest.load(Ordering::Acquire).as_ref() }?;
        (made.forks == count()).then_some(&made.value)
    }

    /// Where a reader of this memory finds it: the address of the pointer to the latest, and in what it points to
    /// the number of forks and the value.
    pub(crate) fn published(&self) -> [u64; 3] {
        let address = &raw const self.latest;
        let (forks, value) = (offset_of!(Made<T>, forks), offset_of!(Made<T>, value));
        [address as u64, forks as u64, value as u64]
    }

    #[cold]
    fn make_own(&self, make: impl FnOnce(Option<&T>) -> T) -> &'static T {
        watch();
        let forks = count();
        let before = self.latest.load(Ordering::Acquire);
        // SAFETY: null, or leaked by this function in this process or a parent.
        let parents = match unsafe { before.as_ref() } {
            Some(made) if made.forks == forks => return &made.value,
            parents => parents.map(|made| &made.value),
        };
        let own = Box::into_raw(Box::new(Made { forks, value: make(parents) }));
        match self.latest.compare_exchange(before, own, Ordering::AcqRel, Ordering::Acquire) {
            // SAFETY: `own` is leaked from here on.
            Ok(_) => unsafe { &(*own).value },
            Err(another) => {
                // SAFETY: `own` was not published, so this is its only owner.
                drop(unsafe { Box::from_raw(own) });
                // SAFETY: only this function stores a pointer here, to a leaked value.
                unsafe { &(*another).value }
            }
        }
    }
}

/// A value that a forked child may replace: a thread that does not exist in the child may have been
/// changing it at the fork.
#[derive(Debug)]
pub(crate) struct Renewable<T>(UnsafeCell<T>);

// SAFETY: it hands out shared references, as `T` itself would; `renew`'s caller is alone.
unsafe impl<T: Send + Sync> Sync for Renewable<T> {}

/// A panic leaves it as it leaves `T`.
impl<T: RefUnwindSafe> RefUnwindSafe for Renewable<T> {}

impl<T> Renewable<T> {
    pub(crate) fn new(value: T) -> Renewable<T> {
        Renewable(UnsafeCell::new(value))
    }

    #[inline]
    pub(crate) fn get(&self) -> &T {
        // SAFETY: nobody changes it but `renew`, whose caller is alone with it.
        unsafe { &*self.0.get() }
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }

    /// Replaces the value by the one that `make` returns. The old value is forgotten and not dropped.
    ///
    /// # Safety
    ///
    /// No other thread of this process may use the value until this returns, and none may hold a
    /// reference to it.
    pub(crate) unsafe fn renew(&self, make: impl FnOnce(&T) -> T) {
        let new = make(self.get());
        // SAFETY: the caller says that nobody else uses it.
        unsafe { ptr::write(self.0.get(), new) };
    }
}

/// Has the system count each fork. Whoever publishes a value calls this before.
fn watch() {
    #[cfg(unix)]
    {
        static WATCH: ticks_recorder::ForkWatch = ticks_recorder::ForkWatch::new();
        extern "C" fn forked() {
            // Only a store: nothing else is allowed between `fork` and `exec`.
            FORKS.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: it is a store. A failure (no memory) leaves the child with its parent's values, as if this were
        // not here.
        unsafe { WATCH.set(forked) };
    }
}

#[cfg(all(test, unix, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_child_makes_its_own() {
        static VALUE: PerProcess<u32> = PerProcess::new();
        assert_eq!(*VALUE.get(|parents| parents.map_or(7, |it| it + 1)), 7);
        // SAFETY: the child makes one allocation and one system call, which ends it. No other thread
        // holds the allocator's lock across a fork in glibc and musl.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let own = *VALUE.get(|parents| parents.map_or(7, |it| it + 1));
            // SAFETY: ends the process at once.
            unsafe { libc::_exit(i32::from(own != 8)) };
        }
        let mut status = 0;
        // SAFETY: `child` is not reaped yet, or fork's -1 for an error, and `status` outlives the call.
        let reaped = unsafe { libc::waitpid(child, &mut status, 0) };
        assert!(child > 0 && reaped == child, "{}", std::io::Error::last_os_error());
        assert_eq!(status, 0, "the child took its parent's value for its own");
        assert_eq!(*VALUE.get(|_| 0), 7);
    }
}
