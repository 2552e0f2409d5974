//! Which threads use the reactor: whether anybody would notice that the driver is busy.
//!
//! While one thread drives and is the only one that ever waits, a long poll of its future keeps
//! nobody waiting but itself: the helper thread need not look after it a few thousand times a second.
//! A second thread, or one wait that was begun outside `block_on`, and it must.

use std::cell::Cell;
use std::ptr;

use crate::sync::atomic::{AtomicUsize, Ordering};

/// The live threads that use a reactor.
///
/// Relaxed throughout: a helper that has read an old number is woken through its parker, which
/// orders the rest.
#[derive(Debug)]
pub(crate) struct Users {
    /// Those that were in `block_on` or began to wait, and have not ended.
    threads: AtomicUsize,
    /// Those of them that began to wait outside `block_on`.
    outside: AtomicUsize,
    /// Goes up with each wait that the only one begins within its `block_on`.
    begun: AtomicUsize,
}

impl Users {
    pub(crate) fn new() -> Users {
        Users {
            threads: AtomicUsize::new(0),
            outside: AtomicUsize::new(0),
            begun: AtomicUsize::new(0),
        }
    }

    /// Whether one thread at the most uses the reactor, and waits only within its `block_on`.
    pub(crate) fn is_one(&self) -> bool {
        self.threads.load(Ordering::Relaxed) <= 1 && self.are_inside()
    }

    /// Whether all of them wait only within their `block_on`, where they drive if nobody else does.
    pub(crate) fn are_inside(&self) -> bool {
        self.outside.load(Ordering::Relaxed) == 0
    }

    /// Another number if the only user has begun to wait since: it goes from task to task, and neither
    /// computes nor is blocked elsewhere.
    pub(crate) fn begun(&self) -> usize {
        self.begun.load(Ordering::Relaxed)
    }

    /// This thread enters `block_on`. Returns whether it is a second one, which the helper must hear
    /// of. `leave_block_on` follows.
    #[must_use]
    pub(crate) fn enter_block_on(&'static self) -> bool {
        on_this_thread(|user| {
            user.depth.set(user.depth.get() + 1);
            user.join(self)
        })
    }

    pub(crate) fn leave_block_on(&self) {
        on_this_thread(|user| {
            user.depth.set(user.depth.get() - 1);
            false
        });
    }

    /// This thread is about to wait for I/O or a timer. Returns whether the helper must hear of it.
    #[inline]
    #[must_use]
    pub(crate) fn wait(&'static self) -> bool {
        on_this_thread(|user| match user.depth.get() {
            0 => user.wait_outside(self),
            _ => {
                self.count_wait();
                false
            }
        })
    }

    #[inline]
    fn count_wait(&self) {
        // No addition: one thread at a time is the only one, and nobody counts on the number. With more,
        // each wait would take this line away from the others.
        if self.threads.load(Ordering::Relaxed) <= 1 {
            self.begun.store(self.begun.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        }
    }
}

/// One thread's use of a reactor; its end is told when the thread's locals are destroyed.
///
/// A forked child's reactor is another one than its parent's, so the parent's count is not its own.
struct User {
    /// Where it is counted.
    joined: Cell<Option<&'static Users>>,
    /// Where it is counted as one that waits outside `block_on`.
    outside: Cell<Option<&'static Users>>,
    /// How many calls of `block_on` it is in.
    depth: Cell<u32>,
}

thread_local! {
    static USER: User =
        const { User { joined: Cell::new(None), outside: Cell::new(None), depth: Cell::new(0) } };
}

/// A thread whose locals are gone already is not counted: whatever it still waits for, it is about
/// to end.
fn on_this_thread(tell: impl FnOnce(&User) -> bool) -> bool {
    USER.try_with(tell).unwrap_or(false)
}

/// Whether `counted` is this one.
fn is_same(counted: Option<&Users>, users: &Users) -> bool {
    counted.is_some_and(|counted| ptr::eq(counted, users))
}

impl User {
    /// Has the thread counted. Returns whether it is a second one.
    fn join(&self, users: &'static Users) -> bool {
        if is_same(self.joined.replace(Some(users)), users) {
            return false;
        }
        users.threads.fetch_add(1, Ordering::Relaxed) > 0
    }

    fn wait_outside(&self, users: &'static Users) -> bool {
        if is_same(self.outside.replace(Some(users)), users) {
            return false;
        }
        let _second = self.join(users);
        users.outside.fetch_add(1, Ordering::Relaxed);
        true
    }
}

impl Drop for User {
    fn drop(&mut self) {
        if let Some(users) = self.joined.get() {
            users.threads.fetch_sub(1, Ordering::Relaxed);
        }
        if let Some(users) = self.outside.get() {
            users.outside.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::OnceLock;
    use std::thread;

    use super::*;

    /// A thread of its own, whose locals are gone when this returns.
    fn on_a_thread(act: impl FnOnce() + Send + 'static) {
        thread::spawn(act).join().unwrap();
    }

    #[test]
    fn a_second_thread_is_told_of() {
        static USERS: OnceLock<Users> = OnceLock::new();
        let users = USERS.get_or_init(Users::new);
        assert!(users.is_one());
        on_a_thread(move || {
            assert!(!users.enter_block_on());
            assert!(!users.enter_block_on(), "once more is the same thread");
            users.leave_block_on();
            assert!(users.is_one());
            on_a_thread(move || {
                assert!(users.enter_block_on(), "the second");
                assert!(!users.is_one());
                let begun = users.begun();
                assert!(!users.wait(), "within block_on");
                assert_eq!(users.begun(), begun, "of the only one alone");
            });
            assert!(users.is_one(), "it has ended");
        });
        assert_eq!(users.threads.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_wait_outside_block_on_is_told_of_once() {
        static USERS: OnceLock<Users> = OnceLock::new();
        let users = USERS.get_or_init(Users::new);
        on_a_thread(move || {
            let _ = users.enter_block_on();
            let begun = users.begun();
            assert!(!users.wait(), "within block_on");
            assert_ne!(users.begun(), begun);
            users.leave_block_on();
            assert!(users.is_one());
            assert!(users.wait());
            assert!(!users.wait(), "known by now");
            assert!(!users.is_one());
        });
        assert!(users.is_one(), "it has ended");
    }
}
