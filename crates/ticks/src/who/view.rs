//! Everybody who waits, at one moment.

use std::collections::HashMap;

use ticks_format::layout::counter;
use ticks_format::{Awaited, Entry, Key, Source, SourceKind, Waiter};

use super::tasks::{self, Live};
use crate::history::{Events, History};
use crate::input::Input;
use crate::process::State;
use crate::sockets::{self, Socket};
use crate::units;

/// Everybody who waits in a process.
pub struct View<'a> {
    /// Its recording.
    pub input: &'a Input,
    /// What the process is doing.
    pub state: State,
    /// The moment: now, or the recording's end.
    pub at_ns: u64,
    /// How long ago by now the last record was made, if there is one.
    pub last_ago_ns: Option<u64>,
    /// The tasks, in the order in which they began.
    pub tasks: Vec<Live>,
    /// Who waits for a source or a timer, longest first.
    pub waits: Vec<Wait>,
    /// The sources that the file describes.
    pub sources: HashMap<Key, Source>,
    /// What the records say.
    pub history: History,
    /// Whether the table was not cut off.
    pub is_whole: bool,
    /// Entries that were being written.
    pub torn: u64,
    /// Waits that found no place in the table.
    pub left_out: u64,
    /// Tasks that found no place in theirs.
    pub tasks_left_out: u64,
}

/// One who waits.
pub struct Wait {
    /// The table's entry.
    pub waiter: Waiter,
    /// When the wait began.
    pub since_ns: u64,
    /// When its task was woken, if it has not asked since.
    pub woken_ns: Option<u64>,
    /// The events of the direction that is waited for.
    pub events: Option<Events>,
    /// When the last of them was delivered.
    pub last_event_ns: Option<u64>,
    /// When the timer is due.
    pub due_ns: Option<u64>,
    /// Where in the code.
    pub place: Option<String>,
    /// What is waited for, as far as it is described.
    pub source: Option<Source>,
    /// What the kernel knows of it, while the process is there.
    pub socket: Option<Socket>,
    /// The task that waits: its place among those of the view, if it is recorded.
    pub of_task: Option<usize>,
}

impl<'a> View<'a> {
    /// Looks.
    pub fn of(input: &'a Input) -> anyhow::Result<View<'a>> {
        let recording = &input.recording;
        let sources = input.sources()?;
        let state = input.state();
        // Before the table is read: reading it takes a while.
        let now_ns = units::now_ns();
        let (mut waiters, mut tasks, mut torn) = (Vec::new(), Vec::new(), 0);
        for entry in recording.tasks() {
            match entry? {
                Entry::Whole(task) => tasks.push(task),
                Entry::Torn => torn += 1,
            }
        }
        for entry in recording.waiters() {
            match entry? {
                Entry::Whole(waiter) => waiters.push(waiter),
                Entry::Torn => torn += 1,
            }
        }
        // After the table: whoever has asked since it was read is owed nothing.
        let has_sources = sources.values().any(|source| source.registered);
        let history = match has_sources || waiters.iter().any(|it| it.waiter_id().is_some()) {
            true => History::of(input)?,
            false => History::default(),
        };
        let last_ns = input.last_record_ns()?;
        let kernel = match state.is_live() && waiters.iter().any(|it| is_internet(it, &sources)) {
            true => sockets::of_process(input.pid()),
            false => HashMap::new(),
        };
        let mut waits = Vec::with_capacity(waiters.len());
        for waiter in waiters {
            let mut wait = Wait::new(input, waiter, &sources, &history, &kernel)?;
            if input.snapshot.is_some() && waiter.task == 0 {
                wait.woken_ns = Some(now_ns);
            }
            waits.push(wait);
        }
        waits.sort_by_key(|wait| wait.since_ns);
        let tasks = tasks::of(input, tasks, &mut waits)?;
        let at_ns = match state.is_live() {
            // The moment at which the memory was read.
            true if input.snapshot.is_some() => last_anchor_ns(input).unwrap_or(now_ns),
            true => now_ns,
            false => end_ns(input, last_ns, &waits, &tasks),
        };
        Ok(View {
            input,
            state,
            at_ns,
            last_ago_ns: last_ns.map(|last_ns| now_ns.saturating_sub(last_ns)),
            tasks,
            waits,
            sources,
            history,
            is_whole: recording.has_waiters()?,
            torn,
            left_out: recording.counter(counter::WAITERS_LEFT_OUT)?,
            tasks_left_out: recording.counter(counter::TASKS_LEFT_OUT)?,
        })
    }

    /// Whether it is known since when anybody waits. A process's memory does not have that: one look after
    /// another shows what has not changed since the first.
    pub fn has_times(&self) -> bool {
        self.input.snapshot.is_none()
    }

    /// How long something has gone on: at least, of a process of which nobody knows how long it went on. Empty if
    /// it is not known since when.
    pub fn length(&self, since_ns: u64) -> String {
        let length_ns = self.ago_ns(since_ns);
        match (self.has_times(), self.state.has_end()) {
            // At least since it was seen first.
            (false, _) if length_ns <= 1 => String::new(),
            (true, true) => units::duration(length_ns),
            (false, _) | (true, false) => format!("≥ {}", units::duration(length_ns)),
        }
    }

    /// How long before the view's moment that was.
    pub fn ago_ns(&self, then_ns: u64) -> u64 {
        self.at_ns.saturating_sub(then_ns)
    }
}

fn is_internet(waiter: &Waiter, sources: &HashMap<Key, Source>) -> bool {
    let source = waiter.waiter_id().and_then(|id| sources.get(&id.key));
    source.is_some_and(|source| {
        matches!(source.kind, SourceKind::Tcp | SourceKind::TcpListener | SourceKind::Udp)
    })
}

fn last_anchor_ns(input: &Input) -> Option<u64> {
    input.recording.clock().anchors().last().map(|anchor| anchor.utc_ns)
}

/// The end of a recording to which nothing more comes.
fn end_ns(input: &Input, last_ns: Option<u64>, waits: &[Wait], tasks: &[Live]) -> u64 {
    let last_anchor = last_anchor_ns(input);
    let last_wait = waits.iter().map(|wait| wait.since_ns).max();
    let last_task = tasks.iter().map(|task| task.since_ns).max();
    let all = [last_ns, input.ended_ns(), last_anchor, last_wait, last_task];
    all.into_iter().flatten().max().unwrap_or(0)
}

impl Wait {
    fn new(
        input: &Input,
        waiter: Waiter,
        sources: &HashMap<Key, Source>,
        history: &History,
        kernel: &HashMap<u64, Socket>,
    ) -> anyhow::Result<Wait> {
        let clock = input.recording.clock();
        let (source, due_ns) = match waiter.awaited {
            Awaited::Source { key, .. } => (sources.get(&key).cloned(), None),
            Awaited::Timer { deadline_ns, .. } => (None, clock.reactor_to_utc_ns(deadline_ns)),
        };
        let events = history.events(&waiter);
        Ok(Wait {
            since_ns: clock.utc_ns(waiter.since),
            woken_ns: history.owed(&waiter).map(|woken| clock.utc_ns(woken)),
            last_event_ns: events.and_then(|events| events.last).map(|last| clock.utc_ns(last)),
            events,
            due_ns,
            place: input.recording.place(waiter.place)?,
            socket: source.as_ref().and_then(|source| kernel.get(&source.inode)).cloned(),
            source,
            waiter,
            of_task: None,
        })
    }
}
