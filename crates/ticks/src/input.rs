//! The files that are read, and the processes that write them.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{bail, Context};
use ticks_format::{Address, Entry, Key, Recording, Source};

/// One recording with its place.
#[derive(Debug)]
pub struct Input {
    /// Where it is.
    pub path: PathBuf,
    /// What is in it.
    pub recording: Recording<File>,
}

impl Input {
    /// Opens the file at `path`.
    pub fn open(path: &Path) -> anyhow::Result<Input> {
        let open = || -> anyhow::Result<Recording<File>> {
            let file = File::open(path)?;
            Ok(Recording::open(file)?)
        };
        let recording = open().with_context(|| path.display().to_string())?;
        let path = path.to_owned();
        Ok(Input { path, recording })
    }

    /// Opens all files.
    pub fn open_all(paths: &[PathBuf]) -> anyhow::Result<Vec<Input>> {
        paths.iter().map(|path| Input::open(path)).collect()
    }

    /// Says on stderr what was found wrong so far, and whether there was anything.
    pub fn report_problems(&self) -> bool {
        for problem in self.recording.problems() {
            anstream::eprintln!("ticks: {}: {problem}", self.path.display());
        }
        !self.recording.problems().is_empty()
    }

    /// The process, with its program's name if the file has it.
    pub fn process_name(&self) -> String {
        let about = self.recording.about().iter();
        let program = about.clone().find(|(name, _)| name == "program");
        let pid = self.recording.header().pid;
        match program.and_then(|(_, path)| Path::new(path).file_name()?.to_str()) {
            Some(name) => format!("{name} ({pid})"),
            None => format!("process {pid}"),
        }
    }

    /// Whether the process that writes the file is still there, and still the same.
    pub fn is_live(&self) -> bool {
        let header = self.recording.header();
        let closed = self.recording.counter(ticks_format::layout::counter::CLOSED);
        closed.unwrap_or(1) == 0 && process_start(header.pid) == Some(header.process_start)
    }

    /// The sources that the table describes, by key.
    pub fn sources(&self) -> anyhow::Result<HashMap<Key, Source>> {
        let mut sources = HashMap::new();
        for entry in self.recording.sources() {
            if let Entry::Whole(source) = entry? {
                sources.insert(source.key, source);
            }
        }
        Ok(sources)
    }
}

/// `local → peer`, as far as there are addresses.
pub fn addresses(local: &Address, peer: &Address) -> String {
    match (local, peer) {
        (Address::None, Address::None) => String::new(),
        (local, Address::None) => local.to_string(),
        (local, peer) => format!("{local} → {peer}"),
    }
}

/// When the process began: field 22 of its `stat`, counted behind the name, which may hold spaces.
fn process_start(pid: u64) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(19)?.parse().ok()
}

/// The recording of `file_or_pid`: a file, or that of the live process with this number.
pub fn find(file_or_pid: &str) -> anyhow::Result<PathBuf> {
    let path = PathBuf::from(file_or_pid);
    if path.exists() {
        return Ok(path);
    }
    let Ok(pid) = file_or_pid.parse::<u32>() else {
        bail!("{file_or_pid}: neither a file nor the number of a process");
    };
    mapped_file(pid).with_context(|| format!("process {pid}"))
}

/// The recording that the process has in its memory.
fn mapped_file(pid: u32) -> anyhow::Result<PathBuf> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
    let mut files = maps.lines().filter_map(|line| {
        let path = line.find('/').map(|at| &line[at..])?;
        let path = path.strip_suffix(" (deleted)").unwrap_or(path);
        path.ends_with(".ticks").then(|| PathBuf::from(path))
    });
    let Some(path) = files.next() else {
        bail!("it does not record; start it with ASYNC_IO_TRACE=<dir>, or by `ticks record -- …`");
    };
    // The path is that of the process's own root directory.
    let own_root = PathBuf::from(format!("/proc/{pid}/root{}", path.display()));
    Ok(if path.exists() { path } else { own_root })
}
