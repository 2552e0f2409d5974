//! Where async-io 2.6.0 would have hung: it would have told a task Pending again and again, though its event had come.

use super::{Rule, Verdict};
use crate::explain::facts::Facts;
use crate::explain::finding::{Finding, Sure};
use crate::units;

mod of_log;

pub struct WouldHangUpstream;

/// Once may happen to anybody, and passes there too. In a row it does not pass.
const STALLS_MIN: u64 = 3;

impl Rule for WouldHangUpstream {
    fn kind(&self) -> &'static str {
        "would_hang_upstream"
    }

    fn looks_for(&self) -> &'static str {
        "waits in which async-io 2.6.0 would have hung"
    }

    fn judge(&self, facts: &Facts<'_>) -> anyhow::Result<Verdict> {
        let mut findings = of_log::findings(facts, self.kind());
        for process in &facts.processes {
            for ((key, dir), direction) in &process.walk.directions.all {
                let Some(stall) = direction.stall.filter(|_| direction.stalls_max >= STALLS_MIN)
                else {
                    continue;
                };
                let wait = process.view.waits.iter().find(|wait| {
                    wait.waiter.waiter_id().is_some_and(|id| id.direction() == (*key, *dir))
                });
                let asked = stall.task.and_then(|id| process.walk.delays.stacks.get(&id)).copied();
                let Some(stack) = wait.map(|wait| wait.waiter.stack).or(asked) else { continue };
                // There and here, a read or write tries first what is asked for, and asks when it is refused.
                if process.goes_through(stack, "streams.rs")? != Some(false) {
                    continue;
                }
                let about = process.view.sources.get(key);
                let fd = about.map_or(-1, |about| about.fd);
                let task = stall.task.and_then(|task| process.task(task));
                let place = process.own_text(stack)?;
                let who = task.map_or("a task".into(), |task| task.title());
                let place = place.map(|place| format!(" in {place}")).unwrap_or_default();
                let sentence = format!(
                    "with async-io 2.6.0 {who} could have hung{place}: it asks fd {fd} to {dir}, and would be told \
                     Pending though its event has come"
                );
                let (tick, count) = (stall.tick, units::count(direction.stalls_max));
                // Something else may have woken it there: another task's event, a timer. And here nothing is wrong.
                let mut finding = Finding::new(self.kind(), Sure::Possible, sentence);
                finding = finding
                    .shows(format!("{count} answers in a row would have been Pending there"));
                if let Some(ticks) = stall.ticks {
                    finding = finding.shows(format!(
                        "the last: tick={tick} ticks=Some(({}, {})) here, so Ready: {tick} is neither; there the \
                         waiter's first tick is {tick}, taken at each poll and a round ahead, so the event counts as old",
                        ticks.a, ticks.b
                    ));
                }
                findings.push(
                    finding
                        .proof(process.show(&format!("--fd {fd}")))
                        .advice("here nothing is wrong: this crate does not have that fault")
                        .advice("docs/the-ticks-rule.md says how it comes about, and cargo run --example repro shows it"),
                );
            }
        }
        findings.sort_by(|one, other| one.sentence.cmp(&other.sentence));
        Ok(Verdict::of(findings))
    }
}
