//! The right to poll: one thread at a time waits in the poller, and somebody always will.
//!
//! A `block_on` thread that has nothing else to do takes the right when it is free. The helper
//! thread watches: as long as the right changes hands and rounds go by it only looks, some thousand
//! times a second; when a round is overdue it offers the right to a parked `block_on` thread or takes
//! it itself; and when somebody has settled down in the poller it sleeps until that one lets go.
//!
//! **Nobody sleeps while the right is free**: whoever lets go of it with work to do rouses the
//! helper if it sleeps, and the helper, having said that it sleeps, looks once more before it does.

use std::collections::VecDeque;
use std::sync::Arc;

use parking::Unparker;

use super::signal::Signal;
use super::users::Users;
use crate::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use crate::sync::{full_fence, holds_right, Mutex};

/// Who holds the right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Holder {
    Nobody = 0,
    BlockOn = 1,
    Helper = 2,
}

/// No helper thread has been started.
const ABSENT: u8 = 0;
/// It watches or drives.
const AWAKE: u8 = 1;
/// It sleeps until it is roused.
const ASLEEP: u8 = 2;

/// Who drives the reactor, and who could.
#[derive(Debug)]
pub(crate) struct Driving {
    /// Who holds the right. Acquire when it is taken pairs with Release when it is let go.
    ///
    /// Whoever lets go stores here and then looks at `helper` and `line_len`; the helper that falls
    /// asleep and the thread that gets in line store there and then look here. Between its store and
    /// its look each has a `SeqCst` fence, so that at least one of two sees the other's store.
    holder: AtomicU8,
    helper: AtomicU8,
    /// Holding it grants the right to give out or wake the helper's parker.
    helper_unparker: Mutex<Option<Unparker>>,
    /// `block_on` threads that found the right taken. Holding it grants the right to change who is
    /// in line; nobody is woken under it.
    line: Mutex<VecDeque<Arc<Signal>>>,
    /// The length of the line, for those who only want to know whether there is one.
    line_len: AtomicUsize,
    pub(crate) users: Users,
    /// Somebody who would drive found the right taken since it was taken last. Stored before
    /// `line`'s fence and looked at after that of letting go, see `holder`; else only a hint.
    missed: AtomicBool,
}

/// The right to poll, held.
#[derive(Debug)]
pub(crate) struct Right<'a> {
    driving: &'a Driving,
    holder: Holder,
    /// Taken by a thread that holds the right already: by a logger's `block_on`, in the midst of a
    /// round that writes a record.
    nested: bool,
}

impl Driving {
    pub(crate) fn new() -> Driving {
        Driving {
            holder: AtomicU8::new(Holder::Nobody as u8),
            helper: AtomicU8::new(ABSENT),
            helper_unparker: Mutex::new(None),
            line: Mutex::new(VecDeque::new()),
            line_len: AtomicUsize::new(0),
            users: Users::new(),
            missed: AtomicBool::new(false),
        }
    }

    /// Takes the right if it is free.
    #[inline]
    pub(crate) fn try_acquire(&self, holder: Holder) -> Option<Right<'_>> {
        let (free, taken) = (Holder::Nobody as u8, holder as u8);
        let exchanged =
            self.holder.compare_exchange(free, taken, Ordering::Acquire, Ordering::Relaxed);
        match exchanged {
            Ok(_) => {
                holds_right::set(true);
                self.missed.store(false, Ordering::Relaxed);
                Some(Right { driving: self, holder, nested: false })
            }
            Err(_) if holds_right::get() => Some(Right { driving: self, holder, nested: true }),
            Err(_) => None,
        }
    }

    #[inline]
    pub(crate) fn holder(&self) -> Holder {
        match self.holder.load(Ordering::Relaxed) {
            0 => Holder::Nobody,
            1 => Holder::BlockOn,
            _ => Holder::Helper,
        }
    }

    /// Gets in line for the right.
    pub(crate) fn enlist(&self, signal: &Arc<Signal>) {
        let mut line = self.line.lock();
        line.push_back(signal.clone());
        self.line_len.store(line.len(), Ordering::Relaxed);
        drop(line);
        // See `holder`: its owner looks there next.
        full_fence();
    }

    /// Leaves the line.
    pub(crate) fn delist(&self, signal: &Arc<Signal>) {
        let mut line = self.line.lock();
        line.retain(|other| !Arc::ptr_eq(other, signal));
        self.line_len.store(line.len(), Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn has_line(&self) -> bool {
        self.line_len.load(Ordering::Relaxed) > 0
    }

    /// Offers the right to the first in line. Returns whether there was one.
    pub(crate) fn offer(&self) -> bool {
        if !self.has_line() {
            return false;
        }
        let first = {
            let mut line = self.line.lock();
            let first = line.pop_front();
            self.line_len.store(line.len(), Ordering::Relaxed);
            first
        };
        first.is_some_and(|first| {
            first.offer();
            true
        })
    }

    /// Notes that the caller, who would have driven, found the right taken.
    pub(crate) fn miss(&self) {
        self.missed.store(true, Ordering::Relaxed);
    }

    /// Gives the right away, which the caller has let go of: to the first in line, or to one who runs
    /// and is going to come by again. Returns whether there is anybody.
    pub(crate) fn give(&self) -> bool {
        self.offer() || self.missed.load(Ordering::Relaxed)
    }

    /// Wakes the helper if it sleeps: the right is free, or about to be for longer than a moment.
    #[inline]
    pub(crate) fn rouse(&self) {
        if self.helper.load(Ordering::Relaxed) == ASLEEP {
            self.rouse_asleep();
        }
    }

    #[cold]
    fn rouse_asleep(&self) {
        let exchanged =
            self.helper.compare_exchange(ASLEEP, AWAKE, Ordering::Relaxed, Ordering::Relaxed);
        if exchanged.is_ok() {
            self.unpark_helper();
        }
    }

    /// Somebody has been in line for a while: the helper must look closely, unless it sleeps until the
    /// right is let go, and looks then.
    pub(crate) fn call_helper(&self) {
        if self.helper.load(Ordering::Relaxed) == AWAKE {
            self.unpark_helper();
        }
    }

    /// Has the helper look at once, if there is one.
    pub(crate) fn unpark_helper(&self) {
        if let Some(unparker) = &*self.helper_unparker.lock() {
            unparker.unpark();
        }
    }

    /// Whether the caller is to start the helper thread, which is then taken to be awake.
    pub(crate) fn must_start_helper(&self) -> bool {
        self.helper.load(Ordering::Relaxed) == ABSENT
            && self
                .helper
                .compare_exchange(ABSENT, AWAKE, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// For tests that drive by hand.
    #[cfg(test)]
    pub(crate) fn without_helper(&mut self) {
        self.helper = AtomicU8::new(AWAKE);
    }

    /// The helper thread could not be started.
    pub(crate) fn helper_failed(&self) {
        self.helper.store(ABSENT, Ordering::Relaxed);
    }

    pub(crate) fn set_helper_unparker(&self, unparker: Unparker) {
        *self.helper_unparker.lock() = Some(unparker);
    }

    /// The helper says that it sleeps. `false`: it must not, the right is free.
    pub(crate) fn fall_asleep(&self) -> bool {
        self.helper.store(ASLEEP, Ordering::Relaxed);
        // See `holder`.
        full_fence();
        if self.holder() != Holder::Nobody {
            return true;
        }
        self.helper.store(AWAKE, Ordering::Relaxed);
        false
    }

    /// The helper was woken for whatever reason.
    pub(crate) fn wake_up(&self) {
        self.helper.store(AWAKE, Ordering::Relaxed);
    }
}

impl Right<'_> {
    /// Whether this thread holds the right elsewhere too.
    pub(crate) fn is_nested(&self) -> bool {
        self.nested
    }

    /// Lets go of the right. `quiet`: the caller takes it again at once, or sees to the helper itself
    /// before it turns to anything else.
    #[inline]
    pub(crate) fn release(self, quiet: bool) {
        let (driving, holder) = (self.driving, self.holder);
        drop(self);
        if quiet {
            return;
        }
        match holder {
            // What it wakes may take long, and nobody watches meanwhile.
            Holder::Helper => {
                driving.offer();
            }
            _ => driving.rouse(),
        }
    }
}

impl Drop for Right<'_> {
    fn drop(&mut self) {
        if self.nested {
            // The round around this one is about to wait until a deadline that may be stale by now.
            crate::reactor::current::get().notify();
            return;
        }
        holds_right::set(false);
        self.driving.holder.store(Holder::Nobody as u8, Ordering::Release);
        // See `holder`: whoever lets go looks next.
        full_fence();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::time::Duration;

    use super::*;

    /// One of smol's threads waits for the other, which is busy and never in line: when that one came
    /// by in vain, the first drove on beside it, and each event cost a switch to the first and back.
    #[test]
    fn whoever_came_by_in_vain_is_given_the_right() {
        let driving = Driving::new();
        let right = driving.try_acquire(Holder::BlockOn).expect("it is free");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                assert!(driving.try_acquire(Holder::BlockOn).is_none());
                driving.miss();
            });
        });
        drop(right);
        assert!(driving.give(), "a thread runs that would drive");

        let right = driving.try_acquire(Holder::BlockOn).expect("it is free");
        drop(right);
        assert!(!driving.give(), "nobody has come by since");
    }

    /// A helper that sleeps until the right is let go need not be woken for a thread that gets in line: it
    /// looks then.
    #[test]
    fn only_a_helper_that_watches_is_called() {
        let driving = Driving::new();
        let (parker, unparker) = parking::pair();
        driving.set_helper_unparker(unparker);
        assert!(driving.must_start_helper());
        driving.call_helper();
        assert!(parker.park_timeout(Duration::ZERO), "it watches");

        let right = driving.try_acquire(Holder::BlockOn).expect("it is free");
        assert!(driving.fall_asleep());
        driving.call_helper();
        assert!(!parker.park_timeout(Duration::ZERO), "it sleeps");
        drop(right);
        driving.rouse();
        assert!(parker.park_timeout(Duration::ZERO), "the right is let go");
    }
}
