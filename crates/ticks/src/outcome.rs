//! How a run of the tool ended, as its exit code says.

use std::io;
use std::process::ExitCode;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All was done.
    Done,
    /// What could be done was done; something of the input could not be read.
    Partly,
    /// Nothing was done.
    Failed,
    /// A program that was run ended with this code.
    Status(u8),
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> ExitCode {
        ExitCode::from(match outcome {
            Outcome::Done => 0,
            Outcome::Partly => 1,
            Outcome::Failed => 2,
            Outcome::Status(code) => code,
        })
    }
}

/// The error with its place. Files are named where they are opened and read, so that what has no name was
/// written to standard output.
pub fn with_place(error: anyhow::Error) -> anyhow::Error {
    match error.chain().next().is_some_and(|first| first.is::<io::Error>()) {
        true => error.context("standard output"),
        false => error,
    }
}

/// Whether the error is that nobody reads our output any more.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
