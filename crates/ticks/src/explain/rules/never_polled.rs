//! A task that was woken and is not polled: a thread of its executor computes or is blocked in the poll of another
//! one, is inside a `block_on` of its own, or nobody runs the executor.

use ticks_format::{Awaited, TaskKind, TaskState};

use super::{Rule, Verdict};
use crate::explain::facts::{live, Facts, Process, Told};
use crate::explain::finding::{Finding, Sure};
use crate::process::State;
use crate::units;
use crate::who::tasks::Live;

pub struct NeverPolled;

/// On a machine that is busy with other programs, a task waits for some tenths of a second.
const LONG_NS: u64 = 1_000_000_000;
/// Of a process that was killed: how long before its last record the poll began that still went on …
const LONG_BEFORE_END_NS: u64 = 100_000_000;
/// … and how many times as long that is as any poll of such a task was before.
const UNUSUAL: u64 = 10;
/// A program that is well is also killed in the midst of something; but that is shorter.
const SHORT_NS: u64 = 25_000_000;
/// How many of those that wait are named.
const NAMED: usize = 3;

impl Rule for NeverPolled {
    fn kind(&self) -> &'static str {
        "never_polled"
    }

    fn looks_for(&self) -> &'static str {
        "tasks that were woken and are not polled"
    }

    fn reads_tables_only(&self) -> bool {
        true
    }

    fn judge(&self, facts: &Facts<'_>) -> anyhow::Result<Verdict> {
        let mut findings = Vec::new();
        for process in &facts.processes {
            // What has ended owes nobody a poll, and what is stopped polls nobody.
            if process.view.state != State::Ended && !process.view.state.is_held() {
                self.of(process, &mut findings)?;
            }
        }
        Ok(Verdict::of(findings))
    }
}

/// Since when the thread is with this task and no other. The poll of a `block_on` may be that of an executor, which polls
/// other tasks in it, and each leaves a record.
fn busy_since_ns(process: &Process<'_>, live: &Live) -> u64 {
    let last = process.walk.threads.all.get(&live.task.thread);
    match last.filter(|_| live.task.kind == TaskKind::BlockOn) {
        Some(thread) => live.since_ns.max(thread.last_ns),
        None => live.since_ns,
    }
}

/// How sure it is that this poll has gone on for long, or the `block_on` in it.
fn sure(process: &Process<'_>, live: &Live, since_ns: u64, is_nested: bool) -> Option<Sure> {
    if let Some(age_ns) = process.age_ns(since_ns) {
        return (age_ns >= LONG_NS).then_some(Sure::Proven);
    }
    // Nobody knows how long it went on after the last record.
    let age_ns = process.view.ago_ns(since_ns);
    let clock = process.input.recording.clock();
    let alike = process.view.tasks.iter().filter(|other| other.task.name == live.task.name);
    let usual_ns = alike.map(|other| clock.duration_ns(other.task.longest)).max().unwrap_or(0);
    if age_ns >= LONG_BEFORE_END_NS && age_ns / UNUSUAL >= usual_ns {
        return Some(Sure::Likely);
    }
    (is_nested || age_ns >= SHORT_NS).then_some(Sure::Possible)
}

/// The tasks that threads poll, of those that are polled in each other the innermost.
fn innermost<'p>(process: &'p Process<'_>) -> Vec<&'p Live> {
    let running = |live: &&Live| matches!(live.task.state, TaskState::Running { .. });
    let all: Vec<&Live> = process.view.tasks.iter().filter(running).collect();
    let is_innermost = |live: &&Live| {
        !all.iter().any(|other| {
            other.task.thread == live.task.thread
                && (other.since_ns, other.task.id) > (live.since_ns, live.task.id)
        })
    };
    all.iter().copied().filter(is_innermost).collect()
}

/// The `block_on` in the poll of that task, on its thread.
fn nested<'p>(process: &'p Process<'_>, outer: &Live) -> Option<&'p Live> {
    let of_outer = |live: &&Live| {
        live.task.kind == TaskKind::BlockOn
            && live.task.thread == outer.task.thread
            && live.begun_ns >= outer.since_ns
            && live.task.state == TaskState::Waiting
    };
    process.view.tasks.iter().filter(of_outer).max_by_key(|live| live.begun_ns)
}

impl NeverPolled {
    fn of(&self, process: &Process<'_>, findings: &mut Vec<Finding>) -> anyhow::Result<()> {
        // Another thread may be about to poll one that was woken just now.
        let scheduled = |live: &&Live| {
            live.task.state == TaskState::Scheduled && process.is_old(live.since_ns, LONG_NS / 2)
        };
        let waiting: Vec<&Live> = process.view.tasks.iter().filter(scheduled).collect();
        let mut explained = false;
        for live in innermost(process) {
            let Some(task) = process.task(live.task.id) else { continue };
            let nested = nested(process, live);
            // Its thread went from one task to the next. A memory does not tell what `run` was given from that.
            if live.runs_tasks() && nested.is_none() && process.view.has_times() {
                continue;
            }
            let since_ns = busy_since_ns(process, live);
            let Some(sure) = sure(process, live, since_ns, nested.is_some()) else { continue };
            explained = true;
            // A memory does not say whom an event woke.
            let woken = process.view.waits.iter().filter(|wait| {
                wait.woken_ns.is_some()
                    && wait.of_task.is_none()
                    && !process.view.has_times()
                    && process.is_old(wait.since_ns, LONG_NS / 2)
            });
            let woken: Vec<_> = woken.collect();
            // Who keeps nobody waiting may do so for as long as it likes.
            if waiting.is_empty() && woken.is_empty() {
                continue;
            }
            let finding = match nested.and_then(|nested| process.task(nested.task.id)) {
                Some(nested) => self.nested(process, live, task, nested, sure),
                None => self.blocks(process, live, task, since_ns, sure)?,
            };
            let mut finding = self.with_waiting(process, finding, &waiting)?;
            for wait in woken.iter().take(NAMED) {
                if let Awaited::Source { fd, dir, .. } = wait.waiter.awaited {
                    finding = finding.shows(format!(
                        "an event of fd {fd} woke somebody, who has not asked to {dir} since"
                    ));
                }
            }
            findings.push(finding);
        }
        if !explained {
            findings.extend(self.nobody_runs(process, &waiting)?);
        }
        Ok(())
    }

    fn blocks(
        &self,
        process: &Process<'_>,
        live: &Live,
        task: &Told,
        since_ns: u64,
        sure: Sure,
    ) -> anyhow::Result<Finding> {
        let thread = match live.task.thread {
            // A memory does not say which of several it is.
            0 => "its thread".to_owned(),
            thread => process.walk.threads.title(thread),
        };
        let place = process.place_of(task)?;
        let place =
            place.map(|place| format!(" since it went on from {place}")).unwrap_or_default();
        let how_long = process.for_how_long(since_ns);
        let kernel = live_thread(process, live.task.thread);
        let does = match &kernel {
            Some((true, _)) => "computes",
            Some((false, _)) => "is blocked",
            None => "computes or is blocked",
        };
        let sentence = format!(
            "{} {does}{place}, {how_long}, and keeps {thread}: tasks that were woken are not polled",
            task.title()
        );
        let mut finding = Finding::new(self.kind(), sure, sentence);
        if let Some((_, what)) = kernel {
            finding = finding.shows(format!("{thread}: {what}"));
        }
        if process.view.has_times() {
            finding = finding.shows(self.last_record(process, live.task.thread));
        }
        Ok(finding
            .proof(process.show_task(task.id))
            .advice("what blocks belongs on a thread of its own (blocking::unblock), a blocking channel or lock has an async one in its place")
            .advice("what computes for long belongs there too; an endless loop shows in perf top or gdb"))
    }

    fn nested(
        &self,
        process: &Process<'_>,
        outer: &Live,
        task: &Told,
        nested: &Told,
        sure: Sure,
    ) -> Finding {
        let thread = process.walk.threads.title(outer.task.thread);
        let what = match nested.waits.first() {
            Some(wait) => format!("{}{}", wait.text, wait.in_place()),
            None => "something that is not recorded".into(),
        };
        let how_long = process.for_how_long(outer.since_ns);
        let sentence = format!(
            "{} is inside block_on, which waits for {what}, {how_long}, and keeps {thread}: tasks that were woken are not polled",
            task.title()
        );
        let begun = nested.spawned.as_ref().and_then(|place| place.own_text());
        let mut finding = Finding::new(self.kind(), sure, sentence);
        if let Some(begun) = begun {
            finding =
                finding.shows(format!("block_on was called in {begun}, in the poll of that task"));
        }
        finding
            .proof(process.show_task(task.id))
            .proof(process.show_task(nested.id))
            .advice("await there; where that cannot be, run the executor on another thread too")
    }

    /// Woken tasks, and no thread that polls any.
    fn nobody_runs(
        &self,
        process: &Process<'_>,
        waiting: &[&Live],
    ) -> anyhow::Result<Option<Finding>> {
        // Of a killed process a task may have been woken a moment before the end.
        let is_old = |live: &&&Live| process.age_ns(live.since_ns).is_some_and(|it| it >= LONG_NS);
        let old: Vec<&Live> = waiting.iter().filter(is_old).copied().collect();
        let is_polled_by_none = innermost(process).is_empty();
        let Some(first) = old.first().filter(|_| is_polled_by_none && process.is_live()) else {
            return Ok(None);
        };
        let Some(task) = process.task(first.task.id) else { return Ok(None) };
        let sentence = format!(
            "{} was woken and is not polled, {}: no thread runs its executor",
            task.title(),
            process.for_how_long(first.since_ns)
        );
        let mut finding = Finding::new(self.kind(), Sure::Likely, sentence);
        for (tid, thread) in process.walk.threads.all.iter().take(NAMED) {
            finding =
                finding.shows(format!("{}: {}", process.walk.threads.title(*tid), thread.since()));
        }
        let finding = self.with_waiting(process, finding, &old)?;
        Ok(Some(
            finding
                .proof(process.show_task(task.id))
                .advice("run the executor: a thread in block_on(executor.run(…)) polls its tasks"),
        ))
    }

    fn last_record(&self, process: &Process<'_>, tid: u64) -> String {
        let threads = &process.walk.threads;
        match threads.all.get(&tid) {
            Some(thread) => format!(
                "{} made its last record {}; since then {}",
                threads.title(tid),
                process.ago(thread.last_ns),
                thread.since()
            ),
            None => format!("{} has no record left", threads.title(tid)),
        }
    }

    fn with_waiting(
        &self,
        process: &Process<'_>,
        mut finding: Finding,
        waiting: &[&Live],
    ) -> anyhow::Result<Finding> {
        for live in waiting.iter().take(NAMED) {
            let Some(task) = process.task(live.task.id) else { continue };
            let place = process.place_of(task)?;
            let place = place.map(|place| format!(", in {place}")).unwrap_or_default();
            let age = match process.age_ns(live.since_ns) {
                Some(age_ns) => format!("{} ago", units::duration(age_ns)),
                None => format!("at {}", units::time(live.since_ns)),
            };
            let woken = match live.task.last_wake {
                _ if !process.view.has_times() => "was to be polled",
                Some(_) => "was woken",
                None => "was spawned",
            };
            finding = finding.shows(format!("{} {woken} {age}{place}", task.title()));
        }
        if let Some(more) = waiting.len().checked_sub(NAMED).filter(|more| *more > 0) {
            finding = finding.shows(format!("and {} more", units::count(more as u64)));
        }
        Ok(finding)
    }
}

/// Whether the thread runs, and what it does, by the kernel's words.
fn live_thread(process: &Process<'_>, tid: u64) -> Option<(bool, String)> {
    process.is_live().then(|| live::thread(process.input.pid(), tid)).flatten()
}
