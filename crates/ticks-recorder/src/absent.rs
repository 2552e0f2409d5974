//! No recorder: the system has no file mappings of the kind it needs, or nobody has tried it there.
//!
//! The functions of `recorder.rs` and its parts, which are described there.

#![allow(missing_docs)]

#[cfg(all(test, loom))]
#[path = "recorder/models.rs"]
mod models;
#[cfg(all(test, loom))]
#[path = "recorder/ring.rs"]
#[allow(dead_code)] // Models use what meets.
mod ring;
#[cfg(all(test, loom))]
#[path = "recorder/stacks/store.rs"]
mod store;
#[cfg(all(test, loom))]
#[path = "recorder/store_models.rs"]
mod store_models;

use std::panic::Location;

use ticks_format::records::{SourceDrop, SourceNew};
use ticks_format::{Direct, Direction, Key, Ticks};

use crate::client::Client;
use crate::clock;
use crate::warn::{warn_once, Warning};

/// Nothing is recorded. A user who asked for it is told so.
pub fn listens(_: &'static Client) -> bool {
    static LOOKED: std::sync::Once = std::sync::Once::new();
    LOOKED.call_once(|| {
        if std::env::var_os("ASYNC_IO_TRACE").is_some_and(|dir| !dir.is_empty()) {
            warn_once(
                Warning::Off,
                format_args!(
                    "ASYNC_IO_TRACE: there is no flight recorder on this system; nothing is \
                     recorded; a logger at TRACE gets the same records"
                ),
            );
        }
    });
    false
}

/// By which clock something was timed: there is only one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate;

impl Rate {
    /// That which every process begins with.
    pub const INITIAL: Rate = Rate;

    /// The counter that is read now.
    pub fn current() -> Rate {
        Rate
    }
}

pub fn is_steady_with(_: Rate) -> bool {
    true
}

pub fn now() -> u64 {
    clock::now_ns()
}

pub fn now_and_just_now() -> u64 {
    now()
}

pub fn now_or_just_now() -> u64 {
    now()
}

pub fn elapsed_ns(from: u64, to: u64) -> u64 {
    to.saturating_sub(from)
}

pub fn clock_ns(count: u64) -> u64 {
    count
}

pub fn record<R: Direct>(_: &R, _: u64) {}
pub fn own_recording() -> Option<ticks_format::Recording<Vec<u8>>> {
    None
}
pub fn set_place(_: &'static Location<'static>) {}
pub fn source_described(_: &SourceNew, _: u64) {}
pub fn source_gone(_: &SourceDrop, _: u64) {}
pub fn stack_here(_: u64) -> u64 {
    0
}
/// Not found out here.
pub fn has_foreign_rights() -> bool {
    false
}
pub fn wait_begins_anew(_: bool) {}
#[allow(clippy::too_many_arguments)] // Those of the recorder.
pub fn waits(_: Key, _: i64, _: Direction, _: u64, _: Ticks, _: u64, _: u64) {}
pub fn wait_over(_: Key, _: Direction, _: u64) {}
pub fn timer_begins(_: &'static Location<'static>) {}
pub fn timer_begun() {}
pub fn timer_waits(_: u64, _: u64, _: u64) {}
pub fn timer_task(_: u64, _: u64) {}
pub fn timer_over(_: u64) {}

#[cfg(unix)]
pub(crate) fn forget() {}

pub(crate) mod tasks {
    use ticks_format::TaskKind;

    /// What is recorded of a task: there is none.
    #[derive(Debug)]
    pub(crate) enum Entry {}

    /// What a task waits for: there is none.
    pub(crate) type Waited = ();

    impl Entry {
        pub(crate) fn new(_: TaskKind, _: &str, _: bool) -> Option<Entry> {
            None
        }

        pub(crate) fn id(&self) -> u64 {
            match *self {}
        }
        pub(crate) fn begins(&self, _: u64) {}
        pub(crate) fn poll_begins(&self) -> Option<Waited> {
            None
        }
        pub(crate) fn poll_ends(&self, _: bool, _: Option<Waited>) {}
        pub(crate) fn poll_panics(&self) {}
        pub(crate) fn waker_made(&self) {}
        pub(crate) fn waker_gone(&self) {}
        pub(crate) fn may_be_forgotten(&self, _: impl Fn() -> bool) {}
        pub(crate) fn wakes(&self) {}
        pub(crate) fn goes(&self) {}
        pub(crate) fn gone(&self) {}
    }
}
