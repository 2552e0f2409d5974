//! A system call that gets the same error for ever: a listener that was closed and is accepted on still.

use super::{Rule, Verdict};
use crate::explain::facts::outside::Run;
use crate::explain::facts::Facts;
use crate::explain::finding::{Finding, Sure};
use crate::units;

pub struct SameError;

impl Rule for SameError {
    fn kind(&self) -> &'static str {
        "same_error"
    }

    fn looks_for(&self) -> &'static str {
        "a system call that gets the same error for ever"
    }

    fn judge(&self, facts: &Facts<'_>) -> anyhow::Result<Verdict> {
        if !facts.outside.has_strace {
            return Ok(Verdict::NotGiven(
                "system calls; give what strace -f -ttt -T -yy wrote with --strace",
            ));
        }
        let runs = facts.outside.refusals.runs.iter();
        Ok(Verdict::of(runs.map(|run| self.of(facts, run)).collect()))
    }
}

impl SameError {
    fn of(&self, facts: &Facts<'_>, run: &Run) -> Finding {
        let who = match (run.input, run.tid) {
            (Some(input), Some(tid)) => {
                format!("thread {tid} of {}", facts.processes[input].input.process_name())
            }
            (_, Some(tid)) => format!("thread {tid}"),
            _ => "the program".into(),
        };
        let until = if run.to_the_end { ", to the end of the listing" } else { "" };
        let count = units::count(run.count);
        let (name, error) = (&run.name, &run.error);
        let on = match run.fd {
            -1 => "-1, which is no descriptor".to_owned(),
            fd => format!("fd {fd}"),
        };
        let mut sentence =
            format!("{who} calls {name} on {on}, and gets {error}, {count} times in a row{until}");
        let accepts = name.starts_with("accept");
        if let (true, Some(before)) = (accepts, &run.before) {
            sentence += &match before.closed {
                Some(_) => format!(": its listener was fd {}, which is closed", before.fd),
                None => format!(": its listener was fd {}", before.fd),
            };
        }
        let sure = match (&*run.error, run.to_the_end) {
            ("EBADF" | "ENOTSOCK", true) => Sure::Proven,
            (_, true) => Sure::Likely,
            (_, false) => Sure::Possible,
        };
        let mut finding = Finding::new(self.kind(), sure, sentence);
        let (path, first, last) = &run.lines;
        finding = finding.shows(format!("lines {first} to {last} of {}", path.display()));
        if let Some((first_ns, last_ns)) = run.times_ns {
            finding = finding.shows(format!(
                "from {} on, for {}",
                units::time(first_ns),
                units::duration(last_ns.saturating_sub(first_ns))
            ));
        }
        if let Some(before) = &run.before {
            if let Some(line) = before.closed {
                finding = finding.shows(format!("line {line} closes fd {}", before.fd));
            }
            if let Some(line) = before.deleted_late {
                finding = finding.shows(format!(
                    "line {line} takes fd {} out of the poller when it is closed already: EBADF",
                    before.fd
                ));
            }
        }
        finding = finding.proof(format!("sed -n {first},{last}p {}", path.display()));
        finding.advice(match (&*run.error, accepts) {
            ("EBADF", true) => {
                "end the accept loop when its listener is closed, or when accept fails for good"
            }
            ("EBADF", false) => "look who closes the descriptor while it is in use",
            ("EMFILE" | "ENFILE", _) => {
                "raise the limit of open files (ulimit -n), and look which are never closed"
            }
            ("EAGAIN", _) => "wait for readiness between two attempts: readable().await",
            _ => "handle this error as the end of the loop, not as a reason to try again at once",
        })
    }
}
