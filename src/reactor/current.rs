//! The process's reactor: made on first use, and made anew in a forked child.
//!
//! A child has none of its parent's threads, and its parent's epoll instance is shared with it, so
//! that deregistering there would deregister in the parent. It therefore leaves the inherited
//! reactor alone, locks and all, and makes its own.
//!
//! This file may contain `unsafe`: it follows pointers to leaked reactors.

#![allow(unsafe_code)]

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use super::Reactor;

/// The reactor of this process. Released when it is made, acquired by `get`.
static CURRENT: AtomicPtr<Reactor> = AtomicPtr::new(ptr::null_mut());

/// The parent's reactor, in a child: its ticks go on from there.
static INHERITED: AtomicPtr<Reactor> = AtomicPtr::new(ptr::null_mut());

/// How many forks lie between the first process and this one. Relaxed: it changes only in a child
/// that has one thread.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// A place that remembers a reactor.
#[derive(Debug)]
pub(crate) struct Home(AtomicPtr<Reactor>);

impl Home {
    pub(crate) fn new(reactor: &'static Reactor) -> Home {
        Home(AtomicPtr::new((reactor as *const Reactor).cast_mut()))
    }

    #[inline]
    pub(crate) fn get(&self) -> &'static Reactor {
        // SAFETY: `new` and `set` store only what was made from `&'static Reactor`.
        unsafe { &*self.0.load(Ordering::Acquire) }
    }

    pub(crate) fn set(&self, reactor: &'static Reactor) {
        self.0.store((reactor as *const Reactor).cast_mut(), Ordering::Release);
    }
}

/// How many forks lie between the first process and this one.
#[inline]
pub(crate) fn forks() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// The reactor of this process.
#[inline]
pub(crate) fn get() -> &'static Reactor {
    let current = CURRENT.load(Ordering::Acquire);
    if current.is_null() {
        return make();
    }
    // SAFETY: only `make` stores a pointer here, to a leaked reactor.
    unsafe { &*current }
}

#[cold]
fn make() -> &'static Reactor {
    watch_forks();
    let inherited = INHERITED.load(Ordering::Acquire);
    // SAFETY: null, or a leaked reactor of the parent, whose memory the child has a copy of.
    let first_tick = unsafe { inherited.as_ref() }.map_or(0, Reactor::tick);
    let new = Box::into_raw(Box::new(Reactor::new(first_tick)));
    match CURRENT.compare_exchange(ptr::null_mut(), new, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {
            crate::trace::refresh();
            // SAFETY: `new` is leaked from here on.
            unsafe { &*new }
        }
        Err(other) => {
            // SAFETY: `new` was not published, so this is its only owner.
            drop(unsafe { Box::from_raw(new) });
            // SAFETY: only this function stores a pointer here, to a leaked reactor.
            unsafe { &*other }
        }
    }
}

/// Has the system call `forked` in each child, once a process.
fn watch_forks() {
    #[cfg(unix)]
    {
        static WATCHED: std::sync::Once = std::sync::Once::new();
        extern "C" fn forked() {
            // Only stores: nothing else is allowed between `fork` and `exec`.
            FORKS.fetch_add(1, Ordering::Relaxed);
            // What this thread held is the parent's.
            crate::sync::holds_right::set(false);
            let parents = CURRENT.swap(ptr::null_mut(), Ordering::Relaxed);
            if !parents.is_null() {
                INHERITED.store(parents, Ordering::Relaxed);
            }
        }
        WATCHED.call_once(|| {
            // SAFETY: `forked` lives as long as the program and is async-signal-safe. A failure (no
            // memory) leaves the child with its parent's reactor, as if this were not here.
            unsafe { libc::pthread_atfork(None, None, Some(forked)) };
        });
    }
}

#[cfg(all(test, unix, not(loom)))]
mod tests {
    use super::*;
    use crate::sync::holds_right;

    /// A logger forks in the midst of a round: what the thread held is its parent's, and the child's own
    /// reactor has another holder of the right to poll.
    #[test]
    fn a_child_holds_no_right() {
        get();
        holds_right::set(true);
        // SAFETY: the child makes one system call, which ends it.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: ends the process at once.
            unsafe { libc::_exit(i32::from(holds_right::get())) };
        }
        holds_right::set(false);
        let mut status = 0;
        // SAFETY: `child` is not reaped yet, or fork's -1 for an error, and `status` outlives the call.
        let reaped = unsafe { libc::waitpid(child, &mut status, 0) };
        assert!(child > 0 && reaped == child, "{}", std::io::Error::last_os_error());
        assert_eq!(status, 0, "the child took over its parent's right");
    }
}
