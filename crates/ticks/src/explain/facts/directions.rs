//! What happened to each direction of the sources that live.

use std::collections::HashMap;

use ticks_format::records::{PollEnd, SourceNew, TaskPollEnd};
use ticks_format::{
    Direction, Key, Reason, Record, Ticks, Verdict, WaiterId, WakeCause, WakerChange,
};

/// How many tasks of one direction are kept at most.
const TASKS_MAX: usize = 16;

/// The sources that live.
#[derive(Default)]
pub struct Directions {
    /// By key and direction.
    pub all: HashMap<(Key, Direction), Facts>,
    /// Tasks that were dropped before their end, and when, among them those that asked a source that lives.
    pub cancelled: HashMap<u64, u64>,
    at_ns: u64,
}

/// What happened to one direction.
#[derive(Default)]
pub struct Facts {
    /// Events that were delivered.
    pub events: u64,
    /// The last of them.
    pub last_event: Option<Event>,
    /// Events since somebody asked, and when the first of them came.
    pub unasked: u64,
    /// When the first of those came.
    pub unasked_since_ns: Option<u64>,
    /// Whether a waker was taken by one of those.
    pub unasked_woke: bool,
    /// When somebody asked last, what the answer was, and which task it was.
    pub last_poll: Option<(u64, Verdict, Option<u64>)>,
    /// By which calls somebody asked last and was told to wait; 0 if that is not known.
    pub asked_by_stack: u64,
    /// The wakers that are kept, since when, and by which calls they were left.
    pub waiting: Vec<Kept>,
    /// The tick of the last wake.
    pub last_wake_tick: Option<u64>,
    /// Answers in a row that 2.6.0 would have given otherwise, to those who had waited.
    pub stalls: u64,
    /// The most of them in a row.
    pub stalls_max: u64,
    /// The last of them.
    pub stall: Option<Stall>,
    /// When a timer had a task begin anew in the midst of what it did with the direction, after data had come.
    pub restart: Option<Restart>,
    /// How many events there had been at the last time.
    events_at_restart: u64,
    /// Ticks of the waiter before its last answer.
    before: Option<Ticks>,
}

/// An event.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// When.
    pub utc_ns: u64,
    /// The round's number.
    pub tick: u64,
    /// How many wakers it took.
    pub wakers: u64,
}

/// A waker that a direction keeps.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    /// Its data pointer.
    pub waker: u64,
    /// The task that left it, if one is recorded.
    pub task: Option<u64>,
    /// Since when.
    pub since_ns: u64,
    /// By which calls; 0 if that is not known.
    pub stack: u64,
}

/// A task that was woken by a timer, asked the direction again and set another timer, as a loop with a timeout does.
#[derive(Clone, Copy, Debug)]
pub struct Restart {
    /// When.
    pub utc_ns: u64,
    /// The task.
    pub task: u64,
    /// By which calls it asked last to be woken.
    pub stack: u64,
}

/// An answer that 2.6.0 would have withheld.
#[derive(Clone, Copy, Debug)]
pub struct Stall {
    /// The tick of the event.
    pub tick: u64,
    /// What the waiter remembers here.
    pub ticks: Option<Ticks>,
    /// The task.
    pub task: Option<u64>,
}

impl Directions {
    /// Takes in the next record, made while that task was polled.
    pub fn add(
        &mut self,
        record: &Record,
        at_ns: u64,
        task: Option<u64>,
        upstream: Option<Verdict>,
    ) {
        self.at_ns = at_ns;
        match record {
            Record::SourceNew(new) => self.comes(new),
            Record::SourceDrop(gone) => {
                for dir in Direction::ALL {
                    self.all.remove(&(gone.key, *dir));
                }
            }
            Record::ReactEvent(event) => {
                let (read, write) = (event.readable, event.writable);
                let read = read.then_some(Direction::Read);
                let write = write.then_some(Direction::Write);
                let told = Event { utc_ns: at_ns, tick: event.tick, wakers: event.wakers };
                for dir in read.into_iter().chain(write) {
                    self.all.entry((event.key, dir)).or_default().event(told);
                }
            }
            Record::Wake(wake) => {
                if let (WakeCause::Source, Some(key), Some(dir)) = (wake.by, wake.key, wake.dir) {
                    let facts = self.all.entry((key, dir)).or_default();
                    facts.last_wake_tick = facts.last_wake_tick.max(wake.tick);
                }
            }
            Record::PollBegin(poll) => {
                self.all.entry((poll.key, poll.dir)).or_default().before = poll.ticks;
            }
            Record::PollEnd(poll) => {
                self.all.entry((poll.key, poll.dir)).or_default().poll(poll, at_ns, task, upstream);
            }
            Record::SourceWaker(waker) => {
                let facts = self.all.entry((waker.key, waker.dir)).or_default();
                facts.waiting.retain(|kept| kept.waker != waker.task);
                if waker.change == WakerChange::Dropped {
                    if waker.waiter != WaiterId::SHARED && waker.task == 0 {
                        facts.asked();
                    }
                } else if facts.waiting.len() < TASKS_MAX {
                    let kept = Kept { waker: waker.task, task, since_ns: at_ns, stack: 0 };
                    facts.waiting.push(kept);
                }
            }
            Record::TaskCancelled(gone)
                if self.all.values().any(|facts| facts.asked_by(gone.task)) =>
            {
                self.cancelled.insert(gone.task, at_ns);
            }
            _ => {}
        }
    }

    /// By which calls those wakers were left that were left in this poll.
    pub fn poll_of_task_ends(&mut self, end: &TaskPollEnd) {
        let began_ns = self.at_ns.saturating_sub(end.duration_ns.saturating_mul(2) + 1_000_000);
        for facts in self.all.values_mut() {
            for kept in &mut facts.waiting {
                if kept.task == Some(end.task) && kept.stack == 0 && kept.since_ns >= began_ns {
                    kept.stack = end.stack;
                    facts.asked_by_stack = end.stack;
                }
            }
        }
    }

    /// In this poll, which a timer caused, a task asked these and set another timer.
    pub fn restarts(&mut self, asked: &[(Key, Direction)], end: &TaskPollEnd, at_ns: u64) {
        for direction in asked {
            let Some(facts) = self.all.get_mut(direction) else { continue };
            if facts.events > facts.events_at_restart {
                let restart = Restart { utc_ns: at_ns, task: end.task, stack: end.stack };
                facts.restart = Some(restart);
            }
            facts.events_at_restart = facts.events;
        }
    }

    fn comes(&mut self, new: &SourceNew) {
        for dir in Direction::ALL {
            self.all.insert((new.key, *dir), Facts::default());
        }
    }
}

impl Facts {
    fn event(&mut self, event: Event) {
        self.events += 1;
        self.unasked += 1;
        self.unasked_woke |= event.wakers > 0;
        self.unasked_since_ns.get_or_insert(event.utc_ns);
        self.last_event = Some(event);
        // An event takes the wakers of all.
        if event.wakers > 0 {
            self.waiting.clear();
        }
    }

    fn asked(&mut self) {
        (self.unasked, self.unasked_since_ns, self.unasked_woke) = (0, None, false);
    }

    fn asked_by(&self, task: u64) -> bool {
        matches!(self.last_poll, Some((_, _, Some(last))) if last == task)
    }

    fn poll(&mut self, poll: &PollEnd, at_ns: u64, task: Option<u64>, upstream: Option<Verdict>) {
        self.asked();
        self.last_poll = Some((at_ns, poll.result, task));
        if poll.result != Verdict::Ready {
            return;
        }
        // Who waited, was woken by an event that is new, and would be told to wait on. Only what all callers of the
        // poll functions share forgets there what it was waiting for, at each poll.
        let had_waited =
            poll.reason == Reason::LaterTick && poll.waiter_id().number == WaiterId::SHARED;
        if had_waited && upstream == Some(Verdict::Pending) {
            self.stalls += 1;
            self.stalls_max = self.stalls_max.max(self.stalls);
            self.stall = Some(Stall { tick: poll.tick, ticks: self.before, task });
        } else if had_waited && upstream.is_some() {
            self.stalls = 0;
        }
    }
}
