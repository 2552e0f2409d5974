//! `ticks record`: runs a program with the recorder on.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::SystemTime;

use anyhow::Context;
use ticks_format::layout::counter;

use crate::input::Input;
use crate::outcome::Outcome;
use crate::units;

/// Run a program with the recorder on
///
/// The program's exit status is passed on (128 and the signal's number if a signal ended it). Where
/// the recordings are, and what is in them, is said on stderr.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Where to put the recordings; made if it is not there
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    output: PathBuf,
    /// The size of a recording at most, in MiB
    #[arg(long, value_name = "MIB")]
    size: Option<u64>,
    /// The program and its arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "CMD"
    )]
    command: Vec<OsString>,
}

const EXAMPLES: &str = "\
Examples:
  ticks record -- cargo run --example tcp_accept
  ticks record -o /tmp/t --size 256 -- ./server --port 4001";

/// Runs the program.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let dir = &args.output;
    let failed = || format!("{}: the directory for recordings", dir.display());
    fs::create_dir_all(dir).with_context(failed)?;
    let dir = fs::canonicalize(dir).with_context(failed)?;
    let (program, arguments) = args.command.split_first().context("no program is given")?;
    let began = SystemTime::now();
    let mut command = Command::new(program);
    command.args(arguments).env("ASYNC_IO_TRACE", &dir);
    if let Some(size) = args.size {
        command.env("ASYNC_IO_TRACE_MIB", size.to_string());
    }
    // Ctrl-C is the program's; we stay to say what was recorded.
    ctrlc::set_handler(|| {}).context("signals cannot be handled")?;
    let mut child =
        command.spawn().with_context(|| format!("{}: cannot be run", program.to_string_lossy()))?;
    let status = child.wait()?;
    report(&dir, began);
    Ok(Outcome::Status(code(status)))
}

#[cfg(unix)]
fn code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => code as u8,
        (None, Some(signal)) => 128 | signal as u8,
        (None, None) => 1,
    }
}

#[cfg(not(unix))]
fn code(status: ExitStatus) -> u8 {
    status.code().map_or(1, |code| code as u8)
}

/// Says which recordings came about, of the program and of those that it ran.
fn report(dir: &Path, began: SystemTime) {
    let files = recordings_since(dir, began);
    for file in &files {
        match summary(file) {
            Ok(summary) => anstream::eprintln!("ticks: {}: {summary}", file.display()),
            Err(error) => anstream::eprintln!("ticks: {error:#}"),
        }
    }
    match files.first() {
        Some(file) => anstream::eprintln!("ticks: try: ticks show {}", file.display()),
        None => anstream::eprintln!(
            "ticks: nothing was recorded in {}: does the program use async-io, with this crate \
             patched in?",
            dir.display()
        ),
    }
}

fn recordings_since(dir: &Path, began: SystemTime) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .filter(|entry| {
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            modified.is_ok_and(|modified| modified >= began)
        })
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "ticks"))
        .collect();
    files.sort();
    files
}

fn summary(path: &Path) -> anyhow::Result<String> {
    let input = Input::open(path)?;
    input.report_problems();
    let rings = input.recording.rings()?;
    let written: u64 = rings.iter().map(|ring| ring.head).sum();
    let kept: u64 = rings.iter().map(|ring| ring.head.min(ring.slots)).sum();
    let missed = input.recording.counter(counter::UNRECORDED)?;
    let mut text = format!(
        "{}, {} rings of threads, {} slots written, {} kept",
        input.process_name(),
        rings.len(),
        units::count(written),
        units::count(kept)
    );
    if missed > 0 {
        text += &format!(", {} records found no ring", units::count(missed));
    }
    Ok(text)
}
