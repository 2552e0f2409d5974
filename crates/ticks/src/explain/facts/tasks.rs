//! What the records say of the tasks that live: how often each was polled and woken and by whom, how long its polls
//! took without those of tasks that were polled in them, and who waited meanwhile.

use std::collections::HashMap;

use ticks_format::records::{TaskPollEnd, TaskWake};
use ticks_format::{Record, Verdict, WokenBy};

/// From here on a poll is long: others notice.
pub const LONG_NS: u64 = 100_000_000;

/// How many stacks of earlier polls are kept.
const STACKS_MAX: usize = 4;

/// Who waited during a long poll: how many are kept.
const WAITED_MAX: usize = 8;

/// The tasks that live, and those of each place where tasks were spawned.
#[derive(Default)]
pub struct Tasks {
    /// By number.
    pub all: HashMap<u64, Facts>,
    /// By the stack of the place: how many were spawned there, and how many of them ended.
    pub spawned: HashMap<u64, Spawned>,
    /// By thread: what it polls, the innermost last.
    running: HashMap<u64, Vec<Poll>>,
}

/// How many tasks a place spawned.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spawned {
    /// How many.
    pub begun: u64,
    /// How many of them ended.
    pub ended: u64,
}

/// A poll under way.
struct Poll {
    task: u64,
    began_ns: u64,
    /// How long tasks were polled in it.
    inner_ns: u64,
}

/// What is known of a task.
#[derive(Default)]
pub struct Facts {
    /// The stack of the place where it was spawned.
    spawned: u64,
    /// When its first and its last poll began.
    pub first_ns: Option<u64>,
    /// The last.
    pub last_ns: u64,
    /// How many polls ended.
    pub polls: u64,
    /// How long they took.
    pub ran_ns: u64,
    /// How often it was woken.
    pub wakes: u64,
    /// How often of that in its own poll.
    pub self_wakes: u64,
    /// By which calls it woke itself last.
    pub self_wake_stack: u64,
    /// By which calls it asked last to be woken, and before, the latest first, each once.
    pub stacks: Vec<u64>,
    /// The longest poll, if it was long.
    pub longest: Option<LongPoll>,
    /// How many polls were long.
    pub long_polls: u64,
    /// When it was woken, if it has not been polled since.
    woken_ns: Option<u64>,
    /// Answers of sources that were asked in its polls: Ready, and all.
    pub ready: u64,
    /// All of them.
    pub asked: u64,
}

/// A poll that took long.
#[derive(Clone, Debug)]
pub struct LongPoll {
    /// How long, without the tasks that were polled in it.
    pub ns: u64,
    /// When it ended.
    pub end_ns: u64,
    /// Its thread.
    pub thread: u64,
    /// By which calls the task had asked before it: from there it went on.
    pub from: u64,
    /// By which calls it asked last in it.
    pub to: u64,
    /// Tasks that were woken and not polled meanwhile, and how long; the longest first.
    pub waited: Vec<(u64, u64)>,
    /// How many they were.
    pub waited_count: u64,
}

impl Tasks {
    /// Takes in the next record, which that thread made.
    pub fn add(&mut self, record: &Record, at_ns: u64, thread: u64) {
        match record {
            Record::TaskSpawn(spawn) => {
                self.spawned.entry(spawn.stack).or_default().begun += 1;
                let facts = self.all.entry(spawn.task).or_default();
                (facts.spawned, facts.woken_ns) = (spawn.stack, Some(at_ns));
            }
            Record::TaskPollBegin(poll) => {
                let running = self.running.entry(thread).or_default();
                // A poll whose end was lost is over by now, if its task is polled anew.
                running.retain(|poll_before| poll_before.task != poll.task);
                running.push(Poll { task: poll.task, began_ns: at_ns, inner_ns: 0 });
                let facts = self.all.entry(poll.task).or_default();
                facts.first_ns.get_or_insert(at_ns);
                (facts.last_ns, facts.woken_ns) = (at_ns, None);
            }
            Record::TaskPollEnd(end) => self.poll_end(end, at_ns, thread),
            Record::TaskWake(wake) => self.wake(wake, at_ns),
            Record::PollEnd(end) => {
                let task = self.running.get(&thread).and_then(|polls| polls.last());
                if let Some(task) = task.map(|poll| poll.task) {
                    let facts = self.all.entry(task).or_default();
                    facts.asked += 1;
                    facts.ready += u64::from(end.result == Verdict::Ready);
                }
            }
            Record::TaskDone(task) => self.end(task.task),
            Record::TaskCancelled(task) => self.end(task.task),
            Record::TaskPanicked(task) => self.end(task.task),
            _ => {}
        }
    }

    /// By which calls the task asked last to be woken; 0: by none that are known.
    pub fn last_stack(&self, task: u64) -> u64 {
        let facts = self.all.get(&task);
        facts.and_then(|facts| facts.stacks.first()).copied().unwrap_or(0)
    }

    fn wake(&mut self, wake: &TaskWake, at_ns: u64) {
        // One that has ended may be woken, and is not to come back by that.
        let facts = match wake.first {
            true => self.all.entry(wake.task).or_default(),
            false => match self.all.get_mut(&wake.task) {
                Some(facts) => facts,
                None => return,
            },
        };
        facts.wakes += 1;
        if wake.first {
            facts.woken_ns.get_or_insert(at_ns);
        }
        if wake.by == WokenBy::Itself {
            facts.self_wakes += 1;
            facts.self_wake_stack = wake.stack;
        }
    }

    fn poll_end(&mut self, end: &TaskPollEnd, at_ns: u64, thread: u64) {
        let running = self.running.entry(thread).or_default();
        let at = running.iter().rposition(|poll| poll.task == end.task);
        let poll = at.map(|at| running.remove(at));
        if let Some(outer) = running.last_mut() {
            outer.inner_ns = outer.inner_ns.saturating_add(end.duration_ns);
        }
        let inner_ns = poll.as_ref().map_or(0, |poll| poll.inner_ns);
        let own_ns = end.duration_ns.saturating_sub(inner_ns);
        // One that polls others runs an executor. Of a poll whose beginning was overwritten nobody knows that.
        let is_long = own_ns >= LONG_NS && poll.is_some() && inner_ns == 0;
        let waited = match is_long {
            true => self.waited(end.task, at_ns.saturating_sub(end.duration_ns), at_ns),
            false => Vec::new(),
        };
        let facts = self.all.entry(end.task).or_default();
        facts.polls += 1;
        facts.ran_ns = facts.ran_ns.saturating_add(own_ns);
        let from = facts.stacks.first().copied().unwrap_or(0);
        if end.stack != 0 {
            facts.stacks.retain(|stack| *stack != end.stack);
            facts.stacks.insert(0, end.stack);
            facts.stacks.truncate(STACKS_MAX);
        }
        if is_long {
            facts.long_polls += 1;
            if facts.longest.as_ref().is_none_or(|known| known.ns < own_ns) {
                let waited_count = waited.len() as u64;
                let waited = waited.into_iter().take(WAITED_MAX).collect();
                let (ns, end_ns, to) = (own_ns, at_ns, end.stack);
                facts.longest =
                    Some(LongPoll { ns, end_ns, thread, from, to, waited, waited_count });
            }
        }
    }

    /// Who is woken and not polled, and for how long of this poll.
    fn waited(&self, task: u64, began_ns: u64, at_ns: u64) -> Vec<(u64, u64)> {
        let is_polled = |id: &u64| {
            self.running.values().flatten().any(|poll| poll.task == *id && poll.began_ns <= at_ns)
        };
        let others = self.all.iter().filter(|(id, _)| **id != task && !is_polled(id));
        let mut waited: Vec<(u64, u64)> = others
            .filter_map(|(id, facts)| {
                Some((*id, at_ns.saturating_sub(facts.woken_ns?.max(began_ns))))
            })
            .collect();
        waited.sort_by_key(|(id, ns)| (std::cmp::Reverse(*ns), *id));
        waited
    }

    fn end(&mut self, task: u64) {
        if let Some(facts) = self.all.remove(&task) {
            if let Some(spawned) = self.spawned.get_mut(&facts.spawned) {
                spawned.ended += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ticks_format::records::{TaskPollBegin, TaskSpawn};
    use ticks_format::TaskKind;

    use super::*;

    fn spawn(task: u64) -> Record {
        let (kind, stack) = (TaskKind::Spawned, 7);
        TaskSpawn { task, kind, waker: task, parent: 0, name: 0, stack }.into()
    }

    fn end(task: u64, duration_ns: u64) -> Record {
        TaskPollEnd { task, result: Verdict::Pending, duration_ns, stack: 9 }.into()
    }

    #[test]
    fn what_was_polled_in_a_poll_does_not_make_it_long() {
        let mut tasks = Tasks::default();
        for task in [1, 2, 3] {
            tasks.add(&spawn(task), 1, 4711);
        }
        tasks.add(&TaskPollBegin { task: 1 }.into(), 10, 4711);
        tasks.add(&TaskPollBegin { task: 2 }.into(), 20, 4711);
        tasks.add(&end(2, 2 * LONG_NS), 20 + 2 * LONG_NS, 4711);
        tasks.add(&end(1, 2 * LONG_NS + 20), 30 + 2 * LONG_NS, 4711);
        assert!(tasks.all[&1].longest.is_none());
        let longest = tasks.all[&2].longest.as_ref().expect("it was long");
        assert_eq!(longest.ns, 2 * LONG_NS);
        // The one that ran it was polled meanwhile, the third was not.
        assert_eq!(longest.waited, [(3, 2 * LONG_NS)]);
    }
}
