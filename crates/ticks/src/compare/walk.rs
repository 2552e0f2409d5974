//! One recording, read in a stream: the polls of its sources and tasks and the ends of its timers, in the order of
//! time, and their sums.

use std::collections::HashMap;

use ticks_format::records::{
    PollBegin, PollEnd, SourceWaker, TaskPollBegin, TaskPollEnd, TaskSpawn, TimerInsert, Wake,
};
use ticks_format::{
    Address, Direction, Key, Record, Source, SourceKind, Stamped, Ticks, Verdict, WakerChange,
    What, WokenBy,
};

use super::counts::{Classes, Counts};
use super::poll::{Grounds, Poll};
use super::role::{Class, Listeners, Part, Who};
use crate::input::Input;
use crate::merge::{Merge, Moment};
use crate::task_names::TaskNames;

/// What a recording tells next.
pub enum Step {
    /// A poll came to its end.
    Poll(Who, Poll),
    /// A timer did.
    Timer(Who, Poll),
    /// A source or a task is gone; of a source both directions.
    End(Vec<Who>),
}

/// One recording as it is read.
pub struct Walk<'a> {
    input: &'a Input,
    merge: Merge<'a>,
    begin_ns: Option<u64>,
    listeners: Listeners,
    /// As the table of sources has them, for those whose registration was overwritten.
    table: HashMap<Key, Source>,
    sources: HashMap<Key, SourceState>,
    names: TaskNames,
    tasks: HashMap<u64, TaskState>,
    timers: HashMap<u64, TimerState>,
    /// How many were armed outside of any task's poll.
    timers_of_none: u64,
    threads: HashMap<u64, ThreadState>,
    /// The sums.
    pub classes: Classes,
}

struct SourceState {
    class: Class,
    number: u64,
    /// Waits that came to their end, by direction.
    ended: [u64; 2],
    waiting: HashMap<(Direction, u64), Waiting>,
}

#[derive(Default)]
struct Waiting {
    /// When the first poll said Pending.
    began_ns: Option<u64>,
    polls: u64,
}

struct TaskState {
    who: Who,
    polls: u64,
    /// What woke it since its last poll began: a wake in the midst of a poll causes the next one.
    woken: Option<WokenBy>,
    /// What caused the poll that it is in.
    caused: Option<WokenBy>,
    /// How many timers it has armed.
    timers: u64,
}

/// A timer that is armed.
struct TimerState {
    who: Who,
    in_ns: u64,
    stack: u64,
}

/// What a thread is in the midst of.
#[derive(Default)]
struct ThreadState {
    /// The polls of tasks, and when they began; the innermost is the last.
    polls: Vec<(u64, u64)>,
    /// The timers that the innermost has armed.
    armed: Vec<u64>,
    /// When a source was asked, and what its waiter held.
    asked: Option<(Key, Direction, u64, Option<Ticks>)>,
}

impl<'a> Walk<'a> {
    /// From the first record on.
    pub fn new(input: &'a Input) -> anyhow::Result<Walk<'a>> {
        Ok(Walk {
            input,
            merge: Merge::new(std::slice::from_ref(input))?,
            begin_ns: None,
            listeners: Listeners::default(),
            table: input.sources()?,
            sources: HashMap::new(),
            names: TaskNames::of(input)?,
            tasks: HashMap::new(),
            timers: HashMap::new(),
            timers_of_none: 0,
            threads: HashMap::new(),
            classes: Classes::new(),
        })
    }

    /// How many slots there are to be read at most.
    pub fn slots(&self) -> u64 {
        self.merge.slots()
    }

    /// The next record, and what it tells, if anything. `None` when all are read.
    pub fn advance(&mut self) -> anyhow::Result<Option<Option<Step>>> {
        let Some(Moment { utc_ns, stamped, .. }) = self.merge.advance()? else { return Ok(None) };
        self.begin_ns.get_or_insert(utc_ns);
        let Stamped { what: What::Record(record), thread, .. } = stamped else {
            return Ok(Some(None));
        };
        let thread = thread.map_or(0, |thread| thread.tid);
        Ok(Some(self.learn(utc_ns, thread, &record)?))
    }

    /// Says on stderr what could not be read. Returns whether anything is damaged, and whether anything is
    /// missing.
    pub fn report(&self) -> [bool; 2] {
        let damaged = self.merge.report_losses() | self.input.report_problems();
        let lost = self.merge.losses().any(|(.., loss)| loss.overwritten > 0);
        [damaged, damaged | lost]
    }

    /// Counts the waits that go on, at the end.
    pub fn finish(&mut self) {
        for source in self.sources.values() {
            let open = source.waiting.values().filter(|wait| wait.began_ns.is_some()).count();
            self.classes.entry(source.class.clone()).or_default().open += open as u64;
        }
    }

    fn learn(&mut self, utc_ns: u64, thread: u64, record: &Record) -> anyhow::Result<Option<Step>> {
        match record {
            Record::SourceNew(new) => {
                self.see_source(new.key, new.kind, &new.local, &new.peer);
            }
            Record::SourceDrop(gone) => {
                self.source(gone.key);
                return Ok(self.drop_source(gone.key));
            }
            Record::PollBegin(poll) => self.asked(utc_ns, thread, poll),
            Record::PollEnd(poll) => return Ok(Some(self.answered(utc_ns, thread, poll))),
            Record::SourceWaker(change) => self.waker(utc_ns, change),
            Record::Wake(wake) => self.wake(wake),
            Record::TaskSpawn(spawn) => self.spawn(spawn)?,
            Record::TaskPollBegin(TaskPollBegin { task }) => {
                let state = self.task(*task);
                state.caused = state.woken.take();
                let state = self.threads.entry(thread).or_default();
                state.polls.push((*task, utc_ns));
                state.armed.clear();
            }
            Record::TimerInsert(timer) => self.arm(thread, timer),
            Record::TimerFire(timer) => {
                return Ok(self.timer_ended(utc_ns, timer.id, Some(timer.late_ns)));
            }
            Record::TimerRemove(timer) => return Ok(self.timer_ended(utc_ns, timer.id, None)),
            Record::TaskPollEnd(poll) => return Ok(Some(self.task_polled(utc_ns, thread, poll))),
            Record::TaskWake(wake) => {
                let state = self.task(wake.task);
                if wake.first {
                    state.woken = Some(wake.by);
                }
                let class = state.who.class.clone();
                *self.counts(class).wakes.entry(wake.by.name()).or_default() += 1;
            }
            Record::TaskDone(end) => return Ok(self.drop_task(end.task)),
            Record::TaskCancelled(end) => return Ok(self.drop_task(end.task)),
            Record::TaskPanicked(end) => return Ok(self.drop_task(end.task)),
            _ => {}
        }
        Ok(None)
    }

    fn counts(&mut self, class: Class) -> &mut Counts {
        self.classes.entry(class).or_default()
    }

    fn since_begin(&self, utc_ns: u64) -> u64 {
        utc_ns.saturating_sub(self.begin_ns.unwrap_or(utc_ns))
    }

    fn see_source(&mut self, key: Key, kind: SourceKind, local: &Address, peer: &Address) {
        let class = self.listeners.class(kind, local, peer);
        let counts = self.classes.entry(class.clone()).or_default();
        counts.members += 1;
        let (number, ended, waiting) = (counts.members, [0; 2], HashMap::new());
        self.sources.insert(key, SourceState { class, number, ended, waiting });
    }

    /// The source, which is counted when it is first seen.
    fn source(&mut self, key: Key) -> &mut SourceState {
        if !self.sources.contains_key(&key) {
            match self.table.get(&key).cloned() {
                Some(source) => self.see_source(key, source.kind, &source.local, &source.peer),
                None => self.see_source(key, SourceKind::Other, &Address::None, &Address::None),
            }
        }
        self.sources.get_mut(&key).expect("it is there now")
    }

    fn drop_source(&mut self, key: Key) -> Option<Step> {
        let SourceState { class, number, .. } = self.sources.remove(&key)?;
        let who = |dir| Who { class: class.clone(), number, part: Part::Half(dir) };
        Some(Step::End(Direction::ALL.iter().copied().map(who).collect()))
    }

    fn asked(&mut self, utc_ns: u64, thread: u64, poll: &PollBegin) {
        let asked = (poll.key, poll.dir, utc_ns, poll.ticks);
        self.threads.entry(thread).or_default().asked = Some(asked);
    }

    fn answered(&mut self, utc_ns: u64, thread: u64, end: &PollEnd) -> Step {
        let state = self.threads.entry(thread).or_default();
        let asked = state.asked.take();
        let asked = asked.filter(|(key, dir, ..)| (*key, *dir) == (end.key, end.dir));
        let poll = state.polls.last();
        let into_task_ns = poll.map(|(_, began_ns)| utc_ns.saturating_sub(*began_ns));
        let took_ns = asked.map(|(.., began_ns, _)| utc_ns.saturating_sub(began_ns));
        let ticks = asked.and_then(|(.., ticks)| ticks);
        let at_ns = self.since_begin(utc_ns);

        let source = self.source(end.key);
        let ended = &mut source.ended[usize::from(end.dir.code())];
        let waiting = source.waiting.entry((end.dir, end.waiter)).or_default();
        waiting.polls += 1;
        let (wait, nth) = (*ended + 1, waiting.polls);
        let mut waited_ns = None;
        if end.result == Verdict::Pending {
            waiting.began_ns.get_or_insert(utc_ns);
        } else {
            waited_ns = waiting.began_ns.map(|began_ns| utc_ns.saturating_sub(began_ns));
            source.waiting.remove(&(end.dir, end.waiter));
            *ended += 1;
        }
        let who =
            Who { class: source.class.clone(), number: source.number, part: Part::Half(end.dir) };
        let counts = self.counts(who.class.clone());
        counts.polled += 1;
        took_ns.into_iter().for_each(|ns| counts.polls.add(ns));
        waited_ns.into_iter().for_each(|ns| counts.waits.add(ns));
        let grounds = Grounds::Source { reason: end.reason, round: end.tick, ticks, into_task_ns };
        Step::Poll(who, Poll { at_ns, took_ns, wait, nth, result: end.result, grounds })
    }

    /// A waiter that goes ends its wait. If it had been woken, the wait has taken so long.
    fn waker(&mut self, utc_ns: u64, change: &SourceWaker) {
        if change.change != WakerChange::Dropped {
            return;
        }
        let source = self.source(change.key);
        let Some(waiting) = source.waiting.remove(&(change.dir, change.waiter)) else { return };
        source.ended[usize::from(change.dir.code())] += 1;
        if let Some(began_ns) = waiting.began_ns.filter(|_| change.task == 0) {
            let class = source.class.clone();
            self.counts(class).waits.add(utc_ns.saturating_sub(began_ns));
        }
    }

    fn wake(&mut self, wake: &Wake) {
        *self.counts(Class::Wakers).wakes.entry(wake.by.name()).or_default() += 1;
    }

    fn spawn(&mut self, spawn: &TaskSpawn) -> anyhow::Result<()> {
        self.names.learn(self.input, spawn)?;
        self.task(spawn.task);
        Ok(())
    }

    /// The task, which is counted when it is first seen.
    fn task(&mut self, id: u64) -> &mut TaskState {
        if !self.tasks.contains_key(&id) {
            let name = self.names.name(id).unwrap_or("(names are overwritten)").to_owned();
            let class = Class::Tasks(name);
            let counts = self.classes.entry(class.clone()).or_default();
            counts.members += 1;
            let who = Who { class, number: counts.members, part: Part::Whole };
            let (woken, caused) = (None, None);
            self.tasks.insert(id, TaskState { who, polls: 0, woken, caused, timers: 0 });
        }
        self.tasks.get_mut(&id).expect("it is there now")
    }

    /// A poll within it whose end is missing is over too.
    fn leave_poll(&mut self, thread: u64, end: &TaskPollEnd) {
        let state = self.threads.entry(thread).or_default();
        let begun = state.polls.iter().rposition(|(task, _)| *task == end.task);
        state.polls.truncate(begun.unwrap_or(0));
        for timer in state.armed.drain(..) {
            if let Some(timer) = self.timers.get_mut(&timer) {
                timer.stack = end.stack;
            }
        }
    }

    fn arm(&mut self, thread: u64, timer: &TimerInsert) {
        let state = self.threads.entry(thread).or_default();
        let task = state.polls.last().map(|(task, _)| *task);
        if task.is_some() {
            state.armed.push(timer.id);
        }
        let who = match task.map(|task| self.task(task)) {
            Some(TaskState {
                who: Who { class: Class::Tasks(name), number, .. }, timers, ..
            }) => {
                *timers += 1;
                let (name, number, part) = (name.clone(), *number, Part::Timer(*timers));
                Who { class: Class::Timers(Some(name)), number, part }
            }
            _ => {
                self.timers_of_none += 1;
                let part = Part::Timer(self.timers_of_none);
                Who { class: Class::Timers(None), number: 0, part }
            }
        };
        self.counts(who.class.clone()).asked.add(timer.in_ns);
        self.timers.insert(timer.id, TimerState { who, in_ns: timer.in_ns, stack: 0 });
    }

    /// A timer that was armed before the recording's first record is not told: it cannot be matched.
    fn timer_ended(&mut self, utc_ns: u64, id: u64, late_ns: Option<u64>) -> Option<Step> {
        let TimerState { who, in_ns, stack } = self.timers.remove(&id)?;
        let counts = self.counts(who.class.clone());
        match late_ns {
            Some(late_ns) => counts.late.add(late_ns),
            None => counts.disarmed += 1,
        }
        let result = if late_ns.is_some() { Verdict::Ready } else { Verdict::Pending };
        let (at_ns, grounds) = (self.since_begin(utc_ns), Grounds::Timer { in_ns, late_ns, stack });
        let poll = Poll { at_ns, took_ns: None, wait: 1, nth: 1, result, grounds };
        Some(Step::Timer(who, poll))
    }

    fn task_polled(&mut self, utc_ns: u64, thread: u64, end: &TaskPollEnd) -> Step {
        self.leave_poll(thread, end);
        let at_ns = self.since_begin(utc_ns);
        let task = self.task(end.task);
        task.polls += 1;
        let (who, nth, woken) = (task.who.clone(), task.polls, task.caused.take());
        let counts = self.counts(who.class.clone());
        counts.polled += 1;
        counts.polls.add(end.duration_ns);
        let grounds = Grounds::Task { woken, stack: end.stack };
        let took_ns = Some(end.duration_ns);
        Step::Poll(who, Poll { at_ns, took_ns, wait: 1, nth, result: end.result, grounds })
    }

    fn drop_task(&mut self, id: u64) -> Option<Step> {
        self.task(id);
        let task = self.tasks.remove(&id)?;
        Some(Step::End(vec![task.who]))
    }
}
