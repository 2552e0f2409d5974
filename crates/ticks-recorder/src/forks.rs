//! How a forked child learns that it is one: the system calls a function in it.
//!
//! This file may contain `unsafe`: it has the system call that function.

#![allow(unsafe_code)]

#[cfg(unix)]
pub use watched::ForkWatch;
#[cfg(unix)]
pub(crate) use watched::{count, watch};

#[cfg(unix)]
mod watched {
    use std::ptr;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    use rustix::mm::{self, MapFlags, ProtFlags};

    use crate::recorder;

    /// Has the system call a function in each child of this process, and in the children of these.
    ///
    /// No lock is held while that is asked for: a fork in the midst of it would leave the lock locked in the child, for
    /// ever. So of two threads that ask at once each may be heard, and the function is then called twice in a child.
    #[derive(Debug)]
    pub struct ForkWatch {
        /// Released when the system has been asked, acquired by whoever asks next.
        is_set: AtomicBool,
    }

    impl ForkWatch {
        /// One that has not asked.
        pub const fn new() -> ForkWatch {
            ForkWatch { is_set: AtomicBool::new(false) }
        }

        /// Asks, unless it has been asked. `false`: the system cannot.
        ///
        /// What the calling thread stores after this is seen by no child in which the function is not called.
        ///
        /// # Safety
        ///
        /// `forked` does only what is allowed in a signal handler.
        pub unsafe fn set(&self, forked: unsafe extern "C" fn()) -> bool {
            if self.is_set.load(Ordering::Acquire) {
                return true;
            }
            // SAFETY: a function lives as long as the program, and the caller says what it does.
            if unsafe { libc::pthread_atfork(None, None, Some(forked)) } != 0 {
                return false;
            }
            wait_for_forks();
            self.is_set.store(true, Ordering::Release);
            true
        }
    }

    impl Default for ForkWatch {
        fn default() -> ForkWatch {
            ForkWatch::new()
        }
    }

    /// Waits until no fork of this process copies its memory.
    ///
    /// A fork copies page by page, and other threads go on meanwhile: a child may have what a thread stored last and
    /// not what it stored before. The kernel copies under the lock that a change of the address space takes too.
    fn wait_for_forks() {
        const LEN: usize = 1;
        // SAFETY: a mapping at a place that the kernel chooses changes nothing of this process.
        let page = unsafe {
            mm::mmap_anonymous(ptr::null_mut(), LEN, ProtFlags::empty(), MapFlags::PRIVATE)
        };
        if let Ok(page) = page {
            // SAFETY: it was mapped above, and nobody else knows of it. What fails to be unmapped stays, which harms
            // nobody.
            let _ = unsafe { mm::munmap(page, LEN) };
        }
    }

    /// Relaxed: it changes only in a child that has one thread.
    static FORKS: AtomicU32 = AtomicU32::new(0);

    /// Another number in each process: how many forks lie between the first process that called [`watch`] and this
    /// one, at least.
    #[inline]
    pub(crate) fn count() -> u32 {
        FORKS.load(Ordering::Relaxed)
    }

    /// Has the system tell each child that it is one. `false`: it cannot, and a child would store into
    /// its parent's file.
    pub(crate) fn watch() -> bool {
        static WATCH: ForkWatch = ForkWatch::new();
        extern "C" fn forked() {
            FORKS.fetch_add(1, Ordering::Relaxed);
            recorder::forget();
        }
        // SAFETY: it stores to statics and to thread-locals that need neither making nor dropping.
        unsafe { WATCH.set(forked) }
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
