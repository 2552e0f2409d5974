//! What somebody sees who looks at a source and changes nothing.

use std::task::Waker;

use ticks_format::{Direction, Ticks};

use super::TaskName;

/// One direction of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DirectionSeen {
    pub(crate) dir: Direction,
    /// The round of the last event that was delivered.
    pub(crate) tick: u64,
    /// An event was delivered while nobody waited, and nobody has asked since.
    pub(crate) unclaimed: bool,
    pub(crate) hung_up: bool,
    pub(crate) waiters: Vec<WaiterSeen>,
}

/// One who waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WaiterSeen {
    /// Its number in records.
    pub(crate) number: u32,
    /// `None`: another task that shares the waiter.
    pub(crate) ticks: Option<Ticks>,
    pub(crate) waker: WakerSeen,
}

/// Whom a waker wakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WakerSeen {
    /// It was woken, and has not been polled since.
    Woken,
    Of(TaskName),
    /// The standard library does not tell.
    Unknown,
}

impl WaiterSeen {
    pub(super) fn new(number: u32, ticks: Option<Ticks>, waker: Option<&Waker>) -> WaiterSeen {
        WaiterSeen { number, ticks, waker: WakerSeen::new(waker) }
    }
}

impl WakerSeen {
    pub(crate) fn new(waker: Option<&Waker>) -> WakerSeen {
        match waker.map(TaskName::of) {
            None => WakerSeen::Woken,
            Some(None) => WakerSeen::Unknown,
            Some(Some(name)) => WakerSeen::Of(name),
        }
    }
}
