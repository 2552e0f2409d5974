//! Records as tracks, slices and arrows, whatever the format they are exported to.
//!
//! - A track a thread: rounds, waits, polls, `block_on`, parks as nested slices; events and wakes as
//!   slices without length, so that arrows can begin and end there.
//! - A track a source and direction: how long anyone waited.
//! - A track a task: its polls.
//! - An arrow from the kernel's event to the wake that it caused, and from there to the poll.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value as Json};
use ticks_format::records::{PollBegin, PollEnd, ReactEvent, Wake};
use ticks_format::{Direction, Key, Record, Verdict, WakeCause, WakerChange, What};

use crate::input::{addresses, Input};
use crate::line;
use crate::merge::Moment;

/// A track of a timeline.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Track {
    /// A thread of a file's process.
    Thread {
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
        /// Its direction's number.
        dir: u8,
    },
    /// A task.
    Task {
        /// Which file.
        input: usize,
        /// The waker's data pointer.
        task: u64,
    },
}

/// What happens on a track.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    /// A slice begins.
    Begin {
        /// Its name.
        name: String,
        /// What else is known of it.
        args: Map<String, Json>,
    },
    /// The innermost open slice ends.
    End,
}

/// Something that happens on a track.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// UTC, nanoseconds since 1970.
    pub utc_ns: u64,
    /// Where.
    pub track: Track,
    /// What.
    pub phase: Phase,
    /// The arrows that begin at this slice.
    pub arrows_out: Vec<u64>,
    /// The arrows that end at this slice.
    pub arrows_in: Vec<u64>,
}

/// A slice of a thread's track that has begun.
struct Open {
    /// What ends it.
    end: &'static str,
}

/// A poll of a source that has begun on a thread.
struct Polling {
    begin_ns: u64,
    task: Option<u64>,
}

type WaiterId = (usize, Key, u8, u64);

/// A timeline under construction.
#[derive(Default)]
pub struct Timeline {
    /// All that happens; in the order of time on each track.
    pub events: Vec<Event>,
    /// The tracks' names.
    pub names: BTreeMap<Track, String>,
    open: HashMap<Track, Vec<Open>>,
    last_ns: u64,
    next_arrow: u64,
    /// The arrow from the last event of a direction, while nobody was woken by it, to be drawn at
    /// the wakes: the index of the event's slice.
    events_of: HashMap<(usize, Key, u8), usize>,
    /// The wake of a direction after which nobody polled yet: the index of its slice.
    wakes_of: HashMap<(usize, Key, u8), Vec<(u64, usize)>>,
    polling: HashMap<(usize, u64), Polling>,
    /// The task that last stored its waker with a waiter.
    tasks: HashMap<WaiterId, u64>,
    /// Who waits on a source's track, and when its last slice ended.
    waiting: HashMap<Track, Vec<u64>>,
    ended_ns: HashMap<Track, u64>,
}

impl Timeline {
    /// An empty timeline that knows the sources' names.
    pub fn new(inputs: &[Input]) -> anyhow::Result<Timeline> {
        let mut timeline = Timeline::default();
        for (input, file) in inputs.iter().enumerate() {
            for source in file.sources()?.into_values() {
                let what = format!("{} {}", source.kind, addresses(&source.local, &source.peer));
                timeline.name_source(input, source.key, source.fd, &what);
            }
        }
        Ok(timeline)
    }

    fn name_source(&mut self, input: usize, key: Key, fd: i64, what: &str) {
        for dir in Direction::ALL {
            let name = format!("fd {fd} {dir} {}", what.trim());
            let dir = dir.code();
            self.names.insert(Track::Source { input, key, dir }, name);
        }
    }

    /// Takes in the next record in the order of time.
    pub fn add(&mut self, moment: &Moment) {
        let (input, at) = (moment.input, moment.utc_ns.max(self.last_ns));
        self.last_ns = at;
        let thread = moment.stamped.thread.as_ref();
        let tid = thread.map_or(0, |thread| thread.tid);
        let track = Track::Thread { input, tid };
        if let Some(thread) = thread {
            let name = || thread.name.to_string();
            self.names.entry(track.clone()).or_insert_with(name);
        }
        let What::Record(record) = &moment.stamped.what else {
            return;
        };
        if let Some((name, end)) = slice(record) {
            self.begin(&track, at, name, end, record);
        }
        match record {
            Record::PollBegin(poll) => self.poll_begins(input, tid, poll, at),
            Record::PollEnd(poll) => self.poll_ends(input, tid, poll, at),
            Record::SourceWaker(waker) => {
                let id = (input, waker.key, waker.dir.code(), waker.waiter);
                if waker.change == WakerChange::Dropped {
                    self.stops_waiting(id, at);
                } else {
                    self.tasks.insert(id, waker.task);
                    if let Some(polling) = self.polling.get_mut(&(input, tid)) {
                        polling.task = Some(waker.task);
                    }
                }
            }
            Record::ReactEvent(event) => self.event(&track, input, event, at),
            Record::Wake(wake) => self.wake(&track, input, wake, at),
            Record::SourceNew(new) => {
                let what = format!("{} {}", new.kind, addresses(&new.local, &new.peer));
                self.name_source(input, new.key, new.fd, &what);
            }
            Record::SourceDrop(gone) => self.source_gone(input, gone.key, at),
            Record::TimerFire(_) => {
                self.point(&track, at, "timer fires", record);
            }
            _ => {}
        }
        if let Some(end) = slice_end(record) {
            self.end(&track, at, end);
        }
    }

    fn push(&mut self, track: &Track, utc_ns: u64, phase: Phase) -> usize {
        self.events.push(Event {
            utc_ns,
            track: track.clone(),
            phase,
            arrows_out: Vec::new(),
            arrows_in: Vec::new(),
        });
        self.events.len() - 1
    }

    fn begin(
        &mut self,
        track: &Track,
        at: u64,
        name: &str,
        end: &'static str,
        record: &Record,
    ) -> usize {
        self.open.entry(track.clone()).or_default().push(Open { end });
        let (name, args) = (name.to_owned(), args(record));
        self.push(track, at, Phase::Begin { name, args })
    }

    /// Ends the innermost slice that `end` ends, and what is still open within it: its end was
    /// overwritten. An end whose beginning was overwritten is passed over.
    fn end(&mut self, track: &Track, at: u64, end: &'static str) {
        let open = self.open.entry(track.clone()).or_default();
        let Some(place) = open.iter().rposition(|open| open.end == end) else {
            return;
        };
        let count = open.len() - place;
        open.truncate(place);
        for _ in 0..count {
            self.push(track, at, Phase::End);
        }
    }

    /// A slice without length.
    fn point(&mut self, track: &Track, at: u64, name: &str, record: &Record) -> usize {
        let (name, args) = (name.to_owned(), args(record));
        let index = self.push(track, at, Phase::Begin { name, args });
        self.push(track, at, Phase::End);
        index
    }

    fn arrow(&mut self, from: usize, to: usize) {
        self.next_arrow += 1;
        self.events[from].arrows_out.push(self.next_arrow);
        self.events[to].arrows_in.push(self.next_arrow);
    }

    fn event(&mut self, track: &Track, input: usize, event: &ReactEvent, at: u64) {
        let name = format!("event fd {}", event.fd);
        let index = self.point(track, at, &name, &Record::ReactEvent(event.clone()));
        for (counts, dir) in [(event.readable, Direction::Read), (event.writable, Direction::Write)]
        {
            if counts {
                self.events_of.insert((input, event.key, dir.code()), index);
            }
        }
    }

    fn wake(&mut self, track: &Track, input: usize, wake: &Wake, at: u64) {
        let name = format!("wake {:#x}", wake.task);
        let index = self.point(track, at, &name, &Record::Wake(wake.clone()));
        let (WakeCause::Source, Some(key), Some(dir)) = (wake.by, wake.key, wake.dir) else {
            return;
        };
        let id = (input, key, dir.code());
        if let Some(event) = self.events_of.get(&id) {
            self.arrow(*event, index);
        }
        let wakes = self.wakes_of.entry(id).or_default();
        // Another wake of the same task replaces one that led to no poll.
        wakes.retain(|(task, _)| *task != wake.task);
        wakes.push((wake.task, index));
    }

    fn poll_begins(&mut self, input: usize, tid: u64, poll: &PollBegin, at: u64) {
        let dir = poll.dir.code();
        let task = self.tasks.get(&(input, poll.key, dir, poll.waiter)).copied();
        let begin_ns = at;
        self.polling.insert((input, tid), Polling { begin_ns, task });
        // `begin` has just pushed the poll's slice.
        let slice = self.events.len() - 1;
        let wakes = self.wakes_of.get_mut(&(input, poll.key, dir));
        let woken = wakes.and_then(|wakes| {
            let place = wakes.iter().position(|(woken, _)| Some(*woken) == task)?;
            Some(wakes.remove(place).1)
        });
        if let Some(wake) = woken {
            self.arrow(wake, slice);
        }
    }

    fn poll_ends(&mut self, input: usize, tid: u64, poll: &PollEnd, at: u64) {
        let id = (input, poll.key, poll.dir.code(), poll.waiter);
        if let Some(Polling { begin_ns, task: Some(task) }) = self.polling.remove(&(input, tid)) {
            self.task_polled(input, task, poll, begin_ns, at);
        }
        if poll.result == Verdict::Pending {
            self.begins_waiting(id, at, poll);
        } else {
            self.stops_waiting(id, at);
            self.tasks.remove(&id);
        }
    }

    /// One task's polls follow each other; where two tasks share a number, the later one's slice
    /// begins when the earlier one's ends.
    fn task_polled(&mut self, input: usize, task: u64, poll: &PollEnd, begin: u64, end: u64) {
        let track = Track::Task { input, task };
        let name = || format!("task {task:#x}");
        self.names.entry(track.clone()).or_insert_with(name);
        let begin = begin.max(self.ended_ns.get(&track).copied().unwrap_or(0));
        let end = end.max(begin);
        self.ended_ns.insert(track.clone(), end);
        let name = format!("poll fd {} {}: {}", poll.fd, poll.dir, poll.result);
        let args = args(&Record::PollEnd(poll.clone()));
        self.push(&track, begin, Phase::Begin { name, args });
        self.push(&track, end, Phase::End);
    }

    fn begins_waiting(&mut self, (input, key, dir, waiter): WaiterId, at: u64, poll: &PollEnd) {
        let track = Track::Source { input, key, dir };
        let name = || format!("fd {} {}", poll.fd, poll.dir);
        self.names.entry(track.clone()).or_insert_with(name);
        let waiting = self.waiting.entry(track.clone()).or_default();
        if waiting.contains(&waiter) {
            return;
        }
        waiting.push(waiter);
        if waiting.len() == 1 {
            let (name, args) = ("waited for".to_owned(), args(&Record::PollEnd(poll.clone())));
            self.push(&track, at, Phase::Begin { name, args });
        }
    }

    fn stops_waiting(&mut self, (input, key, dir, waiter): WaiterId, at: u64) {
        let track = Track::Source { input, key, dir };
        let Some(waiting) = self.waiting.get_mut(&track) else {
            return;
        };
        let Some(place) = waiting.iter().position(|other| *other == waiter) else {
            return;
        };
        waiting.swap_remove(place);
        if waiting.is_empty() {
            self.push(&track, at, Phase::End);
        }
    }

    fn source_gone(&mut self, input: usize, key: Key, at: u64) {
        for dir in Direction::ALL.iter().map(|dir| dir.code()) {
            let track = Track::Source { input, key, dir };
            let waiting = self.waiting.remove(&track);
            if waiting.is_some_and(|waiting| !waiting.is_empty()) {
                self.push(&track, at, Phase::End);
            }
            self.events_of.remove(&(input, key, dir));
            self.wakes_of.remove(&(input, key, dir));
        }
    }

    /// Ends what is still open, and puts all in the order of time.
    pub fn finish(mut self) -> Timeline {
        let at = self.last_ns;
        let open = std::mem::take(&mut self.open);
        for (track, slices) in open {
            for _ in slices {
                self.push(&track, at, Phase::End);
            }
        }
        for (track, waiting) in std::mem::take(&mut self.waiting) {
            if !waiting.is_empty() {
                self.push(&track, at, Phase::End);
            }
        }
        // Stable, so that what has the same time stays in its order.
        self.events.sort_by_key(|event| event.utc_ns);
        self
    }
}

/// The slice that the record begins on its thread's track, and the name of what ends it.
fn slice(record: &Record) -> Option<(&'static str, &'static str)> {
    Some(match record {
        Record::ReactBegin(_) => ("round", "ReactEnd"),
        Record::WaitBegin(_) => ("wait", "WaitEnd"),
        Record::PollBegin(_) => ("poll", "PollEnd"),
        Record::CtlBegin(_) => ("epoll_ctl", "CtlEnd"),
        Record::BlockOnBegin(_) => ("block_on", "BlockOnEnd"),
        Record::ParkBegin(_) => ("park", "ParkEnd"),
        Record::DriveBegin(_) => ("drive", "DriveEnd"),
        _ => return None,
    })
}

/// Which slice the record ends.
fn slice_end(record: &Record) -> Option<&'static str> {
    Some(match record {
        Record::ReactEnd(_) => "ReactEnd",
        Record::WaitEnd(_) => "WaitEnd",
        Record::PollEnd(_) => "PollEnd",
        Record::CtlEnd(_) => "CtlEnd",
        Record::BlockOnEnd(_) => "BlockOnEnd",
        Record::ParkEnd(_) => "ParkEnd",
        Record::DriveEnd(_) => "DriveEnd",
        _ => return None,
    })
}

fn args(record: &Record) -> Map<String, Json> {
    let mut args = Map::new();
    line::fields(&What::Record(record.clone()), &mut |name, value| {
        args.insert(name.into(), value);
    });
    args
}
