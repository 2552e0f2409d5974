//! Takes in the records of tasks' lives.

use std::collections::{BTreeSet, HashMap};

use anyhow::Context;
use ticks_format::records::{TaskPollEnd, TaskSpawn, TaskWake};
use ticks_format::{Entry, Kind, Record, Task, Verdict, WokenBy};

use super::builder::Builder;
use super::{Asked, Known, RecordId, SliceId, TaskId, Track};
use crate::input::Input;
use crate::symbols::{Book, Options};
use crate::task_names;

/// The tasks that the files' tables have, and what their records say that is needed later.
#[derive(Default)]
pub struct Recorded {
    /// By the task's number.
    tables: HashMap<(usize, u64), Task>,
    /// The last wake of a waker on each thread, which the record of the task's wake is about.
    wakes: HashMap<(usize, u64), (u64, SliceId, RecordId)>,
    stacks: BTreeSet<(usize, u64)>,
    /// Names of tasks, places in the strings, that are to be read.
    names: Vec<(TaskId, usize, u64)>,
}

impl Recorded {
    /// Knows the tables.
    pub fn new(inputs: &[Input]) -> anyhow::Result<Recorded> {
        let mut recorded = Recorded::default();
        for (input, file) in inputs.iter().enumerate() {
            for entry in file.recording.tasks() {
                if let Entry::Whole(task) = entry.with_context(|| file.place())? {
                    recorded.tables.insert((input, task.id), task);
                }
            }
        }
        Ok(recorded)
    }

    /// A waker was woken on the thread.
    pub fn woken(&mut self, place: (usize, u64), waker: u64, slice: SliceId, record: RecordId) {
        self.wakes.insert(place, (waker, slice, record));
    }
}

impl Builder {
    /// The task of this number.
    fn recorded_task(&mut self, input: usize, id: u64) -> TaskId {
        if let Some(task) = self.timeline.by_number.get(&(input, id)) {
            return *task;
        }
        let table = self.recorded.tables.get(&(input, id));
        let (waker, name) = table.map_or((0, None), |it| (it.waker, Some((it.name, it.kind))));
        let task = self.tasks.recorded(&mut self.timeline, input, waker);
        self.timeline.by_number.insert((input, id), task);
        self.timeline
            .known
            .insert(task, Known { id, name: String::new(), kind: name.map(|it| it.1) });
        if let Some((name, _)) = name {
            self.recorded.names.push((task, input, name));
        }
        task
    }

    /// A stack that is to be named.
    fn see_stack(&mut self, input: usize, stack: u64) {
        if stack != 0 {
            self.recorded.stacks.insert((input, stack));
        }
    }

    /// Takes in a record of a task's life. Returns whether it was one.
    pub(super) fn life(&mut self, place: (usize, u64), record: &Record, at: u64) -> bool {
        let input = place.0;
        match record {
            Record::TaskSpawn(spawn) => self.task_spawns(place, spawn, record, at),
            Record::TaskPollBegin(poll) => {
                let task = self.recorded_task(input, poll.task);
                let track = self.timeline.id(Track::Thread { input, tid: place.1 });
                let slice = self.begin(track, at, record, Kind::TaskPollEnd);
                self.timeline.slice_mut(slice).task = Some(task);
                let begin = self.last_record();
                self.tasks.lives.poll_begins(&mut self.timeline, task, begin, at);
            }
            Record::TaskPollEnd(poll) => self.task_poll_ends(place, poll, record, at),
            Record::TaskWait(wait) => {
                let task = self.recorded_task(input, wait.task);
                self.see_stack(input, wait.stack);
                self.tasks.lives.asks(task, None);
            }
            Record::TaskWake(wake) => self.task_wakes(place, wake, record, at),
            Record::TaskForgotten(forgotten) => {
                let task = self.recorded_task(input, forgotten.task);
                self.see_stack(input, forgotten.stack);
                let record = self.timeline.keep(record);
                self.tasks.lives.forgotten(&mut self.timeline, task, record, at);
            }
            Record::TaskDone(end) => self.task_ends(input, end.task, record, at),
            Record::TaskCancelled(end) => self.task_ends(input, end.task, record, at),
            Record::TaskPanicked(end) => self.task_ends(input, end.task, record, at),
            _ => return false,
        }
        true
    }

    fn task_spawns(
        &mut self,
        (input, tid): (usize, u64),
        spawn: &TaskSpawn,
        record: &Record,
        at: u64,
    ) {
        let task = self.recorded_task(input, spawn.task);
        self.tasks.has_waker(&mut self.timeline, task, spawn.waker);
        if let Some(known) = self.timeline.known.get_mut(&task) {
            known.kind = Some(spawn.kind);
        }
        self.recorded.names.push((task, input, spawn.name));
        self.see_stack(input, spawn.stack);
        let slice = self.point(Track::Thread { input, tid }, at, record, Some(task));
        let record = self.last_record();
        self.tasks.lives.scheduled(&mut self.timeline, task, slice, record, at);
    }

    fn task_poll_ends(
        &mut self,
        (input, tid): (usize, u64),
        poll: &TaskPollEnd,
        record: &Record,
        at: u64,
    ) {
        let task = self.recorded_task(input, poll.task);
        self.see_stack(input, poll.stack);
        let track = self.timeline.id(Track::Thread { input, tid });
        let ended = self.end(track, at, record);
        let end = ended.unwrap_or_else(|| self.timeline.keep(record));
        let waits = (poll.result == Verdict::Pending).then_some(poll.stack);
        self.tasks.lives.poll_ends(&mut self.timeline, task, end, waits, at);
    }

    fn task_wakes(&mut self, place: (usize, u64), wake: &TaskWake, record: &Record, at: u64) {
        let (input, tid) = place;
        let task = self.recorded_task(input, wake.task);
        self.see_stack(input, wake.stack);
        let waker = self.timeline.tasks[task.0 as usize];
        // The reactor has recorded the wake of the waker.
        let is_reactor = matches!(wake.by, WokenBy::Source | WokenBy::Timer | WokenBy::Reactor);
        let last = self.recorded.wakes.remove(&place);
        let by_reactor = last.filter(|(woken, ..)| is_reactor && *woken == waker);
        let (slice, record) = match by_reactor {
            Some((_, slice, record)) => (slice, record),
            None => {
                let slice = self.point(Track::Thread { input, tid }, at, record, Some(task));
                (slice, self.last_record())
            }
        };
        if wake.first {
            self.tasks.lives.scheduled(&mut self.timeline, task, slice, record, at);
        }
    }

    /// The task that this thread polls, if it polls one, asked the reactor for this.
    pub(super) fn asks_reactor(&mut self, (input, tid): (usize, u64), asked: Asked) {
        let track = self.timeline.id(Track::Thread { input, tid });
        let open = self.open.get(&track).map_or(&[][..], Vec::as_slice);
        let polled = open.iter().rev().find(|(_, end)| *end == Kind::TaskPollEnd);
        if let Some(task) = polled.and_then(|(slice, _)| self.timeline.task(*slice)) {
            self.tasks.lives.asks(task, Some(asked));
        }
    }

    fn task_ends(&mut self, input: usize, id: u64, record: &Record, at: u64) {
        let task = self.recorded_task(input, id);
        let record = self.timeline.keep(record);
        self.tasks.lives.ends(&mut self.timeline, task, record, at);
        self.tasks.is_gone(&self.timeline, task);
    }

    /// The record that was kept last.
    fn last_record(&self) -> RecordId {
        RecordId(self.timeline.records.len() as u32 - 1)
    }

    /// Draws the tasks that are there, and names tasks and places. Returns what was missing for that.
    pub(super) fn finish_lives(
        &mut self,
        inputs: &[Input],
        options: &Options,
        ends_ns: &[u64],
    ) -> anyhow::Result<Vec<String>> {
        let mut there: Vec<(usize, u64)> = self.recorded.tables.keys().copied().collect();
        there.sort_unstable();
        for (input, id) in there {
            let task = self.recorded_task(input, id);
            let entry = self.recorded.tables[&(input, id)].clone();
            for asked in &entry.asked {
                self.see_stack(input, asked.stack);
            }
            let clock = inputs[input].recording.clock();
            let (first_ns, _) = self.spans.get(&input).copied().unwrap_or_default();
            let since_ns = inputs[input].utc_ns(clock.whole(entry.since));
            let since_ns = since_ns.clamp(first_ns, ends_ns[input].max(first_ns));
            self.tasks.lives.is_there(&mut self.timeline, task, &entry, since_ns);
        }
        self.tasks.lives.finish(&mut self.timeline, ends_ns);
        for (task, input, name) in std::mem::take(&mut self.recorded.names) {
            let text = inputs[input].recording.place(name)?;
            if let (Some(text), Some(known)) = (text, self.timeline.known.get_mut(&task)) {
                known.name = match known.kind {
                    Some(kind) => task_names::readable(&text, kind),
                    None => text,
                };
            }
        }
        let mut books: Vec<Book> = inputs.iter().map(|_| Book::new(options)).collect();
        for (input, stack) in std::mem::take(&mut self.recorded.stacks) {
            let place = books[input].place(&inputs[input], stack)?;
            if let Some(place) = place {
                self.timeline.places.insert((input, stack), place);
            }
        }
        Ok(books.iter().flat_map(|book| book.notes().map(str::to_owned)).collect())
    }
}
