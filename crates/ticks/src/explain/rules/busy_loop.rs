//! A task that wakes itself in each poll: it is polled without end, and a processor is busy for nothing.

use std::collections::HashSet;
use std::sync::LazyLock;

use ticks_format::{TaskState, WokenBy};

use super::{always_ready, Rule, Verdict};
use crate::explain::facts::tasks::Facts as TaskFacts;
use crate::explain::facts::{Facts, Process, Told};
use crate::explain::finding::{Finding, Sure};
use crate::units;
use crate::who::tasks::Live;

pub struct BusyLoop;

/// Whoever does work between two yields comes back less often.
const POLLS_A_SECOND: u64 = 2_000;
/// As many are needed to say so.
const POLLS_MIN: u64 = 2_000;
/// Only a loop that does nothing else is so fast, all its life.
const FAST_A_SECOND: u64 = 100_000;
/// And as many of them must be there to be looked at. A fast loop overwrites its records faster than they are read.
const POLLS_SEEN_MIN: u64 = 100;
/// And they last as long at least.
const SPAN_NS: u64 = 20_000_000;
/// A poll that does nothing takes less.
const POLL_NS: u64 = 100_000;
/// One that stopped has stopped.
const AGO_NS: u64 = 250_000_000;
/// Who waits that long gets nothing.
const STARVED_NS: u64 = 100_000_000;

impl Rule for BusyLoop {
    fn kind(&self) -> &'static str {
        "busy_loop"
    }

    fn looks_for(&self) -> &'static str {
        "tasks that wake themselves without end"
    }

    fn judge(&self, facts: &Facts<'_>) -> anyhow::Result<Verdict> {
        let mut findings = Vec::new();
        for process in &facts.processes {
            let told: HashSet<u64> = always_ready::tasks(process).collect();
            for (task, facts) in loops(process).filter(|(task, _)| !told.contains(&task.id)) {
                findings.push(self.of(process, task, facts)?);
            }
        }
        Ok(Verdict::of(findings))
    }
}

/// The tasks that are polled over and over because they wake themselves.
pub fn loops<'p>(process: &'p Process<'_>) -> impl Iterator<Item = (&'p Told, &'p TaskFacts)> + 'p {
    /// Of a task none of whose records could be read before they were overwritten.
    static NONE: LazyLock<TaskFacts> = LazyLock::new(TaskFacts::default);
    let all = process.tasks.iter().map(|task| {
        let facts = process.walk.tasks.all.get(&task.id);
        (task, facts.unwrap_or(&NONE))
    });
    let end_ns = process.walk.threads.all.values().map(|thread| thread.last_ns).max().unwrap_or(0);
    all.filter(move |(task, facts)| is_loop(process, task, facts, end_ns))
}

fn is_loop(process: &Process<'_>, task: &Told, facts: &TaskFacts, end_ns: u64) -> bool {
    let span_ns = facts.last_ns.saturating_sub(facts.first_ns.unwrap_or(facts.last_ns));
    let by_itself = facts.self_wakes.saturating_mul(100) >= facts.wakes.saturating_mul(99)
        && facts.self_wakes.saturating_mul(100) >= facts.polls.saturating_mul(95);
    let is_short = facts.ran_ns / facts.polls.max(1) < POLL_NS;
    let goes_on = end_ns.saturating_sub(facts.last_ns) < AGO_NS;
    let lately = facts.polls >= POLLS_MIN && span_ns >= SPAN_NS && rate(facts) >= POLLS_A_SECOND;
    let entry = process.view.tasks.iter().find(|live| live.task.id == task.id);
    // An executor's run is polled for its tasks, and wakes itself for them.
    if entry.is_some_and(Live::runs_tasks) {
        return false;
    }
    let always = entry.is_some_and(|live| is_always(process, live));
    match facts.polls >= POLLS_SEEN_MIN {
        true => (lately || always) && by_itself && is_short && goes_on,
        // Too few of its records are left. Its entry says who woke it last.
        false => process.is_live() && always && entry.is_some_and(is_woken_by_itself),
    }
}

/// Whether all of its life is a loop, by what its entry counts.
fn is_always(process: &Process<'_>, live: &Live) -> bool {
    let life_ns = process.view.ago_ns(live.begun_ns);
    let polls = live.task.polls;
    let wanted = u128::from(life_ns) * u128::from(FAST_A_SECOND);
    life_ns >= SPAN_NS && polls >= POLLS_MIN && u128::from(polls) * 1_000_000_000 >= wanted
}

fn is_woken_by_itself(live: &Live) -> bool {
    live.task.last_wake.is_some_and(|wake| wake.by == WokenBy::Itself)
}

/// By which calls it woke itself last: as its records say, or its entry where they are overwritten too fast.
pub fn self_wake_stack(process: &Process<'_>, task: &Told, facts: &TaskFacts) -> u64 {
    let entry = || process.view.tasks.iter().find(|live| live.task.id == task.id);
    match facts.self_wake_stack {
        0 => entry().and_then(|live| live.task.last_wake).map_or(0, |wake| wake.stack),
        stack => stack,
    }
}

/// Polls a second.
pub fn rate(facts: &TaskFacts) -> u64 {
    let span_ns = facts.last_ns.saturating_sub(facts.first_ns.unwrap_or(facts.last_ns)).max(1);
    let rate = u128::from(facts.polls) * 1_000_000_000 / u128::from(span_ns);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

/// Who was woken and is not polled.
pub fn starved(process: &Process<'_>) -> Vec<String> {
    let live = process.view.tasks.iter().filter(|live| {
        live.task.state == TaskState::Scheduled
            && process.age_ns(live.since_ns).is_some_and(|age_ns| age_ns >= STARVED_NS)
    });
    let told = live.filter_map(|live| {
        let ago = process.ago(live.since_ns);
        let title = process.task(live.task.id)?.title();
        Some(format!("{title} was woken {ago} and is not polled meanwhile"))
    });
    told.collect()
}

/// What the polls show of a loop.
pub fn shows(
    process: &Process<'_>,
    task: &Told,
    facts: &TaskFacts,
    mut finding: Finding,
) -> Finding {
    finding = finding.shows(match facts.polls {
        0 => "its records are overwritten faster than they can be read".to_owned(),
        polls => format!(
            "{} polls a second, {} each; {} of {} wakes were by itself, in its own poll",
            units::count(rate(facts)),
            units::duration(facts.ran_ns / polls),
            units::count(facts.self_wakes),
            units::count(facts.wakes)
        ),
    });
    if let Some(live) = process.view.tasks.iter().find(|live| live.task.id == task.id) {
        let polls = units::count(live.task.polls);
        let begun = units::time(live.begun_ns);
        finding = finding.shows(format!("{polls} polls since it began at {begun}"));
    }
    for starved in starved(process).into_iter().take(3) {
        finding = finding.shows(starved);
    }
    finding
}

impl BusyLoop {
    fn of(&self, process: &Process<'_>, task: &Told, facts: &TaskFacts) -> anyhow::Result<Finding> {
        let stack = self_wake_stack(process, task, facts);
        let wakes_in = process.own_text(stack)?;
        let place = match wakes_in {
            Some(place) => Some(place),
            None => process.place_of(task)?,
        };
        let place = place.map(|place| format!(" in {place}")).unwrap_or_default();
        let title = task.title();
        let sentence = format!(
            "{title} wakes itself{place} in each poll, waits for nothing, and keeps a processor busy"
        );
        let mut finding = Finding::new(self.kind(), Sure::Likely, sentence);
        if let Some(outer) = process.outermost_text(stack)? {
            finding = finding.shows(format!("the task awaits it in {outer}"));
        }
        Ok(shows(process, task, facts, finding)
            .proof(process.show_task(task.id))
            .advice("wait for what it looks for: a channel's recv().await, an Event, poll_readable")
            .advice("if it has to look again and again, wait in between: Timer::after(…).await"))
    }
}
