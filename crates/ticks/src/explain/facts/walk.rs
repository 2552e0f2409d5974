//! One walk through the records of a process. What it keeps is bounded by what lives, not by how many records there
//! are.

use std::collections::{HashMap, HashSet};

use ticks_format::{Direction, Key, Op, Record, What, WokenBy};

use super::delays::Delays;
use super::directions::Directions;
use super::sources::Sources;
use super::tasks::Tasks;
use super::threads::Threads;
use super::timers::Timers;
use super::wakers::Wakers;
use crate::merge::Moment;

/// How many refusals of the poller are kept in full.
const REFUSALS_MAX: usize = 64;

/// Of how many sources that are gone the events are counted.
const STALE_MAX: usize = 1 << 12;

/// How many directions that a task asks in one poll are kept.
const ASKED_MAX: usize = 8;

/// What the records say.
#[derive(Default)]
pub struct Walk {
    /// When its reading began: what has come since is not in it. 0: nothing was read.
    pub read_ns: u64,
    /// Of each source that lives, and direction.
    pub directions: Directions,
    /// Where sources were made.
    pub sources: Sources,
    /// Of the tasks that live.
    pub tasks: Tasks,
    /// Of the threads.
    pub threads: Threads,
    /// Of the timers that are armed, and how late they fire.
    pub timers: Timers,
    /// How long woken tasks wait to be polled.
    pub delays: Delays,
    /// How long the reactor was inside wakers.
    pub wakers: Wakers,
    /// What the poller's kernel refused.
    pub refusals: Vec<Refusal>,
    /// Events that came for sources which were gone.
    pub stale: HashMap<Key, Stale>,
    /// Whether older records were overwritten, or some cannot be read.
    pub is_partial: bool,
    /// By thread: the tasks that it polls, the innermost last.
    running: HashMap<u64, Vec<u64>>,
    /// Of the tasks that are polled.
    polls: HashMap<u64, Poll>,
    /// Tasks that were woken by a timer, and are not polled yet.
    woken_by_timer: HashSet<u64>,
}

/// What a task does in a poll.
#[derive(Default)]
struct Poll {
    by_timer: bool,
    set_timer: bool,
    asked: Vec<(Key, Direction)>,
}

/// The events that came for a source that was gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale {
    /// How many.
    pub count: u64,
    /// When the first came.
    pub first_ns: u64,
    /// When the last came.
    pub last_ns: u64,
}

/// A change of what is watched that the kernel refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// When.
    pub utc_ns: u64,
    /// The operation.
    pub op: Op,
    /// The descriptor.
    pub fd: i64,
    /// The error's number.
    pub errno: i32,
}

impl Walk {
    /// Takes in the next record.
    pub fn add(&mut self, moment: &Moment) {
        self.threads.add(moment);
        let What::Record(record) = &moment.stamped.what else { return };
        let (at_ns, thread) = (moment.utc_ns, moment.stamped.thread.as_ref());
        let tid = thread.map_or(0, |thread| thread.tid);
        match record {
            Record::TaskPollBegin(begin) => {
                let running = self.running.entry(tid).or_default();
                // A poll whose end was lost is over by now, if its task is polled anew.
                running.retain(|task| *task != begin.task);
                running.push(begin.task);
                let by_timer = self.woken_by_timer.remove(&begin.task);
                self.polls.insert(begin.task, Poll { by_timer, ..Poll::default() });
            }
            Record::TaskPollEnd(end) => {
                let running = self.running.entry(tid).or_default();
                running.retain(|task| *task != end.task);
                self.directions.poll_of_task_ends(end);
                if let Some(poll) = self.polls.remove(&end.task) {
                    if poll.by_timer && poll.set_timer {
                        self.directions.restarts(&poll.asked, end, at_ns);
                    }
                }
            }
            Record::TaskWake(wake) if wake.first => match wake.by {
                WokenBy::Timer => drop(self.woken_by_timer.insert(wake.task)),
                _ => drop(self.woken_by_timer.remove(&wake.task)),
            },
            Record::CtlEnd(end) if end.res < 0 && self.refusals.len() < REFUSALS_MAX => {
                let errno = i32::try_from(-end.res).unwrap_or(0);
                self.refusals.push(Refusal { utc_ns: at_ns, op: end.op, fd: end.fd, errno });
            }
            Record::ReactStale(stale) => self.stale(stale.key, at_ns),
            _ => {}
        }
        let task = self.running.get(&tid).and_then(|tasks| tasks.last()).copied();
        if let Some(poll) = task.and_then(|task| self.polls.get_mut(&task)) {
            match record {
                Record::TimerInsert(_) => poll.set_timer = true,
                Record::PollEnd(end) if poll.asked.len() < ASKED_MAX => {
                    poll.asked.push((end.key, end.dir));
                }
                _ => {}
            }
        }
        self.directions.add(record, at_ns, task, moment.upstream);
        self.timers.add(record, at_ns);
        let asked = match record {
            Record::TaskPollEnd(end) => self.tasks.last_stack(end.task),
            _ => 0,
        };
        self.sources.add(record, task, asked);
        self.tasks.add(record, at_ns, tid);
        self.delays.add(record, at_ns);
        self.wakers.add(record, at_ns, tid);
    }

    fn stale(&mut self, key: Key, at_ns: u64) {
        if let Some(stale) = self.stale.get_mut(&key) {
            (stale.count, stale.last_ns) = (stale.count + 1, at_ns);
        } else if self.stale.len() < STALE_MAX {
            self.stale.insert(key, Stale { count: 1, first_ns: at_ns, last_ns: at_ns });
        }
    }
}
