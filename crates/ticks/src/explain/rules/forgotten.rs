//! A task that nobody can wake: its last waker was dropped, and nobody has used it. As a future of the program's own
//! does that is given a waker in each poll, and keeps none.

use ticks_format::TaskState;

use super::{Rule, Verdict};
use crate::explain::facts::{Facts, Process, Told};
use crate::explain::finding::{Finding, Sure};
use crate::who::tasks::Live;

pub struct Forgotten;

impl Rule for Forgotten {
    fn kind(&self) -> &'static str {
        "forgotten"
    }

    fn looks_for(&self) -> &'static str {
        "tasks that nobody can wake any more"
    }

    fn reads_tables_only(&self) -> bool {
        true
    }

    fn judge(&self, facts: &Facts<'_>) -> anyhow::Result<Verdict> {
        let mut findings = Vec::new();
        for process in &facts.processes {
            for live in &process.view.tasks {
                let is_it = matches!(live.task.state, TaskState::Forgotten | TaskState::Lost);
                let Some(task) = process.task(live.task.id).filter(|_| is_it) else { continue };
                // One that was polled once and asked nothing is `future::pending`, as far as can be told.
                if live.task.asked_count > 0 || live.task.polls > 1 {
                    findings.push(self.of(process, live, task)?);
                }
            }
        }
        Ok(Verdict::of(findings))
    }
}

/// The future that never ends, of std and of futures-util.
const PENDING: &[&str] = &["pending::Pending"];

impl Forgotten {
    fn of(&self, process: &Process<'_>, live: &Live, task: &Told) -> anyhow::Result<Finding> {
        let last = live.task.asked.first();
        // The numbers of polls have 32 bits there.
        let asked_in_last_poll = last.is_some_and(|last| last.poll == live.task.polls as u32);
        let place = process.place_of(task)?;
        let place = place.map(|place| format!(" in {place}")).unwrap_or_default();
        let since = process.for_how_long(live.since_ns);
        let title = task.title();
        let end = match live.task.state {
            TaskState::Lost => ", and so it was dropped before its end",
            _ => "",
        };
        let sentence = format!(
            "{title} waits{place}, and nobody can wake it: its last waker was dropped{end}, {since}"
        );
        // Who asks nothing at all may mean it.
        let is_pending = match last {
            Some(last) => process.calls_one_of(last.stack, PENDING)? == Some(true),
            None => true,
        };
        let sure = if is_pending { Sure::Possible } else { Sure::Proven };
        let what = match (asked_in_last_poll, last) {
            (true, _) if is_pending => "it waits in future::pending, which asks nobody",
            (true, _) if !process.view.has_times() => {
                "it asked nobody, or whoever had its waker dropped it"
            }
            (true, _) => "it asked in its last poll, and whoever had the waker dropped it",
            (false, Some(_)) => {
                "it was polled again, returned Pending, and asked nobody in that poll"
            }
            (false, None) => "it returned Pending, and never asked anybody",
        };
        let mut finding = Finding::new(self.kind(), sure, sentence).shows(what);
        let (polls, wakes) = (live.task.polls, live.task.wakes);
        finding = finding.shows(match process.view.has_times() {
            true => format!("it was polled {polls} ×, woken {wakes} ×, and has no waker left"),
            false => "it is neither scheduled nor polled, and has no waker left".to_owned(),
        });
        if let Some(spawned) = task.spawned.as_ref().and_then(|place| place.own_text()) {
            finding = finding.shows(format!("it was spawned in {spawned}"));
        }
        Ok(finding.proof(process.show_task(task.id)).advice(
            "store the waker of each poll that returns Pending, the new one in place of the old, until you wake it",
        ))
    }
}
