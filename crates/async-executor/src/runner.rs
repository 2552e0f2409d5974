//! A runner: what a `run` future of an [`Executor`](crate::Executor) holds while it lives, and which one
//! the calling thread is in.
//!
//! This file has unsafe code: it alone pushes to the queues of runners, which one at a time may do, and it
//! keeps the list of runners, from which nobody is removed.

#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::mem::offset_of;
use std::panic::RefUnwindSafe;
use std::ptr;

use async_task::Runnable;
use ticks_format::published::executor as word;

use crate::live::Counts;
use crate::published::Table;
use crate::queue::Queue;
use crate::signal::Signal;
use crate::state::State;
use crate::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use crate::sync::{thread_cell, Mutex};
use crate::thread::yield_now;

/// It stays with its executor for ever. When its `run` future ends, the other runners take the tasks in
/// its queue, and the next `run` takes the runner.
#[derive(Debug)]
pub(crate) struct Runner {
    state: &'static State,
    pub(crate) queue: Queue<Runnable>,
    pub(crate) signal: Signal,
    /// Counted by the thread whose turn it is.
    pub(crate) counts: Counts,
    /// How often a task was looked for. Only the thread whose turn it is writes it.
    looks: AtomicUsize,
    /// 1 while a `run` future has the runner. For readers of this memory: nobody here reads it.
    in_use: AtomicUsize,
    next: Link,
}

/// How often a runner that has nothing to do yields before it takes another one's only task: some ten
/// microseconds, or one time slice of another thread on that core. Most tasks are polled in less time than
/// that.
const PATIENCE: u32 = if cfg!(all(test, loom)) { 1 } else { 30 };

impl Runner {
    /// Whether the oldest task in the queue stays there for a moment: the runner is in a poll that takes
    /// long, or its thread is blocked, or it is not in a turn.
    ///
    /// A runner that goes from task to task takes it sooner. Then the task is better left to it: to move it
    /// to another thread costs both threads more than the task waits.
    pub(crate) fn is_stuck(&self) -> bool {
        let first = self.queue.first();
        first.is_some()
            && (0..PATIENCE).all(|_| {
                yield_now();
                self.queue.first() == first
            })
    }
}

// As `State`.
impl RefUnwindSafe for Runner {}

thread_cell! {
    /// The runner in whose turn the thread is.
    static CURRENT: Option<&'static Runner> = None;
}

/// The runner of this executor in whose turn the calling thread is.
#[inline]
fn current(state: &State) -> Option<&'static Runner> {
    CURRENT.with(|current| current.get()).filter(|runner| ptr::eq(runner.state, state))
}

/// Puts a task into the queue of the runner in whose turn the thread is. Gives it back where there is none.
#[inline]
pub(crate) fn push(state: &State, task: Runnable) -> Result<(), Runnable> {
    let Some(runner) = current(state) else { return Err(task) };
    // SAFETY: `CURRENT` is set by `Hold::enter` alone, while the only `Hold` of the runner is borrowed. So
    // no other thread is in its turn, and on this one pushes follow one another.
    unsafe { runner.queue.push(task) };
    Ok(())
}

/// The counts that the calling thread alone writes, if it is in a turn.
#[inline]
pub(crate) fn counts(state: &State) -> Option<&'static Counts> {
    current(state).map(|runner| &runner.counts)
}

/// Whether the thread is in a turn of this executor, and there are tasks in that runner's queue.
pub(crate) fn has_queued(state: &State) -> bool {
    current(state).is_some_and(|runner| !runner.queue.is_empty())
}

/// The right to a runner. There is one for each, made with it.
#[derive(Debug)]
pub(crate) struct Hold(&'static Runner);

impl Hold {
    pub(crate) fn runner(&self) -> &'static Runner {
        self.0
    }

    /// Begins a turn: what the thread wakes and spawns until it ends goes to this runner.
    pub(crate) fn enter(&mut self) -> Turn<'_> {
        let outer = CURRENT.with(|current| current.replace(Some(self.0)));
        Turn { runner: self.0, outer, hold: PhantomData }
    }
}

/// The time in which a thread polls a `run` future. Turns of one thread are nested. It cannot leave the
/// thread.
pub(crate) struct Turn<'a> {
    pub(crate) runner: &'static Runner,
    outer: Option<&'static Runner>,
    hold: PhantomData<(&'a mut Hold, *const ())>,
}

impl Turn<'_> {
    /// Counts a look for a task.
    #[inline]
    pub(crate) fn look(&self) -> usize {
        let looks = self.runner.looks.load(Ordering::Relaxed).wrapping_add(1);
        self.runner.looks.store(looks, Ordering::Relaxed);
        looks
    }

    /// Puts a task at the end of the runner's queue.
    pub(crate) fn push(&self, task: Runnable) {
        // SAFETY: a turn borrows the runner's only `Hold`, and cannot leave the thread.
        unsafe { self.runner.queue.push(task) };
    }

    /// Takes half of what is in the other one's queue: one returned, the others in this one's queue.
    pub(crate) fn steal_from(&self, victim: &Runner) -> Option<Runnable> {
        assert!(!ptr::eq(victim, self.runner));
        // SAFETY: as in `push`; the victim is another one.
        unsafe { victim.queue.steal_into(&self.runner.queue) }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        CURRENT.with(|current| current.set(self.outer));
    }
}

/// What is next in the list of runners: nothing, or one that stays there.
#[derive(Debug)]
struct Link(AtomicPtr<Runner>);

impl Link {
    fn new() -> Link {
        Link(AtomicPtr::new(ptr::null_mut()))
    }

    fn set(&self, runner: &'static Runner) {
        // `Release`, for the `Acquire` in `get`.
        let runner: *const Runner = runner;
        self.0.store(runner.cast_mut(), Ordering::Release);
    }

    fn get(&self) -> Option<&'static Runner> {
        // SAFETY: null, or from the reference in `set`; nobody writes through it.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }
}

/// All runners of an executor: as many as there were `run` futures at a time.
#[derive(Debug)]
pub(crate) struct Runners {
    first: Link,
    /// Runners in use. It need not be exact: it only decides how much of the work one runner takes.
    active: AtomicUsize,
    /// Holding the lock allows to take a runner, give it back, and append one to the list.
    free: Mutex<Free>,
}

#[derive(Debug)]
struct Free {
    holds: Vec<Hold>,
    last: Option<&'static Runner>,
}

impl Runners {
    /// Says what they are like to readers of this memory. A `Link` is a pointer.
    pub(crate) fn publish(table: &Table) {
        table.set(word::RUNNERS, table.get(word::RUNNERS) + offset_of!(Runners, first) as u64);
        table.set(word::RUNNER_NEXT, offset_of!(Runner, next));
        let counts = offset_of!(Runner, counts);
        table.set(word::RUNNER_SPAWNED, counts + offset_of!(Counts, spawned));
        table.set(word::RUNNER_FINISHED, counts + offset_of!(Counts, finished));
        table.set(word::RUNNER_SIGNAL, offset_of!(Runner, signal));
        table.set(word::RUNNER_LOOKS, offset_of!(Runner, looks));
        table.set(word::RUNNER_IN_USE, offset_of!(Runner, in_use));
        table.set(word::RUNNER_BITS, offset_of!(Runner, signal) + Signal::BITS);
    }

    pub(crate) fn new() -> Runners {
        Runners {
            first: Link::new(),
            active: AtomicUsize::new(0),
            free: Mutex::new(Free { holds: Vec::new(), last: None }),
        }
    }

    pub(crate) fn take(&self, state: &'static State) -> Hold {
        self.active.fetch_add(1, Ordering::Relaxed);
        let mut free = self.free.lock();
        if let Some(hold) = free.holds.pop() {
            hold.0.in_use.store(1, Ordering::Relaxed);
            return hold;
        }
        let runner: &'static Runner = Box::leak(Box::new(Runner {
            state,
            queue: Queue::new(),
            signal: Signal::new(),
            counts: Counts::new(),
            looks: AtomicUsize::new(0),
            in_use: AtomicUsize::new(1),
            next: Link::new(),
        }));
        free.last.map_or(&self.first, |last| &last.next).set(runner);
        free.last = Some(runner);
        Hold(runner)
    }

    pub(crate) fn give_back(&self, hold: Hold) {
        hold.0.signal.reset();
        hold.0.in_use.store(0, Ordering::Relaxed);
        self.active.fetch_sub(1, Ordering::Relaxed);
        self.free.lock().holds.push(hold);
    }

    pub(crate) fn active(&self) -> usize {
        self.active.load(Ordering::Relaxed)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &'static Runner> + Clone {
        std::iter::successors(self.first.get(), |runner| runner.next.get())
    }

    /// Frees what the queues have outgrown.
    ///
    /// # Safety
    ///
    /// Nobody is in a turn, or takes tasks otherwise.
    pub(crate) unsafe fn tidy(&self) {
        for runner in self.all() {
            // SAFETY: the caller's promise.
            unsafe { runner.queue.tidy() };
        }
    }
}
