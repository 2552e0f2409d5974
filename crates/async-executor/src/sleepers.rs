//! Runners that found nothing to do, and how one of them comes to know that there is something.
//!
//! They are woken one at a time. The woken runner searches. If it finds a task and there are more, it
//! wakes the next runner before it runs its task. So a burst of a hundred wakes is one notification and
//! not a hundred, and still as many runners get up as there is work for.
//!
//! # No task is forgotten
//!
//! A thread that pushes a task then looks whether a runner sleeps. A runner that falls asleep first stores
//! that it sleeps, and then looks for tasks. There is a full fence between the two steps on both sides, so
//! at least one of them sees the other. It is the same with the search: a push while a runner searches wakes
//! nobody, and a runner that ends its search first stores that, and then looks once more.

use crate::signal::Signal;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{full_fence, thread_cell, Mutex, Padded};

#[derive(Debug)]
pub(crate) struct Sleepers {
    /// Whether a runner is idle and none searches, so that a thread that pushes must wake one. Written
    /// with the list locked; read without, after a full fence.
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
    /// How often somebody fell asleep.
    naps: usize,
}

/// Which of all naps it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nap(usize);

/// How a runner gets up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rising {
    /// It was notified: it is the one that searches, and must `end_search`.
    pub(crate) notified: bool,
    /// Nobody has fallen asleep since it has: the others are at work all the time.
    pub(crate) others_are_awake: bool,
}

thread_cell! {
    /// The runner that was the last to fall asleep on this thread. It may be gone by now.
    static RESIDENT: Option<&'static Signal> = None;
}

impl List {
    /// Takes the runner of this thread, if there is one. A thread that wakes tasks outside a turn is
    /// usually driving I/O for its own runner and polls it next, so the wake takes no system call. If
    /// there is more work, that runner wakes the next one. Otherwise it takes the runner that fell asleep
    /// last, because its data is most likely still in the cache.
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
            list: Mutex::new(List { idle: Vec::new(), searching: false, naps: 0 }),
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
    /// A runner that was notified before and still searches does not keep the next task from waking this
    /// one: it may be on a thread that is blocked, below a `block_on` that waits for this runner.
    pub(crate) fn enter(&self, signal: &'static Signal) -> Nap {
        RESIDENT.with(|resident| resident.set(Some(signal)));
        let nap = self.change(|list| {
            list.searching = false;
            list.idle.push(signal);
            list.naps = list.naps.wrapping_add(1);
            Nap(list.naps)
        });
        full_fence();
        nap
    }

    /// Gets up.
    pub(crate) fn leave(&self, signal: &'static Signal, nap: Nap) -> Rising {
        self.change(|list| Rising {
            notified: !list.remove(signal),
            others_are_awake: list.naps == nap.0,
        })
    }

    /// The search is over, with a task or without. The caller then passes a full fence, looks again, and
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
