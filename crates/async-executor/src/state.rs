//! What an [`Executor`](crate::Executor) and a `StaticExecutor` share with their tasks and runners.
//!
//! A task that is woken in a runner's turn goes to that runner's queue, any other one to the injector.
//! Runners look into their own queue first, and into the injector and other runners' queues when it is
//! empty and now and then.
//!
//! This file has unsafe code: the state of an executor that was dropped is tidied for the next one.

#![allow(unsafe_code)]

use std::fmt;
use std::mem::offset_of;
use std::panic::RefUnwindSafe;
use std::task::Waker;

use async_task::Runnable;
use concurrent_queue::ConcurrentQueue;
use ticks_format::published::executor as word;
use ticks_recorder::TaskList;

use crate::live::{self, Counts, Members, Shard};
use crate::pool::Pool;
use crate::published::{self, Table};
use crate::run::Core;
use crate::runner::{self, Hold, Runner, Runners, Turn};
use crate::signal::Signal;
use crate::sleepers::Sleepers;
use crate::sync::{full_fence, Padded};
use crate::thread;

/// Parts of the set of tasks, a power of two. Threads with the same low bits in their number share one.
const SHARDS: usize = if cfg!(all(test, loom)) { 1 } else { 8 };

/// Every 16th look of a runner begins with the injector. Its own tasks may wake each other for ever, and
/// must not starve others.
const INJECTOR_EVERY: usize = 16;

/// Every 128th look begins with the other runners' queues: a runner may be stuck in a long task.
const STEAL_EVERY: usize = 128;

/// How often a runner that was woken and found nothing looks again before it sleeps, if the others are at work
/// all the time: they would wake it again at once. Together some forty microseconds, ten times what it takes
/// one of them to wake it.
const LINGERS: u32 = if cfg!(all(test, loom)) { 1 } else { 8 };

/// `yield_now` between two of those looks. Each look takes a cache line away from a runner that is at work.
const YIELDS_A_LOOK: u32 = if cfg!(all(test, loom)) { 1 } else { 12 };

/// What a runner takes from the injector at once, at most: more than it runs until it looks there again.
const TAKEN_MAX: usize = 128;

/// Made for the first executor that needs one. When that executor is dropped, the next one gets it. A
/// thread that has woken a task may still look for sleepers at that time; the worst it can do is to wake
/// a runner of the next executor for nothing.
pub(crate) struct State {
    injector: ConcurrentQueue<Runnable>,
    runners: Runners,
    sleepers: Sleepers,
    shards: [Padded<Shard>; SHARDS],
}

// A panic in the midst of something leaves it consistent: no foreign code runs there.
impl RefUnwindSafe for State {}

static POOL: Pool<State> = Pool::new();

/// Says where the states are, and what they are like, to readers of this memory.
pub(crate) fn publish(table: &Table) {
    let [first, value, next] = POOL.published();
    table.set(word::FIRST, first);
    table.set(word::NEXT, next);
    table.set(word::STATE, value);
    table.set(word::SHARDS, offset_of!(State, shards));
    table.set(word::SHARD_COUNT, SHARDS);
    table.set(word::SHARD_BYTES, size_of::<Padded<Shard>>());
    Shard::publish(table);
    table.set(word::RUNNERS, offset_of!(State, runners));
    Runners::publish(table);
}

/// Adds the tasks of all executors to the list.
pub(crate) fn list(list: &mut TaskList) {
    let Some((states, _)) = POOL.try_all() else {
        list.remarks.push("the list of executors is locked by another thread".to_owned());
        return;
    };
    states.for_each(|state| state.list(list));
}

impl State {
    fn list(&self, list: &mut TaskList) {
        let Some(layout) = published::task_layout() else { return };
        let before = list.tasks.len();
        for shard in &self.shards {
            // SAFETY: `Live` puts the wakers there that it is polled with, and async-task polls it.
            let listed = shard.0.try_look(|waker| unsafe { layout.read(waker) });
            match listed {
                Some(listed) => list.tasks.extend(listed),
                None => list.remarks.push("some tasks are locked by another thread".to_owned()),
            }
        }
        let more = self.live().saturating_sub(list.tasks.len() - before);
        if more > 0 {
            list.remarks.push(format!(
                "and {more} that {} not waited yet: {} in a queue, or being polled",
                if more == 1 { "has" } else { "have" },
                if more == 1 { "it is" } else { "they are" },
            ));
        }
    }

    /// For an executor that begins.
    pub(crate) fn take() -> &'static State {
        published::publish();
        POOL.take(State::new)
    }

    pub(crate) fn new() -> State {
        State {
            injector: ConcurrentQueue::unbounded(),
            runners: Runners::new(),
            sleepers: Sleepers::new(),
            shards: std::array::from_fn(|_| Padded(Shard::new())),
        }
    }

    fn inject(&self, task: Runnable) {
        // It is never full and never closed.
        let _pushed = self.injector.push(task);
        full_fence();
        self.sleepers.notify();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.live() == 0
    }

    fn live(&self) -> usize {
        live::live(self.counts())
    }

    fn counts(&self) -> impl Iterator<Item = &Counts> + Clone {
        let shards = self.shards.iter().map(|shard| &shard.0.counts);
        shards.chain(self.runners.all().map(|runner| &runner.counts))
    }

    /// The calling thread's shard, and its number.
    fn shard(&self) -> (usize, &Shard) {
        let number = thread::number() % SHARDS;
        (number, &self.shards[number].0)
    }

    /// From where a busy runner must look too.
    #[cold]
    fn take_seldom(&self, turn: &Turn<'_>, looks: usize) -> Option<Runnable> {
        let stolen = if looks % STEAL_EVERY == 0 {
            self.others(turn, looks / STEAL_EVERY).find_map(|other| other.queue.pop())
        } else {
            None
        };
        stolen.or_else(|| self.take_injected(turn))
    }

    /// Takes tasks from the injector. The oldest is run at once. This runner's share of the others goes to
    /// the end of its queue, so that the runner's own tasks do not overtake them again and again.
    fn take_injected(&self, turn: &Turn<'_>) -> Option<Runnable> {
        let task = self.injector.pop().ok()?;
        let share = (self.injector.len() / self.runners.active().max(1)).min(TAKEN_MAX);
        if share > 0 {
            for task in std::iter::from_fn(|| self.injector.pop().ok()).take(share) {
                turn.push(task);
            }
            // A runner that fell asleep meanwhile may not have seen the tasks that were being moved.
            full_fence();
        }
        Some(task)
    }

    /// Takes tasks from the others' queues, beginning with another queue each time. It takes half of the
    /// first queue with more than one task, or else the only task of a runner that is stuck.
    fn steal(&self, turn: &Turn<'_>, first: usize) -> Option<Runnable> {
        let stolen = self.others(turn, first).find_map(|other| turn.steal_from(other));
        if stolen.is_some() {
            // As in `take_injected`.
            full_fence();
            return stolen;
        }
        self.others(turn, first)
            .filter(|other| other.is_stuck())
            .find_map(|other| other.queue.pop())
    }

    /// The other runners, beginning with another one each time.
    fn others<'a>(
        &'a self,
        turn: &'a Turn<'_>,
        first: usize,
    ) -> impl Iterator<Item = &'static Runner> + 'a {
        self.from(first).filter(|runner| !std::ptr::eq(*runner, turn.runner))
    }

    fn from(&self, first: usize) -> impl Iterator<Item = &'static Runner> {
        let all = self.runners.all();
        let first = first % all.clone().count().max(1);
        all.clone().skip(first).chain(all.take(first))
    }

    /// Whether there are tasks which no runner has next.
    fn has_spare(&self) -> bool {
        !self.injector.is_empty() || self.runners.all().any(|runner| runner.queue.len() > 1)
    }

    /// Drops all tasks. Nobody runs any meanwhile, which the caller's exclusive borrow of the executor
    /// sees to.
    pub(crate) fn drop_tasks(&'static self) {
        loop {
            for shard in &self.shards {
                // Those that wait are woken, which puts them into the injector.
                shard.0.wakers().into_iter().for_each(|waker| waker.wake());
            }
            while let Some(task) = self.take_any() {
                drop(task);
            }
            if self.is_empty() {
                break;
            }
            // A thread has woken a task and is about to put it into a queue.
            thread::yield_now();
        }
    }

    /// The executor is dropped: drops its tasks, and keeps the rest for the next one.
    ///
    /// # Safety
    ///
    /// Nobody uses the executor any more, but for wakers of its tasks.
    pub(crate) unsafe fn retire(&'static self) {
        self.drop_tasks();
        self.sleepers.forget();
        self.shards.iter().for_each(|shard| shard.0.tidy());
        // SAFETY: the caller's promise.
        unsafe { self.runners.tidy() };
        POOL.give_back(self);
    }
}

impl Members for State {
    #[inline]
    fn schedule(&'static self, task: Runnable, woken_while_running: bool) {
        match runner::push(self, task) {
            // The runner's turn goes on after this poll, and the runner looks into its queue.
            Ok(()) if woken_while_running => {}
            // The task that has woken this one may block the thread for long.
            Ok(()) => {
                full_fence();
                self.sleepers.notify();
            }
            Err(task) => self.inject(task),
        }
    }

    #[inline]
    fn count_spawned(&'static self) {
        match runner::counts(self) {
            Some(counts) => counts.spawned.add_alone(),
            None => self.shard().1.counts.spawned.add(),
        }
    }

    #[inline]
    fn insert(&self, waker: &Waker) -> usize {
        let (number, shard) = self.shard();
        shard.insert(waker.clone()) * SHARDS + number
    }

    fn remove(&self, place: usize) {
        drop(self.shards[place % SHARDS].0.remove(place / SHARDS));
    }

    #[inline]
    fn count_finished(&self) {
        match runner::counts(self) {
            Some(counts) => counts.finished.add_alone(),
            None => self.shard().1.counts.finished.add(),
        }
    }
}

impl Core for State {
    type Hold = Hold;
    type Turn<'a> = Turn<'a>;

    fn take_hold(&'static self) -> Hold {
        self.runners.take(self)
    }

    fn give_back(&'static self, hold: Hold) {
        self.runners.give_back(hold);
    }

    fn signal(hold: &Hold) -> &'static Signal {
        &hold.runner().signal
    }

    fn enter<'a>(&'static self, hold: &'a mut Hold) -> Turn<'a> {
        hold.enter()
    }

    #[inline]
    fn take(&'static self, turn: &Turn<'_>) -> Option<Runnable> {
        let looks = turn.look();
        let queue = &turn.runner.queue;
        let first = if looks % INJECTOR_EVERY == 0 { self.take_seldom(turn, looks) } else { None };
        let task = match first.or_else(|| queue.pop()) {
            Some(task) => task,
            None => self.take_injected(turn).or_else(|| self.steal(turn, looks))?,
        };
        // All of these have passed a full fence, see `Queue::take`.
        if self.sleepers.is_awaited() && (!queue.is_empty() || !self.injector.is_empty()) {
            self.sleepers.wake_one();
        }
        Some(task)
    }

    fn take_any(&'static self) -> Option<Runnable> {
        let injected = || self.injector.pop().ok();
        let looks = thread::look();
        let queued = || self.from(looks).find_map(|runner| runner.queue.pop());
        match looks % 4 {
            0 => queued().or_else(injected),
            _ => injected().or_else(queued),
        }
    }

    fn run_one(&'static self, task: Runnable) {
        task.run();
        // In a turn, the task may have gone back to the runner's queue while the runner does something
        // else.
        if runner::has_queued(self) {
            self.offer();
        }
    }

    /// The only task of a runner that is not stuck does not count. It is not forgotten: the caller has stored
    /// that it sleeps and passed a full fence, and that runner takes its task after the fence. If it then
    /// finds another task in its queue, it sees the sleeper, see `take`.
    fn has_tasks(&'static self) -> bool {
        // First the checks that take no time. A task in the thread's own queue waits for the caller.
        runner::has_queued(self) || self.has_spare() || self.runners.all().any(Runner::is_stuck)
    }

    fn linger(&'static self, own: &'static Signal) -> bool {
        (0..LINGERS).any(|_| {
            (0..YIELDS_A_LOOK).for_each(|_| thread::yield_now());
            own.is_woken() || self.has_spare()
        })
    }

    fn sleepers(&self) -> &Sleepers {
        &self.sleepers
    }

    #[inline]
    fn is_behind(&'static self, turn: &Turn<'_>) -> bool {
        !turn.runner.queue.is_empty()
    }
}

impl State {
    pub(crate) fn describe(&self, fields: &mut fmt::DebugStruct<'_, '_>) {
        let queues: Vec<_> = self.runners.all().map(|runner| runner.queue.len()).collect();
        fields
            .field("tasks", &self.live())
            .field("injected", &self.injector.len())
            .field("queues", &queues)
            .field("running", &self.runners.active())
            .field("idle", &self.sleepers.idle());
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("State");
        self.describe(&mut fields);
        fields.finish()
    }
}
