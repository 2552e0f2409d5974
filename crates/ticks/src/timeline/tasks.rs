//! The tracks of tasks: waits, woken, polled.

use std::collections::HashMap;

use ticks_format::{Direction, Key, Verdict, WaiterId};

use super::lives::Lives;
use super::{Label, RecordId, Slice, SliceId, TaskId, Timeline, Track, TrackId};

/// A waiter of a file's.
pub type FileWaiter = (usize, WaiterId);

/// What the open slice of a task's track says.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Waits(SliceId),
    Woken { since_ns: u64 },
}

#[derive(Default)]
struct Task {
    state: Option<State>,
    /// What it waits for.
    waits: Vec<FileWaiter>,
    /// When a slice of its track last began or ended.
    last_ns: u64,
    wakes: Vec<PendingWake>,
}

/// A wake that led to no poll yet.
struct PendingWake {
    /// The direction of a source that it is for; none when a timer or the driver woke.
    by: Option<(Key, Direction)>,
    slice: SliceId,
    at_ns: u64,
}

impl Task {
    /// The time at which the next thing on its track is drawn: now, and never before the last one.
    fn next(&mut self, at: u64) -> u64 {
        self.last_ns = self.last_ns.max(at);
        self.last_ns
    }
}

/// A poll that is over.
pub struct Poll {
    pub waiter: FileWaiter,
    pub fd: i64,
    pub dir: Direction,
    pub begin_ns: u64,
    pub end_ns: u64,
    pub begin: Option<RecordId>,
    pub end: RecordId,
    pub result: Verdict,
}

/// What each task does.
#[derive(Default)]
pub struct Tasks {
    numbers: HashMap<(usize, u64), TaskId>,
    tasks: Vec<(usize, Task)>,
    /// Those that are recorded. What they wait for is drawn from their own records.
    pub lives: Lives,
}

impl Tasks {
    /// A task that is recorded, with this waker; 0 if that is not known.
    pub fn recorded(&mut self, timeline: &mut Timeline, input: usize, waker: u64) -> TaskId {
        timeline.tasks.push(waker);
        self.tasks.push((input, Task::default()));
        let id = TaskId(self.tasks.len() as u32 - 1);
        if waker != 0 {
            self.numbers.insert((input, waker), id);
        }
        self.lives.insert(id, input);
        id
    }

    /// The task has this waker from now on, which another one may have had before.
    pub fn has_waker(&mut self, timeline: &mut Timeline, id: TaskId, waker: u64) {
        let input = self.tasks[id.0 as usize].0;
        timeline.tasks[id.0 as usize] = waker;
        self.numbers.insert((input, waker), id);
    }

    /// The task has come to its end: another one may have its waker.
    pub fn is_gone(&mut self, timeline: &Timeline, id: TaskId) {
        let place = (self.tasks[id.0 as usize].0, timeline.tasks[id.0 as usize]);
        if self.numbers.get(&place) == Some(&id) {
            self.numbers.remove(&place);
        }
    }

    /// The task with this waker's data pointer.
    pub fn number(&mut self, timeline: &mut Timeline, input: usize, task: u64) -> TaskId {
        *self.numbers.entry((input, task)).or_insert_with(|| {
            timeline.tasks.push(task);
            self.tasks.push((input, Task::default()));
            TaskId(self.tasks.len() as u32 - 1)
        })
    }

    fn get(&mut self, id: TaskId, timeline: &mut Timeline) -> (&mut Task, TrackId) {
        let (input, task) = &mut self.tasks[id.0 as usize];
        let track = Track::Task { input: *input, task: id };
        (task, timeline.id(track))
    }

    /// The task is woken by the record of `wake`'s slice.
    pub fn woken(
        &mut self,
        timeline: &mut Timeline,
        id: TaskId,
        by: Option<(Key, Direction)>,
        wake: SliceId,
        at: u64,
    ) {
        if self.lives.has(id) || self.tasks[id.0 as usize].1.waits.is_empty() {
            // Of a task that waits for no source there will be no poll to show.
            return;
        }
        let (task, track) = self.get(id, timeline);
        // Another wake for the same replaces one that led to no poll.
        task.wakes.retain(|other| other.by != by);
        task.wakes.push(PendingWake { by, slice: wake, at_ns: at });
        let at = task.next(at);
        if let Some(State::Waits(_)) = task.state {
            timeline.end(track, at);
        }
        if !matches!(task.state, Some(State::Woken { .. })) {
            let begin = timeline.slices[wake.0 as usize].begin;
            let slice = Slice { label: Label::Woken, begin, end: None, task: Some(id) };
            timeline.begin(track, at, slice);
            task.state = Some(State::Woken { since_ns: at });
        }
    }

    /// The task has polled a source.
    pub fn polled(&mut self, timeline: &mut Timeline, id: TaskId, poll: &Poll) {
        if self.lives.has(id) {
            return;
        }
        let (task, track) = self.get(id, timeline);
        // One that was woken during this poll will be polled again.
        if let Some(State::Woken { since_ns }) =
            task.state.filter(|_| poll.begin_ns >= task.last_ns)
        {
            // Ahead of the poll: chrome://tracing would take the poll's arrow for this slice's.
            timeline.end(track, poll.begin_ns.saturating_sub(1).max(since_ns));
            task.state = None;
        }
        // One task's polls follow each other; where two tasks share a number, the later one's slice
        // begins when the earlier one's ends.
        let begin_ns = task.next(poll.begin_ns);
        let end_ns = task.next(poll.end_ns);
        let slice = Slice {
            label: Label::Record,
            begin: poll.begin.or(Some(poll.end)),
            end: Some(poll.end),
            task: Some(id),
        };
        let slice = timeline.begin(track, begin_ns, slice);
        timeline.end(track, end_ns);
        let of = Some(poll.waiter.1.direction());
        task.wakes.retain(|wake| {
            // One that came during the poll causes the next.
            let caused = (wake.by.is_none() || wake.by == of) && wake.at_ns <= poll.begin_ns;
            if caused {
                timeline.arrow(wake.slice, slice);
            }
            !caused
        });
        match poll.result {
            Verdict::Pending => self.waits(id, poll.waiter),
            _ => self.stops_waiting(timeline, id, poll.waiter, end_ns),
        }
        self.goes_on_waiting(timeline, id, poll, end_ns);
    }

    /// The task waits for this: its waker is stored there.
    pub fn waits(&mut self, id: TaskId, waiter: FileWaiter) {
        if self.lives.has(id) {
            return;
        }
        let waits = &mut self.tasks[id.0 as usize].1.waits;
        if !waits.contains(&waiter) {
            waits.push(waiter);
        }
    }

    /// Begins the slice that tells what the task waits for, or adds to it.
    fn goes_on_waiting(&mut self, timeline: &mut Timeline, id: TaskId, poll: &Poll, at: u64) {
        let (task, track) = self.get(id, timeline);
        let Some(others) = task.waits.len().checked_sub(1) else {
            return;
        };
        match task.state {
            None => {
                // Named for the source just polled if it is one of them, else for any.
                let (fd, dir) = match task.waits.contains(&poll.waiter) {
                    true => (poll.fd, poll.dir),
                    false => {
                        let (input, waiter) = task.waits[0];
                        let fd = timeline.fds.get(&(input, waiter.key)).copied();
                        (fd.unwrap_or(-1), waiter.dir)
                    }
                };
                let label = Label::WaitsFor { fd, dir, more: others as u32 };
                let slice = Slice { label, begin: Some(poll.end), end: None, task: Some(id) };
                let at = task.next(at);
                task.state = Some(State::Waits(timeline.begin(track, at, slice)));
            }
            Some(State::Waits(slice)) => {
                if let Label::WaitsFor { more, .. } = &mut timeline.slice_mut(slice).label {
                    *more = (*more).max(others as u32);
                }
            }
            Some(State::Woken { .. }) => {}
        }
    }

    /// The task waits no longer for this: it is ready, or the future was dropped.
    pub fn stops_waiting(
        &mut self,
        timeline: &mut Timeline,
        id: TaskId,
        waiter: FileWaiter,
        at: u64,
    ) {
        if self.lives.has(id) {
            return;
        }
        let (task, track) = self.get(id, timeline);
        task.waits.retain(|other| *other != waiter);
        if task.waits.is_empty() && task.state.take().is_some() {
            timeline.end(track, task.next(at));
        }
        if task.waits.is_empty() {
            task.wakes.clear();
        }
    }

    /// The table of who waits names a wait whose beginning was overwritten.
    pub fn found_waiting(
        &mut self,
        timeline: &mut Timeline,
        id: TaskId,
        (fd, dir): (i64, Direction),
        waiter: FileWaiter,
        at: u64,
    ) -> Option<SliceId> {
        if self.lives.has(id) {
            return None;
        }
        let (task, track) = self.get(id, timeline);
        if task.waits.contains(&waiter) || task.state.is_some() {
            return None;
        }
        task.waits.push(waiter);
        let label = Label::WaitsFor { fd, dir, more: 0 };
        let slice = Slice { label, begin: None, end: None, task: Some(id) };
        let slice = timeline.begin(track, task.next(at), slice);
        task.state = Some(State::Waits(slice));
        Some(slice)
    }

    /// The slice that says that the task waits, if it does.
    pub fn wait(&self, id: TaskId) -> Option<SliceId> {
        match self.tasks[id.0 as usize].1.state {
            Some(State::Waits(slice)) => Some(slice),
            _ => None,
        }
    }

    /// Ends what is still open.
    pub fn finish(&mut self, timeline: &mut Timeline, ends_ns: &[u64]) {
        for number in 0..self.tasks.len() {
            let id = TaskId(number as u32);
            if self.tasks[number].1.state.take().is_some() {
                let at = ends_ns[self.tasks[number].0];
                let (task, track) = self.get(id, timeline);
                timeline.end(track, task.next(at));
            }
        }
    }
}
