//! Something only grows: tasks, sources or timers that each request leaves behind.

use std::collections::{HashMap, HashSet};

use ticks_format::{Awaited, Key, TaskState};

use super::{Rule, Verdict};
use crate::explain::facts::{Facts, Process, Told};
use crate::explain::finding::{Finding, Sure};
use crate::process::State;
use crate::units;
use crate::who::tasks::Live;

pub struct Leak;

/// Fewer may be all that there are to be.
const COUNT_MIN: usize = 100;
/// Into how many parts the time is cut …
const PARTS: u64 = 6;
/// … in each of which as many come as in the mean, or a third of that at least.
const EVEN: u64 = 3;
/// As many connections a task may keep while it does something else.
const KEEPS_MAX: usize = 4;
/// A burst when the program begins is none.
const SPAN_NS: u64 = 1_000_000_000;

impl Rule for Leak {
    fn kind(&self) -> &'static str {
        "leak"
    }

    fn looks_for(&self) -> &'static str {
        "tasks, sources and timers that become more and more"
    }

    fn judge(&self, facts: &Facts<'_>) -> anyhow::Result<Verdict> {
        let mut findings = Vec::new();
        for process in facts.processes.iter().filter(|it| it.view.state != State::Ended) {
            findings.extend(self.tasks(process)?);
            findings.extend(self.sources(process)?);
            findings.extend(self.timers(process));
        }
        Ok(Verdict::of(findings))
    }
}

/// Whether those that are there came evenly over the time until now: the first and the last of them, if so.
fn grows(process: &Process<'_>, mut begun_ns: Vec<u64>) -> Option<(u64, u64)> {
    begun_ns.sort_unstable();
    let (first_ns, last_ns) = (*begun_ns.first()?, *begun_ns.last()?);
    let span_ns = last_ns - first_ns;
    // What has come to rest for as long grows no more.
    let rest_ns = process.view.at_ns.saturating_sub(last_ns);
    if begun_ns.len() < COUNT_MIN || span_ns < SPAN_NS || rest_ns > span_ns / 2 {
        return None;
    }
    let mut parts = [0; PARTS as usize];
    for begun_ns in &begun_ns {
        let part = u128::from(begun_ns - first_ns) * u128::from(PARTS) / u128::from(span_ns.max(1));
        parts[(part as usize).min(PARTS as usize - 1)] += 1;
    }
    let least = begun_ns.len() as u64 / PARTS / EVEN;
    parts.iter().all(|count| *count >= least.max(1)).then_some((first_ns, last_ns))
}

impl Leak {
    fn tasks(&self, process: &Process<'_>) -> anyhow::Result<Vec<Finding>> {
        let mut by_place: HashMap<u64, Vec<(&Live, &Told)>> = HashMap::new();
        for live in process.view.tasks.iter().filter(|live| live.task.stack != 0) {
            let Some(task) = process.task(live.task.id) else { continue };
            by_place.entry(live.task.stack).or_default().push((live, task));
        }
        let mut findings = Vec::new();
        for (stack, all) in by_place {
            let begun = all.iter().map(|(live, _)| live.begun_ns).collect();
            let Some((first_ns, _)) = grows(process, begun) else { continue };
            let spawned = process.walk.tasks.spawned.get(&stack).copied().unwrap_or_default();
            // Where tasks come to their end, many may be under way.
            if spawned.ended > spawned.begun / 10 {
                continue;
            }
            // Who waits for its connection is there because of somebody else.
            let idle = |(live, task): &&(&Live, &Told)| {
                task.state == TaskState::Waiting
                    && !task.waits.is_empty()
                    && live.task.polls <= 2
                    && task.waits.iter().all(|wait| wait.wait.is_none() && !wait.is_executor)
            };
            let are_idle = all.iter().filter(idle).count() * 10 >= all.len() * 9;
            let Some((_, task)) = all.first() else { continue };
            let place =
                process.own_text(stack)?.unwrap_or_else(|| "a place that is not known".into());
            let sentence = format!(
                "tasks become more and more: {} × {} are there, spawned in {place}",
                units::count(all.len() as u64),
                task.name
            );
            let sure = if are_idle { Sure::Likely } else { Sure::Possible };
            let mut finding = Finding::new(self.kind(), sure, sentence)
                .shows(rate(process, all.len(), first_ns))
                .shows(format!("of those that were begun there, {} came to an end", spawned.ended));
            if let Some(wait) = task.waits.first() {
                let place = task.place().map(|place| format!(" in {place}")).unwrap_or_default();
                finding = finding.shows(format!("each waits for {}{place}", wait.text));
            }
            findings.push(
                finding
                    .proof(format!("ticks who {}", process.input.path.display()))
                    .proof(process.show_task(task.id))
                    .advice("keep the Task and drop it when the request is done, or give what it waits for an end"),
            );
        }
        findings.sort_by(|one, other| one.sentence.cmp(&other.sentence));
        Ok(findings)
    }

    fn sources(&self, process: &Process<'_>) -> anyhow::Result<Option<Finding>> {
        let clock = process.input.recording.clock();
        let waited: Vec<_> = process
            .view
            .waits
            .iter()
            .filter_map(|wait| Some(wait.waiter.waiter_id()?.key))
            .collect();
        let waited: HashSet<_> = waited.into_iter().collect();
        let of_tasks = of_tasks(process);
        let idle = || {
            let all = process.view.sources.values().filter(|source| source.registered);
            all.filter(|source| !waited.contains(&source.key) && !of_tasks.contains(&source.key))
        };
        // One that was just opened has its task still at work.
        let begun = idle().map(|source| clock.utc_ns(source.since)).collect::<Vec<_>>();
        let count = begun.len();
        let Some((first_ns, _)) = grows(process, begun) else { return Ok(None) };
        let mut stacks: HashMap<u64, usize> = HashMap::new();
        for source in idle() {
            let stack = process.walk.sources.stacks.get(&source.key).copied().unwrap_or(0);
            *stacks.entry(stack).or_default() += 1;
        }
        let place = stacks.into_iter().filter(|(stack, _)| *stack != 0);
        let place = place.max_by_key(|(stack, count)| (*count, *stack));
        let place = match place {
            Some((stack, _)) => process.own_text(stack)?,
            None => None,
        };
        let place = place.map(|place| format!(", opened before it waited in {place}"));
        let place = place.unwrap_or_default();
        let kinds: HashMap<_, usize> = idle().fold(HashMap::new(), |mut kinds, source| {
            *kinds.entry(source.kind.name()).or_default() += 1;
            kinds
        });
        let kind = kinds.into_iter().max_by_key(|(name, count)| (*count, *name));
        let sentence = format!(
            "sources become more and more: {} are open, and nobody waits for them ({}){place}",
            units::count(count as u64),
            kind.map_or("source", |(name, _)| name)
        );
        let mut finding = Finding::new(self.kind(), Sure::Likely, sentence);
        finding = finding.shows(rate(process, count, first_ns));
        let mut some: Vec<i64> = idle().map(|source| source.fd).collect();
        some.sort_unstable();
        let last = some.last().map(|fd| process.show(&format!("--fd {fd}")));
        finding.proof.extend(last);
        Ok(Some(
            finding.advice("drop a connection when it is done, or use the one that a pool keeps"),
        ))
    }

    fn timers(&self, process: &Process<'_>) -> Option<Finding> {
        let mut by_place: HashMap<(Option<usize>, &str), Vec<u64>> = HashMap::new();
        for (at, wait) in process.view.waits.iter().enumerate() {
            if !matches!(wait.waiter.awaited, Awaited::Timer { .. }) {
                continue;
            }
            let task = wait.of_task.and_then(|task| process.tasks.get(task));
            let told = task.and_then(|task| task.waits.iter().find(|it| it.wait == Some(at)));
            let own = told.map_or("", |told| told.own.as_str());
            by_place.entry((wait.of_task, own)).or_default().push(wait.since_ns);
        }
        // Timers of as many tasks are those of as many who wait. One task has no use for so many.
        let of_one = by_place.into_iter().filter(|((task, _), _)| task.is_some());
        let ((task, own), begun) = of_one.max_by_key(|(key, begun)| (begun.len(), key.0))?;
        let count = begun.len();
        let (first_ns, _) = grows(process, begun)?;
        let task = process.tasks.get(task?)?;
        let place = if own.is_empty() { String::new() } else { format!(", set in {own}") };
        let sentence = format!(
            "timers become more and more: {} are armed for {}{place}",
            units::count(count as u64),
            task.title()
        );
        Some(
            Finding::new(self.kind(), Sure::Likely, sentence)
                .shows(rate(process, count, first_ns))
                .proof(format!("ticks who --waits {}", process.input.path.display()))
                .proof(process.show_task(task.id))
                .advice("drop a timeout when what it was for is done"),
        )
    }
}

/// The sources that are in use, though nobody waits for them: each has a task that asked for it last, is still there, and
/// has not many.
fn of_tasks(process: &Process<'_>) -> HashSet<Key> {
    let mut by_task: HashMap<u64, HashSet<Key>> = HashMap::new();
    for ((key, _), direction) in &process.walk.directions.all {
        if let Some((.., Some(task))) = direction.last_poll {
            by_task.entry(task).or_default().insert(*key);
        }
    }
    by_task.retain(|task, keys| keys.len() <= KEEPS_MAX && process.task(*task).is_some());
    by_task.into_values().flatten().collect()
}

fn rate(process: &Process<'_>, count: usize, first_ns: u64) -> String {
    let span_ns = process.view.at_ns.saturating_sub(first_ns).max(1);
    let a_second = count as f64 * 1e9 / span_ns as f64;
    format!("{a_second:.1} more each second, for {}, evenly", units::duration(span_ns))
}
