//! The flight recorder: `ASYNC_IO_TRACE=<dir>` keeps the latest records of each thread of a process in
//! one file. Several crates may record into it.
//!
//! The crates that record ([`Client`]) call this one, and pass plain values. `async-io` records what its
//! reactor does, its sources, timers and waits. The file's form is `crates/ticks-format/SPEC.md`, and
//! the tool `ticks` reads it. What a program's user can choose is described in `async_io::trace`.
//!
//! # How to record
//!
//! Call [`listens`] now and then, once a round for example, and keep the answer. The first call starts the
//! recorder. While it says yes, read the counter with [`now`], make a record and hand it to [`record`], and
//! tell the tables who waits. Put the future of a task into a [`Task`]: then its life is recorded, and who
//! wakes it. While nothing is recorded, in a forked child for example, all functions do nothing.
//!
//! No function here panics. Storing a record takes no lock and, after a thread's first one, allocates
//! nothing. Its only system call makes room in the file now and then. If that fails, one line goes to
//! standard error, and that write may block: see [`timer_begun`].

#![deny(unsafe_code)]

mod client;
pub mod clock;
mod forks;
mod listing;
#[cfg(all(
    any(
        target_os = "linux",
        target_os = "android",
        target_os = "freebsd",
        target_vendor = "apple",
        windows
    ),
    not(loom),
))]
mod recorder;
#[cfg(not(all(
    any(
        target_os = "linux",
        target_os = "android",
        target_os = "freebsd",
        target_vendor = "apple",
        windows
    ),
    not(loom),
)))]
#[path = "absent.rs"]
mod recorder;
// Where there is no recorder, no task is ever recorded.
#[cfg_attr(
    any(
        loom,
        not(any(
            target_os = "linux",
            target_os = "android",
            target_os = "freebsd",
            target_vendor = "apple",
            windows
        ))
    ),
    allow(dead_code, unused_imports)
)]
mod task;
mod thread;
mod warn;
#[cfg(windows)]
mod windows;

pub use client::Client;
#[cfg(unix)]
pub use forks::ForkWatch;
pub use listing::{add_executor, list_tasks, ListTasks, ListedTask, TaskList};
pub use recorder::{
    clock_ns, elapsed_ns, has_foreign_rights, is_steady_with, listens, now, now_and_just_now,
    now_or_just_now, own_recording, record, set_place, source_described, source_gone, stack_here,
    timer_begins, timer_begun, timer_over, timer_task, timer_waits, wait_begins_anew, wait_over,
    waits, Rate,
};
pub use task::{asks_reactor, round_wakes, Cause, Task};
pub use thread::thread_number;
pub use ticks_format::TaskKind;
