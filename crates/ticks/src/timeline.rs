//! Records as tracks, slices and arrows, whatever the format they are exported to.
//!
//! - A track a thread: rounds, waits, polls, `block_on`, parks as nested slices; wakes,
//!   notifications and timers that fire as slices without length.
//! - A track a source and direction: how long it was waited for, and in which rounds it was ready.
//! - A track a task that is recorded: its polls, named by its type or name; how long it was scheduled before
//!   each; what it waits for, and where in the program; that it is forgotten. Each poll is on its thread's
//!   track, too, around what it does.
//! - A track of any other task, known by its waker only: what it waits for, how long it was woken and not yet
//!   polled, its polls of sources.
//! - Arrows from each wake, and from the spawn, on their thread's track to the poll that they cause.
//! - Arrows from the kernel's event on its source's track to the wake on its thread's, and from there
//!   to the poll on its task's; from a timer that fires to the wake; from a notification to the wait
//!   that it ended.
//! - With strace and tcpdump: a track of the system calls of each thread, one of the packets of each connection, and an
//!   arrow from a packet to the event that it caused.
//!
//! Slices keep the numbers of their records and make names and arguments only when they are written:
//! a full recording of 64 MiB, two million records, takes 450 MiB.

mod builder;
mod label;
mod life;
mod lives;
mod seen;
mod tasks;

use std::collections::HashMap;
use std::rc::Rc;

use ticks_format::{Direction, Key, Record, TaskKind};

use crate::symbols::Place;

pub use builder::{ended_by, Builder};

/// A track of a timeline, in the order in which they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Track {
    /// A thread of a file's process.
    Thread {
        /// Which file.
        input: usize,
        /// The thread, by the system's number.
        tid: u64,
    },
    /// The system calls of a thread.
    Calls {
        /// Which file.
        input: usize,
        /// The thread, by the system's number.
        tid: u64,
    },
    /// A direction of a source.
    Source {
        /// Which file.
        input: usize,
        /// The source.
        key: Key,
        /// Its direction.
        dir: Direction,
    },
    /// The packets of a source's connection.
    Packets {
        /// Which file.
        input: usize,
        /// The source.
        key: Key,
    },
    /// A task.
    Task {
        /// Which file.
        input: usize,
        /// The task.
        task: TaskId,
    },
}

impl Track {
    /// What it is of, in one word.
    pub fn kind(&self) -> &'static str {
        match self {
            Track::Thread { .. } => "thread",
            Track::Calls { .. } => "call",
            Track::Source { .. } => "source",
            Track::Packets { .. } => "packet",
            Track::Task { .. } => "task",
        }
    }

    /// Which file it is of.
    pub fn input(&self) -> usize {
        match self {
            Track::Thread { input, .. }
            | Track::Calls { input, .. }
            | Track::Source { input, .. }
            | Track::Packets { input, .. }
            | Track::Task { input, .. } => *input,
        }
    }
}

/// A task's number: tasks are counted as they first appear, so that the same recording gives the same
/// task the same letters and the same colour in every export and in both formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(pub u32);

/// A track by its place in [`Timeline::tracks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrackId(u32);

impl TrackId {
    /// Its place, from 0 on.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A slice by its place in the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SliceId(u32);

/// A record by its place in the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct RecordId(u32);

/// What a slice's name is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Label {
    /// Its records.
    Record,
    /// A source is waited for.
    WaitedFor,
    /// A task waits for this descriptor, and for so many more.
    WaitsFor { fd: i64, dir: Direction, more: u32 },
    /// A task was woken and is not polled yet. Its record is the wake.
    Woken,
    /// A recorded task is polled.
    TaskPoll,
    /// A recorded task was woken, or is new, and is not polled yet. Its record is the wake or the spawn.
    Scheduled,
    /// A recorded task waits: it asked last by these calls, or the reactor for this, and so often before.
    TaskWaits { stack: u64, source: Option<Asked>, more: u32 },
    /// Nothing can wake a recorded task.
    Forgotten,
    /// Something that was seen from outside; its text says what.
    Seen,
}

/// What a task asked the reactor for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Asked {
    Source(i64, Direction),
    Timer(u64),
}

/// A task that is recorded.
#[derive(Clone, Debug)]
struct Known {
    /// Its number.
    id: u64,
    /// Its name for people; empty if it is not known.
    name: String,
    kind: Option<TaskKind>,
}

/// Something that lasts.
#[derive(Clone, Copy, Debug)]
struct Slice {
    label: Label,
    begin: Option<RecordId>,
    end: Option<RecordId>,
    task: Option<TaskId>,
}

/// A slice begins on a track, or its innermost slice ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event {
    /// UTC, nanoseconds since 1970.
    pub utc_ns: u64,
    /// Where.
    pub track: TrackId,
    /// Which slice begins; absent: one ends.
    pub begins: Option<SliceId>,
}

/// Tracks, slices and arrows.
#[derive(Default)]
pub struct Timeline {
    /// All that begins and ends, in the order of time.
    pub events: Vec<Event>,
    tracks: Vec<Track>,
    ids: HashMap<Track, TrackId>,
    names: HashMap<Track, String>,
    slices: Vec<Slice>,
    records: Vec<Record>,
    /// The waker's data pointer, by number of the task.
    tasks: Vec<u64>,
    /// What is known of the tasks that are recorded.
    known: HashMap<TaskId, Known>,
    /// Which they are, by file and number.
    by_number: HashMap<(usize, u64), TaskId>,
    /// What stacks say, by file and number.
    places: HashMap<(usize, u64), Rc<Place>>,
    fds: HashMap<(usize, Key), i64>,
    /// What is known of a slice and in no record.
    notes: HashMap<SliceId, Vec<(&'static str, String)>>,
    /// The names of what was seen from outside.
    texts: HashMap<SliceId, String>,
    /// From, to. An arrow's number is its place, from 1 on.
    arrows: Vec<(SliceId, SliceId)>,
    /// The arrows' numbers by the slice where they begin, and by that where they end, in order.
    arrows_out: Vec<(SliceId, u64)>,
    arrows_in: Vec<(SliceId, u64)>,
}

impl Timeline {
    /// Each track with its place, in the order in which they are shown.
    pub fn tracks(&self) -> Vec<(TrackId, Track)> {
        let mut all: Vec<_> = self.ids.iter().map(|(track, id)| (*id, *track)).collect();
        all.sort_by_key(|(_, track)| *track);
        all
    }

    /// The track at this place.
    pub fn track(&self, id: TrackId) -> Track {
        self.tracks[id.0 as usize]
    }

    /// The arrows that begin at this slice.
    pub fn arrows_out(&self, slice: SliceId) -> impl Iterator<Item = u64> + '_ {
        of(&self.arrows_out, slice)
    }

    /// The arrows that end at this slice.
    pub fn arrows_in(&self, slice: SliceId) -> impl Iterator<Item = u64> + '_ {
        of(&self.arrows_in, slice)
    }

    /// The task that the slice is about.
    pub fn task(&self, slice: SliceId) -> Option<TaskId> {
        self.slices[slice.0 as usize].task
    }

    /// All arrows, from the slice where one begins to that where it ends.
    pub fn arrows(&self) -> &[(SliceId, SliceId)] {
        &self.arrows
    }

    /// How many slices, tracks and arrows there are.
    pub fn counts(&self) -> [usize; 3] {
        [self.slices.len(), self.tracks.len(), self.arrows.len()]
    }

    fn id(&mut self, track: Track) -> TrackId {
        *self.ids.entry(track).or_insert_with(|| {
            self.tracks.push(track);
            TrackId(self.tracks.len() as u32 - 1)
        })
    }

    fn keep(&mut self, record: &Record) -> RecordId {
        self.records.push(record.clone());
        RecordId(self.records.len() as u32 - 1)
    }

    fn record(&self, id: Option<RecordId>) -> Option<&Record> {
        id.map(|id| &self.records[id.0 as usize])
    }

    fn begin(&mut self, track: TrackId, utc_ns: u64, slice: Slice) -> SliceId {
        self.slices.push(slice);
        let id = SliceId(self.slices.len() as u32 - 1);
        self.events.push(Event { utc_ns, track, begins: Some(id) });
        id
    }

    fn end(&mut self, track: TrackId, utc_ns: u64) {
        self.events.push(Event { utc_ns, track, begins: None });
    }

    fn arrow(&mut self, from: SliceId, to: SliceId) {
        self.arrows.push((from, to));
    }

    fn slice_mut(&mut self, slice: SliceId) -> &mut Slice {
        &mut self.slices[slice.0 as usize]
    }

    /// Puts all in order.
    fn sort(&mut self) {
        // Stable, so that what has the same time stays in its order.
        self.events.sort_by_key(|event| event.utc_ns);
        let arrows = || (1..).zip(&self.arrows);
        self.arrows_out = arrows().map(|(number, (from, _))| (*from, number)).collect();
        self.arrows_in = arrows().map(|(number, (_, to))| (*to, number)).collect();
        self.arrows_out.sort_unstable();
        self.arrows_in.sort_unstable();
    }
}

fn of(arrows: &[(SliceId, u64)], slice: SliceId) -> impl Iterator<Item = u64> + '_ {
    let first = arrows.partition_point(|(other, _)| *other < slice);
    let those = arrows[first..].iter().take_while(move |(other, _)| *other == slice);
    those.map(|(_, number)| *number)
}

/// Numbers of a track and a slice, for tests of what is made of a timeline.
#[cfg(test)]
pub fn bar_ids(track: u32, slice: usize) -> (TrackId, SliceId) {
    (TrackId(track), SliceId(slice as u32))
}
