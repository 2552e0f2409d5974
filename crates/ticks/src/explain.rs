//! `ticks explain`: what a program hangs in, in words, with its proof.

use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value as Json;

use anyhow::Context;

use crate::around::Around;
use crate::evidence;
use crate::hosts::{self, Clocks};
use crate::input::{Cores, Input, Inputs};
use crate::outcome::Outcome;
use crate::plain::say;
use crate::symbols::{Book, Options};
use crate::units;
use crate::who::view::View;

pub mod facts;
mod finding;
mod json;
mod rules;
mod text;

use facts::outside::Outside;
use facts::{Facts, Process};
use finding::Finding;
pub use finding::Sure;
use rules::{Verdict, RULES};

/// Say in words what a program hangs in, with the evidence and what to do
///
/// Each finding is proven, likely or possible. Below its sentence is what shows it, the command that shows the
/// records behind it, and what to do.
///
/// Of a process that runs, what the kernel knows of it and of its sockets counts too. So ask while it hangs, if you
/// can.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Recordings, text logs (- is standard input), or the numbers of processes; of one that does not record the memory is read
    #[arg(required_unless_present_any = ["strace", "pcap", "cores"], value_name = "FILE|PID")]
    files: Vec<PathBuf>,
    /// Print one JSON object; its names are described in crates/ticks/JSON.md
    #[arg(long)]
    json: bool,
    /// Where the program and its libraries are, with their debug information, if not where they ran
    #[arg(long, value_name = "DIR")]
    symbols: Vec<PathBuf>,
    #[command(flatten)]
    cores: Cores,
    /// How long a process that does not record is watched: `10s`, `500ms`, or a number of seconds
    #[arg(long, value_name = "TIME", value_parser = units::pause, default_value = "1s")]
    watch: Duration,
    #[command(flatten)]
    evidence: evidence::Args,
    #[command(flatten)]
    around: Around,
}

const EXAMPLES: &str = "\
Examples:
  ticks explain 4711
  ticks explain /tmp/t/*.ticks
  ticks explain --strace trace.txt --pcap lo.pcap 4711.ticks
  ticks explain relay.debug.log relay.release.log
  ticks explain relay.log --around 2022-04-21T22:35:47Z --window 20s
  ticks explain --json 4711 | jq -r '.findings[].sentence'

Exit codes: 0 nothing is wrong, or only possibly; 1 something is wrong, proven or likely; 2 not done.";

/// What is said.
#[derive(Default)]
pub struct Answer {
    /// The surest first.
    findings: Vec<Finding>,
    /// What was looked for and can be told.
    looked_for: Vec<&'static str>,
    /// What cannot be told.
    unclear: Vec<Unclear>,
    /// What was not given, and so not looked at.
    not_given: Vec<&'static str>,
}

/// What a rule cannot tell.
pub struct Unclear {
    looks_for: &'static str,
    why: String,
}

impl Answer {
    fn of(facts: &Facts<'_>) -> anyhow::Result<Answer> {
        let mut answer = Answer::default();
        for rule in RULES {
            match rule.judge(facts)? {
                Verdict::Nothing => answer.looked_for.push(rule.looks_for()),
                Verdict::Found(findings) => {
                    debug_assert!(findings.iter().all(|finding| finding.kind == rule.kind()));
                    answer.looked_for.push(rule.looks_for());
                    answer.findings.extend(findings);
                }
                Verdict::NotGiven(what) => answer.not_given.push(what),
                Verdict::CannotTell(why) => {
                    answer.unclear.push(Unclear { looks_for: rule.looks_for(), why });
                }
            }
        }
        // Of equal ones the rules' order stays.
        answer.findings.sort_by_key(|finding| std::cmp::Reverse(finding.sure));
        Ok(answer)
    }

    /// Whether something is wrong, and not only possibly.
    fn is_wrong(&self) -> bool {
        self.findings.iter().any(|finding| finding.sure > Sure::Possible)
    }

    /// As one object.
    pub fn json(&self) -> Json {
        json::of(self)
    }
}

/// What is looked at besides the recordings, and how.
pub struct With<'a> {
    /// Where functions and lines are looked up.
    pub options: &'a Options,
    /// What strace and tcpdump saw.
    pub evidence: &'a evidence::Args,
    /// The time that is asked about.
    pub around: &'a Around,
    /// How the clocks of several hosts are apart.
    pub clocks: &'a Clocks,
}

/// Reads all, and lets each rule judge.
pub fn judge<'a>(inputs: &'a [Input], with: &With<'_>) -> anyhow::Result<(Facts<'a>, Answer)> {
    let mut facts = Facts::of(inputs, with.options)?;
    facts.outside = Outside::of(with.evidence, inputs, with.clocks)?;
    facts.around = with.around.window(inputs)?;
    let answer = Answer::of(&facts)?;
    Ok((facts, answer))
}

/// Explains.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let mut inputs = match args.files.is_empty() && args.cores.cores.is_empty() {
        true => Inputs { all: Vec::new(), failed: false },
        false => Inputs::with_cores(&args.files, &args.cores)?,
    };
    for input in &mut inputs.all {
        input.watch(args.watch)?;
    }
    let clocks = hosts::align(&mut inputs.all, &args.evidence)?;
    clocks.notes.iter().for_each(|note| say!("{note}"));
    let options = Options { dirs: args.symbols.clone(), full_names: false };
    let (evidence, around) = (&args.evidence, &args.around);
    let with = With { options: &options, evidence, around, clocks: &clocks };
    let (_, answer) = judge(&inputs.all, &with)?;
    let mut out = BufWriter::new(anstream::stdout().lock());
    match args.json {
        true => writeln!(out, "{}", answer.json())?,
        false => text::write(&mut out, &answer)?,
    }
    out.flush()?;
    Ok(if answer.is_wrong() { Outcome::Partly } else { Outcome::Done })
}

/// Whether there is something to explain, as far as the tables say: what can be told at once.
pub fn has_something_to_say(view: View<'_>, book: Book) -> anyhow::Result<bool> {
    let (found, _) = by_tables(view, book)?;
    Ok(found.is_some_and(|(sure, _)| sure > Sure::Possible))
}

/// The surest finding as far as the tables say, which can be told at once, as a sentence. The book comes back.
pub fn by_tables(view: View<'_>, book: Book) -> anyhow::Result<(Option<(Sure, String)>, Book)> {
    let processes = vec![Process::of_tables(view, book)?];
    let facts = Facts { processes, outside: Outside::default(), around: None };
    let mut found: Option<Finding> = None;
    for rule in RULES.iter().filter(|rule| rule.reads_tables_only()) {
        let Verdict::Found(findings) = rule.judge(&facts)? else { continue };
        for finding in findings {
            // Of equally sure ones the first counts, as in the whole answer.
            if found.as_ref().is_none_or(|found| finding.sure > found.sure) {
                found = Some(finding);
            }
        }
    }
    let found = found.map(|found| (found.sure, found.sentence));
    let mut processes = facts.processes.into_iter();
    let book =
        processes.next().map(Process::into_book).context("the process that was looked at")?;
    Ok((found, book))
}
