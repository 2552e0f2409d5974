//! The accept repro: `examples/tcp_accept.rs` on the reactor of this repository and on async-io
//! 2.6.0 from crates.io, both built for debugging and for release, run at several costs per poll,
//! and compared by nothing but their logs.
//!
//! `cargo test repro` asserts on the [`Report`], `cargo run --example repro` prints it.
//!
//! | module | job |
//! | --- | --- |
//! | [`case`] | what is varied: build, reactor, cost per poll |
//! | `programs` | builds the four programs |
//! | `run` | runs one case, bounded in time |
//! | [`log`] | a log's lines |
//! | [`story`] | what a log's lines tell: polls, waits, accepts, latencies |
//! | [`report`] | the tables |
//! | [`sentences`] | what the tables show, in three sentences |
//! | `compare` | debug beside release on upstream, by `ticks compare` |

#![forbid(unsafe_code)]

pub mod case;
mod compare;
mod error;
pub mod log;
mod programs;
pub mod report;
mod run;
pub mod sentences;
pub mod story;

pub use crate::compare::compare;
pub use crate::error::Error;
pub use crate::report::Report;
pub use crate::run::Run;

use std::path::Path;

use crate::case::Case;
use crate::programs::{Programs, Workshop};

/// Builds the four programs, runs every case and reads its log. `say` is told of each step.
///
/// Takes as long as the builds plus half a minute. Two calls, also from two processes, run one after
/// the other: they share the folder, and would spoil each other's latencies.
///
/// # Errors
/// When a program cannot be built, run or understood. A connection that was not accepted is no error:
/// it is what the report is about.
pub fn reproduce(say: &mut dyn FnMut(&str)) -> Result<Report, Error> {
    let workshop = Workshop::open(say)?;
    let programs = Programs::build(&workshop, say)?;
    let cases = Case::all();
    let mut runs = Vec::with_capacity(cases.len());
    for (n, case) in cases.iter().enumerate() {
        say(&format!("run {} of {}: {case}", n + 1, cases.len()));
        let run = run::run(*case, programs.of(*case), workshop.logs(), false)?;
        say(&format!("    {}", run.story));
        runs.push(run);
    }
    Ok(Report::new(runs))
}

/// Builds the program of one case and runs it as [`reproduce`] would, but with the flight recorder on:
/// log, output and recording are put into `dir`.
///
/// # Errors
/// As [`reproduce`].
pub fn record(case: Case, dir: &Path, say: &mut dyn FnMut(&str)) -> Result<Run, Error> {
    let workshop = Workshop::open(say)?;
    let program = programs::build(&workshop, case.build, case.reactor, say)?;
    run::run(case, &program, dir, true)
}
