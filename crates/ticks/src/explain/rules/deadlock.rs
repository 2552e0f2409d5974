//! Tasks that wait for each other: for locks, channels and ends of tasks, and nobody is left who could release them.

use ticks_format::{TaskKind, TaskState, WokenBy};

use super::{Rule, Verdict};
use crate::explain::facts::{live, Facts, Process, Told, ToldWait};
use crate::explain::finding::{Finding, Sure};
use crate::process::State;
use crate::units;
use crate::who::tasks::Live;

pub struct Deadlock;

/// The tables are read one after the other: what is looked at is to have stood still for that long.
const STILL_NS: u64 = 500_000_000;
/// Where others are left who may hold the lock, it is held for very long.
const LONG_NS: u64 = 10_000_000_000;
/// What it asked before its last poll, so that it may be answered.
const PERHAPS: &str = "perhaps ";
/// How many tasks are named.
const NAMED: usize = 8;

impl Rule for Deadlock {
    fn kind(&self) -> &'static str {
        "deadlock"
    }

    fn looks_for(&self) -> &'static str {
        "tasks that wait for each other's locks, channels and ends"
    }

    fn reads_tables_only(&self) -> bool {
        true
    }

    fn judge(&self, facts: &Facts<'_>) -> anyhow::Result<Verdict> {
        let mut findings = Vec::new();
        let mut unclear: Option<String> = None;
        for process in &facts.processes {
            // Tasks that are left when a program ends by itself wait for nothing any more.
            if process.view.state == State::Ended && !is_in_block_on(process) {
                continue;
            }
            let waits = Waits::of(process);
            if waits.of_each_other.is_empty() {
                continue;
            }
            if process.view.tasks_left_out > 0 || process.view.torn > 0 {
                unclear =
                    Some("not all tasks are in the recording: they may hold the locks".into());
            } else if waits.others == 0 {
                findings.extend(self.closed(process, &waits)?);
            } else if let Some(finding) = self.with_others(process, &waits) {
                findings.push(finding);
            } else {
                unclear = unclear.or_else(|| waits.may_never_end(process));
            }
        }
        Ok(match unclear.filter(|_| findings.is_empty()) {
            Some(why) => Verdict::CannotTell(why),
            None => Verdict::of(findings),
        })
    }
}

/// Whether a `block_on` was under way, so that another thread ended the program.
fn is_in_block_on(process: &Process<'_>) -> bool {
    let block_on = |live: &&Live| live.task.kind == TaskKind::BlockOn;
    let mut all = process.view.tasks.iter().filter(block_on);
    all.any(|live| {
        let waits = process.task(live.task.id).map(|task| task.waits.as_slice());
        waits.unwrap_or_default().iter().any(|wait| !wait.is_executor)
    })
}

/// The task that async-process has in each program on smol, which waits for children to end, and holds nothing.
fn is_reaper(task: &Told) -> bool {
    task.name.starts_with("async_process::driver")
}

/// What a task waits for that another one is to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    /// A lock, or room in a channel: somebody has it.
    Held,
    /// A message, an event: somebody may send it, or nobody ever.
    Message,
    /// The end of a task.
    End,
}

impl For {
    /// None: not only tasks can end the wait.
    fn of(wait: &ToldWait) -> Option<For> {
        let has = |parts: &[&str]| parts.iter().any(|part| wait.text.contains(part));
        if wait.wait.is_some() || wait.is_executor {
            return None;
        }
        if has(&["Mutex::lock", "RwLock", "Semaphore", "Barrier", "lock (", "BiLock", "Sender"]) {
            return Some(For::Held);
        }
        if has(&["join handle", "the task in it"]) {
            return Some(For::End);
        }
        let messages = [
            "Receiver",
            "OnceCell",
            "oneshot",
            "Notify",
            "watch channel",
            "mpsc channel",
            "broadcast channel",
            "Condvar",
        ];
        let holders = [
            "event (event-listener)",
            "FuturesUnordered",
            "FuturesOrdered",
            "AtomicWaker",
            "channel (async-channel)",
        ];
        (has(&messages) || has(&holders)).then_some(For::Message)
    }
}

/// Who waits for whom.
struct Waits<'p> {
    /// Tasks that wait for nothing but what other tasks do.
    of_each_other: Vec<(&'p Told, &'p Live, For)>,
    /// Tasks that others can wake, or that run.
    others: usize,
}

impl<'p> Waits<'p> {
    fn of(process: &'p Process<'_>) -> Waits<'p> {
        let mut waits = Waits { of_each_other: Vec::new(), others: 0 };
        for live in &process.view.tasks {
            let Some(task) = process.task(live.task.id) else { continue };
            let waits_only = task.state == TaskState::Waiting && !task.waits.is_empty();
            if waits_only && task.waits.iter().all(|wait| wait.is_executor) {
                continue;
            }
            if is_reaper(task) {
                continue;
            }
            // Nobody can wake it, so it lets go of nothing: that is another rule's, and there may be a lock in it.
            if matches!(task.state, TaskState::Forgotten | TaskState::Lost) {
                waits.others += 1;
                continue;
            }
            // What runs an executor waits for its tasks beside.
            let mine = || task.waits.iter().filter(|wait| !wait.is_executor);
            let all: Option<Vec<For>> = mine().map(For::of).collect();
            match all.filter(|_| waits_only) {
                Some(all) => {
                    let held = all.iter().find(|it| **it == For::Held);
                    let end = all.iter().find(|it| **it == For::End);
                    let what = held.or(end).copied().unwrap_or(For::Message);
                    waits.of_each_other.push((task, live, what));
                }
                None => waits.others += 1,
            }
        }
        // Who waits for the reactor in no task that is recorded.
        waits.others += process.view.waits.iter().filter(|wait| wait.of_task.is_none()).count();
        waits
    }

    /// Those that have gone on for very long.
    fn old<'w>(
        &'w self,
        process: &'w Process<'_>,
    ) -> impl Iterator<Item = &'w (&'p Told, &'p Live, For)> + 'w {
        let is_old = |live: &Live| process.age_ns(live.since_ns).is_some_and(|age| age >= LONG_NS);
        self.of_each_other.iter().filter(move |(_, live, _)| is_old(live))
    }

    /// Others are at work and may send a message at any time, or never.
    fn may_never_end(&self, process: &Process<'_>) -> Option<String> {
        let count = self.old(process).count() as u64;
        let (task, live, _) = self.old(process).min_by_key(|(_, live, _)| live.since_ns)?;
        let plural = if count == 1 { "" } else { "s" };
        Some(format!(
            "{} task{plural} waited for 10 s or more for what others are to do, and these are at work; the longest: {} \
             waits for {}, {} (ticks who --stacks {})",
            units::count(count),
            task.title(),
            what(task),
            process.for_how_long(live.since_ns),
            process.input.path.display()
        ))
    }

    fn held(&self) -> impl Iterator<Item = &(&'p Told, &'p Live, For)> {
        self.of_each_other.iter().filter(|(.., what)| *what == For::Held)
    }
}

/// What may release them and is no task: a thread of the program's own, or of a pool for blocking work.
enum Outside {
    /// No thread does anything but wait for others.
    Nobody,
    /// These go on by themselves.
    Threads(Vec<live::AtWork>),
    /// The process is gone, or shows nothing.
    Unknown,
}

impl Outside {
    fn of(process: &Process<'_>) -> Outside {
        let live = process.is_live().then(|| live::threads_at_work(process.input.pid()));
        match live.flatten() {
            Some(threads) if threads.is_empty() => Outside::Nobody,
            Some(threads) => Outside::Threads(threads),
            None => Outside::Unknown,
        }
    }

    /// How sure it can be, if the tasks alone let it be as sure.
    fn limit(&self, sure: Sure, age_ns: Option<u64>) -> Sure {
        let is_young = age_ns.is_none_or(|age_ns| age_ns < LONG_NS);
        match self {
            Outside::Nobody => sure,
            // Who waits for a caller or a signal hardly holds a lock meanwhile.
            Outside::Threads(all) if is_young && all.iter().any(|it| !it.is_for_input) => {
                Sure::Possible
            }
            Outside::Threads(_) | Outside::Unknown => sure.min(Sure::Likely),
        }
    }

    fn shown(self, finding: Finding) -> Finding {
        match self {
            Outside::Nobody => {
                finding.shows("no other thread goes on: all wait in the poller, or for each other")
            }
            Outside::Threads(threads) => threads
                .into_iter()
                .take(NAMED)
                .map(|thread| thread.text)
                .fold(finding.shows("another thread may have it, and let it go:"), Finding::shows),
            Outside::Unknown => {
                finding.shows("whether a thread that polls no tasks has it cannot be told")
            }
        }
    }
}

impl Deadlock {
    /// Nobody is left who could release them.
    fn closed(&self, process: &Process<'_>, waits: &Waits<'_>) -> anyhow::Result<Option<Finding>> {
        let still = |(_, live, _): &&(&Told, &Live, For)| {
            !process.is_live() || process.is_old(live.since_ns, STILL_NS)
        };
        if waits.of_each_other.iter().filter(still).count() < waits.of_each_other.len() {
            return Ok(None);
        }
        let held: Vec<_> = waits.held().collect();
        let by_threads = |(_, live, _): &&(&Told, &Live, For)| {
            live.task.last_wake.is_some_and(|wake| wake.by == WokenBy::Thread)
        };
        // Messages may come from threads that nobody records.
        let is_fed = waits.of_each_other.iter().filter(by_threads).count() > 0;
        let messages: Vec<_> =
            waits.of_each_other.iter().filter(|(.., what)| *what == For::Message).collect();
        let (named, sure) = match (held.is_empty(), is_fed) {
            (false, _) => {
                let is_sure = |it: &&&(&Told, &Live, For)| {
                    !it.0.waits.iter().all(|it| it.text.starts_with(PERHAPS))
                };
                let sure =
                    if held.iter().all(|it| is_sure(&it)) { Sure::Proven } else { Sure::Likely };
                (held, sure)
            }
            (true, false) if messages.len() > 1 => (messages, Sure::Possible),
            _ => return Ok(None),
        };
        let since_ns = named.iter().map(|(_, live, _)| live.since_ns).max().unwrap_or(0);
        let how_long = process.for_how_long(since_ns);
        let outside = Outside::of(process);
        let sure = outside.limit(sure, process.age_ns(since_ns));
        let (sentence, advice) = match &named[..] {
            [(task, ..)] => (
                format!(
                    "{} waits for {}, {how_long}, and no other task can have it: the task holds it itself, or it was never given back",
                    task.title(),
                    what(task)
                ),
                "a future behind &mut in select!, or one of buffered(n), keeps its locks while it is not polled: drop it, or poll it on, before you ask for the lock; so does a guard that is still in a variable; a permit that was forgotten never comes back",
            ),
            several => {
                let names: Vec<String> = several.iter().take(2).map(|(task, ..)| task.title()).collect();
                let more = match several.len() {
                    0..=2 => String::new(),
                    count => format!(" and {} more", count - 2),
                };
                (
                    format!(
                        "{}{more} wait for each other, {how_long}: {}",
                        names.join(" and "),
                        what(several[0].0)
                    ),
                    "take locks in the same order everywhere, and hold none across an await; let one side of two channels receive while it sends",
                )
            }
        };
        let mut finding = Finding::new(self.kind(), sure, sentence);
        for (task, ..) in named.iter().take(NAMED) {
            finding = finding.shows(format!("{} waits for {}", task.title(), what(task)));
        }
        if let [(task, ..)] = &named[..] {
            for place in self.before(process, task)? {
                finding = finding.shows(format!("before, it waited in {place}"));
            }
        }
        let count = units::count(waits.of_each_other.len() as u64);
        finding = finding.shows(format!(
            "no task runs, none waits for a socket or a timer; {count} task{} wait{} for what other tasks do",
            if waits.of_each_other.len() == 1 { "" } else { "s" },
            if waits.of_each_other.len() == 1 { "s" } else { "" },
        ));
        finding = outside.shown(finding);
        for (task, ..) in named.iter().take(2) {
            finding = finding.proof(process.show_task(task.id));
        }
        let finding = finding.proof(format!("ticks who --stacks {}", process.input.path.display()));
        Ok(Some(finding.advice(advice)))
    }

    /// Where the task waited before: what is held there may be what it wants now.
    fn before(&self, process: &Process<'_>, task: &Told) -> anyhow::Result<Vec<String>> {
        let facts = process.walk.tasks.all.get(&task.id);
        let stacks = facts.map(|facts| facts.stacks.as_slice()).unwrap_or_default();
        let mut places = Vec::new();
        for stack in stacks {
            let place = process.own_text(*stack)?;
            places.extend(
                place.filter(|place| task.place() != Some(place) && !places.contains(place)),
            );
        }
        Ok(places)
    }

    /// Others are left, and one of them may hold the lock; but for very long.
    fn with_others(&self, process: &Process<'_>, waits: &Waits<'_>) -> Option<Finding> {
        let held: Vec<_> = waits.old(process).filter(|(.., what)| *what == For::Held).collect();
        let (task, live, _) = held.first()?;
        let sentence = format!(
            "{} waits for {}, {}; nobody has released it",
            task.title(),
            what(task),
            process.for_how_long(live.since_ns)
        );
        let mut finding = Finding::new(self.kind(), Sure::Possible, sentence);
        for (task, ..) in held.iter().skip(1).take(NAMED) {
            finding = finding.shows(format!("{} waits for {}", task.title(), what(task)));
        }
        let others = units::count(waits.others as u64);
        Some(
            finding
                .shows(format!(
                    "one of {others} others that wait for sockets and timers may have it"
                ))
                .proof(process.show_task(task.id))
                .advice("look which of the others holds a lock across an await"),
        )
    }
}

/// What a task waits for, and where.
fn what(task: &Told) -> String {
    let wait = task.waits.iter().find(|wait| For::of(wait) == Some(For::Held));
    let Some(wait) = wait.or(task.waits.first()) else { return "something".into() };
    let text = wait.text.trim_start_matches(PERHAPS);
    format!("{text}{}", wait.in_place())
}
