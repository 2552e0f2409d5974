//! Takes in one record after the other.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context;
use ticks_format::records::{PollBegin, PollEnd, ReactEvent, SourceWaker, Wake};
use ticks_format::{
    Awaited, Direction, Entry, Key, Kind, Record, Verdict, Waiter, WaiterId, WakeCause,
    WakerChange, What,
};

use super::life::Recorded;
use super::seen::SeenSoFar;
use super::tasks::{FileWaiter, Poll, Tasks};
use super::{Asked, Label, RecordId, Slice, SliceId, TaskId, Timeline, Track, TrackId};
use crate::input::{addresses, Input};
use crate::merge::Moment;
use crate::symbols::Options;
use crate::units;

/// The user data of the poller's notification, which is no source's key.
const NOTIFICATION: u64 = u64::MAX;

/// A poll of a source that has begun on a thread.
struct Polling {
    begin_ns: u64,
    begin: RecordId,
    slice: SliceId,
    task: Option<TaskId>,
}

/// Who waits for a direction of a source: the open slice, and the waiters.
struct Waiting {
    slice: SliceId,
    waiters: Vec<u64>,
}

/// A timeline under construction.
#[derive(Default)]
pub struct Builder {
    pub(super) timeline: Timeline,
    pub(super) tasks: Tasks,
    pub(super) recorded: Recorded,
    /// The open slices of a thread's track, outermost first, each with the kind that ends it.
    pub(super) open: BTreeMap<TrackId, Vec<(SliceId, Kind)>>,
    last_ns: u64,
    /// When each file's first and last records were made.
    pub(super) spans: BTreeMap<usize, (u64, u64)>,
    /// The last event of a direction, and its round.
    pub(super) events: HashMap<(usize, Key, Direction), (u64, SliceId)>,
    /// The timers that have fired and not woken yet.
    fires: HashMap<(usize, u64), SliceId>,
    /// The notification that no wait has returned from yet.
    notifications: HashMap<usize, SliceId>,
    polling: HashMap<(usize, u64), Polling>,
    /// The task that last stored its waker with a waiter.
    stored: HashMap<FileWaiter, TaskId>,
    waiting: BTreeMap<(usize, Key, Direction), Waiting>,
    pub(super) outside: SeenSoFar,
}

impl Builder {
    /// An empty timeline that knows the sources' names.
    pub fn new(inputs: &[Input]) -> anyhow::Result<Builder> {
        let mut builder = Builder { recorded: Recorded::new(inputs)?, ..Builder::default() };
        for (input, file) in inputs.iter().enumerate() {
            let sources = file.sources().with_context(|| file.path.display().to_string())?;
            for source in sources.into_values() {
                let what = format!("{} {}", source.kind, addresses(&source.local, &source.peer));
                builder.name_source(input, source.key, source.fd, &what);
            }
        }
        Ok(builder)
    }

    fn name_source(&mut self, input: usize, key: Key, fd: i64, what: &str) {
        self.timeline.fds.insert((input, key), fd);
        for dir in Direction::ALL {
            let name = format!("fd {fd} {dir} {}", what.trim());
            self.timeline.names.insert(Track::Source { input, key, dir: *dir }, name);
        }
    }

    /// Takes in the next record in the order of time.
    pub fn add(&mut self, moment: &Moment) {
        let (input, at) = (moment.input, moment.utc_ns.max(self.last_ns));
        self.last_ns = at;
        self.spans.entry(input).or_insert((at, at)).1 = at;
        let thread = moment.stamped.thread.as_ref();
        let tid = thread.map_or(0, |thread| thread.tid);
        let track = Track::Thread { input, tid };
        if let Some(thread) = thread.filter(|thread| !thread.name.is_empty()) {
            let name = || thread.name.to_string();
            self.timeline.names.entry(track).or_insert_with(name);
        }
        let What::Record(record) = &moment.stamped.what else {
            return;
        };
        let place = (input, tid);
        if self.life(place, record, at) {
            return;
        }
        match record {
            Record::PollBegin(poll) => self.poll_begins(place, poll, record, at),
            Record::PollEnd(poll) => self.poll_ends(place, poll, record, at),
            Record::SourceWaker(waker) => self.waker(place, waker, at),
            Record::ReactEvent(event) => self.event(input, event, record, at),
            Record::Wake(wake) => self.wake(place, wake, record, at),
            Record::SourceNew(new) => {
                let what = format!("{} {}", new.kind, addresses(&new.local, &new.peer));
                self.name_source(input, new.key, new.fd, &what);
            }
            Record::SourceDrop(gone) => self.source_gone(input, gone.key, at),
            Record::TimerInsert(timer) => self.asks_reactor(place, Asked::Timer(timer.id)),
            Record::TimerFire(timer) => {
                let slice = self.point(track, at, record, None);
                self.fires.insert((input, timer.id), slice);
            }
            Record::Notify(_) => {
                let slice = self.point(track, at, record, None);
                self.notifications.insert(input, slice);
            }
            Record::WaitEntry(entry) if entry.data == NOTIFICATION => {
                let slice = self.point(track, at, record, None);
                if let Some(notify) = self.notifications.remove(&input) {
                    self.timeline.arrow(notify, slice);
                }
            }
            Record::ReactStale(_) | Record::Unpark(_) | Record::Handover(_) => {
                self.point(track, at, record, None);
            }
            other => self.step(track, at, other),
        }
    }

    /// What a thread does, from one record to another.
    fn step(&mut self, track: Track, at: u64, record: &Record) {
        let track = self.timeline.id(track);
        if let Some(end) = ended_by(record.kind()) {
            self.begin(track, at, record, end);
        } else if ends(record.kind()) {
            self.end(track, at, record);
        }
    }

    pub(super) fn begin(&mut self, track: TrackId, at: u64, record: &Record, end: Kind) -> SliceId {
        let begin = Some(self.timeline.keep(record));
        let slice = Slice { label: Label::Record, begin, end: None, task: None };
        let slice = self.timeline.begin(track, at, slice);
        self.open.entry(track).or_default().push((slice, end));
        slice
    }

    /// Ends the innermost slice that `record` ends, and what is still open within it: its end was
    /// overwritten. An end whose beginning was overwritten is passed over.
    pub(super) fn end(&mut self, track: TrackId, at: u64, record: &Record) -> Option<RecordId> {
        let open = self.open.entry(track).or_default();
        let place = open.iter().rposition(|(_, end)| *end == record.kind())?;
        let ended = open.split_off(place);
        let id = self.timeline.keep(record);
        self.timeline.slice_mut(ended[0].0).end = Some(id);
        for _ in ended {
            self.timeline.end(track, at);
        }
        Some(id)
    }

    /// A slice without length.
    pub(super) fn point(
        &mut self,
        track: Track,
        at: u64,
        record: &Record,
        task: Option<TaskId>,
    ) -> SliceId {
        let track = self.timeline.id(track);
        let begin = Some(self.timeline.keep(record));
        let slice = Slice { label: Label::Record, begin, end: None, task };
        let slice = self.timeline.begin(track, at, slice);
        self.timeline.end(track, at);
        slice
    }

    fn event(&mut self, input: usize, event: &ReactEvent, record: &Record, at: u64) {
        self.timeline.fds.entry((input, event.key)).or_insert(event.fd);
        let counts = [(event.readable, Direction::Read), (event.writable, Direction::Write)];
        for (_, dir) in counts.into_iter().filter(|(counts, _)| *counts) {
            let track = Track::Source { input, key: event.key, dir };
            let slice = self.point(track, at, record, None);
            self.events.insert((input, event.key, dir), (event.tick, slice));
        }
    }

    fn wake(&mut self, (input, tid): (usize, u64), wake: &Wake, record: &Record, at: u64) {
        let task = self.tasks.number(&mut self.timeline, input, wake.task);
        let slice = self.point(Track::Thread { input, tid }, at, record, Some(task));
        let kept = RecordId(self.timeline.records.len() as u32 - 1);
        self.recorded.woken((input, tid), wake.task, slice, kept);
        let by = match (wake.by, wake.key, wake.dir) {
            (WakeCause::Source, Some(key), Some(dir)) => Some((key, dir)),
            _ => None,
        };
        let event = by.and_then(|(key, dir)| self.events.get(&(input, key, dir)));
        let event = event.filter(|(tick, _)| Some(*tick) == wake.tick).map(|(_, slice)| *slice);
        let fire = wake.timer.and_then(|timer| self.fires.remove(&(input, timer)));
        if let Some(cause) = event.or(fire) {
            self.timeline.arrow(cause, slice);
        }
        self.tasks.woken(&mut self.timeline, task, by, slice, at);
    }

    fn poll_begins(
        &mut self,
        (input, tid): (usize, u64),
        poll: &PollBegin,
        record: &Record,
        at: u64,
    ) {
        let track = self.timeline.id(Track::Thread { input, tid });
        let slice = self.begin(track, at, record, Kind::PollEnd);
        let begin = RecordId(self.timeline.records.len() as u32 - 1);
        self.timeline.fds.entry((input, poll.key)).or_insert(poll.fd);
        let task = self.stored.get(&(input, poll.waiter_id())).copied();
        self.polling.insert((input, tid), Polling { begin_ns: at, begin, slice, task });
    }

    fn poll_ends(&mut self, (input, tid): (usize, u64), poll: &PollEnd, record: &Record, at: u64) {
        let track = self.timeline.id(Track::Thread { input, tid });
        let ended = self.end(track, at, record);
        let end = ended.unwrap_or_else(|| self.timeline.keep(record));
        let polling = self.polling.remove(&(input, tid)).filter(|_| ended.is_some());
        let waiter = (input, poll.waiter_id());
        let task = match &polling {
            Some(polling) => polling.task,
            None => self.stored.get(&waiter).copied(),
        };
        if let Some(polling) = &polling {
            self.timeline.slice_mut(polling.slice).task = task;
        }
        if let Some(task) = task {
            let poll = Poll {
                waiter,
                fd: poll.fd,
                dir: poll.dir,
                begin_ns: polling.as_ref().map_or(at, |polling| polling.begin_ns),
                end_ns: at,
                begin: polling.as_ref().map(|polling| polling.begin),
                end,
                result: poll.result,
            };
            self.tasks.polled(&mut self.timeline, task, &poll);
        }
        match poll.result {
            Verdict::Pending => {
                self.asks_reactor((input, tid), Asked::Source(poll.fd, poll.dir));
                self.waits(waiter, task, Some(end), at);
            }
            _ => self.stops_waiting(waiter, at),
        }
    }

    fn waker(&mut self, (input, tid): (usize, u64), waker: &SourceWaker, at: u64) {
        let waiter = (input, waker.waiter_id());
        if waker.change == WakerChange::Dropped {
            return self.stops_waiting(waiter, at);
        }
        let task = self.tasks.number(&mut self.timeline, input, waker.task);
        if let Some(before) = self.stored.insert(waiter, task).filter(|before| *before != task) {
            if waker.change == WakerChange::Replaced {
                self.tasks.stops_waiting(&mut self.timeline, before, waiter, at);
            }
        }
        self.tasks.waits(task, waiter);
        if let Some(polling) = self.polling.get_mut(&(input, tid)) {
            polling.task = Some(task);
        }
    }

    /// Somebody waits for a source.
    fn waits(
        &mut self,
        waiter: FileWaiter,
        task: Option<TaskId>,
        record: Option<RecordId>,
        at: u64,
    ) {
        let (input, WaiterId { key, dir, number }) = waiter;
        let place = (input, key, dir);
        if let Some(waiting) = self.waiting.get_mut(&place) {
            if !waiting.waiters.contains(&number) {
                waiting.waiters.push(number);
            }
            return;
        }
        let track = self.timeline.id(Track::Source { input, key, dir });
        let slice = Slice { label: Label::WaitedFor, begin: record, end: None, task };
        let slice = self.timeline.begin(track, at, slice);
        self.waiting.insert(place, Waiting { slice, waiters: vec![number] });
    }

    fn stops_waiting(&mut self, waiter: FileWaiter, at: u64) {
        let (input, WaiterId { key, dir, number }) = waiter;
        if let Some(task) = self.stored.remove(&waiter) {
            self.tasks.stops_waiting(&mut self.timeline, task, waiter, at);
        }
        let Some(waiting) = self.waiting.get_mut(&(input, key, dir)) else {
            return;
        };
        waiting.waiters.retain(|other| *other != number);
        if waiting.waiters.is_empty() {
            self.waiting.remove(&(input, key, dir));
            let track = self.timeline.id(Track::Source { input, key, dir });
            self.timeline.end(track, at);
        }
    }

    fn source_gone(&mut self, input: usize, key: Key, at: u64) {
        for dir in Direction::ALL.iter().copied() {
            let waiting = self.waiting.get(&(input, key, dir));
            for waiter in waiting.map_or_else(Vec::new, |waiting| waiting.waiters.clone()) {
                self.stops_waiting((input, WaiterId { key, dir, number: waiter }), at);
            }
            self.events.remove(&(input, key, dir));
        }
    }

    /// Adds who waits to this day, ends what is still open, and puts all in the order of time.
    /// Returns also what was missing to name tasks and places, a sentence each.
    pub fn finish(
        mut self,
        inputs: &[Input],
        options: &Options,
    ) -> anyhow::Result<(Timeline, Vec<String>)> {
        let mut ends_ns = Vec::new();
        for (input, file) in inputs.iter().enumerate() {
            let (first_ns, last_ns) = self.spans.get(&input).copied().unwrap_or_default();
            let end_ns = match file.is_live() {
                true => units::now_ns().max(last_ns),
                false => last_ns,
            };
            for entry in file.recording.waiters() {
                let entry = entry.with_context(|| file.path.display().to_string())?;
                if let Entry::Whole(waiter) = entry {
                    let since_ns = file.utc_ns(waiter.since);
                    let place = file.recording.place(waiter.place)?;
                    let begin_ns = since_ns.clamp(first_ns, end_ns);
                    self.still_waits(input, &waiter, place, begin_ns, since_ns);
                }
            }
            ends_ns.push(end_ns);
        }
        self.tasks.finish(&mut self.timeline, &ends_ns);
        let notes = self.finish_lives(inputs, options, &ends_ns)?;
        for (track, slices) in std::mem::take(&mut self.open) {
            let end_ns = ends_ns[self.timeline.track(track).input()];
            for _ in slices {
                self.timeline.end(track, end_ns);
            }
        }
        for ((input, key, dir), _) in std::mem::take(&mut self.waiting) {
            let track = self.timeline.id(Track::Source { input, key, dir });
            self.timeline.end(track, ends_ns[input]);
        }
        self.finish_seen(&ends_ns);
        self.timeline.sort();
        Ok((self.timeline, notes))
    }

    /// One whom the table of who waits names: notes the place in the code, and makes slices where the
    /// records of the beginning were overwritten.
    fn still_waits(
        &mut self,
        input: usize,
        waiter: &Waiter,
        place: Option<String>,
        begin_ns: u64,
        since_ns: u64,
    ) {
        let (Awaited::Source { fd, .. }, Some(waiter_id)) = (&waiter.awaited, waiter.waiter_id())
        else {
            return;
        };
        let (fd, (key, dir)) = (*fd, waiter_id.direction());
        let place = place.filter(|place| !place.is_empty());
        let notes = [("waits_since", Some(units::time(since_ns))), ("place", place)];
        let id = (input, waiter_id);
        let task = self.tasks.number(&mut self.timeline, input, waiter.task);
        self.timeline.fds.entry((input, key)).or_insert(fd);
        self.waits(id, Some(task), None, begin_ns);
        let timeline = &mut self.timeline;
        let found = self.tasks.found_waiting(timeline, task, (fd, dir), id, begin_ns);
        let of_task = found.or_else(|| self.tasks.wait(task));
        let of_source = self.waiting.get(&(input, key, dir)).map(|waiting| waiting.slice);
        for slice in of_task.into_iter().chain(of_source) {
            let known = self.timeline.notes.entry(slice).or_default();
            for (name, text) in &notes {
                if let Some(text) = text.as_ref().filter(|_| known.iter().all(|(n, _)| n != name)) {
                    known.push((name, text.clone()));
                }
            }
        }
    }
}

/// The kind of record that ends what one of this kind begins.
pub fn ended_by(kind: Kind) -> Option<Kind> {
    Some(match kind {
        Kind::ReactBegin => Kind::ReactEnd,
        Kind::WaitBegin => Kind::WaitEnd,
        Kind::PollBegin => Kind::PollEnd,
        Kind::CtlBegin => Kind::CtlEnd,
        Kind::BlockOnBegin => Kind::BlockOnEnd,
        Kind::ParkBegin => Kind::ParkEnd,
        Kind::DriveBegin => Kind::DriveEnd,
        Kind::TaskPollBegin => Kind::TaskPollEnd,
        _ => return None,
    })
}

fn ends(kind: Kind) -> bool {
    Kind::ALL.iter().any(|begin| ended_by(*begin) == Some(kind))
}
