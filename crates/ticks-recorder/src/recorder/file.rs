//! Making the file: under a name of its own, filled, then given its name.
//!
//! An old file of that name is replaced and no link that was planted there is followed. If the old file
//! is of this very process, it keeps its name and the new file takes the next name: another copy of
//! this crate wrote it, or the program that called `exec`. The same holds for a file of another user,
//! which may not be replaced.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{getrlimit, Resource};
use ticks_format::Header;

use super::stamp;

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
        check_limit(len)?;
        let path = dir.join(format!(".{}-{:x}.new", std::process::id(), stamp::now()));
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDWR;
        let mode = Mode::RUSR | Mode::WUSR;
        let fd = rustix::fs::open(&path, flags, mode).map_err(|error| cannot_create(dir, error))?;
        let unnamed = Unnamed { file: File::from(fd), path };
        overwrite_in_place(&unnamed.file);
        // The creation mask may have taken away more than is asked for.
        rustix::fs::fchmod(&unnamed.file, mode)
            .and_then(|()| rustix::fs::ftruncate(&unnamed.file, len))
            .map_err(|error| cannot_fill(dir, len, &error.into()))?;
        Ok(unnamed)
    }

    /// Gives the file its name in `dir`.
    pub(super) fn publish(mut self, dir: &Path, process_start: u64) -> Result<(), String> {
        let mut refused = None;
        for number in 0..NAMES_MAX {
            let name = dir.join(name(number));
            match rename_to_new(&self.path, &name) {
                // If it has two names now, dropping `self` removes the other.
                Ok(()) => return Ok(()),
                Err(Errno::EXIST) if is_of_this_process(&name, process_start) => continue,
                // It is an old one; or the file system can neither refuse to replace nor link.
                Err(_) => {}
            }
            match rustix::fs::rename(&self.path, &name) {
                Ok(()) => {
                    self.path = PathBuf::new();
                    return Ok(());
                }
                // It is another user's, in a directory with the sticky bit.
                Err(error @ (Errno::PERM | Errno::ACCESS)) => refused = Some((name, error)),
                Err(error) => return Err(cannot_replace(&name, &error.into())),
            }
        }
        Err(match refused {
            Some((name, error)) => cannot_replace(&name, &error.into()),
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
    match rustix::fs::mkdir(dir, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST | Errno::NOENT | Errno::NOTDIR) => Ok(()),
        Err(_) if dir.exists() => Ok(()),
        Err(error) => {
            let (dir, error) = (dir.display(), io::Error::from(error));
            Err(format!(
                "there is no directory {dir}, and it cannot be made ({error}); name another"
            ))
        }
    }
}

/// Asks the file system to overwrite the file in place. A copy-on-write file system needs more room for
/// each store to a page that has reached the disk, and on a full disk such a store ends the process.
/// btrfs takes the request while the file is empty. Other file systems do not need it or do not know
/// it.
fn overwrite_in_place(file: &File) {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{ioctl_getflags, ioctl_setflags, IFlags};
        if let Ok(flags) = ioctl_getflags(file) {
            let _ = ioctl_setflags(file, flags | IFlags::NOCOW);
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = file;
}

/// Gives a file a name that nothing has yet.
///
/// It renames the file where the system can refuse a name that is taken, and links it elsewhere:
/// `/proc/<pid>/maps` shows the name at the time of the mapping, and follows a rename only.
fn rename_to_new(from: &Path, to: &Path) -> Result<(), Errno> {
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    {
        use rustix::fs::{renameat_with, RenameFlags, CWD};
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // The kernel or the file system does not know how.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            result => return result,
        }
    }
    rustix::fs::link(from, to)
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
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(fd) = rustix::fs::open(path, flags, Mode::empty()) else { return false };
    let file = File::from(fd);
    if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return false;
    }
    // Where the system does not say when a process began, the number alone says too little.
    process_start != 0
        && Header::read(&file, 0).is_ok_and(|(header, _)| {
            header.pid == u64::from(std::process::id()) && header.process_start == process_start
        })
}

/// Making a file longer than the limit would end the process by `SIGXFSZ`.
fn check_limit(len: u64) -> Result<(), String> {
    match getrlimit(Resource::Fsize).current {
        Some(limit) if limit < len => Err(format!(
            "the limit on the size of files is {limit} bytes, below the recording's {len}; raise it \
             (ulimit -f) or set ASYNC_IO_TRACE_MIB to less"
        )),
        _ => Ok(()),
    }
}

fn cannot_create(dir: &Path, error: Errno) -> String {
    let (is_there, dir, error) = (dir.exists(), dir.display(), io::Error::from(error));
    match error.kind() {
        ErrorKind::NotFound if !is_there => {
            format!("there is no directory {dir}; make it (mkdir -p) or name another")
        }
        ErrorKind::PermissionDenied => {
            format!("no permission to make a file in {dir}; name a directory that is yours")
        }
        _ if error.raw_os_error() == Some(Errno::NOTDIR.raw_os_error()) => {
            format!("{dir} is not a directory; name one")
        }
        _ => format!("cannot make a file in {dir} ({error}); name another directory"),
    }
}

/// Why the file cannot have its size, its room or its mapping.
pub(super) fn cannot_fill(dir: &Path, len: u64, error: &io::Error) -> String {
    let dir = dir.display();
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => format!(
            "no room for a recording in {dir} ({error}); free some, name a directory elsewhere, or \
             set ASYNC_IO_TRACE_MIB to less"
        ),
        Some(Errno::NODEV) => format!(
            "the file system of {dir} cannot map files for sharing ({error}); name a directory on a \
             local disk"
        ),
        Some(Errno::NOMEM) => format!(
            "no address space for a recording of {len} bytes ({error}); set ASYNC_IO_TRACE_MIB to \
             less"
        ),
        _ => format!("cannot fill a file in {dir} ({error}); name another directory"),
    }
}

fn cannot_replace(name: &Path, error: &io::Error) -> String {
    format!("cannot put the recording in place of {} ({error}); remove that", name.display())
}
