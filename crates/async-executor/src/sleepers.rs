//! Runners that found nothing to do, and how one of them comes to know that there is something.
//!
//! One at a time is woken. It searches, and when it has found a task and there are more, it wakes the
//! next one before it runs its own. So a burst of a hundred wakes is one notification and not a hundred,
//! and still as many runners get up as there is work for.
//!
//! # No task is forgotten
//!
//! Whoever makes a task findable then looks whether somebody sleeps. Whoever falls asleep says so and
//! looks for tasks then. There is a full fence between the two steps on both sides, so at least one of
//! them sees the other. It is the same with the search: who pushes while somebody searches wakes nobody,
//! and who ends a search says so and looks once more then.

use crate::signal::Signal;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{full_fence, thread_cell, Mutex, Padded};

#[derive(Debug)]
pub(crate) struct Sleepers {
    /// Whether somebody is idle and nobody searches, so that who pushes must wake one. Written with the
    /// list locked; read without, after a full fence.
    awaited: Padded<AtomicBool>,
    /// Holding the lock allows to move runners between awake, idle and searching.
    list: Mutex<List>,
}

#[derive(Debug)]
struct List {
    /// Asleep and not notified, in the order in which they fell asleep.
    idle: Vec<&'static Signal>,
    /// One was notified and has not ended its search.
    searching: bool,
}

thread_cell! {
    /// The runner that was the last to fall asleep on this thread. It may be gone by now.
    static RESIDENT: Option<&'static Signal> = None;
}

impl List {
    /// The one of this thread, where there is one: a thread that wakes tasks outside a turn looks for I/O
    /// for it, and polls it next. It is woken without a system call, and if there is more to do than
    /// that, it wakes the next. Otherwise the last, of whose things most are still in the cache.
    fn take_one(&mut self) -> Option<&'static Signal> {
        let resident = RESIDENT.with(|resident| resident.get());
        match resident {
            Some(resident) if self.remove(resident) => Some(resident),
            _ => self.idle.pop(),
        }
    }

    /// Returns whether it was there.
    fn remove(&mut self, signal: &'static Signal) -> bool {
        let place = self.idle.iter().rposition(|idle| std::ptr::eq(*idle, signal));
        place.map(|place| self.idle.remove(place)).is_some()
    }
}

impl Sleepers {
    pub(crate) fn new() -> Sleepers {
        Sleepers {
            awaited: Padded(AtomicBool::new(false)),
            list: Mutex::new(List { idle: Vec::new(), searching: false }),
        }
    }

    /// Wakes one, if that is needed. The caller has made a task findable, and passed a full fence (or
    /// taken a task from a queue, see `Queue::take`).
    #[inline]
    pub(crate) fn notify(&self) {
        if self.is_awaited() {
            self.wake_one();
        }
    }

    /// Whether somebody is idle and nobody searches.
    #[inline]
    pub(crate) fn is_awaited(&self) -> bool {
        self.awaited.0.load(Ordering::SeqCst)
    }

    #[cold]
    pub(crate) fn wake_one(&self) {
        let woken = self.change(|list| {
            let woken = if list.searching { None } else { list.take_one() };
            list.searching |= woken.is_some();
            woken
        });
        // With nothing locked: it is foreign code.
        if let Some(signal) = woken {
            signal.rouse();
        }
    }

    /// Falls asleep. The caller looks for tasks once more after that, and leaves again if there are.
    ///
    /// Whoever was notified before has had its chance, and the next task wakes this one: the other may sit
    /// in a thread that is blocked, below a `block_on` that waits for this runner.
    pub(crate) fn enter(&self, signal: &'static Signal) {
        RESIDENT.with(|resident| resident.set(Some(signal)));
        self.change(|list| {
            list.searching = false;
            list.idle.push(signal);
        });
        full_fence();
    }

    /// Gets up. Returns whether it was notified: then it is the one that searches, and must
    /// `end_search`.
    #[must_use]
    pub(crate) fn leave(&self, signal: &'static Signal) -> bool {
        self.change(|list| !list.remove(signal))
    }

    /// The one that searched has found something, or nothing. It passes a full fence and looks then, and
    /// notifies if there is (more) work.
    pub(crate) fn end_search(&self) {
        self.change(|list| list.searching = false);
    }

    /// Those that were leaked with their `run` futures do not disturb the next executor.
    pub(crate) fn forget(&self) {
        self.change(|list| {
            list.idle.clear();
            list.searching = false;
        });
    }

    /// How many are asleep and not notified.
    pub(crate) fn idle(&self) -> usize {
        self.list.lock().idle.len()
    }

    fn change<T>(&self, change: impl FnOnce(&mut List) -> T) -> T {
        let mut list = self.list.lock();
        let value = change(&mut list);
        self.awaited.0.store(!list.searching && !list.idle.is_empty(), Ordering::SeqCst);
        value
    }
}
