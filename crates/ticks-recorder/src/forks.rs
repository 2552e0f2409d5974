//! How a forked child learns that it is one: the system calls a function in it.
//!
//! This file may contain `unsafe`: it has the system call that function.

#![allow(unsafe_code)]

#[cfg(unix)]
pub(crate) use watched::{count, watch};

#[cfg(unix)]
mod watched {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
    use std::sync::Once;

    use crate::recorder;

    /// Relaxed: it changes only in a child that has one thread.
    static FORKS: AtomicU32 = AtomicU32::new(0);

    /// How many forks lie between the first process that called [`watch`] and this one.
    #[inline]
    pub(crate) fn count() -> u32 {
        FORKS.load(Ordering::Relaxed)
    }

    /// Has the system tell each child that it is one. `false`: it cannot, and a child would store into
    /// its parent's file.
    pub(crate) fn watch() -> bool {
        static WATCHED: Once = Once::new();
        static FAILED: AtomicBool = AtomicBool::new(false);
        extern "C" fn forked() {
            FORKS.fetch_add(1, Ordering::Relaxed);
            recorder::forget();
        }
        WATCHED.call_once(|| {
            // SAFETY: `forked` lives as long as the program and is async-signal-safe: it stores to statics
            // and to thread-locals that need neither making nor dropping.
            let failed = unsafe { libc::pthread_atfork(None, None, Some(forked)) };
            // Relaxed: `call_once` orders it before every return from it.
            FAILED.store(failed != 0, Ordering::Relaxed);
        });
        !FAILED.load(Ordering::Relaxed)
    }
}

/// No process is forked here.
#[cfg(not(unix))]
pub(crate) fn count() -> u32 {
    0
}

/// No process is forked here.
#[cfg(not(unix))]
pub(crate) fn watch() -> bool {
    true
}
