//! Making the file: under a name of its own, filled, then given its name.
//!
//! An old file of that name is replaced and no link that was planted there is followed. If the old file
//! is of this very process, it keeps its name and the new file takes the next name: another copy of
//! this crate wrote it, or the program that called `exec`. The same holds for a file of another user,
//! which may not be replaced.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use ticks_format::Header;

use super::stamp;
use super::system::{self, Fault, MAKE_DIR};

/// The most names that one process's files take.
const NAMES_MAX: u32 = 100;

/// A file that has no name yet that anybody looks for. Dropped, it is removed.
#[derive(Debug)]
pub(super) struct Unnamed {
    pub(super) file: File,
    path: PathBuf,
}

impl Unnamed {
    /// Makes an empty file of `len` bytes in `dir`, for its owner only. The error is a sentence with
    /// the remedy.
    pub(super) fn create(dir: &Path, len: u64) -> Result<Unnamed, String> {
        system::check_limit(len)?;
        let path = dir.join(format!(".{}-{:x}.new", std::process::id(), stamp::now()));
        let file = system::create(&path).map_err(|error| cannot_create(dir, &error))?;
        let unnamed = Unnamed { file, path };
        system::set_len(&unnamed.file, len).map_err(|error| cannot_fill(dir, len, &error))?;
        Ok(unnamed)
    }

    /// Gives the file its name in `dir`.
    pub(super) fn publish(mut self, dir: &Path, process_start: u64) -> Result<(), String> {
        let mut refused = None;
        for number in 0..NAMES_MAX {
            let name = dir.join(name(number));
            match system::rename_to_new(&self.path, &name) {
                // If it has two names now, dropping `self` removes the other.
                Ok(()) => return Ok(()),
                Err(error)
                    if system::fault(&error) == Fault::Exists
                        && is_of_this_process(&name, process_start) =>
                {
                    continue
                }
                // It is an old one; or the file system can neither refuse to replace nor link.
                Err(_) => {}
            }
            match system::replace(&self.path, &name) {
                Ok(()) => {
                    self.path = PathBuf::new();
                    return Ok(());
                }
                Err(error) if system::fault(&error) == Fault::Refused => {
                    refused = Some((name, error));
                }
                Err(error) => return Err(cannot_replace(&name, &error)),
            }
        }
        Err(match refused {
            Some((name, error)) => cannot_replace(&name, &error),
            None => format!(
                "{} holds {NAMES_MAX} recordings of this process already; remove some",
                dir.display()
            ),
        })
    }
}

impl Drop for Unnamed {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            // What cannot be removed is left.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Makes the directory if it is missing, for its owner only. Its parent directories are not made: a
/// typing error in their names would be hard to find. Any other fault shows when the file is made.
pub(super) fn make_dir(dir: &Path) -> Result<(), String> {
    let Err(error) = system::make_dir(dir) else { return Ok(()) };
    match system::fault(&error) {
        Fault::Exists | Fault::NotDirectory => Ok(()),
        _ if error.kind() == ErrorKind::NotFound || dir.exists() => Ok(()),
        _ => {
            let dir = dir.display();
            Err(format!(
                "there is no directory {dir}, and it cannot be made ({error}); name another"
            ))
        }
    }
}

/// The name of this process's file, or of a further one.
fn name(number: u32) -> String {
    let pid = std::process::id();
    match number {
        0 => format!("{pid}.ticks"),
        number => format!("{pid}-{number}.ticks"),
    }
}

/// Whether the file is a recording of this very process, and not of an earlier one of its number.
fn is_of_this_process(path: &Path, process_start: u64) -> bool {
    let Ok(file) = system::open(path) else { return false };
    if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return false;
    }
    // Where the system does not say when a process began, the number alone says too little.
    process_start != 0
        && Header::read(&file, 0).is_ok_and(|(header, _)| {
            header.pid == u64::from(std::process::id()) && header.process_start == process_start
        })
}

fn cannot_create(dir: &Path, error: &io::Error) -> String {
    let is_there = dir.exists();
    let is_none = is_there && !dir.is_dir() || system::fault(error) == Fault::NotDirectory;
    let dir = dir.display();
    match error.kind() {
        _ if is_none => format!("{dir} is not a directory; name one"),
        ErrorKind::NotFound if !is_there => {
            format!("there is no directory {dir}; make it ({MAKE_DIR}) or name another")
        }
        ErrorKind::PermissionDenied => {
            format!("no permission to make a file in {dir}; name a directory that is yours")
        }
        _ => format!("cannot make a file in {dir} ({error}); name another directory"),
    }
}

/// Why the file cannot have its size, its room or its mapping.
pub(super) fn cannot_fill(dir: &Path, len: u64, error: &io::Error) -> String {
    let dir = dir.display();
    match system::fault(error) {
        Fault::NoRoom => format!(
            "no room for a recording in {dir} ({error}); free some, name a directory elsewhere, or \
             set ASYNC_IO_TRACE_MIB to less"
        ),
        Fault::NotMappable => format!(
            "the file system of {dir} cannot map files for sharing ({error}); name a directory on a \
             local disk"
        ),
        Fault::NoMemory => format!(
            "no address space for a recording of {len} bytes ({error}); set ASYNC_IO_TRACE_MIB to \
             less"
        ),
        _ => format!("cannot fill a file in {dir} ({error}); name another directory"),
    }
}

fn cannot_replace(name: &Path, error: &io::Error) -> String {
    format!("cannot put the recording in place of {} ({error}); remove that", name.display())
}
