//! A poll that takes long: all other tasks of its thread wait meanwhile.

use ticks_format::TaskState;

use super::{Rule, Verdict};
use crate::explain::facts::tasks::{Facts as TaskFacts, LongPoll};
use crate::explain::facts::{Facts, Process, Told};
use crate::explain::finding::{Finding, Sure};
use crate::units;

pub struct LongPolls;

/// One such poll is enough. A machine that is busy with other programs takes a processor away for less.
const VERY_LONG_NS: u64 = 1_000_000_000;
/// Of shorter ones there are to be some, …
const POLLS_MIN: u64 = 3;
/// … and no more than so many polls for one of them: it is the task's way.
const SHARE: u64 = 10;
/// Who waited shorter was not kept waiting.
const WAITED_NS: u64 = 50_000_000;
/// How many of those who waited are named.
const NAMED: usize = 3;

impl Rule for LongPolls {
    fn kind(&self) -> &'static str {
        "long_poll"
    }

    fn looks_for(&self) -> &'static str {
        "polls that compute or block for long"
    }

    fn judge(&self, facts: &Facts<'_>) -> anyhow::Result<Verdict> {
        let mut findings = Vec::new();
        for process in &facts.processes {
            // One of each name stands for all.
            let mut named: Vec<&str> = Vec::new();
            let mut all: Vec<(&Told, &TaskFacts, &LongPoll)> = process
                .tasks
                .iter()
                .filter_map(|task| {
                    let facts = process.walk.tasks.all.get(&task.id)?;
                    Some((task, facts, facts.longest.as_ref()?))
                })
                .filter(|(_, facts, longest)| is_wrong(facts, longest))
                // Who keeps nobody waiting may compute for as long as it likes.
                .filter(|(.., longest)| waited(process, longest).next().is_some())
                .collect();
            all.sort_by_key(|(task, _, longest)| (std::cmp::Reverse(longest.ns), task.id));
            for (task, facts, longest) in all {
                if !named.contains(&task.name.as_str()) {
                    named.push(&task.name);
                    findings.push(self.of(process, task, facts, longest)?);
                }
            }
        }
        Ok(Verdict::of(findings))
    }
}

fn is_wrong(facts: &TaskFacts, longest: &LongPoll) -> bool {
    let often =
        facts.long_polls >= POLLS_MIN && facts.long_polls.saturating_mul(SHARE) >= facts.polls;
    longest.ns >= VERY_LONG_NS || often
}

/// The tasks that were woken and waited for it, with how long.
fn waited<'p>(
    process: &'p Process<'_>,
    longest: &'p LongPoll,
) -> impl Iterator<Item = (&'p Told, u64)> + 'p {
    let is_executor = |id: u64| {
        let mut tasks = process.view.tasks.iter();
        tasks.any(|live| live.task.id == id && live.runs_tasks())
    };
    let all = longest.waited.iter().filter(move |(id, ns)| *ns >= WAITED_NS && !is_executor(*id));
    all.filter_map(|(id, ns)| Some((process.task(*id)?, *ns)))
}

impl LongPolls {
    fn of(
        &self,
        process: &Process<'_>,
        task: &Told,
        facts: &TaskFacts,
        longest: &LongPoll,
    ) -> anyhow::Result<Finding> {
        let from = process.own_text(longest.from)?;
        let to = process.own_text(longest.to)?;
        let place = match (&from, &to) {
            (Some(from), Some(to)) if from == to => format!("after {from}"),
            (Some(from), Some(to)) => format!("between {from} and {to}"),
            (Some(from), None) => format!("after {from}"),
            (None, Some(to)) => format!("before {to}"),
            (None, None) => process
                .place_of(task)?
                .map_or("in a place that is not recorded".into(), |it| format!("near {it}")),
        };
        let thread = process.walk.threads.title(longest.thread);
        let sentence = format!(
            "{} computes or blocks for {} in one poll, {place}: nothing else ran on {thread} meanwhile",
            task.title(),
            units::duration(longest.ns)
        );
        // Once, the machine may have been busy with something else.
        let sure = if facts.long_polls >= POLLS_MIN { Sure::Proven } else { Sure::Likely };
        let count = units::count(facts.long_polls);
        let mut finding = Finding::new(self.kind(), sure, sentence).shows(format!(
            "{count} of its {} polls took 100 ms or more; the longest ended at {}",
            units::count(facts.polls),
            units::time(longest.end_ns)
        ));
        for (waiting, ns) in waited(process, longest).take(NAMED) {
            let place = process.place_of(waiting)?;
            let place = place.map(|place| format!(", in {place}")).unwrap_or_default();
            let (who, ns) = (waiting.title(), units::duration(ns));
            finding = finding.shows(format!("{who} was woken and waited {ns} for it{place}"));
        }
        if let Some(more) = longest.waited_count.checked_sub(NAMED as u64).filter(|more| *more > 0)
        {
            finding = finding.shows(format!("{} more were woken meanwhile", units::count(more)));
        }
        if task.state == (TaskState::Running { woken: false }) {
            finding = finding.shows("it is polled at this moment, too");
        }
        Ok(finding
            .proof(process.show_task(task.id))
            .proof(format!("ticks stat {}", process.input.path.display()))
            .advice("do such work on a thread of its own: blocking::unblock, or std::thread")
            .advice(
                "or cut it into pieces, with futures_lite::future::yield_now().await in between",
            ))
    }
}
