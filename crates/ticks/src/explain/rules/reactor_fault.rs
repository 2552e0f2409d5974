//! The reactor itself is at fault: an event has come that makes a waiter ready, and it did not wake it.

use ticks_format::Awaited;

use super::{Rule, Verdict};
use crate::explain::facts::{Facts, Process};
use crate::explain::finding::{Finding, Sure};
use crate::who::view::Wait;

pub struct ReactorFault;

/// Between an event and its wake lie some instructions, or, on a busy machine, some turns of other programs.
const LONG_NS: u64 = 1_000_000_000;

impl Rule for ReactorFault {
    fn kind(&self) -> &'static str {
        "reactor_fault"
    }

    fn looks_for(&self) -> &'static str {
        "an event whose task this crate did not wake"
    }

    fn judge(&self, facts: &Facts<'_>) -> anyhow::Result<Verdict> {
        let mut findings = Vec::new();
        for process in &facts.processes {
            let waits = process.view.waits.iter();
            findings.extend(waits.filter_map(|wait| self.of(process, wait)));
        }
        Ok(Verdict::of(findings))
    }
}

impl ReactorFault {
    fn of(&self, process: &Process<'_>, wait: &Wait) -> Option<Finding> {
        let Awaited::Source { key, fd, dir, ticks: Some(ticks), .. } = wait.waiter.awaited else {
            return None;
        };
        let direction = process.walk.directions.all.get(&(key, dir))?;
        let event = direction.last_event?;
        let is_new = event.tick > ticks.a && event.tick > ticks.b;
        let was_woken = direction.last_wake_tick >= Some(event.tick);
        // A program that was killed in the midst of it has no fault, and records nothing afterwards.
        let is_over = process.view.ago_ns(event.utc_ns) >= LONG_NS;
        if !is_new || was_woken || !is_over || process.walk.is_partial {
            return None;
        }
        let (pid, tick) = (process.input.recording.header().pid, event.tick);
        let sentence = format!(
            "async-io itself is at fault: fd {fd} had an event to {dir} {}, and whoever waits for it was not woken",
            process.ago(event.utc_ns)
        );
        Some(
            Finding::new(self.kind(), Sure::Proven, sentence)
                .shows(format!(
                    "the event has tick {tick}, above both of ticks=Some(({}, {})), and no Waker::wake follows",
                    ticks.a, ticks.b
                ))
                .proof(process.show(&format!("--fd {fd}")))
                .advice(format!(
                    "please report it, with {} and what `ticks show` prints of fd {fd}",
                    process.input.path.display()
                ))
                .advice(format!("it may help to try again with ASYNC_IO_POLLER=polling (process {pid})")),
        )
    }
}
