//! `ticks who`: who waits now, or waited when the program ended.

use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Context;

use crate::input::Inputs;
use crate::outcome::Outcome;
use crate::symbols;
use crate::units;

mod ends;
mod json;
mod list;
mod stacks;
mod table;
mod view;

use stacks::Stacks;
use view::View;

/// Show who waits now, or waited when the program ended; without an argument, which processes record
///
/// Nothing runs in the program: its recording is read.
///
/// EVENTS and LAST EVENT are those of the direction that is waited for. SOCKET is what the kernel knows of a
/// connection while the process is there; B unconfirmed were written, and the peer has not said that it has
/// them. ≥: that long at least, as of a process that was killed nobody knows until when it waited.
///
/// WOKEN is set where a task was woken and the future that waits has not asked since. Either the task was not
/// polled, because a thread of its executor computes or is blocked, or it was polled and did not poll this
/// future, as inside `select!`, `FuturesUnordered` and `buffered`. Where each thread's last record is a park or
/// a wait, no thread is busy, and a line below the table says so; else it names the thread that has recorded
/// nothing for longest.
///
/// Connections of which both ends are in the recordings have a row each at the end.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The recordings, or the numbers of processes that record
    #[arg(value_name = "FILE|PID")]
    files: Vec<PathBuf>,
    /// Print one JSON object a line; its names are described in crates/ticks/JSON.md
    #[arg(long)]
    json: bool,
    /// Show what each waiter remembers: the reactor's round when it began to wait, and the direction's
    #[arg(long)]
    ticks: bool,
    /// Show by which calls each wait began, the program's own ones; equal ones are told once, with a count
    #[arg(long)]
    stacks: bool,
    /// Show all calls of the stacks, those of runtimes and combinators too
    #[arg(long)]
    all_frames: bool,
    /// Show functions' names as the compiler makes them
    #[arg(long)]
    full_names: bool,
    /// Where the program and its libraries are, with their debug information, if not where they ran
    #[arg(long, value_name = "DIR")]
    symbols: Vec<PathBuf>,
    /// Look again each time this long has passed, until the programs have ended: `10s`, `500ms`, or a
    /// number of seconds
    #[arg(long, value_name = "TIME", value_parser = units::pause)]
    every: Option<Duration>,
}

const EXAMPLES: &str = "\
Examples:
  ticks who
  ticks who 4711
  ticks who --stacks 4711
  ticks who --stacks --symbols ./from-the-build-server /tmp/t/4711.ticks
  ticks who --every 10s 4711
  ticks who /tmp/t/*.ticks
  ticks who --json /tmp/t/4711.ticks | jq 'select(.fd == 9)'";

impl Args {
    /// What is needed to show the stacks of each input; nothing if nobody asks for them.
    fn stacks_of(&self, inputs: &Inputs) -> Vec<Stacks> {
        let wanted = self.stacks || self.all_frames || self.full_names || !self.symbols.is_empty();
        let options = symbols::Options { dirs: self.symbols.clone(), full_names: self.full_names };
        let inputs = inputs.all.iter().filter(|_| wanted);
        inputs.map(|input| Stacks::new(input, &options, self.all_frames)).collect()
    }
}

/// Shows who waits.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let mut out = BufWriter::new(anstream::stdout().lock());
    let damaged = match args.files.is_empty() {
        true => list_processes(&mut out, args)?,
        false => show_waits(&mut out, args)?,
    };
    out.flush()?;
    Ok(if damaged { Outcome::Partly } else { Outcome::Done })
}

/// Returns whether something could not be read.
fn list_processes(out: &mut dyn Write, args: &Args) -> anyhow::Result<bool> {
    let mut damaged = false;
    let mut is_first = true;
    loop {
        if !std::mem::take(&mut is_first) && !args.json {
            writeln!(out)?;
        }
        let (count, failed) = list::write(out, args.json)?;
        damaged |= failed;
        out.flush()?;
        match args.every {
            Some(pause) if count > 0 => sleep(pause),
            _ => return Ok(damaged),
        }
    }
}

/// Returns whether something could not be read.
fn show_waits(out: &mut dyn Write, args: &Args) -> anyhow::Result<bool> {
    let mut inputs = Inputs::open(&args.files)?;
    let options = table::Options { ticks: args.ticks };
    let mut stacks = args.stacks_of(&inputs);
    let mut is_first = true;
    let mut damaged = false;
    loop {
        let (views, failed) = inputs.each(|input| View::of(input).with_context(|| input.place()));
        // Entries that nobody will finish writing, among others.
        damaged |= failed || views.iter().any(|view| view.torn > 0 && !view.state.is_live());
        for view in &views {
            let mut stacks = stacks.iter_mut().find(|stacks| stacks.are_of(view));
            if args.json {
                for (wait, mut object) in view.waits.iter().zip(json::of(view)) {
                    if let Some(stacks) = &mut stacks {
                        stacks.add_json(view, wait, &mut object)?;
                    }
                    writeln!(out, "{object}")?;
                }
                continue;
            }
            // Those for whom nobody waits have a line each.
            if !std::mem::take(&mut is_first) && !view.waits.is_empty() {
                writeln!(out)?;
            }
            table::write(out, view, &options)?;
            if let Some(stacks) = stacks {
                stacks.write(out, view)?;
            }
        }
        if !args.json {
            ends::write(out, &views)?;
            write_total(out, &views)?;
        }
        out.flush()?;
        match args.every {
            Some(pause) if views.iter().any(|view| view.state.is_live()) => sleep(pause),
            _ => break,
        }
        for input in &mut inputs.all {
            let place = input.place();
            input.recording.refresh_clock().context(place)?;
        }
    }
    for input in &inputs.all {
        damaged |= input.report_problems();
    }
    Ok(damaged)
}

fn write_total(out: &mut dyn Write, views: &[View<'_>]) -> anyhow::Result<()> {
    if views.len() > 1 {
        let waiting = views.iter().map(|view| view.waits.len()).sum::<usize>();
        let waiting = units::count(waiting as u64);
        writeln!(out, "\n{} recordings, {waiting} waiting", views.len())?;
    }
    Ok(())
}
