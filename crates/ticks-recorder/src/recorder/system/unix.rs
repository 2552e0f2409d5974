//! Unix: what `super` lists.
//!
//! A store to where a full disk has no room ends the process by `SIGBUS`. Linux 5.14 makes room piece by
//! piece, with `MADV_POPULATE_WRITE`, which returns an error where a store would end the process.
//! Elsewhere the whole file is allocated at once.
//!
//! This file may contain `unsafe`: the mapping, and what the system says of the process.

#![allow(unsafe_code)]

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::ptr;
use std::slice;
use std::sync::atomic::AtomicU64;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};
use rustix::process::{getegid, geteuid, getgid, getrlimit, getuid, Resource};

use super::Fault;

pub(crate) const MAKE_DIR: &str = "mkdir -p";

pub(crate) const NO_ROOM: i32 = Errno::NOSPC.raw_os_error();

/// Maps the first `len` bytes of the file, which is at least as long.
pub(crate) fn map(file: &File, len: usize) -> io::Result<&'static [AtomicU64]> {
    let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
    // SAFETY: a new mapping at a place that the kernel chooses overlaps nothing.
    let start = unsafe { rustix::mm::mmap(ptr::null_mut(), len, access, flags, file, 0) }?;
    // SAFETY: the mapping is page-aligned, `len` bytes long, and never unmapped; any bytes are
    // valid words. Others change them at any time, which is what atomics allow. The file is ours
    // alone by its mode and its new name, and nobody of us cuts it short.
    Ok(unsafe { slice::from_raw_parts(start.cast(), len / std::mem::size_of::<AtomicU64>()) })
}

/// Has the kernel allocate memory and disk space for these words of a mapping, and map them for stores.
/// `InvalidInput`: it cannot do so for a part.
pub(crate) fn make_room(words: &'static [AtomicU64]) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let (start, advice) = (words.as_ptr(), rustix::mm::Advice::LinuxPopulateWrite);
        let len = std::mem::size_of_val(words);
        loop {
            // SAFETY: the range lies within the mapping, and the advice changes no content.
            match unsafe { rustix::mm::madvise(start.cast_mut().cast(), len, advice) } {
                Err(Errno::INTR) => {}
                // A store there would end the process by SIGBUS.
                Err(Errno::FAULT) => return Err(Errno::NOSPC.into()),
                result => return Ok(result?),
            }
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = words;
        Err(io::ErrorKind::InvalidInput.into())
    }
}

pub(crate) fn make_all_room(file: &File, len: u64) -> io::Result<()> {
    use rustix::fs::{fallocate, FallocateFlags};
    Ok(fallocate(file, FallocateFlags::empty(), 0, len)?)
}

pub(crate) fn make_dir(dir: &Path) -> io::Result<()> {
    Ok(rustix::fs::mkdir(dir, Mode::RWXU)?)
}

/// Makes an empty file for its owner only, under a name that nothing has.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDWR;
    let fd = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?;
    Ok(File::from(fd))
}

/// Gives a new file its length.
pub(crate) fn set_len(file: &File, len: u64) -> io::Result<()> {
    overwrite_in_place(file);
    // The creation mask may have taken away more than is asked for.
    rustix::fs::fchmod(file, Mode::RUSR | Mode::WUSR)?;
    Ok(rustix::fs::ftruncate(file, len)?)
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
pub(crate) fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    {
        use rustix::fs::{renameat_with, RenameFlags, CWD};
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // The kernel or the file system does not know how.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            result => return Ok(result?),
        }
    }
    Ok(rustix::fs::link(from, to)?)
}

pub(crate) fn replace(from: &Path, to: &Path) -> io::Result<()> {
    Ok(rustix::fs::rename(from, to)?)
}

/// Opens a file to read it. A pipe of that name does not keep us waiting.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

/// Making a file longer than the limit would end the process by `SIGXFSZ`.
pub(crate) fn check_limit(len: u64) -> Result<(), String> {
    match getrlimit(Resource::Fsize).current {
        Some(limit) if limit < len => Err(format!(
            "the limit on the size of files is {limit} bytes, below the recording's {len}; raise it \
             (ulimit -f) or set ASYNC_IO_TRACE_MIB to less"
        )),
        _ => Ok(()),
    }
}

pub(crate) fn fault(error: &io::Error) -> Fault {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::EXIST) => Fault::Exists,
        // The file is another user's, in a directory with the sticky bit.
        Some(Errno::PERM | Errno::ACCESS) => Fault::Refused,
        Some(Errno::NOTDIR) => Fault::NotDirectory,
        Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => Fault::NoRoom,
        Some(Errno::NODEV) => Fault::NotMappable,
        Some(Errno::NOMEM) => Fault::NoMemory,
        _ => Fault::Other,
    }
}

/// Whether a user with fewer rights than the program may have set the environment. That user would
/// choose where the program makes and replaces files.
///
/// The kernel says so since the start of the program. User ids do not say it: a setuid program may have
/// set all of them to the same, and a program with capabilities has equal ones anyway.
pub(crate) fn has_foreign_rights() -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // SAFETY: `getauxval` reads what the kernel gave the program at its start.
    let secure = unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    // SAFETY: `issetugid` takes nothing and always succeeds.
    let secure = unsafe { libc::issetugid() } != 0;
    secure || getuid() != geteuid() || getgid() != getegid()
}

/// The machine's name.
pub(crate) fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// What tells this run of the machine from its others; empty where nothing does.
pub(crate) fn boot_id() -> String {
    read("/proc/sys/kernel/random/boot_id")
}

/// When this process began: field 22 of `/proc/self/stat`; 0 where there is none.
pub(crate) fn process_start() -> u64 {
    let stat = read("/proc/self/stat");
    // The second field is the program's name in brackets, and may contain anything.
    let Some((_, fields)) = stat.rsplit_once(") ") else { return 0 };
    fields.split(' ').nth(19).and_then(|field| field.parse().ok()).unwrap_or(0)
}

fn read(path: &str) -> String {
    fs::read_to_string(path).map_or_else(|_| String::new(), |text| text.trim().to_owned())
}

/// Has `ending` called when the process ends by `exit` or by returning from `main`. It must neither panic
/// nor use thread-locals. If the system has no memory for that, it is not called. If a library that contains
/// it is unloaded, the system calls it then.
pub(crate) fn at_end(ending: extern "C" fn()) {
    // SAFETY: `ending` lives as long as this code is loaded.
    let _ = unsafe { libc::atexit(ending) };
}

/// Whichever thread calls `exit`, the end is told.
#[inline]
pub(crate) fn tell_end_of_thread() {}
