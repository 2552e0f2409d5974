//! The primitives that the concurrent parts are built from: std's, or loom's in model checks.

#[cfg(all(test, loom))]
pub(crate) use loom::sync::{atomic, MutexGuard};
#[cfg(not(all(test, loom)))]
pub(crate) use std::sync::{atomic, MutexGuard};

#[cfg(all(test, loom))]
use loom::sync::Mutex as Inner;
#[cfg(not(all(test, loom)))]
use std::sync::Mutex as Inner;

/// A mutex whose `lock` cannot fail: no foreign code runs while one is held, so that what it guards is
/// left consistent by every panic.
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
        // It is never poisoned, see above.
        self.0.try_lock().ok()
    }
}

/// A `SeqCst` fence: between a store here and a load there, see where it is called.
///
/// On x86-64 a locked exchange orders as much as `mfence` and takes a third of the time.
#[inline(always)]
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

/// Has a cache line of its own, so that writes beside it do not disturb its readers. Two lines, because
/// processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);

/// A cell of each thread, without destructor, so that it may be used while the thread ends. Model checks have
/// threads of their own.
macro_rules! thread_cell {
    ($(#[$attribute:meta])* static $name:ident: $type:ty = $value:expr;) => {
        #[cfg(all(test, loom))]
        loom::thread_local! {
            $(#[$attribute])*
            static $name: std::cell::Cell<$type> = std::cell::Cell::new($value);
        }
        #[cfg(not(all(test, loom)))]
        std::thread_local! {
            $(#[$attribute])*
            static $name: std::cell::Cell<$type> = const { std::cell::Cell::new($value) };
        }
    };
}

pub(crate) use thread_cell;
