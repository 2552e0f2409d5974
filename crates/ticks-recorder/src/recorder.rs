//! The flight recorder: `ASYNC_IO_TRACE=<dir>` keeps the latest records of each thread in one file.
//!
//! # Contract
//!
//! The file is a shared memory mapping. The kernel has each store at once, so the records survive any
//! end of the process. To store a record, a thread reads the clock and makes a few plain stores into
//! its own ring: no system call, no allocation, no lock, no wake. What finds no room is counted. The
//! file's form is `crates/ticks-format/SPEC.md`.
//!
//! - [`stamp`]: the counter that stamps records, and what it means in nanoseconds.
//! - [`ring`]: claiming a ring, storing into it, giving it back; [`writer`]: the one that this thread has.
//! - [`sources`], [`waiters`], [`places`]: the tables; [`table`]: how an entry is changed while others
//!   read it.
//! - [`tasks`]: the table of tasks, and the records of their life; [`vacancies`]: where it has room; [`names`]: what
//!   they are called.
//! - [`stacks`]: by which calls a wait is begun.
//! - [`file`], [`map`]: making the file safely, and its memory; [`settings`]: the switches; [`system`]: what is asked
//!   of the system for all of these.
//! - [`current`]: the process's recorder, and what becomes of it in a forked child.
//!
//! Where there is no recorder, `absent.rs` has the same functions, and says so once.

mod about;
mod admission;
mod anchors;
mod current;
mod file;
mod map;
mod names;
mod own;
mod places;
mod ring;
mod settings;
mod sources;
mod stack;
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    target_pointer_width = "64"
))]
mod stacks;
#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    target_pointer_width = "64"
)))]
#[path = "recorder/stacks_absent.rs"]
mod stacks;
mod stamp;
mod start;
mod strings;
mod system;
mod table;
pub(crate) mod tasks;
mod vacancies;
mod waiters;
mod writer;

#[cfg(unix)]
pub(crate) use current::forget;

/// Whether the program runs with another user's rights than whoever started it has: what that user's environment
/// asks for is not to be obeyed then.
pub fn has_foreign_rights() -> bool {
    system::has_foreign_rights()
}

pub use own::own_recording;
pub use places::set_place;
pub use sources::{source_described, source_gone};
pub use stack::stack_here;
pub use stamp::{clock_ns, elapsed_ns, is_steady_with, now, Rate};
pub use start::listens;
pub use waiters::{
    timer_begins, timer_begun, timer_over, timer_task, timer_waits, wait_begins_anew, wait_over,
    waits,
};
pub use writer::{now_and_just_now, now_or_just_now, record};
