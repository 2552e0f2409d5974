//! The place in the code where a wait is asked for, for the table of waiters.

use std::panic::Location;

use ticks_recorder as recorder;

use super::is_recording;

/// A place in the code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place(&'static Location<'static>);

impl Place {
    /// Where the caller was called from.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn here() -> Place {
        Place(Location::caller())
    }
}

/// The poll that begins has the place of the caller's caller.
#[inline(always)]
#[track_caller]
pub(crate) fn place_here() {
    if is_recording() {
        recorder::set_place(Location::caller());
    }
}

/// The poll that begins has this place.
#[inline(always)]
pub(crate) fn place_at(place: Place) {
    if is_recording() {
        recorder::set_place(place.0);
    }
}

/// A timer is about to be armed that was made at `place`. Called with nothing locked.
#[inline(always)]
pub(crate) fn timer_begins(place: Place) {
    if is_recording() {
        recorder::timer_begins(place.0);
    }
}

/// Whether the place is in this crate, as for a poll that was called through a trait object, whose caller
/// is not known.
pub(super) fn passes_on(location: &Location<'_>) -> bool {
    const OWN: [&str; 5] = ["async_io.rs", "streams.rs", "net.rs", "timer.rs", "unix.rs"];
    let root = file!().strip_suffix("trace/place.rs").unwrap_or(file!());
    location.file().strip_prefix(root).is_some_and(|file| OWN.contains(&file))
}
