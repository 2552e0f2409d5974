//! From where in the code a wait is asked for, for the table of who waits.

use std::panic::Location;

use super::{is_recording, recorder};

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

/// The poll that begins is asked for by the caller's caller.
#[inline(always)]
#[track_caller]
pub(crate) fn place_here() {
    if is_recording() {
        recorder::set_place(Location::caller());
    }
}

/// The poll that begins is asked for by what was made at `place`.
#[inline(always)]
pub(crate) fn place_at(place: Place) {
    if is_recording() {
        recorder::set_place(place.0);
    }
}
