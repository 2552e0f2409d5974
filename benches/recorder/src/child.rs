//! A process with one sink that does one work, a lap each time it is told to.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{self, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result};
use tempfile::TempDir;
use ticks_format::Recording;

use crate::sink::Sink;
use crate::work::Work;

const ROLE: &str = "RECORDER_COST_ROLE";

/// Which sink and which work this process was started for, if it is a child.
pub(crate) fn role() -> Option<(Sink, Work)> {
    let role = env::var(ROLE).ok()?;
    let (sink, work) = role.split_once(' ')?;
    Some((Sink::from_name(sink)?, Work::from_name(work)?))
}

/// The child's part: a line in, a lap, a line out.
pub(crate) fn serve(sink: Sink, work: Work) -> Result<()> {
    sink.install()?;
    let mut lap = work.prepare()?;
    for line in io::stdin().lock().lines() {
        line?;
        let ns = lap()?;
        println!("{ns}");
        io::stdout().flush()?;
    }
    // The threads of the work have nothing to clean up.
    process::exit(0)
}

/// A running child.
pub(crate) struct Child {
    process: process::Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    dir: TempDir,
    operations: u64,
    slots_before: u64,
}

impl Child {
    pub(crate) fn start(sink: Sink, work: Work) -> Result<Child> {
        let dir = tempfile::tempdir().context("a directory for the recording")?;
        let mut command = Command::new(env::current_exe()?);
        command
            .env(ROLE, format!("{} {}", sink.name(), work.name()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        for name in [
            "ASYNC_IO_TRACE",
            "ASYNC_IO_TRACE_MIB",
            "ASYNC_IO_TRACE_STACKS",
            "ASYNC_IO_POLLER",
            "RUST_LOG",
        ] {
            command.env_remove(name);
        }
        if sink.is_recorder() {
            command.env("ASYNC_IO_TRACE", dir.path());
        }
        if sink == Sink::Stackless {
            command.env("ASYNC_IO_TRACE_STACKS", "0");
        }
        let mut process = command.spawn().context("cannot start a child")?;
        let (to, from) = (process.stdin.take(), process.stdout.take());
        let from = BufReader::new(from.context("no output")?);
        let mut child = Child { process, to, from, dir, operations: 0, slots_before: 0 };
        // The first lap makes what is made once.
        child.lap()?;
        if sink.is_recorder() {
            child.slots_before = child.slots()?;
        }
        child.operations = 0;
        Ok(child)
    }

    /// One lap. Returns nanoseconds an operation.
    pub(crate) fn lap(&mut self) -> Result<f64> {
        writeln!(self.to.as_ref().context("no input")?)?;
        let mut line = String::new();
        self.from.read_line(&mut line)?;
        let (ns, operations) = line.trim().split_once(' ').context("the child has ended")?;
        let (ns, operations): (u64, u64) = (ns.parse()?, operations.parse()?);
        self.operations += operations;
        Ok(ns as f64 / operations as f64)
    }

    /// How many slots of the recording the operations took.
    pub(crate) fn records_per_operation(&mut self) -> Result<f64> {
        Ok((self.slots()? - self.slots_before) as f64 / self.operations as f64)
    }

    fn slots(&self) -> Result<u64> {
        let path = self.dir.path().join(format!("{}.ticks", self.process.id()));
        let file = std::fs::File::open(&path).context("no recording")?;
        let recording = Recording::open(file)?;
        Ok(recording.rings()?.iter().map(|ring| ring.head).sum())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.to.take());
        let _ = self.process.wait();
    }
}
