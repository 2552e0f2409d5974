//! The two commands and their options.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{bail, Context, Result};
use clap::Parser;

use crate::machine::Machine;
use crate::row::{Peer, Row};
use crate::{own_process, report, rows, run, strace};

/// Times the same work for every peer, in turns, and prints a table.
#[derive(Debug, Parser)]
#[command(name = "peers", bin_name = "cargo bench --bench peers --")]
struct BenchOptions {
    /// The rows to run; all of them when none is named.
    rows: Vec<String>,
    /// Shorter samples and three runs: a look, not a result.
    #[arg(long)]
    quick: bool,
    /// How often every peer does every row, at most [default: 11, or what the row asks for; quick 3].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    runs: Option<u32>,
    /// The peers to run, separated by commas; all of them by default.
    #[arg(long, value_delimiter = ',', value_name = "PEER,…")]
    peers: Vec<Peer>,
    /// Writes every sample to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Lists the rows and ends.
    #[arg(long)]
    list: bool,
    /// Takes one sample of the row for the peer: what runs in a process of its own.
    #[arg(long, hide = true, num_args = 2, value_names = ["WARM_UP", "OPS"])]
    sample: Option<Vec<u64>>,
}

/// Counts system calls per operation, by row and peer, with strace.
#[derive(Debug, Parser)]
#[command(name = "syscalls")]
struct SyscallOptions {
    /// The rows to count; all of them when none is named.
    rows: Vec<String>,
    /// The peers to count, separated by commas; all of them by default.
    #[arg(long, value_delimiter = ',', value_name = "PEER,…")]
    peers: Vec<Peer>,
    /// Writes the counts to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Does one figure of the row for the peer, this many operations: what strace watches.
    #[arg(long, hide = true, num_args = 2, value_names = ["FIGURE", "OPS"])]
    child: Option<Vec<u64>>,
}

/// The benchmark, with the options of the command line.
pub fn bench_main() -> ExitCode {
    ended(bench(&BenchOptions::parse()))
}

/// The count of system calls, with the options of the command line.
pub fn syscalls_main() -> ExitCode {
    ended(syscalls(&SyscallOptions::parse()))
}

fn ended(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peers: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn bench(options: &BenchOptions) -> Result<()> {
    let rows = selected(&options.rows, &options.peers)?;
    if options.list {
        for row in &rows {
            println!("{:18} {}", row.name, row.about);
        }
        return Ok(());
    }
    if let Some(sample) = &options.sample {
        return own_process::child(only_row(&rows)?, sample[0], sample[1]);
    }
    let machine = Machine::here();
    let plan = run::Plan {
        quick: options.quick,
        runs: options.runs,
        // Some time is left for a last row that takes longer than its share.
        budget: Duration::from_secs(if options.quick { 75 } else { 720 }),
    };
    let results = run::measure(&rows, &plan)?;
    println!("{}\n", machine.lines());
    println!("{}", report::tables(&results));
    if let Some(path) = &options.json {
        write_json(path, &report::json(&machine, &results))?;
    }
    Ok(())
}

fn syscalls(options: &SyscallOptions) -> Result<()> {
    let rows = selected(&options.rows, &options.peers)?;
    if let Some(child) = &options.child {
        return strace::child(only_row(&rows)?, child[0] as usize, child[1]);
    }
    let counts = strace::count(&rows)?;
    println!("{}", strace::tables(&counts));
    if let Some(path) = &options.json {
        write_json(path, &serde_json::to_value(&counts)?)?;
    }
    Ok(())
}

/// A process that does a part of the work does one row.
fn only_row(rows: &[Row]) -> Result<&Row> {
    match rows {
        [row] => Ok(row),
        _ => bail!("a child does one row, found {}", rows.len()),
    }
}

/// The named rows with the named peers; what does not apply is left out.
fn selected(names: &[String], peers: &[Peer]) -> Result<Vec<Row>> {
    let all = rows::all();
    if let Some(unknown) = names.iter().find(|n| all.iter().all(|row| row.name != **n)) {
        let known: Vec<_> = all.iter().map(|row| row.name).collect();
        bail!("no row {unknown:?}; the rows are: {}", known.join(", "));
    }
    let mut rows: Vec<Row> = all
        .into_iter()
        .filter(|row| names.is_empty() || names.iter().any(|name| name == row.name))
        .collect();
    if !peers.is_empty() {
        for row in &mut rows {
            row.cases.retain(|(peer, _)| peers.contains(peer));
        }
        rows.retain(|row| !row.cases.is_empty());
    }
    if rows.is_empty() {
        bail!("none of the named rows applies to the named peers");
    }
    Ok(rows)
}

fn write_json(path: &PathBuf, value: &serde_json::Value) -> Result<()> {
    let text = serde_json::to_string_pretty(value)? + "\n";
    std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}
