//! Who takes the driver lock next: the `block_on` threads in line for it, and the helper thread.
//!
//! **Nobody sleeps while the lock is free.** A thread that releases the lock and goes on to other
//! work wakes the helper if it sleeps. The helper first stores that it sleeps, then looks at the lock
//! once more, and only then sleeps.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;

use parking::Unparker;
use ticks_format::published::offset;

use super::signal::{Doing, Signal};
use crate::fork::PerProcess;
use crate::published;
use crate::reactor::clock;
use crate::reactor::lock::{DriverLock, Holder};
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicU8, AtomicUsize, Ordering};
use crate::sync::{full_fence, Mutex};

/// No helper thread has been started.
const ABSENT: u8 = 0;
/// It watches or drives.
const AWAKE: u8 = 1;
/// It sleeps until it is woken.
const ASLEEP: u8 = 2;
/// It takes a long nap. [`Handover`] ends it for a waiter who needs close looks.
const NAPPING: u8 = 3;
/// It wakes the tasks that its round made ready. A waker may block it for any time.
const WAKING: u8 = 4;

/// After a failure to start the helper thread, how long until the next try.
const START_AGAIN_NS: u64 = 100_000_000;

thread_local! {
    /// Whether this thread is the helper.
    static IS_HELPER: Cell<bool> = const { Cell::new(false) };
}

/// Who could drive the reactor.
///
/// A thread that stores one of the atomic fields looks at the lock's holder next, behind a fence, and
/// the other way round: see [`DriverLock`].
#[derive(Debug)]
pub(crate) struct Handover {
    helper: AtomicU8,
    /// When to try again to start it, by the reactor's clock.
    next_start_ns: AtomicU64,
    /// Holding it grants the right to give out or wake the helper's parker.
    helper_unparker: Mutex<Option<Unparker>>,
    /// `block_on` threads that found the lock taken. Holding it grants the right to change who is
    /// in line; nobody is woken under it.
    line: Mutex<VecDeque<Arc<Signal>>>,
    /// The length of the line, to be read without its lock.
    line_len: AtomicUsize,
    /// During the round under way, a thread came for the lock, found it taken, and went on running.
    /// Only a hint.
    wanted: AtomicBool,
    /// The threads that have been in `block_on` and have not ended. Holding it grants the right to
    /// change who they are.
    threads: Mutex<Vec<Arc<Signal>>>,
}

static HANDOVER: PerProcess<Handover> = PerProcess::new();

/// This process's.
pub(crate) fn get() -> &'static Handover {
    HANDOVER.get(|_| {
        let handover = Handover::new();
        published::publish_drivers(&handover, &HANDOVER);
        handover
    })
}

/// This process's, if it has been made.
pub(crate) fn made() -> Option<&'static Handover> {
    HANDOVER.made()
}

/// A thread that is in `block_on`.
#[derive(Debug)]
pub(crate) struct ThreadSeen {
    /// By the system's number.
    pub(crate) thread: u64,
    pub(crate) waker_data: usize,
    pub(crate) doing: Doing,
    pub(crate) in_line: bool,
}

impl Handover {
    pub(crate) fn new() -> Handover {
        Handover {
            helper: AtomicU8::new(ABSENT),
            next_start_ns: AtomicU64::new(0),
            helper_unparker: Mutex::new(None),
            line: Mutex::new(VecDeque::new()),
            line_len: AtomicUsize::new(0),
            wanted: AtomicBool::new(false),
            threads: Mutex::new(Vec::new()),
        }
    }

    /// Where the list of threads is, for readers of this memory.
    pub(crate) fn published(&self) -> u64 {
        offset(self, &*self.threads.lock())
    }

    /// Gets in line for the lock.
    pub(crate) fn enlist(&self, signal: &Arc<Signal>) {
        let mut line = self.line.lock();
        line.push_back(signal.clone());
        self.line_len.store(line.len(), Ordering::Relaxed);
        drop(line);
        // See `DriverLock`: the lock's holder is looked at next.
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

    /// Offers the lock to the first in line. Returns whether there was one.
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

    /// A round begins.
    #[inline]
    pub(crate) fn round_begins(&self) {
        self.wanted.store(false, Ordering::Relaxed);
    }

    /// The caller wanted to drive and found the lock taken.
    pub(crate) fn want(&self) {
        self.wanted.store(true, Ordering::Relaxed);
    }

    /// The caller has released the lock and leaves it to another thread: the first in line, or a thread
    /// that runs and will come for the lock again. If that thread does not come, the helper offers the
    /// lock again. Returns whether there is such a thread.
    pub(crate) fn leave_to_another(&self) -> bool {
        self.is_watched() && (self.offer() || self.wanted.load(Ordering::Relaxed))
    }

    /// Whether a helper thread watches the lock: it exists, it is not in a waker, and it is not the caller.
    /// The helper is the caller where a waker or a logger calls `block_on` on it.
    pub(crate) fn is_watched(&self) -> bool {
        let helper = self.helper.load(Ordering::Relaxed);
        helper != ABSENT && helper != WAKING && !IS_HELPER.with(Cell::get)
    }

    /// This thread is the helper.
    pub(crate) fn become_helper(&self, unparker: Unparker) {
        IS_HELPER.with(|is_helper| is_helper.set(true));
        self.set_unparker(unparker);
    }

    /// Wakes the helper.
    pub(crate) fn set_unparker(&self, unparker: Unparker) {
        *self.helper_unparker.lock() = Some(unparker);
    }

    /// Wakes the helper if it sleeps: the lock is free, or about to be for longer than a moment.
    ///
    /// Without a helper, or while the helper is in a waker, the first in line is woken instead, so that
    /// somebody drives.
    #[inline]
    pub(crate) fn wake_sleeping(&self) {
        match self.helper.load(Ordering::Relaxed) {
            ASLEEP => self.wake_sleeping_now(),
            ABSENT | WAKING => drop(self.offer()),
            _ => {}
        }
    }

    #[cold]
    fn wake_sleeping_now(&self) {
        let exchanged =
            self.helper.compare_exchange(ASLEEP, AWAKE, Ordering::Relaxed, Ordering::Relaxed);
        if exchanged.is_ok() {
            self.unpark_helper();
        }
    }

    /// A waiter needs close looks: ends the helper's nap. A helper that sleeps until the lock is released
    /// looks then. There is no fence: a caller that misses a nap which begins just now waits until its end.
    #[inline]
    pub(crate) fn wake_napping(&self) {
        if self.helper.load(Ordering::Relaxed) == NAPPING {
            self.wake_napping_now();
        }
    }

    #[cold]
    fn wake_napping_now(&self) {
        let exchanged =
            self.helper.compare_exchange(NAPPING, AWAKE, Ordering::Relaxed, Ordering::Relaxed);
        if exchanged.is_ok() {
            self.unpark_helper();
        }
    }

    /// The helper begins a nap during which it is to be called. [`wake_up`](Self::wake_up) follows.
    pub(crate) fn begin_nap(&self) {
        self.helper.store(NAPPING, Ordering::Relaxed);
    }

    /// The helper is about to wake tasks, whose wakers may block it. The driver lock is let go next, with its
    /// fence. [`wake_up`](Self::wake_up) follows.
    pub(crate) fn begin_waking(&self) {
        self.helper.store(WAKING, Ordering::Relaxed);
    }

    fn unpark_helper(&self) {
        if let Some(unparker) = &*self.helper_unparker.lock() {
            unparker.unpark();
        }
    }

    /// Whether the caller is to start the helper thread, which is then taken to be awake.
    #[inline]
    pub(crate) fn must_start_helper(&self) -> bool {
        self.helper.load(Ordering::Relaxed) == ABSENT && self.may_start_helper()
    }

    #[cold]
    fn may_start_helper(&self) -> bool {
        let relaxed = Ordering::Relaxed;
        clock::now_ns() >= self.next_start_ns.load(relaxed)
            && self.helper.compare_exchange(ABSENT, AWAKE, relaxed, relaxed).is_ok()
    }

    /// The helper thread could not be started. It is tried again later. A thread may have left the lock
    /// to another one meanwhile and relied on the helper.
    pub(crate) fn helper_failed(&self) {
        let next_ns = clock::now_ns().saturating_add(START_AGAIN_NS);
        self.next_start_ns.store(next_ns, Ordering::Relaxed);
        self.helper.store(ABSENT, Ordering::Relaxed);
        // See `DriverLock`: a thread that leaves the lock or gets in line looks at `helper` next.
        full_fence();
        self.offer();
    }

    /// The helper says that it sleeps. `false`: it must not, the lock is free.
    pub(crate) fn fall_asleep(&self, lock: &DriverLock) -> bool {
        self.helper.store(ASLEEP, Ordering::Relaxed);
        // See `DriverLock`.
        full_fence();
        if lock.holder() != Holder::Nobody {
            return true;
        }
        self.helper.store(AWAKE, Ordering::Relaxed);
        false
    }

    /// The helper was woken, or is done with waking others.
    pub(crate) fn wake_up(&self) {
        self.helper.store(AWAKE, Ordering::Relaxed);
    }

    /// A thread is in `block_on` for the first time.
    pub(crate) fn insert_thread(&self, signal: Arc<Signal>) {
        self.threads.lock().push(signal);
    }

    /// A thread ends.
    pub(crate) fn remove_thread(&self, signal: &Arc<Signal>) {
        self.threads.lock().retain(|other| !Arc::ptr_eq(other, signal));
    }

    /// The threads that are in `block_on`, for somebody who only looks; `None`: another thread is at work on
    /// the list.
    pub(crate) fn try_seen(&self) -> Option<Vec<ThreadSeen>> {
        let line: Vec<Arc<Signal>> = self.line.try_lock()?.iter().cloned().collect();
        let threads = self.threads.try_lock()?;
        let inside = threads.iter().filter(|signal| signal.is_inside());
        let seen = inside.map(|signal| ThreadSeen {
            thread: signal.thread,
            waker_data: signal.waker_data(),
            doing: signal.doing(),
            in_line: line.iter().any(|other| Arc::ptr_eq(other, signal)),
        });
        Some(seen.collect())
    }

    /// The numbers of the threads that run in `block_on` now, or are blocked there in something else,
    /// each once. `numbers` is emptied first.
    pub(crate) fn running_threads(&self, numbers: &mut Vec<u64>) {
        numbers.clear();
        let threads = self.threads.lock();
        numbers.extend(threads.iter().filter(|signal| signal.is_running()).map(|it| it.thread));
        drop(threads);
        numbers.sort_unstable();
        numbers.dedup();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Of smol's two threads one waits, and the other is busy and never in line. The busy one came for
    /// the lock in vain, the first drove on beside it, and each event cost a switch to the first thread
    /// and back.
    #[test]
    fn the_lock_is_left_to_a_thread_that_came_for_it() {
        let handover = Handover::new();
        assert!(handover.must_start_helper());
        handover.round_begins();
        assert!(!handover.leave_to_another(), "nobody came");
        handover.want();
        assert!(handover.leave_to_another(), "a thread runs that would drive");
        handover.round_begins();
        assert!(!handover.leave_to_another(), "nobody has come since");
    }

    /// The thread that came for the lock may have begun to compute since. If no helper thread can be
    /// started, nobody offers the lock again to the thread that left it, and nobody drives.
    #[test]
    fn without_a_helper_the_lock_is_left_to_nobody() {
        let handover = Handover::new();
        assert!(handover.must_start_helper());
        handover.helper_failed();
        handover.want();
        assert!(!handover.leave_to_another());
    }

    /// A waker blocks the helper for seconds. A driver left the lock to a thread that had come for it and
    /// was busy by then: nobody offered it again until that waker returned.
    #[test]
    fn the_lock_is_left_to_nobody_while_the_helper_wakes() {
        let (handover, lock) = (Handover::new(), DriverLock::new());
        assert!(handover.must_start_helper());
        handover.want();
        assert!(handover.leave_to_another());
        handover.begin_waking();
        drop(lock.try_lock(Holder::Helper));
        assert!(!handover.leave_to_another(), "the helper is in a waker");

        let (parker, unparker) = parking::pair();
        handover.enlist(&Arc::new(Signal::new(unparker)));
        handover.wake_sleeping();
        assert!(parker.park_timeout(Duration::ZERO), "nobody else offers the lock");
        handover.wake_up();
        assert!(handover.leave_to_another(), "it watches again");
    }

    /// No helper thread could be started. A driver's timer fired, and it went on to block elsewhere for
    /// seconds: the thread in line, whose own timer was due, slept as long.
    #[test]
    fn without_a_helper_whoever_lets_go_offers_the_lock() {
        let handover = Handover::new();
        assert!(handover.must_start_helper());
        let (parker, unparker) = parking::pair();
        let signal = Arc::new(Signal::new(unparker));
        handover.enlist(&signal);
        handover.helper_failed();
        assert!(parker.park_timeout(Duration::ZERO), "nobody else will");

        handover.enlist(&signal);
        handover.wake_sleeping();
        assert!(parker.park_timeout(Duration::ZERO), "a driver has let go");
        assert!(!handover.must_start_helper(), "each wait would try in vain");
    }

    /// A helper that sleeps until the lock is let go need not be woken for a thread that gets in line: it
    /// looks then. Nor need one that looks closely.
    #[test]
    fn only_a_helper_that_takes_a_nap_is_called() {
        let (handover, lock) = (Handover::new(), DriverLock::new());
        let (parker, unparker) = parking::pair();
        handover.set_unparker(unparker);
        assert!(handover.must_start_helper());
        handover.wake_napping();
        assert!(!parker.park_timeout(Duration::ZERO), "it looks closely");
        handover.begin_nap();
        handover.wake_napping();
        assert!(parker.park_timeout(Duration::ZERO), "it takes a nap");
        handover.wake_up();

        let guard = lock.try_lock(Holder::BlockOn).expect("it is free");
        assert!(handover.fall_asleep(&lock));
        handover.wake_napping();
        assert!(!parker.park_timeout(Duration::ZERO), "it sleeps");
        drop(guard);
        handover.wake_sleeping();
        assert!(parker.park_timeout(Duration::ZERO), "the lock is let go");
    }
}
