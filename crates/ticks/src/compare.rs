//! `ticks compare`: where two recordings of the same work part.

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::{bail, Context};

use crate::input::{Input, Inputs};
use crate::outcome::Outcome;
use crate::progress::Progress;
use crate::symbols::{Book, Options};

mod counts;
mod json;
mod matching;
mod poll;
mod role;
mod sureness;
mod text;
mod walk;

use counts::{Figure, Topic};
use matching::{Matching, SIDES};
use poll::Grounds;
use sureness::Sureness;
use walk::{Step, Walk};

/// Compare two recordings of the same work: the first decision that differs, then what differs in numbers
///
/// Of debug and release, upstream and ours, before and after. What was connected, accepted and spawned in the one
/// is matched with its like in the other: by kind, by the addresses' roles, by name, and by the order in which they
/// appeared; never by time. Then each poll is held against its like: its answer, and why; of a task, what woke it.
/// A timer is matched by the task that armed it and by its place among that task's: it fired, or was disarmed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXPLANATION)]
pub struct Args {
    /// The one recording, or the number of a process that records
    #[arg(value_name = "A")]
    a: PathBuf,
    /// The other
    #[arg(value_name = "B")]
    b: PathBuf,
    /// Print one JSON object; its names are described in crates/ticks/JSON.md
    #[arg(long)]
    json: bool,
    /// Where the programs and their libraries are, with their debug information, if not where they ran
    #[arg(long, value_name = "DIR")]
    symbols: Vec<PathBuf>,
}

// A paragraph is a line, which is wrapped as the terminal is wide.
const EXPLANATION: &str = "\
Numbers of rounds differ in each run, so they are shown and not compared. Times are told where they differ beyond \
what a busy machine does: a median by 4 times and 1 ms (how late timers were: 20 ms), the longest by 4 times and 100 ms. They and the causes of wakes are told, and do not make \
the exit code 1.

Examples:
  ticks compare debug.ticks release.ticks
  ticks compare --json before.ticks after.ticks | jq .first

Exit codes: 0 decided and done alike; 1 a difference, or part of a recording could not be read; 2 not done.";

/// What came of it.
struct Comparison<'a> {
    /// Both.
    inputs: [&'a Input; 2],
    matching: Matching,
    /// Where in the program the task asked last whose polls differ first, if that is known.
    places: [Option<String>; 2],
    figures: Vec<Figure>,
    sureness: Sureness,
    /// What was missing to name places, a sentence each.
    notes: Vec<String>,
    is_damaged: bool,
}

impl Comparison<'_> {
    /// Whether something was decided or done otherwise. Lengths and wakes are told and do not count: a busy
    /// machine makes them.
    fn differs(&self) -> bool {
        let done = self.figures.iter().any(|figure| figure.topic == Topic::Polls);
        self.matching.first.is_some() || done || self.sureness.has_unmatched()
    }
}

/// Compares.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let [a, b] = [open(&args.a)?, open(&args.b)?];
    let options = Options { dirs: args.symbols.clone(), full_names: false };
    let comparison = compare([&a, &b], &options)?;
    let mut out = BufWriter::new(anstream::stdout().lock());
    match args.json {
        true => writeln!(out, "{}", json::of(&comparison))?,
        false => text::write(&mut out, &comparison)?,
    }
    out.flush()?;
    let is_same = !comparison.differs() && !comparison.is_damaged;
    Ok(if is_same { Outcome::Done } else { Outcome::Partly })
}

/// The one recording that is meant.
fn open(path: &PathBuf) -> anyhow::Result<Input> {
    let mut found = Inputs::recorded(std::slice::from_ref(path))?.all;
    match (found.pop(), found.len()) {
        (Some(input), 0) => Ok(input),
        (_, more) => {
            bail!("{}: expected one recording, found {}; name the file", path.display(), more + 1)
        }
    }
}

fn compare<'a>(inputs: [&'a Input; 2], options: &Options) -> anyhow::Result<Comparison<'a>> {
    let walk = |input: &'a Input| Walk::new(input).with_context(|| input.place());
    let mut walks = [walk(inputs[0])?, walk(inputs[1])?];
    let mut matching = Matching::default();
    let mut over = [false; 2];
    let slots = walks.iter().map(Walk::slots).fold(0, u64::saturating_add);
    let mut progress = Progress::new(slots, "comparing");
    while over != [true; 2] {
        let behind = matching.behind();
        let side = if over[behind] { 1 - behind } else { behind };
        match walks[side].advance()? {
            None => {
                over[side] = true;
                matching.end_side(side);
            }
            Some(None) => {}
            Some(Some(Step::Poll(who, poll))) => matching.push(side, &who, poll),
            Some(Some(Step::Timer(who, end))) => {
                matching.push(side, &who, end);
                matching.end(side, &who);
            }
            Some(Some(Step::End(whos))) => whos.iter().for_each(|who| matching.end(side, who)),
        }
        progress.step();
    }
    drop(progress);
    matching.finish();
    walks.iter_mut().for_each(Walk::finish);
    let [[damaged_a, lost_a], [damaged_b, lost_b]] = [walks[0].report(), walks[1].report()];
    let classes = [&walks[0].classes, &walks[1].classes];
    let figures = counts::differing(classes);
    let sureness = Sureness::of(classes, &matching, [lost_a, lost_b]);
    let (places, notes) = places(inputs, &matching, options)?;
    let is_damaged = damaged_a | damaged_b;
    Ok(Comparison { inputs, matching, places, figures, sureness, notes, is_damaged })
}

/// Where in the program the tasks asked last, whose polls differ first.
fn places(
    inputs: [&Input; 2],
    matching: &Matching,
    options: &Options,
) -> anyhow::Result<([Option<String>; 2], Vec<String>)> {
    let (mut places, mut notes) = ([None, None], Vec::new());
    let Some(first) = &matching.first else { return Ok((places, notes)) };
    for side in SIDES {
        let Some(poll) = &first.polls[side] else { continue };
        let (Grounds::Task { stack, .. } | Grounds::Timer { stack, .. }) = poll.grounds else {
            continue;
        };
        if stack == 0 {
            continue;
        }
        let mut book = Book::new(options);
        let place = book.place(inputs[side], stack).with_context(|| inputs[side].place())?;
        places[side] = place.and_then(|place| place.own_text());
        notes.extend(book.notes().map(str::to_owned));
    }
    notes.dedup();
    Ok((places, notes))
}
