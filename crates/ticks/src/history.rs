//! What the rings say of those who wait: who was woken and has not asked since, which events there were, and
//! what each thread did last.

use std::collections::HashMap;

use ticks_format::layout::counter;
use ticks_format::{
    Awaited, Direction, Key, Kind, Loss, Record, Thread, Waiter, WaiterId, WakeCause, WakerChange,
    What,
};

use crate::input::Input;

/// The thread that drives when nobody else does.
const HELPER: &str = "async-io";

/// The last of several things that a recording holds, by its counter.
#[derive(Default)]
pub struct History {
    /// By source, direction and task.
    wakes: HashMap<(Key, Direction, u64), u64>,
    polls: HashMap<WaiterId, u64>,
    /// The last poll of a direction by anybody.
    asked: HashMap<(Key, Direction), u64>,
    /// The last event of a direction that found nobody waiting.
    unclaimed: HashMap<(Key, Direction), u64>,
    /// How many there were, and the last.
    events: HashMap<(Key, Direction), (u64, u64)>,
    /// Whether there were more records, which cannot be read.
    is_partial: bool,
    /// Of the threads that have not ended.
    threads: Vec<LastRecord>,
}

/// The events of a direction.
#[derive(Clone, Copy, Debug)]
pub struct Events {
    /// How many there were.
    pub count: u64,
    /// Whether there may have been more, of which nothing is left.
    pub is_at_least: bool,
    /// When the last was delivered, by the counter, if its record is left.
    pub last: Option<u64>,
}

/// The last record of a thread.
pub struct LastRecord {
    /// The thread.
    pub thread: Thread,
    /// When it was made, by the counter.
    pub time: u64,
    /// What it was; none: a mark, or of a kind that this build does not know.
    pub kind: Option<Kind>,
}

impl LastRecord {
    /// Whether the thread sleeps until somebody wakes it, as far as the reactor knows.
    fn rests(&self) -> bool {
        match self.kind {
            Some(Kind::ParkBegin | Kind::WaitBegin) => true,
            // Between two looks at the driver, and while another one drives.
            Some(Kind::DriveEnd) => &*self.thread.name == HELPER,
            _ => false,
        }
    }
}

impl History {
    /// Reads all rings.
    pub fn of(input: &Input) -> anyhow::Result<History> {
        let unrecorded = input.recording.counter(counter::UNRECORDED)?;
        let mut history = History { is_partial: unrecorded > 0, ..History::default() };
        if let Some(snapshot) = &input.snapshot {
            history.unclaimed.clone_from(&snapshot.unasked);
        }
        for ring in input.recording.rings()? {
            let mut last = None;
            let mut records = input.recording.records(&ring)?;
            for record in &mut records {
                let record = record?;
                let kind = match &record.what {
                    What::Record(what) => {
                        history.add(what, record.time);
                        Some(what.kind())
                    }
                    _ => None,
                };
                last = Some((record.time, kind));
            }
            history.is_partial |= records.loss() != Loss::default();
            if let Some((time, kind)) = last.filter(|_| ring.owned) {
                history.threads.push(LastRecord { thread: ring.owner, time, kind });
            }
        }
        Ok(history)
    }

    fn add(&mut self, record: &Record, time: u64) {
        let last = match record {
            Record::ReactEvent(event) => {
                let read = event.readable.then_some(Direction::Read);
                let write = event.writable.then_some(Direction::Write);
                for dir in read.into_iter().chain(write) {
                    let (count, last) = self.events.entry((event.key, dir)).or_default();
                    (*count, *last) = (*count + 1, time.max(*last));
                    if event.wakers == 0 {
                        let unclaimed = self.unclaimed.entry((event.key, dir)).or_default();
                        *unclaimed = time.max(*unclaimed);
                    }
                }
                return;
            }
            Record::Wake(wake) => match (wake.by, wake.key, wake.dir) {
                (WakeCause::Source, Some(key), Some(dir)) => {
                    self.wakes.entry((key, dir, wake.task)).or_default()
                }
                _ => return,
            },
            Record::PollBegin(poll) => self.asked.entry((poll.key, poll.dir)).or_default(),
            Record::PollEnd(poll) => self.polls.entry(poll.waiter_id()).or_default(),
            // One that goes asks no more.
            Record::SourceWaker(waker) if waker.change == WakerChange::Dropped => {
                self.polls.entry(waker.waiter_id()).or_default()
            }
            _ => return,
        };
        *last = time.max(*last);
    }

    /// When the task that waits was woken, if it has not asked since.
    pub fn owed(&self, waiter: &Waiter) -> Option<u64> {
        let id = waiter.waiter_id()?;
        let woken = *self.wakes.get(&(id.key, id.dir, waiter.task))?;
        let polled = self.polls.get(&id).copied().unwrap_or(0);
        (woken > polled.max(waiter.since)).then_some(woken)
    }

    /// When an event came that found nobody waiting, if nobody has asked since.
    pub fn unasked(&self, key: Key, dir: Direction) -> Option<u64> {
        let event = *self.unclaimed.get(&(key, dir))?;
        let asked = self.asked.get(&(key, dir)).copied().unwrap_or(0);
        (event > asked).then_some(event)
    }

    /// The events of the direction that is waited for.
    pub fn events(&self, waiter: &Waiter) -> Option<Events> {
        let Awaited::Source { key, dir, ticks, .. } = waiter.awaited else { return None };
        let events = self.events_of(key, dir);
        // The direction's tick is that of its last event.
        let had_some = ticks.is_some_and(|ticks| ticks.b > 0);
        Some(Events {
            count: events.count.max(u64::from(had_some)),
            is_at_least: events.is_at_least || had_some && events.count == 0,
            last: events.last,
        })
    }

    /// The events of a direction, whoever waits for it.
    pub fn events_of(&self, key: Key, dir: Direction) -> Events {
        let (count, last) = self.events.get(&(key, dir)).copied().unwrap_or_default();
        Events { count, is_at_least: self.is_partial, last: (count > 0).then_some(last) }
    }

    /// The thread that has recorded nothing for longest, of those whose last record is neither a park nor a
    /// wait. `None`: each thread rests.
    pub fn busiest(&self) -> Option<&LastRecord> {
        let busy = self.threads.iter().filter(|last| !last.rests());
        busy.min_by_key(|last| last.time)
    }
}
