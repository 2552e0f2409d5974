//! The files that symbols are read from: the one that ran, or another one of the same build.

use std::fs;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use addr2line::Loader;
use object::{Object, ObjectSection};
use ticks_format::Module;

use super::{names, Call};

/// A module's symbols, as far as there are any.
pub struct File {
    /// Where it was when it ran.
    pub path: String,
    /// What is missing, in a sentence.
    pub note: Option<String>,
    loader: Option<Loader>,
}

impl File {
    /// Code of no module that the recording names.
    pub fn unknown() -> File {
        File { path: String::new(), note: None, loader: None }
    }

    /// Looks for the module's file: in the directories, where it was, and where a running process has it.
    pub fn find(module: &Module, path: String, dirs: &[PathBuf], live: Option<u64>) -> File {
        let mut note = None;
        let mut without_lines = None;
        for candidate in candidates(module, &path, dirs, live) {
            let is_named = dirs.iter().any(|dir| candidate.starts_with(dir));
            match open(&candidate, module, is_named) {
                Ok(Opened { loader, has_lines: true }) => {
                    return File { path, note: None, loader: Some(loader) };
                }
                Ok(opened) => without_lines = without_lines.or(Some(opened.loader)),
                Err(Refused::OtherBuild) if !candidate.starts_with("/proc") => {
                    note = Some(format!(
                        "{} is not the build that ran: its symbols are not read; --symbols DIR names a \
                         directory that has the other one",
                        candidate.display()
                    ));
                }
                Err(Refused::Absent | Refused::OtherBuild) => {}
                Err(Refused::Unreadable(why)) => {
                    note = Some(format!("{} cannot be read ({why})", candidate.display()));
                }
            }
        }
        if without_lines.is_some() {
            note = is_of_interest(&path).then(|| {
                format!(
                    "{path} has no debug information, so there are names and no lines; build it with \
                     `debug = \"limited\"` in its Cargo profile, or name a directory that has the \
                     same build with it by --symbols DIR"
                )
            });
        } else if note.is_none() && is_of_interest(&path) {
            note =
                Some(format!("{path} is not there; --symbols DIR names a directory that has it"));
        }
        File { path, note, loader: without_lines }
    }

    /// The calls at an address of the file, innermost first: at least one, which may be without a name.
    pub fn calls(&self, address: u64, full_names: bool) -> Vec<Call> {
        let found = self.loader.as_ref().map(|loader| {
            // What is damaged costs its own lines.
            catch_unwind(AssertUnwindSafe(|| look_up(loader, address, full_names)))
        });
        match found {
            Some(Ok(calls)) if !calls.is_empty() => calls,
            _ => vec![Call::default()],
        }
    }
}

/// Whether its lack of debug information is worth a word: of the system's own libraries nobody expects any.
fn is_of_interest(path: &str) -> bool {
    let system = ["/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/"];
    !system.iter().any(|place| path.starts_with(place)) && path.contains('/')
}

fn look_up(loader: &Loader, address: u64, full_names: bool) -> Vec<Call> {
    let named = |raw: &str| match full_names {
        true => names::full(raw),
        false => names::readable(raw),
    };
    let mut calls = Vec::new();
    if let Ok(mut frames) = loader.find_frames(address) {
        while let Ok(Some(frame)) = frames.next() {
            let raw = frame.function.as_ref().and_then(|function| function.raw_name().ok());
            let location = frame.location.as_ref();
            calls.push(Call {
                function: raw.map(|raw| named(&raw)),
                file: location.and_then(|location| location.file).map(str::to_owned),
                line: location.and_then(|location| location.line).filter(|line| *line != 0),
                is_inlined: true,
                ..Call::default()
            });
        }
    }
    if calls.is_empty() {
        calls.push(Call::default());
    }
    if let Some(last) = calls.last_mut() {
        last.is_inlined = false;
        // Debug information that is of lines only has names without what they are in.
        let is_whole = last.function.as_ref().is_some_and(|name| name.contains("::"));
        if !is_whole {
            last.function = loader.find_symbol(address).map(named).or(last.function.take());
        }
    }
    calls
}

/// Where the file may be, the likeliest first.
fn candidates(module: &Module, path: &str, dirs: &[PathBuf], live: Option<u64>) -> Vec<PathBuf> {
    let path = Path::new(path);
    let relative = path.strip_prefix("/").unwrap_or(path);
    let name = path.file_name().unwrap_or_default();
    let debug_name = format!("{}.debug", name.to_string_lossy());
    let by_build_id = build_id_path(&module.build_id);
    let mut candidates = Vec::new();
    for dir in dirs {
        for place in [Path::new(name), relative, Path::new(&debug_name)] {
            candidates.push(dir.join(place));
        }
        for place in by_build_id.iter() {
            candidates.extend([dir.join(place), dir.join(".build-id").join(place)]);
        }
    }
    candidates.push(path.to_owned());
    if let Some(pid) = live {
        candidates.push(PathBuf::from(format!("/proc/{pid}/root")).join(relative));
        candidates.push(PathBuf::from(format!("/proc/{pid}/exe")));
    }
    let debug = Path::new("/usr/lib/debug/.build-id");
    candidates.extend(by_build_id.iter().map(|place| debug.join(place)));
    candidates
}

/// `ab/cdef….debug`, as debuggers look for it.
fn build_id_path(build_id: &[u8]) -> Option<PathBuf> {
    let (first, rest) = build_id.split_first()?;
    let rest: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(PathBuf::from(format!("{first:02x}/{rest}.debug")))
}

struct Opened {
    loader: Loader,
    has_lines: bool,
}

/// Why a file is not read.
enum Refused {
    Absent,
    OtherBuild,
    Unreadable(String),
}

/// Opens the file if it is of the module's build. One that was named by hand, of a build without an identity,
/// is believed.
fn open(path: &Path, module: &Module, is_named: bool) -> Result<Opened, Refused> {
    let metadata = fs::metadata(path).map_err(|_| Refused::Absent)?;
    // Whoever puts a pipe there would have us wait.
    if !metadata.is_file() {
        return Err(Refused::Absent);
    }
    let opened = catch_unwind(|| {
        let file = fs::File::open(path).map_err(|error| Refused::Unreadable(error.to_string()))?;
        // It is read piece by piece: most of it is not needed for this.
        let cache = object::ReadCache::new(file);
        let unreadable = |error: object::Error| Refused::Unreadable(error.to_string());
        let file = object::File::parse(&cache).map_err(unreadable)?;
        let is_same = match (module.build_id.as_slice(), file.build_id().map_err(unreadable)?) {
            ([], _) | (_, None) => is_named || is_unchanged(&metadata, module),
            (ours, Some(theirs)) => theirs.starts_with(ours),
        };
        if !is_same {
            return Err(Refused::OtherBuild);
        }
        let has = |name: &str| file.section_by_name(name).is_some_and(|section| section.size() > 0);
        let has_lines = has(".debug_line") && has(".debug_info");
        let loader = Loader::new(path).map_err(|error| Refused::Unreadable(error.to_string()))?;
        Ok(Opened { loader, has_lines })
    });
    opened.unwrap_or_else(|_| Err(Refused::Unreadable("it is damaged".into())))
}

/// Whether the file is as long and as old as when it ran.
fn is_unchanged(metadata: &fs::Metadata, module: &Module) -> bool {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let modified_ns = modified.map(|since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
    metadata.len() == module.file_bytes && modified_ns == Some(module.file_mtime_ns)
}
