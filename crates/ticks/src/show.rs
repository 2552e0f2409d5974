//! `ticks show`: the records as the log's text lines.

#[cfg(unix)]
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use anyhow::Context;
use ticks_format::What;

use crate::evidence::{self, Evidence, Seen};
use crate::filter::{Filter, Ready};
use crate::hosts;
use crate::input::{Input, Inputs};
use crate::line;
use crate::logs::LogLines;
use crate::merge::{Merge, Place};
use crate::outcome::Outcome;
use crate::plain::say;
use crate::progress::Progress;
use crate::story::Story;
use crate::symbols::Options;
use crate::units;

/// Show the records as the log's text lines, threads and files merged by time
///
/// With --task and a task's number, as `ticks who` shows it, its life is told in words: where it was begun, its polls
/// and how long they took, what it waited for, who woke it, its end.
///
/// With --strace and --pcap, system calls and packets are on the same timeline: each call with the operation in whose
/// midst its thread was (`└`), and behind each event (`←`) the packet that caused it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Recordings, text logs (- is standard input), or the numbers of processes that record
    #[arg(required_unless_present_any = ["strace", "pcap"], value_name = "FILE|PID")]
    files: Vec<PathBuf>,
    /// Print one JSON object a line; its names are described in crates/ticks/JSON.md
    #[arg(long)]
    json: bool,
    /// Go on with what is recorded from now on, until the programs have ended or --until has passed
    #[arg(long, short, conflicts_with_all = ["strace", "pcap"])]
    follow: bool,
    /// Of text logs: show the lines that are no records too
    #[arg(long)]
    all: bool,
    /// With --task: show functions' names as the compiler makes them
    #[arg(long)]
    full_names: bool,
    /// With --task: where the program and its libraries are, with their debug information, if not where they ran
    #[arg(long, value_name = "DIR")]
    symbols: Vec<PathBuf>,
    #[command(flatten)]
    evidence: evidence::Args,
    #[command(flatten)]
    filter: Filter,
}

const EXAMPLES: &str = "\
Examples:
  ticks show 4711.ticks --fd 9 --dir read
  ticks show 4711.ticks --task 17
  ticks show 4711.ticks --kind PollEnd --since 1.5s --until 1.6s
  ticks show client.ticks server.ticks --peer 127.0.0.1:4001
  ticks show --strace trace.txt --pcap lo.pcap client.ticks server.ticks
  ticks show 4711.ticks --json | jq 'select(.record == \"Wake\").fields'
  ticks show 4711.ticks --follow";

/// How long to wait for more records of a live program.
const PAUSE: Duration = Duration::from_millis(100);

/// How much is written at once.
const OUT_BYTES: usize = 1 << 16;

/// Whether the output goes to a file: on a terminal, or in a pager on one, a bar would be in its midst.
#[cfg(unix)]
fn is_file(out: &io::Stdout) -> bool {
    use std::os::fd::AsFd;
    let file = out.as_fd().try_clone_to_owned().map(File::from);
    file.and_then(|file| file.metadata()).is_ok_and(|metadata| metadata.is_file())
}

#[cfg(not(unix))]
fn is_file(_: &io::Stdout) -> bool {
    false
}

/// Whether no record that is yet to come can pass. A pause longer than the clock says: a record has its time
/// a moment before it can be read.
fn is_over(filter: &Ready) -> bool {
    units::now_ns().saturating_sub(PAUSE.as_nanos() as u64) > filter.until_ns()
}

/// Writes a line of what was seen from outside.
fn write_seen(
    out: &mut dyn Write,
    args: &Args,
    inputs: &[Input],
    evidence: &Evidence,
    seen: &Seen,
    colours: bool,
) -> io::Result<()> {
    match args.json {
        true => evidence::write_json(out, inputs, &evidence.threads, seen),
        false => evidence::write_text(out, inputs, &evidence.threads, seen, colours),
    }
}

/// Shows the records.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let Inputs { all: mut inputs, failed } = match args.files.is_empty() {
        true => Inputs { all: Vec::new(), failed: false },
        false => Inputs::recorded(&args.files)?,
    };
    let clocks = hosts::align(&mut inputs, &args.evidence)?;
    clocks.notes.iter().for_each(|note| say!("{note}"));
    let mut filter = args.filter.ready(&inputs, !args.evidence.strace.is_empty())?;
    let mut evidence = Evidence::open(&args.evidence, &inputs, &clocks)?;
    let options = Options { dirs: args.symbols.clone(), full_names: args.full_names };
    let tells = args.filter.has_task() && !args.json;
    let mut story = tells.then(|| Story::new(&inputs, &options)).transpose()?;
    let colours = AutoStream::choice(&io::stdout()) != ColorChoice::Never;
    let mut out: Box<dyn Write> = match colours {
        true => Box::new(BufWriter::with_capacity(OUT_BYTES, anstream::stdout().lock())),
        // Nothing need be looked through for what is to be stripped.
        false => Box::new(BufWriter::with_capacity(OUT_BYTES, io::stdout().lock())),
    };
    let mut place = Place::begin(inputs.len());
    let mut damaged = failed;
    let [mut read, mut shown, mut hidden] = [0u64, 0u64, 0u64];
    let mut logs_lines = LogLines::default();
    loop {
        // Asked first, so that what a program records last is shown before we stop.
        let live = args.follow && !is_over(&filter) && inputs.iter().any(Input::is_live);
        let mut merge = Merge::from(&inputs, place)?;
        let mut progress = (is_file(&io::stdout()) && !args.follow)
            .then(|| Progress::new(merge.slots() + evidence.steps(), "reading"));
        loop {
            let next_ns = merge.next_ns();
            while let Some(seen) = evidence.until(next_ns.unwrap_or(u64::MAX))? {
                read += 1;
                progress.iter_mut().for_each(|progress| progress.set_beside(evidence.steps_done()));
                if filter.passes_seen(&seen, &evidence.threads, &evidence.ends) {
                    shown += 1;
                    write_seen(&mut out, args, &inputs, &evidence, &seen, colours)?;
                }
            }
            let Some(moment) = merge.advance()? else { break };
            progress.iter_mut().for_each(Progress::step);
            read += 1;
            let is_made_up = inputs[moment.input].log.is_some()
                && matches!(moment.stamped.what, What::ThreadBegin(_) | What::ThreadEnd(_));
            if is_made_up || logs_lines.learn(&moment) {
                read -= 1;
                continue;
            }
            let is_log_line = LogLines::is_line(&moment);
            if is_log_line && !args.all {
                read -= 1;
                hidden += 1;
                continue;
            }
            let cause = evidence.learn(&moment);
            if let Some(story) = &mut story {
                story.learn(&inputs, &moment)?;
            }
            if !filter.passes(&moment) {
                continue;
            }
            shown += 1;
            if args.json {
                line::write_json(&mut out, &inputs, &moment, cause.map(|cause| cause.json()))?;
            } else {
                let words = match &mut story {
                    Some(story) => story.words(&inputs, &moment)?,
                    None => None,
                };
                let beside = cause.map_or_else(String::new, |cause| cause.words(moment.utc_ns));
                let at = logs_lines.take(&moment);
                line::write_text(&mut out, &inputs, &moment, at, words, &beside, colours)?;
            }
        }
        drop(progress);
        out.flush()?;
        damaged |= merge.report_losses();
        place = merge.into_place();
        if !live {
            break;
        }
        sleep(PAUSE);
        for input in &mut inputs {
            let place = input.place();
            input.recording.refresh_clock().context(place)?;
        }
    }
    if shown == 0 && read > 0 {
        // Silence would read as if nothing had happened, though it may be a slip in a filter.
        say!("none of {} records passes the filters", units::count(read));
    }
    damaged |= evidence.report();
    for note in story.iter().flat_map(Story::notes) {
        say!("{note}");
    }
    if hidden > 0 {
        say!("{} lines of logs are no records; --all shows them", units::count(hidden));
    }
    for input in &inputs {
        damaged |= input.report_problems();
    }
    Ok(if damaged { Outcome::Partly } else { Outcome::Done })
}
