//! The recordings of a live process, by what it has mapped.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail, Context};
use ticks_format::Recording;

use super::{is_dead, is_zombie, thread_states};
use crate::input::open_file;

/// A recording that a process may have mapped.
pub struct Mapping {
    /// The file's name when it was mapped, or what it was renamed to since.
    path: PathBuf,
    is_deleted: bool,
    inode: u64,
    /// Addresses, as `/proc/<pid>/map_files` has them.
    range: String,
}

impl Mapping {
    /// From a line of `/proc/<pid>/maps`, if it is of what is called like a recording.
    fn from_line(line: &str) -> Option<Mapping> {
        let (fields, path) = line.split_at(line.find('/')?);
        let mut fields = fields.split_whitespace();
        let range = fields.next()?.to_owned();
        let inode = fields.nth(3)?.parse().ok()?;
        let (path, is_deleted) = match path.strip_suffix(" (deleted)") {
            Some(path) => (path, true),
            None => (path, false),
        };
        let path = PathBuf::from(path.replace("\\012", "\n"));
        let name = path.file_name()?.to_str()?;
        // The second is the name under which a recording is made, which some file systems stay with.
        let is_recording =
            name.ends_with(".ticks") || name.starts_with('.') && name.ends_with(".new");
        is_recording.then_some(Mapping { path, is_deleted, inode, range })
    }

    /// Whether it is this file, which is at `path`.
    pub fn is_of(&self, file: &File, path: &Path) -> bool {
        // Layered file systems have more than one number for a file.
        inode(file) == Some(self.inode) || path.file_name() == self.path.file_name()
    }

    fn recording(&self, pid: u32) -> anyhow::Result<(PathBuf, Recording<File>)> {
        let (path, file) = self.open(pid)?;
        let recording = Recording::open(file).with_context(|| path.display().to_string())?;
        Ok((path, recording))
    }

    /// The file, by whatever way leads to it, and its place or how it was found.
    fn open(&self, pid: u32) -> anyhow::Result<(PathBuf, File)> {
        let mut ways = Vec::new();
        if !self.is_deleted {
            // The path is that of the process's own root directory.
            ways.push(self.path.clone());
            ways.push(PathBuf::from(format!("/proc/{pid}/root{}", self.path.display())));
        }
        ways.extend(self.other_name());
        ways.push(PathBuf::from(format!("/proc/{pid}/map_files/{}", self.range)));
        let mut error = None;
        for way in ways {
            match open_file(&way) {
                Ok(file) if inode(&file) == Some(self.inode) => return Ok((way, file)),
                Ok(file) if way == self.path => return Ok((way, file)),
                Ok(_) => {}
                Err(found) => error = error.or(Some(found)),
            }
        }
        let path = self.path.display();
        if self.is_deleted {
            bail!("its recording {path} was removed; only root can still read it, while it runs");
        }
        let error = error.map_or_else(|| anyhow!("another file is there now"), Into::into);
        Err(error.context(format!("its recording {path}")))
    }

    /// Another file name in the same directory, for a file that was linked from its first one.
    fn other_name(&self) -> Option<PathBuf> {
        let entries = fs::read_dir(self.path.parent()?).ok()?.flatten();
        let mut paths = entries.map(|entry| entry.path());
        paths.find(|path| {
            let is_recording = path.extension().is_some_and(|extension| extension == "ticks");
            is_recording && open_file(path).is_ok_and(|file| inode(&file) == Some(self.inode))
        })
    }
}

fn inode(file: &File) -> Option<u64> {
    file.metadata().ok().and_then(|metadata| super::inode(&metadata))
}

/// What a process has mapped that may be a recording.
pub fn mappings(pid: u64) -> std::io::Result<Vec<Mapping>> {
    let mut maps = fs::read(format!("/proc/{pid}/maps"))?;
    if maps.is_empty() {
        // The first thread has ended. The others have all that it had.
        let others = thread_states(pid).into_iter().filter(|(_, state)| !is_dead(*state));
        let mut others = others.map(|(tid, _)| fs::read(format!("/proc/{pid}/task/{tid}/maps")));
        maps = others.find_map(Result::ok).unwrap_or_default();
    }
    let maps = String::from_utf8_lossy(&maps);
    Ok(maps.lines().filter_map(Mapping::from_line).collect())
}

/// The recordings of a live process, one for each copy of the crate in it.
pub fn recordings(pid: u32) -> anyhow::Result<Vec<(PathBuf, Recording<File>)>> {
    if !has_proc() {
        bail!("{}; name its recording, DIR/{pid}.ticks", why_not_live());
    }
    let mappings = mappings(pid.into()).map_err(|error| match error.kind() {
        ErrorKind::NotFound => anyhow!(
            "there is no such process; if it has ended, name its recording, DIR/{pid}.ticks"
        ),
        ErrorKind::PermissionDenied => {
            anyhow!("/proc/{pid}/maps: {error}: {}", why_denied(pid, is_root()))
        }
        _ => anyhow!(error).context("what it has mapped"),
    })?;
    let (recordings, unreadable) = own_recordings(pid, &mappings);
    match unreadable {
        _ if !recordings.is_empty() => Ok(recordings),
        Some(error) => Err(error),
        None => bail!(why_none(pid)),
    }
}

/// Those of the mapped recordings that the process writes itself, and an error if one cannot be read.
fn own_recordings(
    pid: u32,
    mappings: &[Mapping],
) -> (Vec<(PathBuf, Recording<File>)>, Option<anyhow::Error>) {
    let numbers = numbers(pid);
    let (mut recordings, mut unreadable) = (Vec::new(), None);
    for mapping in mappings {
        match mapping.recording(pid) {
            // A forked child has its parent's mapping, and does not record there.
            Ok((path, recording)) if numbers.contains(&recording.header().pid) => {
                recordings.push((path, recording));
            }
            Ok(_) => {}
            // It may be the parent's too, which was removed, or no recording at all.
            Err(error) => unreadable = unreadable.or(Some(error)),
        }
    }
    (recordings, unreadable)
}

/// All processes that record, as far as this user may look.
pub struct Found {
    /// Their numbers.
    pub pids: Vec<u32>,
    /// How many processes could not be looked into.
    pub hidden: usize,
}

impl Found {
    /// Looks into every process.
    pub fn all() -> anyhow::Result<Found> {
        if !has_proc() {
            bail!("{}; name a recording, DIR/<pid>.ticks", why_not_live());
        }
        let mut found = Found { pids: Vec::new(), hidden: 0 };
        for entry in fs::read_dir("/proc").context("/proc")?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            match mappings(u64::from(pid)) {
                Ok(mappings) => {
                    let records = !own_recordings(pid, &mappings).0.is_empty();
                    found.pids.extend(records.then_some(pid));
                }
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                    // The kernel's own have no command line.
                    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                    found.hidden += usize::from(!command.is_empty());
                }
                // It has ended meanwhile.
                Err(_) => {}
            }
        }
        found.pids.sort_unstable();
        Ok(found)
    }
}

/// Whether processes can be looked into. Wine shows Linux's `/proc`, with other numbers than its own.
pub fn has_proc() -> bool {
    cfg!(target_os = "linux") && Path::new("/proc/self/maps").exists()
}

/// Why no process can be looked for.
fn why_not_live() -> &'static str {
    match cfg!(target_os = "linux") {
        true => "there is no /proc here, so that no process can be found by its number",
        false => "a process can be found by its number on Linux only",
    }
}

/// Root is refused too, where it is one of a container: the process is of another one, or has rights that
/// this one was not given.
fn why_denied(pid: u32, is_root: bool) -> String {
    match is_root {
        true => format!(
            "root may not read it here, as in a container without CAP_SYS_PTRACE; name its \
             recording, DIR/{pid}.ticks"
        ),
        false => format!(
            "it is another user's, or has more rights than you; name its recording, \
             DIR/{pid}.ticks, or be root"
        ),
    }
}

#[cfg(unix)]
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

/// The process's numbers, in this namespace and in those where it has others.
fn numbers(pid: u32) -> Vec<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    let numbers = numbers.unwrap_or_default().split_whitespace();
    numbers.filter_map(|number| number.parse().ok()).chain([pid.into()]).collect()
}

fn why_none(pid: u32) -> String {
    if is_zombie(pid.into()) {
        return format!(
            "it has ended, and its parent has not asked for it yet; name its recording, \
             DIR/{pid}.ticks"
        );
    }
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let mut variables = environment.split(|byte| *byte == 0);
    let dir = variables.find_map(|variable| variable.strip_prefix(b"ASYNC_IO_TRACE="));
    match dir.filter(|dir| !dir.is_empty()) {
        Some(dir) => format!(
            "it does not record, though it was started with ASYNC_IO_TRACE={}: it has not used \
             async-io yet, has it without the recorder, or has said on stderr why",
            String::from_utf8_lossy(dir)
        ),
        None => "it does not record; start it with ASYNC_IO_TRACE=DIR in its environment, or by \
                 `ticks record -- CMD`"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In a container root was told to be root.
    #[test]
    fn root_is_not_told_to_be_root() {
        assert!(why_denied(1, false).ends_with("or be root"));
        assert!(!why_denied(1, true).contains("be root"));
    }

    #[test]
    fn recordings_among_mappings() {
        let of = |line: &str| Mapping::from_line(line);
        let line = "7f52-7f53 rw-s 00000000 fe:00 1703942                    /t/a b/4711.ticks";
        let mapping = of(line).expect("a recording");
        assert_eq!(mapping.path, Path::new("/t/a b/4711.ticks"));
        assert_eq!((mapping.inode, mapping.is_deleted), (1_703_942, false));
        assert_eq!(mapping.range, "7f52-7f53");
        let mapping = of(&format!("{line} (deleted)")).expect("a recording");
        assert_eq!(mapping.path, Path::new("/t/a b/4711.ticks"));
        assert!(mapping.is_deleted);
        assert!(of("7f52-7f53 rw-s 00000000 fe:00 17 /t/.4711-2a.new (deleted)").is_some());
        for other in [
            "7f52-7f53 r-xp 00000000 fe:00 17 /usr/lib/libc.so.6",
            "7f52-7f53 rw-p 00000000 00:00 0 [heap]",
            "7f52-7f53 rw-p 00000000 00:00 0 ",
            "",
        ] {
            assert!(of(other).is_none(), "{other}");
        }
    }
}
