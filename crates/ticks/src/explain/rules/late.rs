//! The executor is behind, or the timers are late: woken tasks wait long to be polled, though no single poll is long.

use super::{Rule, Verdict};
use crate::explain::facts::delays::{Part, Series};
use crate::explain::facts::wakers::Held;
use crate::explain::facts::{Facts, Process};
use crate::explain::finding::{Finding, Sure};
use crate::units;

pub struct Late;

/// On a machine that is busy with other programs, a task waits for some tens of milliseconds.
const LATE_NS: u64 = 100_000_000;
/// Fewer values say little.
const VALUES_MIN: u64 = 20;
/// Into how many parts of the time the table is cut.
const PARTS: usize = 4;

impl Rule for Late {
    fn kind(&self) -> &'static str {
        "late"
    }

    fn looks_for(&self) -> &'static str {
        "timers that are late, and an executor that is behind"
    }

    fn judge(&self, facts: &Facts<'_>) -> anyhow::Result<Verdict> {
        let mut findings = Vec::new();
        for process in &facts.processes {
            let timers = self.timers(process);
            // A waker that blocks the thread which also polls makes both late.
            if timers.is_none() || waker_that_blocks(process).is_none() {
                findings.extend(self.executor(process)?);
            }
            findings.extend(timers);
        }
        Ok(Verdict::of(findings))
    }
}

/// Whether it is late, and stays so: in each of the last two parts.
fn is_behind(series: &Series) -> Option<Vec<Part>> {
    let parts = series.cut(PARTS);
    let last = parts.len().checked_sub(2)?;
    let late = |part: &Part| part.count >= VALUES_MIN && part.mean_ns() >= LATE_NS;
    parts[last..].iter().all(late).then_some(parts)
}

fn over_time(parts: &[Part]) -> String {
    let means: Vec<String> = parts.iter().map(|part| units::duration(part.mean_ns())).collect();
    means.join(", ")
}

/// The waker that held the reactor up the longest, if that alone made others late.
fn waker_that_blocks<'a>(process: &'a Process<'_>) -> Option<&'a Held> {
    process.walk.wakers.longest.as_ref().filter(|held| held.took_ns >= LATE_NS)
}

/// What is told of wakers that block.
fn blame(finding: Finding, process: &Process<'_>, held: &Held) -> Finding {
    let (wakers, threads) = (&process.walk.wakers, &process.walk.threads);
    let of = match (process.task_of_waker(held.wake.task), held.armed_by) {
        (Some(task), _) => format!(", of {}", task.title()),
        (None, Some(thread)) => {
            format!(", of a timer that {} armed, in no task", threads.title(thread))
        }
        (None, None) => String::new(),
    };
    finding
        .shows(format!(
            "wakers held the reactor up: it was inside {} of them for {} in all, at most {}",
            units::count(wakers.count),
            units::duration(wakers.sum_ns),
            units::duration(held.took_ns)
        ))
        .shows(format!("the longest was called by {}{of}", threads.title(held.thread)))
        .proof(process.show("--kind Wake"))
        .advice("let the waker only store that it was called: no lock that is held for long, no full queue, no input or output")
}

impl Late {
    fn executor(&self, process: &Process<'_>) -> anyhow::Result<Option<Finding>> {
        let delays = &process.walk.delays;
        let Some(parts) = is_behind(&delays.scheduled) else { return Ok(None) };
        let last = parts[parts.len() - 1];
        // Those that were late longest in all stand for the others, by name.
        let mut worst: Vec<(&u64, &(u64, u64))> = delays.by_task.iter().collect();
        worst.sort_by_key(|(id, (sum_ns, _))| (std::cmp::Reverse(*sum_ns), **id));
        let Some((worst, _)) = worst.first() else { return Ok(None) };
        let name = process.task(**worst).map_or("-", |task| task.name.as_str());
        let place = match delays.stacks.get(worst) {
            Some(stack) => process.own_text(*stack)?,
            None => None,
        };
        let alike = process.tasks.iter().filter(|task| task.name == name).count();
        let what = format!(
            "the executor of {} is behind: a woken task waits for {} to be polled",
            process.input.process_name(),
            units::duration(last.mean_ns())
        );
        let mut finding = Finding::new(self.kind(), Sure::Likely, what);
        finding = finding.shows(format!("from wake to poll, over the time: {}", over_time(&parts)));
        let place = place.map(|place| format!(", woken in {place}")).unwrap_or_default();
        finding =
            finding.shows(format!("most of all {} × {name}{place}", units::count(alike as u64)));
        let polled = delays.polled.iter().filter(|(id, _)| {
            process.task(**id).is_some_and(|task| !task.waits.iter().any(|wait| wait.is_executor))
        });
        let longest = polled.map(|(_, (_, max_ns))| *max_ns).max().unwrap_or(0);
        finding = finding.shows(format!("the longest poll took {}", units::duration(longest)));
        let finding = finding.proof(format!("ticks stat {}", process.input.path.display()));
        Ok(Some(match waker_that_blocks(process) {
            Some(held) => blame(finding, process, held),
            None => finding
                .advice("run the executor on more threads, or do less in each poll")
                .advice("move work that computes to a thread of its own: blocking::unblock"),
        }))
    }

    fn timers(&self, process: &Process<'_>) -> Option<Finding> {
        let parts = is_behind(&process.walk.delays.timers)?;
        let last = parts[parts.len() - 1];
        let what = format!(
            "the timers of {} fire {} late",
            process.input.process_name(),
            units::duration(last.mean_ns())
        );
        let mut finding = Finding::new(self.kind(), Sure::Likely, what);
        finding = finding.shows(format!("from due to fired, over the time: {}", over_time(&parts)));
        let finding = finding.proof(process.show("--kind TimerFire"));
        Some(match waker_that_blocks(process) {
            Some(held) => blame(finding, process, held),
            None => finding
                .advice("look for a thread that holds up the reactor: ticks stat, ticks show"),
        })
    }
}
