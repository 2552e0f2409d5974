//! The process itself does not run: it is stopped, frozen, debugged, stuck in the kernel, or gets no processor.

use std::time::Duration;

use super::{Rule, Verdict};
use crate::explain::facts::{live, Facts, Process};
use crate::explain::finding::{Finding, Sure};
use crate::process::State;
use crate::units;

pub struct NotRunning;

/// For how long a process is watched.
const MOMENT: Duration = Duration::from_millis(300);

/// And again, if it seems to get no processor. Of a machine that is merely busy it gets its part by then.
const AGAIN: Duration = Duration::from_secs(2);

impl Rule for NotRunning {
    fn kind(&self) -> &'static str {
        "not_running"
    }

    fn looks_for(&self) -> &'static str {
        "a process that is stopped, frozen, debugged, stuck in the kernel, or gets no processor"
    }

    fn judge(&self, facts: &Facts<'_>) -> anyhow::Result<Verdict> {
        let live = facts.processes.iter().filter(|process| process.is_live());
        let findings: Vec<Finding> = live.clone().filter_map(|process| self.of(process)).collect();
        if findings.is_empty() && live.count() < facts.processes.len() {
            let why = "a process that has ended tells no more whether it ran; ask while it is there: ticks explain PID";
            return Ok(Verdict::CannotTell(why.into()));
        }
        Ok(Verdict::of(findings))
    }
}

impl NotRunning {
    fn of(&self, process: &Process<'_>) -> Option<Finding> {
        let (name, pid) = (process.input.process_name(), process.input.pid());
        let proven = |what: String| Finding::new(self.kind(), Sure::Proven, what);
        let quiet = process.view.last_ago_ns.map(units::duration);
        let quiet = quiet.map(|ago| format!("its last record is {ago} old"));
        let finding = match process.view.state {
            State::Stopped => proven(format!(
                "{name} is stopped by a signal (SIGSTOP, SIGTSTP): nothing in it runs"
            ))
            .advice(format!("let it go on: kill -CONT {pid}")),
            State::Traced => {
                let who =
                    live::tracer(pid).map(|(tracer, name)| format!(": process {tracer} ({name})"));
                let who = who.unwrap_or_default();
                proven(format!("{name} is stopped by a debugger{who}; nothing in it runs"))
                    .advice("let it go on in the debugger, or end the debugger")
            }
            State::Uninterruptible(tid) => {
                let place = live::kernel_wait(pid, tid);
                let place = place.map(|place| format!(", in {place}")).unwrap_or_default();
                proven(format!(
                    "thread {tid} of {name} is stuck in the kernel{place}, in a wait that no signal ends"
                ))
                .advice("look for a disk or a network file system that does not answer: dmesg")
            }
            _ if live::is_frozen(pid) => {
                proven(format!("{name} is frozen by its cgroup: nothing in it runs"))
                    .advice("thaw the cgroup: write 0 to its cgroup.freeze")
            }
            _ => return self.starved(process),
        };
        let finding = finding.proof(format!("grep State /proc/{pid}/status"));
        Some(match quiet {
            Some(quiet) => finding.shows(quiet),
            None => finding,
        })
    }

    fn starved(&self, process: &Process<'_>) -> Option<Finding> {
        let (name, pid) = (process.input.process_name(), process.input.pid());
        let share = live::share(pid, MOMENT);
        let of = |ns| format!("{} of {}", units::duration(ns), units::duration(share.elapsed_ns));
        if share.is_throttled() {
            let what = format!("{name} is kept from running by the limit of its cgroup");
            let finding = Finding::new(self.kind(), Sure::Proven, what);
            return Some(
                finding
                    .shows(format!("throttled for {}", of(share.throttled_ns)))
                    .proof(format!("cat /proc/{pid}/cgroup, then its cpu.stat"))
                    .advice("raise the limit (cpu.max, or the container's CPU limit)"),
            );
        }
        if !share.is_starved() {
            return None;
        }
        let share = live::share(pid, AGAIN);
        let of = |ns| format!("{} of {}", units::duration(ns), units::duration(share.elapsed_ns));
        share.is_starved().then(|| {
            let what = format!("{name} gets no processor: others have them");
            Finding::new(self.kind(), Sure::Likely, what)
                .shows(format!("a thread was ready to run and did not for {}", of(share.queued_ns)))
                .proof(format!("cat /proc/{pid}/task/*/schedstat"))
                .advice("look who has them: top")
        })
    }
}
