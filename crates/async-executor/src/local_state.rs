//! What a [`LocalExecutor`](crate::LocalExecutor) and a `StaticLocalExecutor` share with their tasks and
//! runners.
//!
//! A task that is woken on the executor's own thread goes to a queue that no other thread sees. Any other
//! one goes to the injector.
//!
//! This file has unsafe code: what belongs to one thread is kept where wakers on other threads see it, and
//! given to that thread alone.

#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::mem::offset_of;
use std::panic::RefUnwindSafe;
use std::task::Waker;

use async_task::Runnable;
use concurrent_queue::ConcurrentQueue;
use slab::Slab;
use ticks_format::published::{executor as word, offset};
use ticks_recorder::TaskList;

use crate::live::Members;
use crate::pool::Pool;
use crate::published::{self, Table};
use crate::run::Core;
use crate::signal::Signal;
use crate::sleepers::Sleepers;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::full_fence;
use crate::thread;

/// Every 16th look begins with the injector, see [`State`](crate::state::State).
const INJECTOR_EVERY: usize = 16;

/// What is taken from the injector at once, at most.
const TAKEN_MAX: usize = 128;

/// Kept for the next executor when this one is dropped, as [`State`](crate::state::State) is.
pub(crate) struct LocalState {
    /// The number of the thread to which `home` belongs.
    owner: AtomicUsize,
    home: Home,
    /// Tasks that other threads have woken.
    injector: ConcurrentQueue<Runnable>,
    sleepers: Sleepers,
}

/// What belongs to one thread. No foreign code runs while one of the cells is borrowed.
#[derive(Default)]
struct Home {
    queue: RefCell<VecDeque<Runnable>>,
    /// The wakers of the tasks that have waited and not ended.
    waiting: RefCell<Slab<Waker>>,
    /// Tasks that have not ended.
    live: Cell<usize>,
    looks: Cell<usize>,
    holds: RefCell<Vec<LocalHold>>,
}

// SAFETY: `home` is the only part that is not `Sync`, and `LocalState::home` gives it to one thread alone.
// When that changes, see `adopt`, what is in the cells may move: `Runnable`, `Waker` and `LocalHold` are
// `Send`.
unsafe impl Sync for LocalState {}

// A panic in the midst of something leaves it consistent: no foreign code runs there.
impl RefUnwindSafe for LocalState {}

static POOL: Pool<LocalState> = Pool::new();

/// Says where the states are, and what they are like, to readers of this memory.
pub(crate) fn publish(table: &Table) {
    let [first, value, next] = POOL.published();
    table.set(word::LOCAL_FIRST, first);
    table.set(word::LOCAL_NEXT, next);
    table.set(word::LOCAL_STATE, value);
    let pattern = Home::default();
    let home = offset_of!(LocalState, home) as u64;
    table.set(word::LOCAL_WAKERS, home + offset(&pattern, &*pattern.waiting.borrow()));
    table.set(word::LOCAL_LIVE, home + offset(&pattern, &pattern.live));
    table.set(word::LOCAL_LOOKS, home + offset(&pattern, &pattern.looks));
}

/// Says that these tasks are not listed: what is of one thread only that thread may read.
pub(crate) fn list(list: &mut TaskList) {
    let used = POOL.try_all().map_or(0, |(_, used)| used);
    if used > 0 {
        let plural = if used == 1 { "" } else { "s" };
        list.remarks.push(format!(
            "the tasks of {used} LocalExecutor{plural} are not listed: only their own threads may read them"
        ));
    }
}

/// The right to a signal, of which there is one for each `run` future.
pub(crate) struct LocalHold(&'static Signal);

impl LocalState {
    /// For an executor that begins.
    pub(crate) fn take() -> &'static LocalState {
        published::publish();
        POOL.take(|| LocalState {
            owner: AtomicUsize::new(0),
            home: Home::default(),
            injector: ConcurrentQueue::unbounded(),
            sleepers: Sleepers::new(),
        })
    }

    /// The calling thread is the one that uses the executor.
    ///
    /// # Safety
    ///
    /// The executor has no tasks, or they were spawned on this thread. No other thread uses it at the same
    /// time, but for wakers of its tasks.
    #[inline]
    pub(crate) unsafe fn adopt(&self) {
        let thread = thread::number();
        // `Relaxed`: moving the executor to this thread has synchronized the two threads.
        if self.owner.load(Ordering::Relaxed) != thread {
            self.owner.store(thread, Ordering::Relaxed);
        }
    }

    /// On the executor's own thread only.
    #[inline]
    fn home(&self) -> Option<&Home> {
        // `Relaxed`: a thread that finds its own number has written it.
        (self.owner.load(Ordering::Relaxed) == thread::number()).then_some(&self.home)
    }

    /// For what the executor, its `run` futures and its tasks do, none of which leaves the thread.
    #[inline]
    fn at_home(&self) -> &Home {
        self.home().expect("a LocalExecutor and its tasks stay on their thread")
    }

    fn inject(&self, task: Runnable) {
        // It is never full and never closed.
        let _pushed = self.injector.push(task);
        full_fence();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.at_home().live.get() == 0
    }

    /// The executor is dropped: drops its tasks, and keeps the rest for the next one.
    pub(crate) fn retire(&'static self) {
        let home = self.at_home();
        loop {
            let wakers: Vec<_> = home.waiting.borrow().iter().map(|(_, w)| w.clone()).collect();
            wakers.into_iter().for_each(Waker::wake);
            while let Some(task) = self.take_any() {
                drop(task);
            }
            if self.is_empty() {
                break;
            }
            // A thread has woken a task and is about to put it into a queue.
            thread::yield_now();
        }
        self.sleepers.forget();
        home.queue.borrow_mut().shrink_to(64);
        home.waiting.borrow_mut().shrink_to_fit();
        POOL.give_back(self);
    }

    /// As `State::take_injected`.
    #[cold]
    fn take_injected(&self) -> Option<Runnable> {
        let task = self.injector.pop().ok()?;
        let others = std::iter::from_fn(|| self.injector.pop().ok()).take(TAKEN_MAX);
        self.at_home().queue.borrow_mut().extend(others);
        Some(task)
    }

    #[inline]
    fn pop(&self) -> Option<Runnable> {
        self.at_home().queue.borrow_mut().pop_front()
    }
}

impl Members for LocalState {
    #[inline]
    fn schedule(&'static self, task: Runnable, _: bool) {
        match self.home() {
            Some(home) => home.queue.borrow_mut().push_back(task),
            None => self.inject(task),
        }
        // No fence on the own thread: its sleepers fell asleep on this thread too.
        self.sleepers.notify();
    }

    #[inline]
    fn count_spawned(&'static self) {
        let live = &self.at_home().live;
        live.set(live.get() + 1);
    }

    fn insert(&self, waker: &Waker) -> usize {
        let waker = waker.clone();
        self.at_home().waiting.borrow_mut().insert(waker)
    }

    fn remove(&self, place: usize) {
        let waker = self.at_home().waiting.borrow_mut().try_remove(place);
        drop(waker);
    }

    #[inline]
    fn count_finished(&self) {
        let live = &self.at_home().live;
        live.set(live.get() - 1);
    }
}

impl Core for LocalState {
    type Hold = LocalHold;
    type Turn<'a> = ();

    fn take_hold(&'static self) -> LocalHold {
        let free = self.at_home().holds.borrow_mut().pop();
        free.unwrap_or_else(|| LocalHold(Box::leak(Box::new(Signal::new()))))
    }

    fn give_back(&'static self, hold: LocalHold) {
        hold.0.reset();
        self.at_home().holds.borrow_mut().push(hold);
    }

    fn signal(hold: &LocalHold) -> &'static Signal {
        hold.0
    }

    fn enter(&'static self, _: &mut LocalHold) {}

    #[inline]
    fn take(&'static self, (): &()) -> Option<Runnable> {
        self.take_any()
    }

    #[inline]
    fn is_behind(&'static self, (): &()) -> bool {
        !self.at_home().queue.borrow().is_empty()
    }

    #[inline]
    fn take_any(&'static self) -> Option<Runnable> {
        let looks = &self.at_home().looks;
        looks.set(looks.get().wrapping_add(1));
        let first = match looks.get() % INJECTOR_EVERY {
            0 => self.take_injected(),
            _ => None,
        };
        first.or_else(|| self.pop()).or_else(|| self.take_injected())
    }

    fn has_tasks(&'static self) -> bool {
        self.is_behind(&()) || !self.injector.is_empty()
    }

    fn linger(&'static self, _: &'static Signal) -> bool {
        // Do not wait: only this thread could bring a task.
        false
    }

    fn sleepers(&self) -> &Sleepers {
        &self.sleepers
    }

    fn run_one(&'static self, task: Runnable) {
        task.run();
    }
}

impl LocalState {
    pub(crate) fn describe(&self, fields: &mut fmt::DebugStruct<'_, '_>) {
        if let Some(home) = self.home() {
            fields.field("tasks", &home.live.get()).field("queued", &home.queue.borrow().len());
        }
        fields.field("injected", &self.injector.len()).field("idle", &self.sleepers.idle());
    }
}
