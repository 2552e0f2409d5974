//! The process itself does not run: it is stopped, frozen, debugged, stuck in the kernel, or gets no processor.

use std::time::Duration;

use ticks_format::TaskState;

use super::{Rule, Verdict};
use crate::explain::facts::share::share;
use crate::explain::facts::{live, Facts, Process};
use crate::explain::finding::{Finding, Sure};
use crate::process::{self, State};
use crate::units;
use crate::who::tasks::Live;

pub struct NotRunning;

/// For how long a process is watched.
const MOMENT: Duration = Duration::from_millis(300);

/// A wait in the kernel that takes as long is one that will not end. A slow disk has answered by then.
const LONG: Duration = Duration::from_secs(2);

/// And again, if it seems to get no processor, or too little of one. Of a machine that is merely busy it gets its part by then.
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
            State::Frozen => proven(format!("{name} is frozen by its cgroup: nothing in it runs"))
                .proof(format!("cat /proc/{pid}/cgroup"))
                .advice(
                    "thaw the cgroup: write 0 to its cgroup.freeze, or THAWED to its freezer.state",
                ),
            // Of a process that gets no processor, threads wait long for locks of the kernel that others of them hold.
            State::Uninterruptible(_) => match self.starved(process) {
                Some(starved) => return Some(starved),
                None => self.stuck(process, process::stuck_for(pid, LONG)?),
            },
            _ => return self.starved(process),
        };
        let finding = finding.proof(format!("grep State /proc/{pid}/task/*/status"));
        let quiet = process.view.last_ago_ns.map(units::duration);
        Some(match quiet {
            Some(ago) => finding.shows(format!("its last record is {ago} old")),
            None => finding,
        })
    }

    fn stuck(&self, process: &Process<'_>, tid: u64) -> Finding {
        let (name, pid) = (process.input.process_name(), process.input.pid());
        let thread = process.walk.threads.title(tid);
        let place = live::kernel_wait(pid, tid);
        let is_vfork = place.as_ref().is_some_and(|place| {
            // What waits is part of the function that makes the child, in most builds of the kernel.
            ["vfork", "kernel_clone", "_do_fork"].iter().any(|name| place.contains(name))
        });
        let what =
            format!("{thread} of {name} is stuck in the kernel: no signal but SIGKILL ends that");
        let mut finding = Finding::new(self.kind(), Sure::Proven, what)
            .shows(format!("it was watched for {} s and sat in one wait", LONG.as_secs()));
        if let Some(place) = place {
            finding = finding.shows(format!("it waits in the kernel's {place}"));
        }
        let polls = |task: &&Live| {
            task.task.thread == tid && matches!(task.task.state, TaskState::Running { .. })
        };
        let inner = process.view.tasks.iter().filter(polls).max_by_key(|live| live.since_ns);
        if let Some(task) = inner.and_then(|live| process.task(live.task.id)) {
            finding =
                finding.shows(format!("it polls {}, and nothing else meanwhile", task.title()));
        }
        finding.proof(format!("cat /proc/{pid}/task/{tid}/stack")).advice(match is_vfork {
            true => "it waits until a child that it has started runs its program: look what that child waits for",
            false => "look for a disk or a network file system that does not answer: dmesg",
        })
    }

    fn starved(&self, process: &Process<'_>) -> Option<Finding> {
        let (name, pid) = (process.input.process_name(), process.input.pid());
        if !share(pid, MOMENT).is_suspect() {
            return None;
        }
        let got = share(pid, AGAIN);
        let of = |ns| format!("{} of {}", units::duration(ns), units::duration(got.elapsed_ns));
        if got.is_throttled() {
            let what = format!("{name} is kept from running by the limit of its cgroup");
            return Some(
                Finding::new(self.kind(), Sure::Proven, what)
                    .shows(format!("kept from running for {}", of(got.throttled_ns)))
                    .proof(format!("cat /proc/{pid}/cgroup"))
                    .advice("raise the limit: cpu.max or cpu.cfs_quota_us of the cgroup, or the container's CPU limit"),
            );
        }
        got.is_starved().then(|| {
            let what = format!("{name} gets no processor: others have them");
            Finding::new(self.kind(), Sure::Likely, what)
                .shows(format!("a thread was ready to run and did not for {}", of(got.queued_ns)))
                .proof(format!("cat /proc/{pid}/task/*/schedstat"))
                .proof(format!("ps -o pid,ni,cls,psr,comm -p {pid}"))
                .advice(
                    "look who has them (top), on which it may run (taskset -p) and how nice it is",
                )
        })
    }
}
