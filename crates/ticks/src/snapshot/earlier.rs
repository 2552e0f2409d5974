//! What an earlier look at the same memory saw: what has not changed since has gone on at least since then.

use std::collections::HashMap;
use std::fs::File;

use ticks_format::{Awaited, Direction, Entry, Key, Recording, Task, TaskKind, TaskState, Waiter};

use super::tasks::Named;
use super::turns::Turns;
use super::{Look, Seen, Snapshot};

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Earlier {
    /// By the waker: the task, what it waited for, and since when.
    tasks: HashMap<u64, (Task, Vec<Wait>, u64)>,
    waits: HashMap<Wait, u64>,
    unasked: HashMap<(Key, Direction), (Seen, u64)>,
    turns: HashMap<u64, Turns>,
}

/// Who waits, and for what.
type Wait = (u64, [u64; 4]);

fn wait(waiter: &Waiter) -> Wait {
    let words = match waiter.awaited {
        Awaited::Source { key, dir, waiter, ticks, .. } => {
            let ticks = ticks.unwrap_or_default();
            [key.0, u64::from(dir.code()) << 32 | waiter, ticks.a, ticks.b]
        }
        Awaited::Timer { id, deadline_ns } => [u64::MAX, id, deadline_ns, 0],
    };
    (waiter.task, words)
}

/// What each task waits for of the reactor's, by its number.
type Waits = HashMap<u64, Vec<Wait>>;

/// Sorts them by tasks.
fn by_task(waiters: &[Waiter]) -> Waits {
    let mut all = Waits::new();
    for waiter in waiters {
        all.entry(waiter.task_id).or_default().push(wait(waiter));
    }
    all.values_mut().for_each(|waits| waits.sort_unstable());
    all
}

impl Earlier {
    /// What a snapshot's recording has.
    pub fn of(recording: &Recording<File>, snapshot: &Snapshot) -> Earlier {
        let waiters: Vec<Waiter> = whole(recording.waiters()).collect();
        let mut by_task = by_task(&waiters);
        let tasks = whole(recording.tasks()).map(|task| {
            let waits = by_task.remove(&task.id).unwrap_or_default();
            let since = recording.clock().whole(task.since);
            (task.waker, (task, waits, since))
        });
        let waits = waiters.iter().map(|waiter| (wait(waiter), waiter.since));
        let (tasks, waits) = (tasks.collect(), waits.collect());
        let unasked = snapshot.unasked.iter();
        let unasked = unasked.filter_map(|(direction, since)| {
            Some((*direction, (*snapshot.seen.get(direction)?, *since)))
        });
        Earlier { tasks, waits, unasked: unasked.collect(), turns: snapshot.turns.clone() }
    }

    /// Since when each task of this look is as it is, by the counter.
    ///
    /// A task that runs at each look, and whose thread has not looked for another one, computes or blocks, and those that
    /// are to be polled wait for it. Without one they may have been polled in between.
    pub fn since_of_all(&self, look: &Look, now: u64) -> Vec<u64> {
        let waits = by_task(&look.tasks.waiters);
        let tasks = &look.tasks.tasks;
        let since = |named: &Named| self.since(&named.task, &waits);
        let held = |named: &Named| {
            let may_be = named.task.kind == TaskKind::Spawned && is_running(named);
            let since = may_be.then(|| since(named)).flatten();
            since.filter(|_| self.may_go_on(named.executor, &look.turns))
        };
        // What a thread runs, it runs in its `block_on`, which began before. What `run` was given is in no list while it
        // is polled: where one thread alone is at work, and has not looked for a task, it is that.
        let at_work = |named: &&Named| named.task.kind == TaskKind::BlockOn && is_running(named);
        let at_work: Vec<&Named> = tasks.iter().filter(at_work).collect();
        let alone = match at_work[..] {
            [only] if self.is_any_stuck(&look.turns) => since(only),
            _ => None,
        };
        let oldest = tasks.iter().filter_map(held).min().or(alone);
        let of = |named: &Named| match (named.task.state, named.task.kind) {
            (TaskState::Running { .. }, TaskKind::BlockOn) => {
                oldest.unwrap_or(now).saturating_sub(1)
            }
            (TaskState::Running { .. }, _) => held(named).unwrap_or(now),
            (TaskState::Scheduled, _) => oldest.and_then(|_| since(named)).unwrap_or(now),
            _ => since(named).unwrap_or(now),
        };
        tasks.iter().map(of).collect()
    }

    /// `None`: it has changed, or was not there.
    fn since(&self, task: &Task, now: &Waits) -> Option<u64> {
        let (then, waits, since) = self.tasks.get(&task.waker)?;
        let is_same = then.state == task.state
            && then.wakers == task.wakers
            && then.id == task.id
            && now.get(&task.id).map_or(waits.is_empty(), |now| now == waits);
        is_same.then_some(*since)
    }

    /// Whether a poll of a task of this executor may have gone on since then.
    fn may_go_on(&self, executor: Option<u64>, now: &HashMap<u64, Turns>) -> bool {
        let both = executor.and_then(|state| Some((now.get(&state)?, self.turns.get(&state)?)));
        both.and_then(|(now, then)| now.are_stuck(then)).unwrap_or(true)
    }

    /// Whether a thread of any executor is known to have been in one poll since then.
    fn is_any_stuck(&self, now: &HashMap<u64, Turns>) -> bool {
        let both = now.iter().filter_map(|(state, now)| Some((now, self.turns.get(state)?)));
        both.filter_map(|(now, then)| now.are_stuck(then)).any(|is_stuck| is_stuck)
    }

    /// Since when nobody has asked for what the direction has seen.
    pub fn since_unasked(&self, direction: (Key, Direction), seen: Seen) -> Option<u64> {
        let (then, since) = self.unasked.get(&direction)?;
        (*then == seen).then_some(*since)
    }

    /// Since when somebody waits.
    pub fn since_waits(&self, waiter: &Waiter) -> Option<u64> {
        self.waits.get(&wait(waiter)).copied()
    }
}

fn is_running(named: &Named) -> bool {
    matches!(named.task.state, TaskState::Running { .. })
}

/// Without what cannot be read.
fn whole<T, E>(entries: impl Iterator<Item = Result<Entry<T>, E>>) -> impl Iterator<Item = T> {
    entries.filter_map(|entry| match entry {
        Ok(Entry::Whole(whole)) => Some(whole),
        Ok(Entry::Torn) | Err(_) => None,
    })
}
