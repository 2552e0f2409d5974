//! Who waits in this process, for the process itself.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use ticks_format::{Awaited, Direction, Entry, ReadAt, Recording, Source, Task, TaskState, Waiter};
use ticks_recorder as recorder;

/// Who waits now in this process, and for what: the table that `ticks who` shows of it.
///
/// It is read from the process's own recording. So it is empty while nobody records (`ASYNC_IO_TRACE`). A wait
/// for a socket or a timer has an entry; so has each task that waits for something else, and each that was
/// forgotten. The tool `ticks` also shows the stack of each wait.
///
/// It reads the tables of the recording and copies what it finds. That takes some milliseconds, 20 where
/// 10,000 tasks wait, and in a debug build fifteen times as long: fine for a status page or a watchdog, too much for
/// each request. Other threads go on meanwhile, so two entries may not be of the
/// same moment.
///
/// # Examples
///
/// ```
/// use async_io::{block_on, Timer};
/// use std::time::Duration;
///
/// block_on(async {
///     Timer::after(Duration::from_millis(1)).await;
///     for wait in async_io::trace::waits() {
///         println!("{wait}");
///     }
/// });
/// ```
pub fn waits() -> Vec<Wait> {
    match recorder::own_recording() {
        Some(recording) => Table::read(&recording).waits(),
        None => Vec::new(),
    }
}

/// The names of recorded tasks, by the data pointer of their wakers.
pub(crate) fn task_names() -> HashMap<u64, String> {
    let Some(recording) = recorder::own_recording() else { return HashMap::new() };
    let named = whole(recording.tasks()).filter_map(|task| {
        let name = recording.place(task.name).ok().flatten()?;
        Some((task.waker, name))
    });
    named.collect()
}

/// One who waits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wait {
    /// The number of its task, as `ticks` has it; `None` if it is in none that is recorded.
    pub task: Option<u64>,
    /// The name of its task: the type of its future, or what [`task`](super::task) was told. Empty if there is none.
    pub name: String,
    /// For what.
    pub waits_for: WaitsFor,
    /// For how long so far.
    pub waited: Duration,
    /// Where in the code, if that is known: `src/main.rs:12:5`.
    pub place: Option<String>,
}

/// What somebody waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitsFor {
    /// A source: a socket, a pipe, whatever an [`Async`](crate::Async) is made of.
    #[non_exhaustive]
    Source {
        /// Its file descriptor; on Windows its socket.
        fd: i64,
        /// What it is: `tcp`, `tcp-listener`, `udp`, `unix`, `unix-listener`, `pipe` or `other`.
        kind: &'static str,
        /// Whether it is to become writable, rather than readable.
        to_write: bool,
        /// Its own address; empty if it has none.
        local: String,
        /// Its peer's address; empty if it has none.
        peer: String,
    },
    /// A timer.
    #[non_exhaustive]
    Timer {
        /// In how long it is due; zero if it is.
        due_in: Duration,
    },
    /// Something that is not the reactor's: a lock, a channel, another task.
    Other,
    /// Nothing any more: nobody has a waker of the task, so that nobody can wake it.
    Nobody,
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.task {
            Some(id) => write!(f, "task {id} ({})", self.name)?,
            None => f.write_str("somebody")?,
        }
        match &self.waits_for {
            WaitsFor::Source { fd, kind, to_write, local, peer } => {
                let does = if *to_write { "write to" } else { "read from" };
                write!(f, " waits to {does} {kind} fd {fd}")?;
                match (local.as_str(), peer.as_str()) {
                    ("", "") => {}
                    (address, "") | ("", address) => write!(f, " ({address})")?,
                    (local, peer) => write!(f, " ({local} → {peer})")?,
                }
            }
            WaitsFor::Timer { due_in } => write!(f, " waits for a timer, due in {due_in:?}")?,
            WaitsFor::Other => f.write_str(" waits for a lock, a channel or another task")?,
            WaitsFor::Nobody => f.write_str(" waits, and nobody can wake it")?,
        }
        write!(f, ", for {:?}", self.waited)?;
        match &self.place {
            Some(place) => write!(f, ", at {place}"),
            None => Ok(()),
        }
    }
}

/// What the recording says now.
struct Table<'a, R> {
    recording: &'a Recording<R>,
    /// By the counter.
    now: u64,
    /// By the reactor's clock.
    now_ns: u64,
    sources: HashMap<u64, Source>,
    waiters: Vec<Waiter>,
    tasks: Vec<Task>,
    /// How many wakers the reactor keeps of each task, by the waker's number.
    kept: HashMap<u64, u64>,
}

impl<'a, R: ReadAt> Table<'a, R> {
    fn read(recording: &'a Recording<R>) -> Table<'a, R> {
        let now = recorder::now();
        let waiters: Vec<Waiter> = whole(recording.waiters()).collect();
        let mut kept = HashMap::new();
        for waiter in &waiters {
            *kept.entry(waiter.task).or_default() += waiter.awaited.wakers();
        }
        Table {
            recording,
            now,
            now_ns: recorder::clock_ns(now),
            sources: whole(recording.sources()).map(|source| (source.key.0, source)).collect(),
            tasks: whole(recording.tasks()).collect(),
            waiters,
            kept,
        }
    }

    fn waits(&self) -> Vec<Wait> {
        let names: HashMap<u64, String> = self
            .tasks
            .iter()
            .map(|task| (task.id, self.text(task.name).unwrap_or_default()))
            .collect();
        let name = |id| names.get(&id).cloned().unwrap_or_default();
        let of_reactor = self.waiters.iter().map(|waiter| Wait {
            task: Some(waiter.task_id).filter(|id| *id != 0),
            name: name(waiter.task_id),
            waits_for: self.awaited(waiter),
            waited: self.since(waiter.since),
            place: self.text(waiter.place),
        });
        let of_others = self.tasks.iter().filter_map(|task| {
            let waits_for = match task.state {
                TaskState::Waiting if self.asks_others(task) => WaitsFor::Other,
                TaskState::Forgotten | TaskState::Lost => WaitsFor::Nobody,
                _ => return None,
            };
            let waited = self.since(self.recording.clock().whole(task.since));
            Some(Wait { task: Some(task.id), name: name(task.id), waits_for, waited, place: None })
        });
        let mut waits: Vec<Wait> = of_reactor.chain(of_others).collect();
        waits.sort_by_key(|wait| std::cmp::Reverse(wait.waited));
        waits
    }

    fn awaited(&self, waiter: &Waiter) -> WaitsFor {
        match waiter.awaited {
            Awaited::Source { key, fd, dir, .. } => {
                let source = self.sources.get(&key.0);
                let address = |address: Option<&ticks_format::Address>| match address {
                    Some(address) if *address != ticks_format::Address::None => address.to_string(),
                    _ => String::new(),
                };
                WaitsFor::Source {
                    fd,
                    kind: source.map_or("other", |source| source.kind.name()),
                    to_write: dir == Direction::Write,
                    local: address(source.map(|source| &source.local)),
                    peer: address(source.map(|source| &source.peer)),
                }
            }
            Awaited::Timer { deadline_ns, .. } => WaitsFor::Timer {
                due_in: Duration::from_nanos(deadline_ns.saturating_sub(self.now_ns)),
            },
        }
    }

    /// Whether there are more wakers of the task than the reactor keeps.
    fn asks_others(&self, task: &Task) -> bool {
        let kept = self.kept.get(&task.waker).copied().unwrap_or(0);
        task.wakers > kept
    }

    fn since(&self, then: u64) -> Duration {
        Duration::from_nanos(recorder::elapsed_ns(then, self.now))
    }

    fn text(&self, place: u64) -> Option<String> {
        self.recording.place(place).ok().flatten()
    }
}

/// The entries that no thread was changing.
fn whole<T, E>(entries: impl Iterator<Item = Result<Entry<T>, E>>) -> impl Iterator<Item = T> {
    entries.filter_map(|entry| match entry {
        Ok(Entry::Whole(whole)) => Some(whole),
        Ok(Entry::Torn) | Err(_) => None,
    })
}
