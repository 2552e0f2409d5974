//! The tracks of tasks that are recorded: scheduled, polled, waiting, forgotten.

use std::collections::HashMap;

use ticks_format::{Task, TaskState};

use super::{Asked, Label, RecordId, Slice, SliceId, TaskId, Timeline, Track};

/// What the open slice of a task's track says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Scheduled,
    Polls,
    Waits,
    Forgotten,
}

/// A task between two records of it.
#[derive(Default)]
struct Life {
    open: Option<Open>,
    /// When its track was last drawn on.
    last_ns: u64,
    /// The wake, or the spawn, that led to no poll yet.
    wake: Option<Wake>,
    /// How often it asked for a wake in this poll, and the reactor for what last.
    asked: u32,
    source: Option<Asked>,
    /// The open poll.
    poll: Option<SliceId>,
}

/// A wake that leads to a poll.
#[derive(Clone, Copy)]
struct Wake {
    slice: SliceId,
    record: RecordId,
}

/// What is known of each recorded task.
#[derive(Default)]
pub struct Lives(HashMap<TaskId, (usize, Life)>);

impl Lives {
    /// Whether the task is recorded.
    pub fn has(&self, id: TaskId) -> bool {
        self.0.contains_key(&id)
    }

    /// A task of this file is recorded.
    pub fn insert(&mut self, id: TaskId, input: usize) {
        self.0.entry(id).or_insert_with(|| (input, Life::default()));
    }

    /// Ends the open slice, and begins another one.
    fn change(
        &mut self,
        timeline: &mut Timeline,
        id: TaskId,
        at: u64,
        next: Option<(Open, Slice)>,
    ) -> Option<SliceId> {
        let (input, life) = self.0.get_mut(&id)?;
        let track = timeline.id(Track::Task { input: *input, task: id });
        let at = life.last_ns.max(at);
        life.last_ns = at;
        if life.open.take().is_some() {
            timeline.end(track, at);
        }
        let (open, slice) = next?;
        life.open = Some(open);
        Some(timeline.begin(track, at, slice))
    }

    /// The task is woken, or begins, by the record, whose slice is on its thread's track.
    pub fn scheduled(
        &mut self,
        timeline: &mut Timeline,
        id: TaskId,
        slice: SliceId,
        record: RecordId,
        at: u64,
    ) {
        let Some((_, life)) = self.0.get_mut(&id) else { return };
        life.wake = Some(Wake { slice, record });
        // One that is woken in its poll goes on.
        if life.open != Some(Open::Polls) {
            let next = (Open::Scheduled, scheduled(id, Some(record)));
            self.change(timeline, id, at, Some(next));
        }
    }

    /// A poll begins.
    pub fn poll_begins(&mut self, timeline: &mut Timeline, id: TaskId, record: RecordId, at: u64) {
        let Some((_, life)) = self.0.get_mut(&id) else { return };
        (life.asked, life.source) = (0, None);
        let wake = life.wake.take();
        // Ahead of the poll: chrome://tracing would take the poll's arrow for this slice's.
        self.change(timeline, id, at.saturating_sub(1), None);
        let slice =
            Slice { label: Label::TaskPoll, begin: Some(record), end: None, task: Some(id) };
        let slice = self.change(timeline, id, at, Some((Open::Polls, slice)));
        if let (Some(wake), Some(slice)) = (wake, slice) {
            timeline.arrow(wake.slice, slice);
        }
        if let Some((_, life)) = self.0.get_mut(&id) {
            life.poll = slice;
        }
    }

    /// The task asks to be woken: the reactor for this, or somebody else.
    pub fn asks(&mut self, id: TaskId, source: Option<Asked>) {
        if let Some((_, life)) = self.0.get_mut(&id) {
            life.asked = life.asked.saturating_add(1);
            life.source = source.or(life.source);
        }
    }

    /// The poll ends. `stack`: by which calls it asked last, if it goes on waiting.
    pub fn poll_ends(
        &mut self,
        timeline: &mut Timeline,
        id: TaskId,
        record: RecordId,
        stack: Option<u64>,
        at: u64,
    ) {
        let Some((_, life)) = self.0.get_mut(&id) else { return };
        let (wake, source) = (life.wake, life.source);
        let more = life.asked.saturating_sub(1);
        if let Some(poll) = life.poll.take() {
            timeline.slice_mut(poll).end = Some(record);
        }
        let next = match (stack, wake) {
            (None, _) => None,
            (Some(_), Some(wake)) => Some((Open::Scheduled, scheduled(id, Some(wake.record)))),
            (Some(stack), None) => {
                Some((Open::Waits, waits(id, Some(record), (stack, source, more))))
            }
        };
        self.change(timeline, id, at, next);
    }

    /// Nothing can wake the task any more.
    pub fn forgotten(&mut self, timeline: &mut Timeline, id: TaskId, record: RecordId, at: u64) {
        let slice =
            Slice { label: Label::Forgotten, begin: Some(record), end: None, task: Some(id) };
        self.change(timeline, id, at, Some((Open::Forgotten, slice)));
    }

    /// The task has come to its end, by the record.
    pub fn ends(&mut self, timeline: &mut Timeline, id: TaskId, record: RecordId, at: u64) {
        if let Some((_, life)) = self.0.get_mut(&id) {
            life.poll = None;
        }
        let slice = Slice { label: Label::Record, begin: Some(record), end: None, task: Some(id) };
        self.change(timeline, id, at, Some((Open::Waits, slice)));
        self.change(timeline, id, at, None);
    }

    /// The table has the task: draws what it does, where the records of that are gone.
    pub fn is_there(&mut self, timeline: &mut Timeline, id: TaskId, task: &Task, since_ns: u64) {
        let is_drawn = self.0.get(&id).is_none_or(|(_, life)| life.open.is_some());
        if is_drawn {
            return;
        }
        let next = match task.state {
            TaskState::Scheduled => (Open::Scheduled, scheduled(id, None)),
            TaskState::Running { .. } => {
                let (label, task) = (Label::TaskPoll, Some(id));
                (Open::Polls, Slice { label, begin: None, end: None, task })
            }
            TaskState::Waiting => {
                let stack = task.asked.first().map_or(0, |asked| asked.stack);
                (Open::Waits, waits(id, None, (stack, None, 0)))
            }
            TaskState::Forgotten | TaskState::Lost => {
                let (label, task) = (Label::Forgotten, Some(id));
                (Open::Forgotten, Slice { label, begin: None, end: None, task })
            }
        };
        self.change(timeline, id, since_ns, Some(next));
    }

    /// Ends what is still open.
    pub fn finish(&mut self, timeline: &mut Timeline, ends_ns: &[u64]) {
        let mut ids: Vec<(TaskId, usize)> =
            self.0.iter().map(|(id, (input, _))| (*id, *input)).collect();
        ids.sort_unstable();
        for (id, input) in ids {
            if self.0[&id].1.open.is_some() {
                self.change(timeline, id, ends_ns[input], None);
            }
        }
    }
}

fn scheduled(id: TaskId, begin: Option<RecordId>) -> Slice {
    Slice { label: Label::Scheduled, begin, end: None, task: Some(id) }
}

fn waits(
    id: TaskId,
    begin: Option<RecordId>,
    (stack, source, more): (u64, Option<Asked>, u32),
) -> Slice {
    let label = Label::TaskWaits { stack, source, more };
    Slice { label, begin, end: None, task: Some(id) }
}
