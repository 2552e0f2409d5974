//! What the recorder asks of the system: one file a system, each with the same functions.
//!
//! - `map` maps a file for as long as the process lives. The system has each store at once, and keeps it
//!   when the process is killed.
//! - `make_room` has a part of the mapping exist, so that no store there fails; `make_all_room` does so for the
//!   whole file, where that can only be had at once. `NO_ROOM` is the error of a full disk.
//! - `make_dir`, `create`, `set_len`, `rename_to_new`, `replace`, `open`: files of this user alone, made and
//!   named without following links. `check_limit` says whether a file may be so long.
//! - `fault` tells what an error of those means; `MAKE_DIR` is what a user types to make a directory.
//! - `has_foreign_rights`, `host`, `boot_id`, `process_start`: whose process this is.
//! - `at_end` has a function called when the process ends by itself; `tell_end_of_thread` has each recording thread
//!   take part in that, where the system wants it.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(super) use unix::*;
#[cfg(windows)]
pub(super) use windows::*;

/// What went wrong with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The name is taken.
    Exists,
    /// What has the name is another user's, or in use.
    Refused,
    /// A directory of the path is none.
    NotDirectory,
    /// The disk is full, a quota is reached, or the file would be too long.
    NoRoom,
    /// The file system cannot map files for sharing.
    NotMappable,
    /// There is no memory, or no address space.
    NoMemory,
    /// Something else.
    Other,
}
