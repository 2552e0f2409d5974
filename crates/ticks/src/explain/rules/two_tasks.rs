//! Two tasks wait for the same direction of a connection: each takes what was meant for the other.

use std::collections::BTreeSet;

use ticks_format::SourceKind;

use super::{Rule, Verdict};
use crate::explain::facts::directions::Kept;
use crate::explain::facts::{Facts, Process};
use crate::explain::finding::{Finding, Sure};

pub struct TwoTasks;

impl Rule for TwoTasks {
    fn kind(&self) -> &'static str {
        "two_tasks"
    }

    fn looks_for(&self) -> &'static str {
        "two tasks that wait for the same direction of a connection"
    }

    fn judge(&self, facts: &Facts<'_>) -> anyhow::Result<Verdict> {
        let mut findings = Vec::new();
        for process in &facts.processes {
            for ((key, dir), direction) in &process.walk.directions.all {
                let Some(source) = process.view.sources.get(key) else { continue };
                // Many tasks may accept, or take datagrams: each gets a whole one.
                let is_stream = matches!(source.kind, SourceKind::Tcp | SourceKind::Unix);
                let wakers: BTreeSet<u64> =
                    direction.waiting.iter().map(|kept| kept.waker).collect();
                if !is_stream || !source.registered || wakers.len() < 2 {
                    continue;
                }
                let places = places(process, &direction.waiting)?;
                let sentence = format!(
                    "{} tasks {dir} fd {} ({} {}) at once: each takes what comes for the others",
                    wakers.len(),
                    source.fd,
                    source.kind,
                    source.peer,
                );
                let mut finding = Finding::new(self.kind(), Sure::Likely, sentence);
                finding.evidence = places;
                findings.push(
                    finding
                        .proof(process.show(&format!("--fd {}", source.fd)))
                        .advice(
                            "let one task read, and hand on what is the others' through channels",
                        )
                        .advice("or hold a lock from the question to the end of its answer"),
                );
            }
        }
        Ok(Verdict::of(findings))
    }
}

/// Who they are, and where they wait.
fn places(process: &Process<'_>, waiting: &[Kept]) -> anyhow::Result<Vec<String>> {
    let mut places = Vec::new();
    for kept in waiting {
        let task = kept.task.and_then(|task| process.task(task));
        let task = task.or_else(|| process.task_of_waker(kept.waker));
        let title = match task {
            Some(task) => task.title(),
            None => format!("the task with waker {:#x}", kept.waker),
        };
        let place = match task.and_then(|task| task.place()) {
            Some(place) => Some(place.to_owned()),
            None => process.own_text(kept.stack)?,
        };
        let spawned = task.and_then(|task| task.spawned.as_ref()?.own_text());
        places.push(match (place, spawned) {
            (Some(place), _) => format!("{title} waits in {place}"),
            (None, Some(spawned)) => format!("{title}, spawned in {spawned}"),
            (None, None) => title,
        });
    }
    Ok(places)
}
