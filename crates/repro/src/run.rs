//! Runs one case, with its log in a file.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::case::{Case, CLIENTS, SPACING};
use crate::error::{Context, Error};
use crate::story::Story;

/// Past its deadline, a program is given this long to end, and is then killed.
const GRACE: Duration = Duration::from_secs(20);

/// One case and what came of it.
#[derive(Debug)]
pub struct Run {
    /// What was run.
    pub case: Case,
    /// Where its log is.
    pub log: PathBuf,
    /// Where its recording is, if it was to record and could.
    pub recording: Option<PathBuf>,
    /// What its log tells.
    pub story: Story,
}

/// Runs it, with log and output in `logs`. It records only if `records`: a run whose latencies are
/// compared does nothing besides.
pub(crate) fn run(case: Case, program: &Path, logs: &Path, records: bool) -> Result<Run, Error> {
    let log = logs.join(format!("{}.log", case.file_stem()));
    let out = logs.join(format!("{}.out", case.file_stem()));
    let dir = records.then_some(logs);
    let (id, status) = execute(case, program, &log, &out, dir)?;

    let file = File::open(&log).context(|| format!("cannot open {}", log.display()))?;
    let story = Story::read(BufReader::new(file), CLIENTS)
        .context(|| format!("cannot read {}", log.display()))?;
    let said = fs::read_to_string(&out).context(|| format!("cannot read {}", out.display()))?;
    let said = Said::find(&said).ok_or_else(|| {
        Error::new(format!(
            "{case}: {status}, with no summary in {}; see {}",
            out.display(),
            log.display()
        ))
    })?;
    // The program counts for itself. If the two disagree, one of them counts wrongly.
    let read = Said { accepted: story.accepted(), polls: story.polls().count() };
    if said != read {
        return Err(Error::new(format!(
            "{case}: the program says {said:?}, its log {} says {read:?}",
            log.display()
        )));
    }
    let recording = dir.map(|dir| dir.join(format!("{id}.ticks"))).filter(|file| file.exists());
    Ok(Run { case, log, recording, story })
}

/// Returns the number of the process and how it ended.
fn execute(
    case: Case,
    program: &Path,
    log: &Path,
    out: &Path,
    recordings: Option<&Path>,
) -> Result<(u32, ExitStatus), Error> {
    let create =
        |path: &Path| File::create(path).context(|| format!("cannot create {}", path.display()));
    let deadline = case.reactor.deadline();
    let mut command = Command::new(program);
    command.env_remove("ASYNC_IO_TRACE").env_remove("ASYNC_IO_TRACE_MIB");
    if let Some(dir) = recordings {
        command.env("ASYNC_IO_TRACE", dir);
    }
    let child = command
        .args(["--clients", &CLIENTS.to_string()])
        .args(["--spacing-ms", &SPACING.as_millis().to_string()])
        .args(["--cost-us", &case.cost_us.to_string()])
        .args(["--deadline-ms", &deadline.as_millis().to_string()])
        .env("RUST_LOG", "trace")
        .stdin(Stdio::null())
        .stdout(create(out)?)
        .stderr(create(log)?)
        .spawn()
        .context(|| format!("cannot run {}", program.display()))?;
    let id = child.id();
    let status = wait(child, deadline + GRACE);
    let status = status.map_err(|error| Error::new(format!("{case}: {error}")))?;
    Ok((id, status))
}

/// Waits for the end of the process, and brings it about when `limit` has passed.
fn wait(mut child: Child, limit: Duration) -> Result<ExitStatus, Error> {
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().context(|| "cannot wait for it".into())? {
            return Ok(status);
        }
        if Instant::now() >= end {
            child.kill().context(|| "cannot kill it".into())?;
            let status = child.wait().context(|| "cannot wait for it".into())?;
            return Err(Error::new(format!(
                "did not end by itself within {limit:?}, was killed: {status}"
            )));
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// What the program says of itself at its end: `summary accepted=30 clients=30 … polls=60 …`.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    accepted: usize,
    polls: usize,
}

impl Said {
    fn find(said: &str) -> Option<Said> {
        let summary = said.lines().find_map(|line| line.strip_prefix("summary "))?;
        let number = |name| {
            let mut fields = summary.split_whitespace();
            fields.find_map(|field| field.strip_prefix(name))?.parse().ok()
        };
        Some(Said { accepted: number("accepted=")?, polls: number("polls=")? })
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_does_not_end_is_killed() {
        let child = Command::new("sleep").arg("600").spawn().unwrap();
        let error = wait(child, Duration::from_millis(50)).unwrap_err();
        assert!(error.to_string().contains("did not end by itself"), "{error}");
    }

    #[test]
    fn the_summary_is_found_among_other_lines() {
        let said = "accepted: 7 of 30\nsummary accepted=7 clients=30 polls=15 polls_max=2\n";
        assert_eq!(Said::find(said), Some(Said { accepted: 7, polls: 15 }));
        for other in ["", "accepted: 7 of 30\n", "summary accepted=7\n", "summary polls=7\n"] {
            assert_eq!(Said::find(other), None, "{other:?}");
        }
    }
}
