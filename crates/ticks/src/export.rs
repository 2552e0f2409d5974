//! `ticks export`: a timeline for a trace viewer.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{bail, Context};

use crate::evidence::{self, Evidence};
use crate::hosts::{self, Clocks};
use crate::input::{is_magic, Input, Inputs};
use crate::merge::Merge;
use crate::outcome::Outcome;
use crate::plain::say;
use crate::progress::Progress;
use crate::symbols::Options;
use crate::timeline::{Builder, Timeline};
use crate::{chrome, perfetto, units};

/// Make a timeline for a trace viewer
///
/// A track each thread: rounds, waits, polls; wakes as points. A track each direction of a source: the
/// rounds in which it was ready, and when it was waited for. A track each task: its polls, how long it was scheduled
/// before each, what it waits for and where in the program. Arrows from the kernel's event to the wake, and from each
/// wake to the poll that it caused. Tasks are lettered as they appear: the same file gives them the same letters and colours again.
///
/// With --strace, a track of the system calls of each thread; with --pcap, one of the packets of each connection, and
/// arrows from packets to the events that they caused.
///
/// Memory: about seven times the size of a full recording, 450 MiB for the default 64.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group = clap::ArgGroup::new("format").required(true))]
pub struct Args {
    /// As a Perfetto trace, for ui.perfetto.dev
    #[arg(long, group = "format")]
    perfetto: bool,
    /// As JSON in Chrome's trace event format, for chrome://tracing or ui.perfetto.dev, which colours by
    /// the slices' names then
    #[arg(long, group = "format")]
    chrome: bool,
    /// Where the program and its libraries are, with their debug information, if not where they ran
    #[arg(long, value_name = "DIR")]
    symbols: Vec<PathBuf>,
    /// Recordings, text logs (- is standard input), or the numbers of processes that record
    #[arg(required = true, value_name = "FILE|PID")]
    files: Vec<PathBuf>,
    /// Where to write; `-` is stdout
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    #[command(flatten)]
    evidence: evidence::Args,
}

const EXAMPLES: &str = "\
Examples:
  ticks export --perfetto 4711.ticks -o 4711.pftrace
  ticks export --chrome client.ticks server.ticks -o both.json
  ticks export --perfetto 4711.ticks --strace trace.txt --pcap lo.pcap -o 4711.pftrace";

/// Exports.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let Inputs { all: mut inputs, failed } = Inputs::recorded(&args.files)?;
    if is_recording(&args.output) {
        bail!(
            "{}: is a recording, which is not written over; name another file",
            args.output.display()
        );
    }
    let clocks = hosts::align(&mut inputs, &args.evidence)?;
    clocks.notes.iter().for_each(|note| say!("{note}"));
    let options = Options { dirs: args.symbols.clone(), full_names: false };
    let Drawn { timeline, notes, is_damaged } = draw(&inputs, &args.evidence, &clocks, &options)?;
    for note in notes {
        say!("{note}");
    }
    let mut damaged = failed | is_damaged;
    for input in &inputs {
        damaged |= input.report_problems();
    }
    let write = |mut out: &mut dyn Write| match args.chrome {
        true => chrome::write(&mut out, &timeline, &inputs),
        false => perfetto::write(&mut out, &timeline, &inputs),
    };
    if args.output == Path::new("-") {
        let mut out = BufWriter::new(io::stdout().lock());
        write(&mut out)?;
        out.flush()?;
    } else {
        let context = || args.output.display().to_string();
        let file = File::create(&args.output).with_context(context)?;
        let mut out = BufWriter::new(file);
        write(&mut out).with_context(context)?;
        out.flush().with_context(context)?;
        let place = args.output.display();
        let [slices, tracks, arrows] = timeline.counts().map(|count| units::count(count as u64));
        say!("{place}: {slices} slices on {tracks} tracks, {arrows} arrows");
    }
    Ok(if damaged { Outcome::Partly } else { Outcome::Done })
}

/// A timeline, and what is to be said of it.
pub struct Drawn {
    pub timeline: Timeline,
    /// What was missing, a sentence each.
    pub notes: Vec<String>,
    /// Whether records were lost, or part of a file could not be read, which was said.
    pub is_damaged: bool,
}

/// Reads all, and makes the timeline.
pub fn draw(
    inputs: &[Input],
    args: &evidence::Args,
    clocks: &Clocks,
    options: &Options,
) -> anyhow::Result<Drawn> {
    let mut evidence = Evidence::open(args, inputs, clocks)?;
    let mut merge = Merge::new(inputs)?;
    let mut builder = Builder::new(inputs)?;
    let mut progress = Progress::new(merge.slots() + evidence.steps(), "reading");
    loop {
        let next_ns = merge.next_ns();
        while let Some(seen) = evidence.until(next_ns.unwrap_or(u64::MAX))? {
            builder.seen(&seen, &evidence.threads);
            progress.set_beside(evidence.steps_done());
        }
        let Some(moment) = merge.advance()? else { break };
        let cause = evidence.learn(&moment);
        builder.add(&moment);
        if let Some(cause) = cause {
            builder.caused(&moment, &cause);
        }
        progress.step();
    }
    drop(progress);
    let (timeline, notes) = builder.finish(inputs, options)?;
    let is_damaged = merge.report_losses() | evidence.report();
    Ok(Drawn { timeline, notes, is_damaged })
}

/// Whether writing there would destroy a recording. The program that writes it would be killed as well, by
/// SIGBUS: what it has mapped would be cut off.
pub fn is_recording(path: &Path) -> bool {
    // A pipe is not opened: that would wait for whoever writes to it.
    let is_file = fs::metadata(path).is_ok_and(|found| found.is_file());
    let mut magic = [0; 16];
    is_file
        && File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok()
        && is_magic(magic)
}
