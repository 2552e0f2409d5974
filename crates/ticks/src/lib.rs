//! `ticks` records, shows and explains what the async-io reactor of a program does.
//!
//! It reads the recordings of the flight recorder (`ASYNC_IO_TRACE=<dir>`): of a program that runs,
//! that has ended or that was killed. Nothing runs in that program because of it.
//!
//! It is a program, and no library for others: what is public here is for its `main` and for its fuzz targets.

use std::process::ExitCode;

use clap::Parser;

mod around;
mod chrome;
mod cli;
mod compare;
mod debug_info;
mod evidence;
mod explain;
mod export;
mod filter;
#[doc(hidden)]
pub mod fuzz;
mod history;
mod hosts;
mod input;
mod line;
mod logs;
mod memory;
mod merge;
mod outcome;
mod packets;
mod perfetto;
mod plain;
mod process;
mod progress;
mod record;
mod report;
mod script;
mod show;
mod snapshot;
mod sockets;
mod sources;
mod stat;
mod story;
mod strace;
mod symbols;
mod table;
mod task_names;
mod temporary;
mod timeline;
mod top;
mod units;
mod upstream;
mod who;

use cli::{Cli, Command};
use outcome::Outcome;
use plain::say;

/// Does what the command line says.
pub fn run() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Record(args) => record::run(&args),
        Command::Show(args) => show::run(&args),
        Command::Stat(args) => stat::run(&args),
        Command::Who(args) => who::run(&args),
        Command::Top(args) => top::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Script(args) => script::run(&args),
        Command::Completions(args) => cli::completions(&args),
        Command::Man => cli::man(),
    };
    match result {
        Ok(outcome) => outcome.into(),
        // Whoever read our output has seen enough.
        Err(error) if outcome::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            say!("{:#}", outcome::with_place(error));
            Outcome::Failed.into()
        }
    }
}
