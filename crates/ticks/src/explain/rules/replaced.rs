//! A descriptor that somebody closed or replaced while its socket is in use.

use std::collections::BTreeMap;

use ticks_format::{Op, Source, SourceKind};

use super::{Rule, Verdict};
use crate::explain::facts::live::{descriptor, Descriptor};
use crate::explain::facts::walk::{Refusal, Stale};
use crate::explain::facts::{Facts, Process};
use crate::explain::finding::{Finding, Sure};
use crate::units;

pub struct Replaced;

/// The kernel's numbers for a descriptor that is not open, and for one that is not watched.
const EBADF: i32 = 9;
const ENOENT: i32 = 2;
/// And for one that is watched already.
const EEXIST: i32 = 17;

/// As many events for a source that is gone are more than those that were under way.
const STALE_MIN: u64 = 5;

/// Of how many descriptors is told.
const TOLD_MAX: usize = 8;

const CLOSES: &str = "look for code that closes numbers: close, dup2, from_raw_fd, a library of C";

impl Rule for Replaced {
    fn kind(&self) -> &'static str {
        "replaced"
    }

    fn looks_for(&self) -> &'static str {
        "descriptors that were closed or replaced while in use"
    }

    fn judge(&self, facts: &Facts<'_>) -> anyhow::Result<Verdict> {
        let mut findings = Vec::new();
        for process in &facts.processes {
            if process.is_live() {
                findings.extend(self.live(process)?);
            }
            match self.stale(process) {
                // What was refused is part of it.
                Some(finding) => findings.push(finding),
                None => findings.extend(self.refused(process)),
            }
        }
        let ended = facts.processes.iter().any(|process| !process.is_live());
        if findings.is_empty() && ended {
            let why =
                "what a descriptor is can be seen while the process is there: ticks explain PID";
            return Ok(Verdict::CannotTell(why.into()));
        }
        Ok(Verdict::of(findings))
    }
}

impl Replaced {
    /// What is open under the numbers of its sources.
    fn live(&self, process: &Process<'_>) -> anyhow::Result<Vec<Finding>> {
        let mut suspects: Vec<(&Source, Descriptor)> = Vec::new();
        for source in process.view.sources.values() {
            let is_known = source.registered && source.inode != 0;
            if !is_known {
                continue;
            }
            let found = descriptor(process.input.pid(), source.fd, source.inode);
            if matches!(found, Descriptor::Closed | Descriptor::Replaced(_)) {
                suspects.push((source, found));
            }
        }
        if suspects.is_empty() {
            return Ok(Vec::new());
        }
        // A process that has ended meanwhile has closed them all.
        if !process.input.is_live() {
            return Ok(Vec::new());
        }
        // A source that was dropped meanwhile has closed its descriptor in order.
        let now = process.input.sources_now()?;
        suspects.retain(|(source, _)| now.get(&source.key).is_some_and(|now| now.registered));
        suspects.sort_by_key(|(source, _)| source.fd);
        let findings =
            suspects.into_iter().map(|(source, found)| self.finding(process, source, found));
        Ok(findings.collect())
    }

    fn finding(&self, process: &Process<'_>, source: &Source, found: Descriptor) -> Finding {
        let what = match &found {
            Descriptor::Replaced(by) => format!("is {by} now: somebody replaced it"),
            _ => "is not open any more: somebody closed it".into(),
        };
        let waits =
            process.tasks.iter().flat_map(|task| task.waits.iter().map(move |wait| (task, wait)));
        let waiter = waits.into_iter().find(|(_, told)| {
            let wait = told.wait.map(|at| &process.view.waits[at]);
            wait.and_then(|wait| wait.source.as_ref()).is_some_and(|of| of.key == source.key)
        });
        let who =
            waiter.map(|(task, told)| format!("; {} waits for it in {}", task.title(), told.own));
        let sentence = format!(
            "fd {} of the {} {} {what}, while it is in use{}",
            source.fd,
            source.kind,
            source.peer,
            who.unwrap_or_default()
        );
        let (pid, fd) = (process.input.pid(), source.fd);
        Finding::new(self.kind(), Sure::Proven, sentence)
            .shows(format!("it was {} when the reactor began to watch it", named(source)))
            .proof(format!("ls -l /proc/{pid}/fd/{fd}"))
            .proof(process.show(&format!("--fd {fd}")))
            .advice(CLOSES)
            .advice(format!("see who does it: strace -f -k -e trace=close,dup2,dup3 -p {pid}"))
    }

    /// What the kernel said to the reactor, of each descriptor.
    fn refused(&self, process: &Process<'_>) -> Vec<Finding> {
        let mut by_fd: BTreeMap<i64, Vec<&Refusal>> = BTreeMap::new();
        let refusals = process.walk.refusals.iter();
        for refusal in refusals.filter(|it| matches!(it.errno, EBADF | ENOENT | EEXIST)) {
            by_fd.entry(refusal.fd).or_default().push(refusal);
        }
        let finding = |(fd, refusals): (&i64, &Vec<&Refusal>)| {
            let first = refusals.first()?;
            let what = match first.errno {
                EEXIST => format!("fd {fd} was to be watched, and the kernel watches it already: it has two owners, or had another before"),
                _ => format!("the kernel does not know fd {fd} any more, which the reactor watches: somebody closed it or replaced it"),
            };
            let refused = format!(
                "{} × epoll_ctl {} refused with {}, the first at {}",
                units::count(refusals.len() as u64),
                first.op.name(),
                error_name(first.errno),
                units::time(first.utc_ns)
            );
            let finding = Finding::new(self.kind(), Sure::Likely, what).shows(refused);
            Some(finding.proof(process.show(&format!("--fd {fd}"))).advice(CLOSES))
        };
        by_fd.iter().take(TOLD_MAX).filter_map(finding).collect()
    }

    /// Events that come on and on for a source that is gone. One may be under way when its source goes.
    fn stale(&self, process: &Process<'_>) -> Option<Finding> {
        let stale = process.walk.stale.values().filter(|stale| stale.count >= STALE_MIN);
        let (mut sources, mut worst) = (0, None::<&Stale>);
        for stale in stale {
            sources += 1;
            worst = worst.into_iter().chain([stale]).max_by_key(|stale| stale.count);
        }
        let worst = worst?;
        let what = format!(
            "events come for a source that is gone: a copy of its descriptor keeps it watched, and was not taken out of \
             the poller with it ({} of {})",
            units::things(sources, "source"),
            process.input.process_name()
        );
        let span_ns = worst.last_ns.saturating_sub(worst.first_ns);
        let mut finding = Finding::new(self.kind(), Sure::Likely, what).shows(format!(
            "{} events in {} for the one with the most, the last at {}; each wakes a thread for nothing",
            units::count(worst.count),
            units::duration(span_ns),
            units::time(worst.last_ns)
        ));
        if let Some(refusal) = process.walk.refusals.iter().find(|it| it.op == Op::Del) {
            finding = finding.shows(format!(
                "fd {} was to be taken out of the poller at {}, and was refused with {}",
                refusal.fd,
                units::time(refusal.utc_ns),
                error_name(refusal.errno)
            ));
        }
        Some(
            finding
                .proof(process.show("--kind ReactStale"))
                .advice(
                    "look for copies of sockets: dup, try_clone, children that inherit descriptors",
                )
                .advice(CLOSES),
        )
    }
}

/// As the kernel names it.
fn named(source: &Source) -> String {
    match source.kind {
        SourceKind::Other => format!("what has the inode {}", source.inode),
        SourceKind::Pipe => format!("pipe:[{}]", source.inode),
        _ => format!("socket:[{}]", source.inode),
    }
}

/// By the kernel's names, as far as one is met here.
fn error_name(errno: i32) -> String {
    match errno {
        EBADF => "EBADF".into(),
        ENOENT => "ENOENT".into(),
        EEXIST => "EEXIST".into(),
        other => format!("error {other}"),
    }
}
