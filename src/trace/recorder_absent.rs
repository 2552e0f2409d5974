//! No recorder: the system has no file mappings of the kind it needs, or nobody has tried it there.

#[cfg(all(test, loom))]
#[path = "recorder/models.rs"]
mod models;
#[cfg(all(test, loom))]
#[path = "recorder/ring.rs"]
#[allow(dead_code)] // Models use what meets.
mod ring;

use std::panic::Location;

use ticks_format::records::{SourceDrop, SourceNew};
use ticks_format::{Direct, Direction, Key, Ticks};

use crate::reactor::clock;
use crate::trace::{warn_once, Warning};

/// Nobody records; who asked for it is told so.
pub(in crate::trace) fn listens() -> bool {
    static LOOKED: std::sync::Once = std::sync::Once::new();
    LOOKED.call_once(|| {
        if std::env::var_os("ASYNC_IO_TRACE").is_some_and(|dir| !dir.is_empty()) {
            warn_once(
                Warning::Recorder,
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
pub(in crate::trace) struct Rate;

impl Rate {
    pub(in crate::trace) const INITIAL: Rate = Rate;

    pub(in crate::trace) fn current() -> Rate {
        Rate
    }
}

pub(in crate::trace) fn is_steady_with(_: Rate) -> bool {
    true
}

pub(in crate::trace) fn now() -> u64 {
    clock::now_ns()
}

pub(in crate::trace) fn now_and_just_now() -> u64 {
    now()
}

pub(in crate::trace) fn now_or_just_now() -> u64 {
    now()
}

pub(in crate::trace) fn elapsed_ns(from: u64, to: u64) -> u64 {
    to.saturating_sub(from)
}

pub(in crate::trace) fn reactor_ns(count: u64) -> u64 {
    count
}

pub(in crate::trace) fn record<R: Direct>(_: &R, _: u64) {}
pub(in crate::trace) fn set_place(_: &'static Location<'static>) {}
pub(in crate::trace) fn source_described(_: &SourceNew, _: u64) {}
pub(in crate::trace) fn source_gone(_: &SourceDrop, _: u64) {}
pub(in crate::trace) fn wait_begins_anew(_: bool) {}
#[allow(clippy::too_many_arguments)] // Those of the recorder.
pub(in crate::trace) fn waits(_: Key, _: i64, _: Direction, _: u64, _: Ticks, _: u64, _: u64) {}
pub(in crate::trace) fn wait_over(_: Key, _: Direction, _: u64) {}
pub(in crate::trace) fn timer_waits(_: u64, _: u64, _: u64, _: u64) {}
pub(in crate::trace) fn timer_task(_: u64, _: u64) {}
pub(in crate::trace) fn timer_over(_: u64) {}
