//! A descriptor that somebody closed or replaced while its socket is in use.

use ticks_format::Source;

use super::{Rule, Verdict};
use crate::explain::facts::live::{descriptor, Descriptor};
use crate::explain::facts::{Facts, Process};
use crate::explain::finding::{Finding, Sure};
use crate::units;

pub struct Replaced;

/// The kernel's numbers for a descriptor that is not open, and for one that is not watched.
const EBADF: i32 = 9;
const ENOENT: i32 = 2;

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
            findings.extend(self.refused(process));
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
        let now = process.input.sources()?;
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
            .shows(format!("it was socket:[{}] when the reactor began to watch it", source.inode))
            .proof(format!("ls -l /proc/{pid}/fd/{fd}"))
            .proof(process.show(&format!("--fd {fd}")))
            .advice("look for code that closes numbers: close, dup2, from_raw_fd, a library of C")
            .advice(format!("see who does it: strace -f -k -e trace=close,dup2,dup3 -p {pid}"))
    }

    /// What the kernel said to the reactor.
    fn refused(&self, process: &Process<'_>) -> Option<Finding> {
        let mut refusals = process.walk.refusals.iter();
        let first = refusals.find(|it| matches!(it.errno, EBADF | ENOENT))?;
        let count = process.walk.refusals.iter().filter(|it| it.fd == first.fd).count() as u64;
        let sentence = format!(
            "the kernel does not know fd {} any more, which the reactor watches: somebody closed it or replaced it",
            first.fd
        );
        Some(
            Finding::new(self.kind(), Sure::Likely, sentence)
                .shows(format!(
                    "{} × epoll_ctl {} refused with error {}, the first at {}",
                    units::count(count),
                    first.op.name(),
                    first.errno,
                    units::time(first.utc_ns)
                ))
                .proof(process.show(&format!("--fd {}", first.fd)))
                .advice(
                    "look for code that closes numbers: close, dup2, from_raw_fd, a library of C",
                ),
        )
    }
}
