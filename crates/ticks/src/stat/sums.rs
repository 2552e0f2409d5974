//! The sums of a recording, as its records are read in the order of time.

use std::collections::{BTreeMap, HashMap};

use ticks_format::records::{PollEnd, SourceNew, Wake};
use ticks_format::{
    Address, Direction, Key, Record, Source, SourceKind, Ticks, Verdict, WaiterId, WakeCause,
    WakerChange, What,
};

use super::durations::Durations;
use crate::input::{addresses, Input};
use crate::merge::Moment;

/// What a thread did.
#[derive(Default)]
pub struct ThreadSums {
    /// Its name; empty if it has none.
    pub name: String,
    /// When its last record was made.
    pub last_ns: u64,
    /// Records of it, the marks of its beginning and end not counted.
    pub records: u64,
    /// Rounds that it ended.
    pub rounds: u64,
    /// Events of these rounds.
    pub events: u64,
    /// Wakers that it woke.
    pub wakes: u64,
    /// How often it parked.
    pub parks: u64,
}

/// What happened to a source.
#[derive(Default)]
pub struct SourceSums {
    /// Events of it.
    pub events: u64,
    /// Wakers woken for it.
    pub wakes: u64,
    /// Those of them that were followed by a poll which is Pending.
    pub spurious: u64,
    /// Polls of it.
    pub polls: u64,
    /// Those of which it is known what 2.6.0 would have answered.
    pub judged: u64,
    /// Those that it would have answered otherwise.
    pub differ: u64,
    /// When an event to read came that found nobody waiting, if nobody has asked since.
    pub unasked_ns: Option<u64>,
    /// Waits that ended.
    pub waits: Durations,
}

impl SourceSums {
    fn has_any(&self) -> bool {
        self.events + self.wakes + self.polls > 0
    }
}

/// What happened to timers.
#[derive(Default)]
pub struct TimerSums {
    /// Armed.
    pub inserted: u64,
    /// Disarmed before they fired.
    pub removed: u64,
    /// Fired.
    pub fired: u64,
    /// How late.
    pub late: Durations,
}

/// What a source is.
#[derive(Clone, Default)]
pub struct About {
    /// Its descriptor.
    pub fd: i64,
    /// Kind, own address, peer's address, inode; none if only polls tell of it.
    pub described: Option<(SourceKind, Address, Address, u64)>,
}

impl About {
    fn new(new: &SourceNew) -> About {
        let described = (new.kind, new.local.clone(), new.peer.clone(), new.inode);
        About { fd: new.fd, described: Some(described) }
    }

    fn of(source: Source) -> About {
        let described = (source.kind, source.local, source.peer, source.inode);
        About { fd: source.fd, described: Some(described) }
    }

    /// Kind and addresses.
    pub fn text(&self) -> String {
        let text = |(kind, local, peer, _): &(SourceKind, Address, Address, u64)| {
            format!("{kind} {}", addresses(local, peer)).trim_end().to_owned()
        };
        self.described.as_ref().map(text).unwrap_or_default()
    }
}

/// A waiter between its first Pending and its Ready.
struct Waiting {
    since_ns: u64,
    /// What it remembers. One that remembers something else is the next one of the same number: this one
    /// was given up.
    ticks: Option<Ticks>,
    woken: bool,
}

/// The sums.
#[derive(Default)]
pub struct Sums {
    /// By the system's number.
    pub threads: BTreeMap<u64, ThreadSums>,
    /// By key.
    pub sources: BTreeMap<Key, SourceSums>,
    /// Of all timers.
    pub timers: TimerSums,
    /// What each source is.
    pub abouts: HashMap<Key, About>,
    /// When the first and the last record were made.
    pub span_ns: Option<(u64, u64)>,
    waiting: HashMap<WaiterId, Waiting>,
}

impl Sums {
    /// Sums of a file that knows these sources.
    pub fn new(input: &Input) -> anyhow::Result<Sums> {
        let mut sums = Sums::default();
        for source in input.sources()?.into_values() {
            sums.sources.entry(source.key).or_default();
            sums.abouts.insert(source.key, About::of(source));
        }
        Ok(sums)
    }

    /// Takes in the next record.
    pub fn add(&mut self, moment: &Moment) {
        let utc_ns = moment.utc_ns;
        let (begin, end) = self.span_ns.unwrap_or((utc_ns, utc_ns));
        self.span_ns = Some((begin.min(utc_ns), end.max(utc_ns)));
        let thread = moment.stamped.thread.as_ref();
        let sums = self.threads.entry(thread.map_or(0, |thread| thread.tid)).or_default();
        if let Some(thread) = thread.filter(|_| sums.name.is_empty()) {
            sums.name = thread.name.to_string();
        }
        sums.last_ns = sums.last_ns.max(utc_ns);
        let What::Record(record) = &moment.stamped.what else {
            return;
        };
        sums.records += 1;
        match record {
            Record::ReactEnd(end) => {
                sums.rounds += 1;
                sums.events = sums.events.saturating_add(end.events);
            }
            Record::ParkBegin(_) => sums.parks += 1,
            Record::Wake(wake) => {
                sums.wakes += 1;
                self.wake(wake);
            }
            Record::SourceNew(new) => {
                self.abouts.insert(new.key, About::new(new));
                self.sources.entry(new.key).or_default();
            }
            Record::SourceDrop(gone) => {
                self.waiting.retain(|waiter, _| waiter.key != gone.key);
                // One that came and went with nothing in between has nothing to tell.
                if self.sources.get(&gone.key).is_some_and(|sums| !sums.has_any()) {
                    self.sources.remove(&gone.key);
                }
            }
            Record::ReactEvent(event) => {
                let sums = self.sources.entry(event.key).or_default();
                sums.events += 1;
                if event.readable && event.wakers == 0 {
                    sums.unasked_ns.get_or_insert(utc_ns);
                }
            }
            Record::PollBegin(poll) if poll.dir == Direction::Read => {
                self.sources.entry(poll.key).or_default().unasked_ns = None;
            }
            Record::PollEnd(poll) => self.poll(poll, moment),
            Record::SourceWaker(waker) if waker.change == WakerChange::Dropped => {
                self.end_wait(waker.waiter_id(), utc_ns, |waiting| waiting.woken);
            }
            Record::TimerInsert(_) => self.timers.inserted += 1,
            Record::TimerRemove(_) => self.timers.removed += 1,
            Record::TimerFire(fire) => {
                self.timers.fired += 1;
                self.timers.late.add(fire.late_ns);
            }
            _ => {}
        }
    }

    /// All waiters of the direction that wait were woken, as an event wakes them all.
    fn wake(&mut self, wake: &Wake) {
        let (WakeCause::Source, Some(key), Some(dir)) = (wake.by, wake.key, wake.dir) else {
            return;
        };
        self.sources.entry(key).or_default().wakes += 1;
        for (waiter, waiting) in &mut self.waiting {
            waiting.woken |= waiter.direction() == (key, dir);
        }
    }

    fn poll(&mut self, poll: &PollEnd, moment: &Moment) {
        let (id, utc_ns) = (poll.waiter_id(), moment.utc_ns);
        let sums = self.sources.entry(poll.key).or_default();
        self.abouts.entry(poll.key).or_insert_with(|| About { fd: poll.fd, described: None });
        sums.polls += 1;
        sums.judged += u64::from(moment.upstream.is_some());
        sums.differ += u64::from(poll.upstream.is_some());
        if poll.result == Verdict::Pending {
            let new = || Waiting { since_ns: utc_ns, ticks: poll.ticks, woken: false };
            let waiting = self.waiting.entry(id).or_insert_with(new);
            if waiting.ticks != poll.ticks {
                *waiting = new();
            }
            sums.spurious += u64::from(std::mem::take(&mut waiting.woken));
        } else {
            self.end_wait(id, utc_ns, |_| true);
        }
    }

    /// A wait that does not count was given up.
    fn end_wait(&mut self, id: WaiterId, utc_ns: u64, counts: fn(&Waiting) -> bool) {
        if let Some(waiting) = self.waiting.remove(&id).filter(counts) {
            let waits = &mut self.sources.entry(id.key).or_default().waits;
            waits.add(utc_ns.saturating_sub(waiting.since_ns));
        }
    }
}
