//! Debug beside release on upstream, by `ticks compare`: the poll where the two part.
//!
//! 2.6.0 records nothing. What its log has are the server's own lines, which say when each poll of an accept
//! began and what came of it. They are written down as a recording of one task an accept, and nothing is added:
//! no ticks and no wakes, which nobody has seen.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;

use ticks_format::image::Image;
use ticks_format::layout::Layout;
use ticks_format::records::{TaskDone, TaskPollBegin, TaskPollEnd, TaskSpawn};
use ticks_format::{Anchor, Header, Record, TaskKind, Verdict};

use crate::case::{Build, Case, Reactor, COSTS_US};
use crate::error::{Context, Error};
use crate::log::Line;
use crate::programs::{self, Workshop};
use crate::report::Report;

/// Where the builds are compared: on the dearest polls.
const COST_US: u64 = COSTS_US[COSTS_US.len() - 1];

/// Room for each poll of a run of three seconds, many times over.
const FILE_BYTES: u64 = 16 << 20;

/// What `ticks compare` says of debug and release on upstream, on the dearest polls. Builds the tool if need be.
///
/// # Errors
/// When the tool cannot be built or run, or a log cannot be read.
pub fn compare(report: &Report, say: &mut dyn FnMut(&str)) -> Result<String, Error> {
    let workshop = Workshop::open(say)?;
    say("building: ticks");
    let tool = programs::tool(&workshop, say)?;
    let mut files = Vec::new();
    for build in Build::ALL {
        let case = Case { build, reactor: Reactor::Upstream, cost_us: COST_US };
        let run = report.runs().iter().find(|run| run.case == case);
        let run = run.ok_or_else(|| Error::new(format!("{case}: was not run")))?;
        files.push(write(&run.log)?);
    }
    let output = Command::new(&tool).arg("compare").args(&files).output();
    let output = output.context(|| format!("cannot run {}", tool.display()))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.code() {
        // With 1 there is a difference.
        Some(0 | 1) => Ok(said),
        _ => Err(Error::new(format!(
            "ticks compare: {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ))),
    }
}

/// Writes the log's recording beside it.
fn write(log: &Path) -> Result<PathBuf, Error> {
    let file = File::open(log).context(|| format!("cannot open {}", log.display()))?;
    let name = log.file_stem().unwrap_or_default().to_string_lossy();
    let image = record(BufReader::new(file), &name)
        .context(|| format!("cannot make a recording of {}", log.display()))?;
    let path = log.with_extension("ticks");
    fs::write(&path, image.to_bytes()).context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// The recording of a log: a task an accept, in whose polls the server asks.
fn record(mut log: impl BufRead, name: &str) -> io::Result<Image> {
    let layout = Layout::new(FILE_BYTES);
    // Whose number the process had, its log does not say.
    let header = Header::new(&layout, 0, 0);
    let mut image = Image::new(layout, &header, &format!("program={name}\n"));
    let name = image.place("accept a connection");
    let full = || io::Error::other("the recording has no ring");
    let ring = image.claim(1, "main", 0).ok_or_else(full)?;
    let mut accepts = Accepts { image, ring, name, begin_us: None, task: 0, poll: None, polls: 0 };
    let mut bytes = Vec::new();
    while log.read_until(b'\n', &mut bytes)? > 0 {
        let text = String::from_utf8_lossy(&bytes);
        if let Some(line) = Line::parse(text.trim_end()) {
            accepts.line(&line);
        }
        bytes.clear();
    }
    Ok(accepts.image)
}

/// The accepts as they are read.
struct Accepts {
    image: Image,
    ring: usize,
    name: u64,
    /// The first line's time.
    begin_us: Option<u64>,
    /// The accept under way; 0 before the first.
    task: u64,
    /// When its poll under way began.
    poll: Option<u64>,
    /// Its polls that have ended.
    polls: u64,
}

impl Accepts {
    fn line(&mut self, line: &Line<'_>) {
        let begin_us = match self.begin_us {
            Some(begin_us) => begin_us,
            None => {
                let utc_ns = line.at_us * 1000;
                let anchor = Anchor { counter: 0, utc_ns, monotonic_ns: 0, reactor_ns: Some(0) };
                self.image.anchor(&anchor);
                *self.begin_us.insert(line.at_us)
            }
        };
        let time_ns = line.at_us.saturating_sub(begin_us) * 1000;
        if line.message.starts_with("poll_accept:+") {
            self.begin(time_ns);
        } else if line.message.starts_with("poll_accept: retf poll_readable prr=Pending") {
            self.end(time_ns, Verdict::Pending);
        } else if line.message.starts_with("serve: accepted ") {
            self.end(time_ns, Verdict::Ready);
            let (task, polls) = (self.task, self.polls);
            self.record(time_ns, TaskDone { task, polls, age_ns: 0 });
            self.polls = 0;
        }
    }

    fn begin(&mut self, time_ns: u64) {
        if self.polls == 0 {
            self.task += 1;
            let (task, kind, name) = (self.task, TaskKind::Named, self.name);
            let spawn = TaskSpawn { task, kind, waker: 0, parent: 0, name, stack: 0 };
            self.record(time_ns, spawn);
        }
        self.poll = Some(time_ns);
        self.record(time_ns, TaskPollBegin { task: self.task });
    }

    fn end(&mut self, time_ns: u64, result: Verdict) {
        let Some(began_ns) = self.poll.take() else { return };
        self.polls += 1;
        let (task, duration_ns) = (self.task, time_ns.saturating_sub(began_ns));
        self.record(time_ns, TaskPollEnd { task, result, duration_ns, stack: 0 });
    }

    fn record(&mut self, time_ns: u64, record: impl Into<Record>) {
        self.image.record(self.ring, &record.into(), time_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use ticks_format::{Recording, What};

    /// Upstream's log of an accept that was told "not yet" once.
    const LOG: &str = "\
[2026-01-01T00:00:00.000000Z DEBUG accept_upstream 66  1] main: listening on 127.0.0.1:4001
[2026-01-01T00:00:00.001000Z DEBUG accept_upstream 153  1] poll_accept:+ cost_us=1000
[2026-01-01T00:00:00.002000Z DEBUG accept_upstream 160  1] poll_accept: retf poll_readable prr=Pending
[2026-01-01T00:00:00.003000Z DEBUG accept_upstream 231  4] client 1: connect:+ 127.0.0.1:4001
[2026-01-01T00:00:00.004000Z DEBUG accept_upstream 153  1] poll_accept:+ cost_us=1000
[2026-01-01T00:00:00.006000Z DEBUG accept_upstream 160  1] poll_accept: retf poll_readable prr=Ready(Ok(()))
[2026-01-01T00:00:00.006500Z DEBUG accept_upstream 100  1] serve: accepted n=1 peer=127.0.0.1:40000 polls=2
";

    #[test]
    fn a_log_becomes_a_task_an_accept() {
        let image = record(LOG.as_bytes(), "debug").unwrap();
        let recording = Recording::open(image.to_bytes()).unwrap();
        let ring = recording.rings().unwrap().remove(0);
        let records = recording.records(&ring).unwrap().map(|record| record.unwrap().what);
        let records: Vec<Record> = records
            .filter_map(|what| match what {
                What::Record(record) => Some(record),
                _ => None,
            })
            .collect();
        let ends: Vec<_> = records
            .iter()
            .filter_map(|record| match record {
                Record::TaskPollEnd(end) => Some((end.task, end.result, end.duration_ns)),
                _ => None,
            })
            .collect();
        let expected = [(1, Verdict::Pending, 1_000_000), (1, Verdict::Ready, 2_500_000)];
        assert_eq!(ends, expected, "{records:?}");
        assert!(matches!(records.last(), Some(Record::TaskDone(TaskDone { polls: 2, .. }))));
    }
}
