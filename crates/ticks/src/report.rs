//! `ticks report`: all that is known of a hang as one page, which needs nothing but a browser.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Context;
use serde_json::{json, Value as Json};

use crate::around::Around;
use crate::evidence;
use crate::explain;
use crate::export;
use crate::hosts;
use crate::input::{Cores, Inputs};
use crate::outcome::Outcome;
use crate::plain::{plain, say};
use crate::symbols::Options;
use crate::units;

mod addresses;
mod calls;
mod html;
mod output;
mod picture;
mod process;
mod redact;
mod rows;
mod tasks;

use output::Output;
use redact::Redactor;

/// Make one page of it all: what hangs, the tasks with their stacks, the timeline, the tables
///
/// The page is one file. It opens without a network, loads nothing and sends nothing, and can be mailed to a
/// colleague, who needs a browser and nothing else.
///
/// It has what `ticks explain` says; each task with what it waits for and by which calls; the sources, the timers and
/// the threads in tables that sort and filter; a timeline that zooms and searches; and what the recording says of
/// itself. A long timeline is drawn in full for its last part, and together for what is short before it. The page says
/// so.
///
/// --redact hides who it is about, everywhere in the page: internet addresses, the paths of Unix sockets, the names of
/// users in the paths of their home directories, and the host's name. Ports stay. The same address has the same name
/// everywhere: `host-1:8080`. Names of tasks, threads, functions and files stay as the program has them: look through
/// the page before you send it.
///
/// A file that is there is written over only if it is such a page, or with --force. A recording never is.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Recordings, text logs (- is standard input), or the numbers of processes; of one that does not record the memory is read
    #[arg(required_unless_present_any = ["strace", "pcap", "cores"], value_name = "FILE|PID")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    cores: Cores,
    /// Where to write the page, as hang.html; `-` is stdout
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// Hide addresses, the paths of Unix sockets, users and hosts behind names like host-1
    #[arg(long)]
    redact: bool,
    /// Write over the file, whatever is in it
    #[arg(long)]
    force: bool,
    /// Where the program and its libraries are, with their debug information, if not where they ran
    #[arg(long, value_name = "DIR")]
    symbols: Vec<PathBuf>,
    #[command(flatten)]
    evidence: evidence::Args,
    #[command(flatten)]
    around: Around,
}

const EXAMPLES: &str = "\
Examples:
  ticks report 4711 -o hang.html
  ticks report --redact /tmp/t/4711.ticks -o hang.html
  ticks report --core core.4711 --exe ./server -o hang.html
  ticks report --symbols ./from-the-build-server /tmp/t/*.ticks -o hang.html
  ticks report --strace trace.txt --pcap lo.pcap 4711.ticks -o hang.html

Exit codes: 0 the page is written; 1 it is, but part of a file could not be read; 2 it is not.";

/// What the page shows, and what it is called.
struct Page {
    data: Json,
    /// What is said of it on stderr.
    summary: String,
    /// Whose addresses are in it.
    addresses: BTreeSet<String>,
    /// Whether something could not be read.
    is_damaged: bool,
}

/// Makes the page.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    // Before all is read, which may take a while.
    let output = Output::check(&args.output, args.force)?;
    let mut inputs = match args.files.is_empty() && args.cores.cores.is_empty() {
        true => Inputs { all: Vec::new(), failed: false },
        false => Inputs::with_cores(&args.files, &args.cores)?,
    };
    let Page { mut data, summary, addresses, is_damaged } = gather(args, &mut inputs)?;
    let text = match args.redact {
        true => {
            let mut redactor = Redactor::of(&inputs.all, &addresses);
            redactor.redact(&mut data);
            redactor.text(&summary)
        }
        false => summary,
    };
    tidy(&mut data);
    let page = html::of(&data);
    output.write(page.as_bytes())?;
    if !output.is_stdout() {
        let kib = units::count((page.len() as u64).div_ceil(1024));
        say!("{}: {text}; {kib} KiB", args.output.display());
    }
    Ok(if is_damaged { Outcome::Partly } else { Outcome::Done })
}

/// Reads all that the page shows.
fn gather(args: &Args, inputs: &mut Inputs) -> anyhow::Result<Page> {
    let clocks = hosts::align(&mut inputs.all, &args.evidence)?;
    let options = Options { dirs: args.symbols.clone(), full_names: false };
    let (evidence, around) = (&args.evidence, &args.around);
    let with = explain::With { options: &options, evidence, around, clocks: &clocks };
    let (facts, answer) = explain::judge(&inputs.all, &with)?;
    let mut is_damaged = inputs.failed;
    let mut tables = process::Tables::default();
    let mut calls = calls::Calls::default();
    for (index, known) in facts.processes.iter().enumerate() {
        let added = tables.add(index, known, &options, &mut calls);
        is_damaged |= added.with_context(|| known.input.place())?;
    }
    // What the rules read is much, and so is what is drawn.
    drop(facts);
    let drawn = export::draw(&inputs.all, &args.evidence, &clocks, &options)?;
    is_damaged |= drawn.is_damaged;
    let picture = picture::of(&drawn.timeline, &inputs.all);
    let mut notes = clocks.notes;
    for note in drawn.notes {
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    let verdict = answer.json();
    let summary = summary(&verdict, &tables);
    let addresses = tables.take_addresses();
    let data = json!({
        "version": html::VERSION,
        "made_by": concat!("ticks ", env!("CARGO_PKG_VERSION")),
        "made": units::time(units::now_ns()),
        "redacted": args.redact,
        "verdict": verdict,
        "tables": tables.into_json(),
        "calls": calls.into_json(),
        "picture": picture,
        "notes": notes,
    });
    Ok(Page { data, summary, addresses, is_damaged })
}

/// What the page says, in a line.
fn summary(verdict: &Json, tables: &process::Tables) -> String {
    let findings = verdict["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    let first = match findings.first() {
        Some(finding) => format!("{}: {}", text(&finding["sure"]), text(&finding["sentence"])),
        None => "nothing wrong found".to_owned(),
    };
    let more = match findings.len() {
        0 | 1 => String::new(),
        several => format!(", and {}", units::things(several as u64 - 1, "other finding")),
    };
    format!("{first}{more}; {}", units::things(tables.tasks_count(), "task"))
}

/// Writes what would control the page's text as it is written in source code: who connects, and who names a task,
/// chooses these texts.
fn tidy(value: &mut Json) {
    match value {
        Json::String(text) => {
            if let std::borrow::Cow::Owned(shown) = plain(text) {
                *text = shown;
            }
        }
        Json::Array(values) => values.iter_mut().for_each(tidy),
        Json::Object(fields) => fields.values_mut().for_each(tidy),
        _ => {}
    }
}
