//! Windows: what `super` lists.
//!
//! The file is a section (`CreateFileMapping`). What is stored there belongs to the system's cache, and is
//! written to the file when the process is gone, however it went. `SetEndOfFile` allocates all of a file's room
//! on NTFS, ReFS and FAT, so that a full disk is an error before anything is stored. A directory whose
//! files are compressed is an exception: there a store to a full disk ends the process.
//!
//! This file may contain `unsafe`: the system's calls, the mapping, and two functions that the system calls.

#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::iter;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::Path;
use std::ptr;
use std::slice;
use std::sync::atomic::AtomicU64;
use std::sync::OnceLock;

use windows_sys::Win32::Foundation::{self as codes, FILETIME, WIN32_ERROR};
use windows_sys::Win32::Storage::FileSystem::{MoveFileExW, FILE_FLAG_OPEN_REPARSE_POINT};
use windows_sys::Win32::System::Memory::{
    CreateFileMappingW, MapViewOfFile, FILE_MAP_READ, FILE_MAP_WRITE, PAGE_READWRITE,
};
use windows_sys::Win32::System::SystemInformation::{ComputerNameDnsHostname, GetComputerNameExW};
use windows_sys::Win32::System::Threading::{
    FlsAlloc, FlsFree, FlsSetValue, GetCurrentProcess, GetProcessTimes, FLS_OUT_OF_INDEXES,
};

use super::Fault;

pub(crate) const MAKE_DIR: &str = "mkdir";

pub(crate) const NO_ROOM: i32 = codes::ERROR_DISK_FULL as i32;

/// Maps the first `len` bytes of the file, which is at least as long.
pub(crate) fn map(file: &File, len: usize) -> io::Result<&'static [AtomicU64]> {
    let whole = 0;
    // SAFETY: the handle is open for reading and writing; the section has no name and no attributes.
    let section = unsafe {
        let (file, unnamed) = (file.as_raw_handle(), ptr::null());
        CreateFileMappingW(file, ptr::null(), PAGE_READWRITE, whole, whole, unnamed)
    };
    if section.is_null() {
        return Err(io::Error::last_os_error());
    }
    // The view keeps the section when this handle is closed.
    // SAFETY: the handle is a new one, and nobody else's.
    let section = unsafe { OwnedHandle::from_raw_handle(section) };
    let access = FILE_MAP_READ | FILE_MAP_WRITE;
    // SAFETY: a new view at a place that the system chooses overlaps nothing.
    let view = unsafe { MapViewOfFile(section.as_raw_handle(), access, 0, 0, len) };
    if view.Value.is_null() {
        return Err(io::Error::last_os_error());
    }
    let words = len / std::mem::size_of::<AtomicU64>();
    // SAFETY: the view is page-aligned, `len` bytes long, and never unmapped; any bytes are valid words.
    // Others change them at any time, which is what atomics allow. The system lets nobody cut a file short
    // that is mapped.
    Ok(unsafe { slice::from_raw_parts(view.Value.cast(), words) })
}

/// `InvalidInput`: the system cannot do so for a part.
pub(crate) fn make_room(_: &'static [AtomicU64]) -> io::Result<()> {
    Err(io::ErrorKind::InvalidInput.into())
}

/// [`set_len`] has made it.
pub(crate) fn make_all_room(_: &File, _: u64) -> io::Result<()> {
    Ok(())
}

pub(crate) fn make_dir(dir: &Path) -> io::Result<()> {
    fs::create_dir(dir)
}

/// Makes an empty file under a name that nothing has. Its directory says who may read it.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    options.custom_flags(FILE_FLAG_OPEN_REPARSE_POINT).open(path)
}

/// Gives a new file its length, and its room.
pub(crate) fn set_len(file: &File, len: u64) -> io::Result<()> {
    file.set_len(len)
}

/// Gives a file a name that nothing has yet.
pub(crate) fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    let wide =
        |path: &Path| -> Vec<u16> { path.as_os_str().encode_wide().chain(iter::once(0)).collect() };
    let (from, to) = (wide(from), wide(to));
    // SAFETY: both end with a zero, and outlive the call.
    match unsafe { MoveFileExW(from.as_ptr(), to.as_ptr(), 0) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

pub(crate) fn replace(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// Opens a file to read it.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT).open(path)
}

/// There is no limit.
pub(crate) fn check_limit(_: u64) -> Result<(), String> {
    Ok(())
}

pub(crate) fn fault(error: &io::Error) -> Fault {
    match error.raw_os_error().map_or(0, |code| code as WIN32_ERROR) {
        codes::ERROR_FILE_EXISTS | codes::ERROR_ALREADY_EXISTS => Fault::Exists,
        codes::ERROR_ACCESS_DENIED
        | codes::ERROR_SHARING_VIOLATION
        | codes::ERROR_LOCK_VIOLATION
        | codes::ERROR_USER_MAPPED_FILE => Fault::Refused,
        codes::ERROR_DIRECTORY => Fault::NotDirectory,
        codes::ERROR_DISK_FULL
        | codes::ERROR_HANDLE_DISK_FULL
        | codes::ERROR_DISK_QUOTA_EXCEEDED
        | codes::ERROR_DISK_RESOURCES_EXHAUSTED
        | codes::ERROR_FILE_TOO_LARGE => Fault::NoRoom,
        codes::ERROR_NOT_SUPPORTED | codes::ERROR_INVALID_FUNCTION => Fault::NotMappable,
        codes::ERROR_NOT_ENOUGH_MEMORY
        | codes::ERROR_OUTOFMEMORY
        | codes::ERROR_COMMITMENT_LIMIT
        | codes::ERROR_NO_SYSTEM_RESOURCES => Fault::NoMemory,
        _ => Fault::Other,
    }
}

/// A program with more rights than whoever started it gets its user's environment, and no other.
pub(crate) fn has_foreign_rights() -> bool {
    false
}

/// The machine's name.
pub(crate) fn host() -> String {
    // Longer than the system allows.
    let mut name = [0; 256];
    let mut len = name.len() as u32;
    // SAFETY: `name` has room for `len` of them.
    let found = unsafe { GetComputerNameExW(ComputerNameDnsHostname, name.as_mut_ptr(), &mut len) };
    match found {
        0 => String::new(),
        _ => String::from_utf16_lossy(name.get(..len as usize).unwrap_or_default()),
    }
}

/// Nothing tells this run of the machine from its others.
pub(crate) fn boot_id() -> String {
    String::new()
}

/// When this process began, in units of 100 ns since 1601; 0 if the system does not say.
pub(crate) fn process_start() -> u64 {
    let mut times = [FILETIME { dwLowDateTime: 0, dwHighDateTime: 0 }; 4];
    let [begun, ended, kernel, user] = &mut times;
    // SAFETY: the handle of the own process is always valid, and the times are ours to write to.
    match unsafe { GetProcessTimes(GetCurrentProcess(), begun, ended, kernel, user) } {
        0 => 0,
        _ => u64::from(begun.dwHighDateTime) << 32 | u64::from(begun.dwLowDateTime),
    }
}

/// What is called at the end.
struct Ending {
    call: extern "C" fn(),
    /// The fiber-local value whose callback tells the end. [`FLS_OUT_OF_INDEXES`]: the system has none left.
    told_by: u32,
}

/// Set once, by [`at_end`].
static ENDING: OnceLock<Ending> = OnceLock::new();

/// Has `ending` called when the process ends by `exit` or by returning from `main`. It must neither panic
/// nor use thread-locals. If a library that contains it is unloaded, the system calls it then.
///
/// Three are asked, and `ending` may be called by each. The C library's `atexit` misses an `exit` of the standard
/// library, which asks the system to end the process. The system's loader does tell each module, by the functions
/// that are listed in its section `.CRT`. Wine's tells libraries only; but both call the callback of a fiber-local
/// value that the exiting thread has, see [`tell_end_of_thread`].
pub(crate) fn at_end(ending: extern "C" fn()) {
    // SAFETY: it is a static. The linker keeps what is read.
    unsafe { ptr::read_volatile(&LISTED) };
    // SAFETY: `thread_ends` lives as long as this code is loaded: `loader_calls` frees the value before.
    let told_by = unsafe { FlsAlloc(Some(thread_ends)) };
    let _ = ENDING.set(Ending { call: ending, told_by });
    // SAFETY: `ending` lives as long as this code is loaded.
    let _ = unsafe { atexit(ending) };
}

/// Has the end told too if it is this thread that calls `exit`.
pub(crate) fn tell_end_of_thread() {
    let Some(&Ending { told_by, .. }) = ENDING.get() else { return };
    if told_by != FLS_OUT_OF_INDEXES {
        // Any value but null, for which nothing is called.
        let value = ptr::from_ref(&ENDING).cast();
        // SAFETY: the index is one that was allocated, and nobody follows the value.
        let _ = unsafe { FlsSetValue(told_by, value) };
    }
}

extern "C" {
    /// The C library's.
    fn atexit(ending: extern "C" fn()) -> c_int;
}

#[link(name = "ntdll")]
extern "system" {
    /// Whether the process is ending: no other thread runs any more.
    fn RtlDllShutdownInProgress() -> u8;
}

/// The system calls it when a thread ends, and at the end of the process on the thread that ends it.
unsafe extern "system" fn thread_ends(_: *const c_void) {
    // SAFETY: it takes nothing and always succeeds.
    if unsafe { RtlDllShutdownInProgress() } != 0 {
        if let Some(ending) = ENDING.get() {
            (ending.call)();
        }
    }
}

#[used]
#[link_section = ".CRT$XLB"]
static LISTED: unsafe extern "system" fn(*mut c_void, u32, *mut c_void) = loader_calls;

/// The loader calls it at the begin and at the end of the process and of each thread, and before it unloads a
/// library: then `reserved` is null, and other threads go on.
unsafe extern "system" fn loader_calls(_: *mut c_void, reason: u32, reserved: *mut c_void) {
    const PROCESS_ENDS: u32 = 0;
    if reason != PROCESS_ENDS {
        return;
    }
    let Some(ending) = ENDING.get() else { return };
    (ending.call)();
    if reserved.is_null() && ending.told_by != FLS_OUT_OF_INDEXES {
        // SAFETY: the index is one that was allocated. A thread that begins to record now runs in code that is about
        // to be unloaded, which whoever unloads it has to rule out.
        let _ = unsafe { FlsFree(ending.told_by) };
    }
}
