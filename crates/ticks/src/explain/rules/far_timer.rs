//! A timer that is due far away, as if milliseconds had been taken for seconds, or that was never set.

use ticks_format::{Awaited, TaskState};

use super::{Rule, Verdict};
use crate::explain::facts::{Facts, Process, Told, ToldWait};
use crate::explain::finding::{Finding, Sure};
use crate::units;

pub struct FarTimer;

const SECOND_NS: u64 = 1_000_000_000;
/// Shorter times are not far away.
const FAR_NS: u64 = 600 * SECOND_NS;

impl Rule for FarTimer {
    fn kind(&self) -> &'static str {
        "far_timer"
    }

    fn looks_for(&self) -> &'static str {
        "a timer that was never set, or whose unit is wrong"
    }

    fn judge(&self, facts: &Facts<'_>) -> anyhow::Result<Verdict> {
        let mut findings = Vec::new();
        for process in &facts.processes {
            for task in process.tasks.iter().filter(|task| task.state == TaskState::Waiting) {
                for wait in &task.waits {
                    findings.extend(self.of(process, task, wait));
                }
            }
        }
        Ok(Verdict::of(findings))
    }
}

impl FarTimer {
    fn of(&self, process: &Process<'_>, task: &Told, told: &ToldWait) -> Option<Finding> {
        let in_place = told.in_place();
        let proof = process.show(&format!("--task {}", task.id));
        let Some(wait) = told.wait.map(|at| &process.view.waits[at]) else {
            // Armed timers are in the table of who waits.
            let is_never = told.text == "timer" && task.waits.len() == 1;
            return is_never.then(|| {
                let what = format!("{} waits{in_place} for a timer that is not set", task.title());
                Finding::new(self.kind(), Sure::Likely, what)
                    .shows("it waits for a timer, and no timer of it is armed: Timer::never()")
                    .proof(proof)
                    .advice("set the timer before it is awaited: set_after, set_at")
            });
        };
        let (Awaited::Timer { id, .. }, Some(due_ns)) = (wait.waiter.awaited, wait.due_ns) else {
            return None;
        };
        // What it was set to, or, if that record is gone, from when its wait began.
        let armed = process.walk.timers.armed.get(&id).copied();
        let set_ns = armed.unwrap_or(due_ns.saturating_sub(wait.since_ns));
        let meant_ns = in_milliseconds(set_ns)?;
        let due = units::duration(due_ns.saturating_sub(process.view.at_ns));
        let seconds = units::count((set_ns + SECOND_NS / 2) / SECOND_NS);
        let what = format!("{} waits{in_place} for a timer that is due in {due}", task.title());
        let sure = match task.waits.len() {
            1 => Sure::Likely,
            // Another branch may come first, as intended.
            _ => Sure::Possible,
        };
        Some(
            Finding::new(self.kind(), sure, what)
                .shows(format!(
                    "it was set to {seconds} s; {seconds} ms would be {}",
                    units::duration(meant_ns)
                ))
                .shows("no other recorded wait of the task comes sooner")
                .proof(proof)
                .advice("look at the unit: Duration::from_millis instead of from_secs"),
        )
    }
}

/// What a time was meant to be if its number looks like one of milliseconds that was taken for seconds: thousands of
/// seconds that are no hours. People who mean hours and days write hours and days.
fn in_milliseconds(set_ns: u64) -> Option<u64> {
    const HALF_HOUR: u64 = 1_800;
    const NEARLY_NS: u64 = 50_000_000;
    let seconds = (set_ns + SECOND_NS / 2) / SECOND_NS;
    let is_whole = set_ns.abs_diff(seconds.saturating_mul(SECOND_NS)) < NEARLY_NS;
    let looks_so = seconds.is_multiple_of(500) && !seconds.is_multiple_of(HALF_HOUR);
    (set_ns >= FAR_NS && is_whole && looks_so).then(|| seconds.saturating_mul(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_meant_and_thousands_of_seconds_are_not() {
        for seconds in [1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 100_000] {
            let found = in_milliseconds(seconds * SECOND_NS - 3_000);
            assert_eq!(found, Some(seconds * 1_000_000), "{seconds} s");
        }
        const HOUR: u64 = 3_600;
        for seconds in
            [30, 60, 300, 500, 900, 1_800, HOUR, 5 * HOUR, 8 * HOUR, 24 * HOUR, 168 * HOUR]
        {
            assert_eq!(in_milliseconds(seconds * SECOND_NS), None, "{seconds} s");
        }
        assert_eq!(in_milliseconds(30_000 * SECOND_NS + 300_000_000), None);
    }
}
