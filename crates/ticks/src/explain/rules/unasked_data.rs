//! Data that nobody asks for: a socket had an event, and its task waits for something else, or is gone.

use ticks_format::{Awaited, Direction, Key, SourceKind, TaskState, Verdict as Answer};

use super::{Rule, Verdict};
use crate::explain::facts::directions::Facts as DirectionFacts;
use crate::explain::facts::{Facts, Process, Told};
use crate::explain::finding::{Finding, Sure};
use crate::sockets;
use crate::units;

pub struct UnaskedData;

/// A task that has other work to do comes back to its socket sooner.
const LONG_NS: u64 = 800_000_000;
/// Who waits for a timer that is due by then has not given up what it does.
const SOON_NS: u64 = 60_000_000_000;

impl Rule for UnaskedData {
    fn kind(&self) -> &'static str {
        "unasked_data"
    }

    fn looks_for(&self) -> &'static str {
        "data that nobody asks for"
    }

    fn judge(&self, facts: &Facts<'_>) -> anyhow::Result<Verdict> {
        let mut findings = Vec::new();
        for process in &facts.processes {
            let kernel = match process.is_live() {
                true => sockets::of_process(process.input.pid()),
                false => Default::default(),
            };
            for ((key, dir), direction) in &process.walk.directions.all {
                let source = process.view.sources.get(key);
                let Some(source) = source.filter(|it| it.registered && is_read(it.kind, *dir))
                else {
                    continue;
                };
                // Who was woken, and has not asked since, waits for it no longer.
                let is_waited_for = process.view.waits.iter().any(|wait| {
                    let id = wait.waiter.waiter_id();
                    wait.woken_ns.is_none() && id.is_some_and(|id| id.direction() == (*key, *dir))
                });
                if is_waited_for {
                    continue;
                }
                let unread = kernel.get(&source.inode).map(|socket| socket.unread());
                findings.extend(self.of(process, *key, direction, unread)?);
            }
        }
        for process in facts.processes.iter().filter(|process| !process.view.has_times()) {
            findings.extend(self.of_memory(process));
        }
        for process in &facts.processes {
            for task in &process.tasks {
                findings.extend(self.lost_bytes(process, task)?);
            }
        }
        findings.sort_by(|one, other| one.sentence.cmp(&other.sentence));
        Ok(Verdict::of(findings))
    }
}

fn is_read(kind: SourceKind, dir: Direction) -> bool {
    let has_data = matches!(kind, SourceKind::Tcp | SourceKind::Udp | SourceKind::Unix);
    has_data && dir == Direction::Read
}

impl UnaskedData {
    /// Of a process that is not recorded: an event found nobody, and the kernel has what came.
    fn of_memory(&self, process: &Process<'_>) -> Vec<Finding> {
        let mut findings = Vec::new();
        let kernel = sockets::of_process(process.input.pid());
        let clock = process.input.recording.clock();
        for (key, source) in &process.view.sources {
            let waits = || {
                process.view.waits.iter().filter(|wait| {
                    let id = wait.waiter.waiter_id();
                    id.is_some_and(|id| id.direction() == (*key, Direction::Read))
                })
            };
            // Who was woken, and has not asked since, waits for it no longer.
            let woken = waits().filter(|wait| wait.woken_ns.is_some()).map(|wait| wait.since_ns);
            let unasked = process.view.history.unasked(*key, Direction::Read);
            let since_ns = unasked.map(|since| clock.utc_ns(since)).or(woken.max());
            let is_old = since_ns.is_some_and(|since_ns| process.is_old(since_ns, LONG_NS));
            let is_waited_for = waits().any(|wait| wait.woken_ns.is_none());
            let unread = kernel.get(&source.inode).map_or(0, |socket| socket.unread());
            let is_unread = is_old && !is_waited_for && unread > 0;
            if is_unread
                && is_read(source.kind, Direction::Read)
                && !process.queues().read.contains(&source.inode)
            {
                let (fd, kind, peer) = (source.fd, source.kind, &source.peer);
                let sentence = format!("nobody reads what has come on fd {fd} ({kind} {peer})");
                let unread = units::count(unread);
                findings.push(
                    Finding::new(self.kind(), Sure::Proven, sentence)
                        .shows(format!("{unread} B wait to be read"))
                        .shows("an event came, and nobody has asked since".to_owned())
                        .proof(process.show(""))
                        .advice("read on while you wait: in another task, or in a branch of select!")
                        .advice("keep the task that reads, or detach it: a Task that is dropped is cancelled"),
                );
            }
        }
        findings
    }

    fn of(
        &self,
        process: &Process<'_>,
        key: Key,
        direction: &DirectionFacts,
        unread: Option<u64>,
    ) -> anyhow::Result<Option<Finding>> {
        let Some(since_ns) = direction.unasked_since_ns else { return Ok(None) };
        // A busy program's records take a while to read, and nobody knows what was asked meanwhile.
        let known_ns = process.walk.read_ns.saturating_sub(since_ns);
        let is_known = !process.is_live() || known_ns >= LONG_NS;
        if unread == Some(0) || !process.is_old(since_ns, LONG_NS) || !is_known {
            return Ok(None);
        }
        let last = direction.last_poll;
        let task = last.and_then(|(_, _, task)| task);
        let cancelled = task.and_then(|task| process.walk.directions.cancelled.get(&task));
        // Whose turn comes yet will ask.
        let state = task.and_then(|task| process.task(task)).map(|task| task.state);
        if matches!(state, Some(TaskState::Scheduled | TaskState::Running { .. })) {
            return Ok(None);
        }
        let sure = match (unread, cancelled) {
            (Some(_), _) => Sure::Proven,
            (None, Some(_)) => Sure::Likely,
            // Who was woken by it has read it, though no record says so.
            (None, None) if direction.unasked_woke => return Ok(None),
            (None, None) => Sure::Possible,
        };
        let source = &process.view.sources[&key];
        // Who finds something at each read need not ask the reactor.
        if unread.is_some() && process.queues().read.contains(&source.inode) {
            return Ok(None);
        }
        // It may read when its timer fires, or when its own peer has room for more.
        let comes_back = |task: &Told| {
            let mut waits = task.waits.iter().filter_map(|told| process.view.waits.get(told.wait?));
            let is_soon = |due_ns: u64| due_ns.saturating_sub(process.view.at_ns) < SOON_NS;
            waits.any(|wait| {
                let writes =
                    matches!(wait.waiter.awaited, Awaited::Source { dir: Direction::Write, .. });
                writes || wait.due_ns.is_some_and(is_soon)
            })
        };
        let sure = match task.and_then(|task| process.task(task)).is_some_and(comes_back) {
            true => Sure::Possible,
            false => sure,
        };
        let what = format!("fd {} ({} {})", source.fd, source.kind, source.peer);
        let (who, advice) = match (task.and_then(|task| process.task(task)), cancelled) {
            (Some(task), _) => (
                match task.state {
                    TaskState::Waiting => format!("{} waits for {}", task.title(), waits_for(task)),
                    TaskState::Forgotten => format!("{} can be woken by nobody", task.title()),
                    _ => format!("{} does something else", task.title()),
                },
                "read on while you wait: in another task, or in a branch of select!",
            ),
            (None, Some(ns)) => (
                format!(
                    "task {}, which read from it, was dropped {}",
                    task.unwrap_or_default(),
                    process.ago(*ns)
                ),
                "keep the task that reads, or detach it: a Task that is dropped is cancelled",
            ),
            (None, None) => ("no task asks for it".into(), "look who should read from it"),
        };
        let sentence = format!("nobody reads what has come on {what}: {who}");
        let mut finding = Finding::new(self.kind(), sure, sentence);
        if let Some(unread) = unread {
            finding = finding.shows(format!("{} B wait to be read", units::count(unread)));
        }
        let count = units::count(direction.unasked);
        finding = finding.shows(format!(
            "{count} event{} since {}, and nobody has asked since",
            if direction.unasked == 1 { "" } else { "s" },
            match process.age_ns(since_ns) {
                Some(age_ns) => format!("{} ago", units::duration(age_ns)),
                None => units::time(since_ns),
            }
        ));
        if let Some((ns, answer, _)) = last {
            let ago = process.ago(ns);
            let answer = match answer {
                Answer::Ready => "Ready, so that it has to ask again before it waits",
                Answer::Pending => "Pending",
                Answer::Failed => "an error",
            };
            let place = process.own_text(direction.asked_by_stack)?;
            let place = place.map(|place| format!("; it was waited for in {place}"));
            let place = place.unwrap_or_default();
            finding = finding.shows(format!("the last to ask was told {answer}, {ago}{place}"));
        }
        finding = finding.proof(process.show(&format!("--fd {}", source.fd)));
        if let Some(task) = task {
            finding = finding.proof(process.show(&format!("--task {task}")));
        }
        Ok(Some(finding.advice(advice)))
    }
}

impl UnaskedData {
    /// A read that takes several steps, and is given up by a timeout, throws away what it has read. What comes next is
    /// then taken for something else, such as a length, and the end of it never comes.
    fn lost_bytes(&self, process: &Process<'_>, task: &Told) -> anyhow::Result<Option<Finding>> {
        let [told] = &task.waits[..] else { return Ok(None) };
        let Some(wait) = told.wait.map(|at| &process.view.waits[at]) else { return Ok(None) };
        let Some(id) = wait.waiter.waiter_id() else { return Ok(None) };
        let direction = process.walk.directions.all.get(&id.direction());
        let restart = direction.and_then(|direction| direction.restart);
        let Some(restart) = restart.filter(|restart| restart.task == task.id) else {
            return Ok(None);
        };
        let steps = process.calls_one_of(wait.waiter.stack, STEPS)?;
        if steps == Some(false)
            || id.dir != Direction::Read
            || !process.is_old(wait.since_ns, LONG_NS)
        {
            return Ok(None);
        }
        let sentence = format!(
            "{} waits in {} for the rest of what a timeout may have cut: bytes that it had read are lost",
            task.title(),
            told.own
        );
        let mut finding = Finding::new(self.kind(), Sure::Possible, sentence).shows(format!(
            "it reads in several steps (as read_exact does), {}, and no more comes",
            told.text
        ));
        let ago = process.ago(restart.utc_ns);
        let timeout = process.own_text(restart.stack)?.unwrap_or_else(|| "its poll".into());
        finding = finding
            .shows(format!("{ago} a timer had it begin anew in {timeout}, after data had come"));
        Ok(Some(
            finding
                .proof(process.show(&format!("--task {}", task.id)))
                .advice("do not drop a read_exact that has begun: keep its future, or its buffer, over the timeout"),
        ))
    }
}

/// Functions that read in several steps and lose what they have when they are dropped.
const STEPS: &[&str] = &[
    "ReadExact",
    "read_exact",
    "ReadToEnd",
    "read_to_end",
    "ReadToString",
    "read_to_string",
    "ReadLine",
    "read_line",
    "ReadUntil",
    "read_until",
];

fn waits_for(task: &Told) -> String {
    let Some(wait) = task.waits.first() else { return "nothing that is known".into() };
    format!("{}{}", wait.text, wait.in_place())
}
