//! `ticks stat`: rounds, events, wakes and waits in numbers.

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::Context;
use serde_json::Value as Json;
use ticks_format::layout::counter;
use ticks_format::{Loss, Ring, What};

use crate::input::{Input, Inputs};
use crate::merge::Merge;
use crate::outcome::Outcome;
use crate::process::State;
use crate::progress::Progress;
use crate::symbols::Options;
use crate::units;

pub mod durations;
mod json;
mod sums;
mod table;
mod task_table;
mod tasks;

use sums::Sums;
use tasks::{Places, TaskSums};

/// Sum up per task, place in the program, thread, source and timer
#[derive(Debug, clap::Args)]
#[command(after_help = EXPLANATION)]
pub struct Args {
    /// Recordings, text logs (- is standard input), or the numbers of processes that record
    #[arg(required = true, value_name = "FILE|PID")]
    files: Vec<PathBuf>,
    /// Print one JSON object a recording, each on a line; its names are described in crates/ticks/JSON.md
    #[arg(long)]
    json: bool,
    /// Where the program and its libraries are, with their debug information, if not where they ran
    #[arg(long, value_name = "DIR")]
    symbols: Vec<PathBuf>,
}

// A paragraph is a line, which is wrapped as the terminal is wide.
const EXPLANATION: &str = "\
Tasks are told by name. A poll's place is where it asked last to be woken, the innermost call that is the program's \
own. SCHED is how long it took from a wake to the poll that it caused, SELF how often tasks woke themselves in their \
polls. A long poll keeps all other tasks of its thread waiting.

A wait lasts from the first poll that is Pending to the one that is Ready, or until its waiter goes after a \
wake, as with smol's streams, which try to read before they ask. Waits that go on are not counted: `ticks who` \
has them. A wake is spurious if the poll that follows it is Pending. A source with events and without polls has \
something that nobody asks for. Percentiles are right to 1 %.

UNASKED, if any source has it, is since when something has come that nobody waited for and nobody has asked for \
since. Whoever reads without asking first leaves no record, so that it may be read by now.

LAST, unless the program ended in order, is when a thread made its last record: one that computes or is blocked \
makes none.

UP≠ counts the polls that async-io 2.6.0 would have answered otherwise; ≥ and ?: of some polls, or of all, that \
is not known, because records from before them were overwritten.

Examples:
  ticks stat 4711.ticks
  ticks stat /tmp/t/*.ticks
  ticks stat --json 4711.ticks | jq .records";

/// What is told of a recording.
struct Summary<'a> {
    input: &'a Input,
    sums: Sums,
    tasks: Places,
    state: State,
    now_ns: u64,
    rings: Vec<(Ring, Loss)>,
    /// Records that found no ring.
    unrecorded: u64,
    is_damaged: bool,
}

/// Sums up.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let inputs = Inputs::recorded(&args.files)?;
    let options = Options { dirs: args.symbols.clone(), full_names: false };
    let (summaries, mut failed) = inputs.each(|input| Summary::of(input, &options));
    let mut out = BufWriter::new(anstream::stdout().lock());
    if args.json {
        for summary in &summaries {
            writeln!(out, "{}", json::of(summary))?;
        }
    } else {
        if summaries.len() > 1 {
            table::write_overview(&mut out, &summaries)?;
        }
        for (index, summary) in summaries.iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            table::write(&mut out, summary)?;
        }
    }
    out.flush()?;
    failed |= summaries.iter().any(|summary| summary.is_damaged);
    Ok(if failed { Outcome::Partly } else { Outcome::Done })
}

/// What is told of a recording as one object, and whether part of it could not be read.
pub fn as_json(input: &Input, options: &Options) -> anyhow::Result<(Json, bool)> {
    let summary = Summary::of(input, options)?;
    Ok((json::of(&summary), summary.is_damaged))
}

impl<'a> Summary<'a> {
    /// Reads the whole recording. What is wrong with it is said on stderr.
    fn of(input: &'a Input, options: &Options) -> anyhow::Result<Summary<'a>> {
        let mut merge = Merge::new(std::slice::from_ref(input))?;
        let mut sums = Sums::new(input).with_context(|| input.place())?;
        let mut tasks = TaskSums::new(input).with_context(|| input.place())?;
        let mut progress = Progress::new(merge.slots(), "reading");
        while let Some(moment) = merge.advance()? {
            sums.add(&moment);
            if let What::Record(record) = &moment.stamped.what {
                tasks.add(input, record, moment.utc_ns).with_context(|| input.place())?;
            }
            progress.step();
        }
        drop(progress);
        let tasks = tasks.places(input, options).with_context(|| input.place())?;
        let state = input.state();
        let now_ns = units::now_ns();
        let rings = merge.losses().map(|(_, ring, loss)| (ring.clone(), loss)).collect();
        let unrecorded =
            input.recording.counter(counter::UNRECORDED).with_context(|| input.place())?;
        let is_damaged = merge.report_damage() | input.report_problems();
        Ok(Summary { input, sums, tasks, state, now_ns, rings, unrecorded, is_damaged })
    }

    /// How long ago the last record was made, if there is one.
    fn last_ago_ns(&self) -> Option<u64> {
        self.sums.span_ns.map(|(_, end_ns)| self.now_ns.saturating_sub(end_ns))
    }
}

/// How many slots of a ring can be read.
fn kept(ring: &Ring, loss: &Loss) -> u64 {
    ring.head.saturating_sub(loss.overwritten.saturating_add(loss.unreadable))
}
