//! The command line.

use anyhow::{bail, Result};
use clap::Parser;

use crate::peer::Peer;
use crate::row::{Row, Work};
use crate::{count, measure, report, rows};

/// Times every row for every peer, in turns, and prints a table of nanoseconds and ratios.
#[derive(Debug, Parser)]
#[command(name = "executor")]
struct Options {
    /// The rows to run; all of them when none is named.
    rows: Vec<String>,
    /// Fewer runs and a tenth of the operations.
    #[arg(long)]
    quick: bool,
    /// How often every peer does every row [default: 11, quick 3].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    runs: Option<u32>,
    /// The peers to run, separated by commas; all of them by default.
    #[arg(long, value_delimiter = ',', value_name = "PEER,…")]
    peers: Vec<Peer>,
    /// Counts instructions instead, with valgrind's callgrind: the quiet measure, on a machine that has
    /// other work. Rows of several threads are serialized by it, and left out.
    #[arg(long)]
    instructions: bool,
    /// Lists the rows and ends.
    #[arg(long)]
    list: bool,
    /// Does the row for the peer once, so many operations: what callgrind watches.
    #[arg(long, hide = true, value_name = "OPS")]
    child: Option<u64>,
}

pub(crate) fn run() -> Result<()> {
    let options = Options::parse();
    let rows = selected(&options)?;
    if options.list {
        rows.iter().for_each(|row| println!("{:14} {}", row.name, row.about));
        return Ok(());
    }
    if let Some(ops) = options.child {
        for (_, body) in rows.iter().flat_map(|row| &row.cases) {
            body(&Work { warm_up: 0, ops })?;
        }
        return Ok(());
    }
    if options.instructions {
        println!("{}", report::instructions(&rows, &count::count(&rows)?));
        return Ok(());
    }
    let runs = options.runs.unwrap_or(if options.quick { 3 } else { 11 });
    let samples = measure::measure(&rows, runs, options.quick)?;
    println!("{}", report::times(&rows, &samples));
    Ok(())
}

/// The named rows with the named peers; what does not apply is left out.
fn selected(options: &Options) -> Result<Vec<Row>> {
    let mut rows = rows::all();
    if let Some(unknown) = options.rows.iter().find(|n| rows.iter().all(|row| row.name != **n)) {
        let known: Vec<_> = rows.iter().map(|row| row.name).collect();
        bail!("no row {unknown:?}; the rows are: {}", known.join(", "));
    }
    rows.retain(|row| options.rows.is_empty() || options.rows.iter().any(|name| name == row.name));
    if !options.peers.is_empty() {
        rows.iter_mut().for_each(|row| row.cases.retain(|(peer, _)| options.peers.contains(peer)));
    }
    if rows.iter().all(|row| row.cases.is_empty()) {
        bail!("none of the named rows applies to the named peers");
    }
    Ok(rows)
}
