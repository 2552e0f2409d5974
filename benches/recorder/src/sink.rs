//! Who listens to the records.

use std::fs::File;
use std::sync::Mutex;

use anyhow::{Context, Result};
use log::LevelFilter;

/// A listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sink {
    Nobody,
    Recorder,
    /// The recorder with `ASYNC_IO_TRACE_STACKS=0`.
    Stackless,
    Log,
    Tracing,
}

impl Sink {
    pub(crate) const ALL: [Sink; 5] =
        [Sink::Nobody, Sink::Recorder, Sink::Stackless, Sink::Log, Sink::Tracing];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Sink::Nobody => "nobody",
            Sink::Recorder => "recorder",
            Sink::Stackless => "no-stacks",
            Sink::Log => "log",
            Sink::Tracing => "tracing",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Sink> {
        Sink::ALL.into_iter().find(|sink| sink.name() == name)
    }

    /// Whether the recording has what it records.
    pub(crate) fn is_recorder(self) -> bool {
        matches!(self, Sink::Recorder | Sink::Stackless)
    }

    /// Makes it listen in this process. The recorder does by the environment.
    pub(crate) fn install(self) -> Result<()> {
        match self {
            Sink::Nobody | Sink::Recorder | Sink::Stackless => Ok(()),
            Sink::Log => install_log(),
            Sink::Tracing => {
                tracing_subscriber::fmt()
                    .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
                    .with_ansi(false)
                    .with_writer(Mutex::new(file()?))
                    .init();
                Ok(())
            }
        }
    }
}

/// A file that the system removes with the process.
fn file() -> Result<File> {
    tempfile::tempfile().context("a file for the log")
}

/// The format of the seed logs.
fn install_log() -> Result<()> {
    use std::io::Write;
    env_logger::Builder::new()
        .filter_module("async_io", LevelFilter::Trace)
        .target(env_logger::Target::Pipe(Box::new(file()?)))
        .format(|buffer, record| {
            let (time, level) = (buffer.timestamp_micros(), record.level());
            let (target, line) = (record.target(), record.line().unwrap_or(0));
            writeln!(buffer, "[{time} {level} {target} {line}  1] {}", record.args())
        })
        .try_init()
        .context("the process has a logger already")
}
