//! `ticks record`: runs a program with the recorder on.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{self, Path, PathBuf};
use std::process::{self, Command, ExitStatus};
use std::time::UNIX_EPOCH;

use anyhow::{bail, Context};
use ticks_format::layout::{counter, FILE_BYTES_MAX, FILE_BYTES_MIN};

use crate::explain;
use crate::input::Input;
use crate::outcome::Outcome;
use crate::plain::say;
use crate::process::inode;
use crate::symbols::{Book, Options};
use crate::units;
use crate::who::view::View;

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
    #[arg(long, value_name = "MIB", value_parser = size_mib)]
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

/// As the recorder takes it, which would say no on the program's stderr and go on with another size.
fn size_mib(text: &str) -> Result<u64, String> {
    let (min, max) = (FILE_BYTES_MIN >> 20, FILE_BYTES_MAX >> 20);
    let size = text.parse().ok().filter(|size| (min..=max).contains(size));
    size.ok_or_else(|| format!("expected a number of MiB from {min} to {max}, found {text:?}"))
}

/// Runs the program.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let dir = &args.output;
    let failed = || format!("{}: the directory for recordings", dir.display());
    match fs::create_dir_all(dir) {
        // Also a link that leads nowhere.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => bail!(
            "{}: expected a directory for recordings, found what is not a directory",
            dir.display()
        ),
        made => made.with_context(failed)?,
    }
    let dir = full_path(dir).with_context(failed)?;
    try_to_write(&dir)
        .with_context(|| format!("{}: no recording can be made there", dir.display()))?;
    let (program, arguments) = args.command.split_first().context("no program is given")?;
    let before = recordings(&dir);
    let mut command = Command::new(program);
    command.args(arguments).env("ASYNC_IO_TRACE", &dir);
    if let Some(size) = args.size {
        command.env("ASYNC_IO_TRACE_MIB", size.to_string());
    }
    let signals = signals::catch().context("signals cannot be handled")?;
    let mut child =
        command.spawn().with_context(|| format!("{}: cannot be run", program.to_string_lossy()))?;
    signals::pass_on(signals, child.id());
    let status = child.wait().context("the program's end")?;
    if status.code().is_none() {
        say!("the program was ended by a {status}");
    }
    report(&dir, &before);
    Ok(Outcome::Status(code(status)))
}

/// Windows' canonical form, `\\?\C:\…`, is understood by few programs.
fn full_path(dir: &Path) -> io::Result<PathBuf> {
    match cfg!(windows) {
        true => path::absolute(dir),
        false => fs::canonicalize(dir),
    }
}

/// Makes a file there and removes it again: no other question has the answer of every file system.
fn try_to_write(dir: &Path) -> io::Result<()> {
    let path = dir.join(format!(".{}.try", process::id()));
    match File::create_new(&path) {
        Ok(_) => fs::remove_file(&path),
        // Left by one that had our number and was killed.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Ctrl-C is the program's, which the terminal tells as well; we stay to say what was recorded. Whoever
/// asks us alone to end means the program.
#[cfg(unix)]
mod signals {
    use std::{fs, thread};

    use rustix::process::{kill_process, Pid, Signal};
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    use signal_hook::iterator::Signals;

    /// What was ignored when we were started, by `nohup` or by a shell for what runs in its background,
    /// stays so, for the program as well: it would not inherit that from a signal that is handled.
    pub fn catch() -> std::io::Result<Signals> {
        let ignored = ignored();
        let is_ignored = |signal: &i32| ignored >> (signal - 1) & 1 == 1;
        Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM].iter().filter(|signal| !is_ignored(signal)))
    }

    /// A bit for each signal that is ignored. Only Linux tells.
    fn ignored() -> u64 {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
    }

    pub fn pass_on(mut signals: Signals, child: u32) {
        let child = i32::try_from(child).ok().and_then(Pid::from_raw);
        thread::spawn(move || {
            for signal in signals.forever() {
                let signal = match signal {
                    SIGHUP => Signal::HUP,
                    SIGTERM => Signal::TERM,
                    _ => continue,
                };
                // It fails if the program has ended, which is what was asked for.
                let _ = child.map(|child| kill_process(child, signal));
            }
        });
    }
}

#[cfg(not(unix))]
mod signals {
    pub fn catch() -> Result<(), ctrlc::Error> {
        ctrlc::set_handler(|| {})
    }

    pub fn pass_on((): (), _: u32) {}
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
fn report(dir: &Path, before: &BTreeMap<PathBuf, u64>) {
    let mut files = recordings(dir);
    files.retain(|path, identity| before.get(path) != Some(identity));
    let files: Vec<PathBuf> = files.into_keys().collect();
    for file in &files {
        match summary(file) {
            Ok(summary) => say!("{}: {summary}", file.display()),
            Err(error) => say!("{error:#}"),
        }
    }
    match files.first() {
        Some(_) if say_what_is_wrong(&files) => {}
        Some(file) => say!("try: ticks who {}", file.display()),
        None => say!(
            "nothing was recorded in {}: does the program use async-io, with this crate \
             patched in?",
            dir.display()
        ),
    }
}

/// Says of which recordings there is something to explain, if there is any.
fn say_what_is_wrong(files: &[PathBuf]) -> bool {
    /// A program that runs many others has as many recordings.
    const FILES_MAX: usize = 8;
    let is_wrong = |file: &&PathBuf| -> anyhow::Result<bool> {
        let input = Input::open(file)?;
        let view = View::of(&input)?;
        explain::has_something_to_say(view, Book::new(&Options::default()))
    };
    // One that cannot be read was named already.
    let wrong = files.iter().take(FILES_MAX).filter(|file| is_wrong(file).unwrap_or(false));
    let mut any = false;
    for file in wrong {
        say!("something is wrong; try: ticks explain {}", file.display());
        any = true;
    }
    any
}

/// What is in the directory, and by what a file is told from another one of its name.
fn recordings(dir: &Path) -> BTreeMap<PathBuf, u64> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_recording = |path: &PathBuf| path.extension().is_some_and(|end| end == "ticks");
    let files = entries.filter(is_recording);
    files
        .filter_map(|path| fs::metadata(&path).ok().map(|found| (path, identity(&found))))
        .collect()
}

/// A recording is made beside the old one that it replaces, so that the two have numbers of their own.
/// Where files have none, it is told by its time.
fn identity(metadata: &fs::Metadata) -> u64 {
    inode(metadata).unwrap_or_else(|| {
        let modified = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        modified.map_or(0, |since| since.as_nanos() as u64)
    })
}

fn summary(path: &Path) -> anyhow::Result<String> {
    let input = Input::open(path)?;
    input.report_problems();
    let rings = input.recording.rings()?;
    let written = rings.iter().map(|ring| ring.head).fold(0, u64::saturating_add);
    let kept = rings.iter().map(|ring| ring.head.min(ring.slots)).fold(0, u64::saturating_add);
    let missed = input.recording.counter(counter::UNRECORDED)?;
    let mut text = format!(
        "{}, which {}: {} rings of threads, {} slots written, {} kept",
        input.process_name(),
        input.state(),
        rings.len(),
        units::count(written),
        units::count(kept)
    );
    if missed > 0 {
        text += &format!(", {} records found no ring", units::count(missed));
    }
    Ok(text)
}
