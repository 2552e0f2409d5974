//! Places in the code: where a wait began, each kept once in the file.

use std::cell::Cell;
use std::panic::Location;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use ticks_format::layout::Section;

use super::admission;
use super::map::Map;
use super::strings;

/// How many places are remembered. A program has far fewer at which it waits.
const PLACES_MAX: usize = 1024;
const PROBES: usize = 8;

thread_local! {
    /// Where the poll under way was called from, if that is known.
    static HERE: Cell<Option<&'static Location<'static>>> = const { Cell::new(None) };
}

/// Sets the place of the wait that may begin next.
#[inline]
pub fn set_place(at: &'static Location<'static>) {
    HERE.with(|here| here.set(Some(at)));
}

/// The places that the file holds.
#[derive(Debug)]
pub(super) struct Places {
    section: Section,
    known: Box<[Known]>,
}

#[derive(Debug)]
struct Known {
    /// Names the place; null: nobody has this entry.
    location: AtomicPtr<()>,
    /// Where it is in the file; 0: not there, or not yet. Released when it is.
    place: AtomicU64,
}

impl Places {
    pub(super) fn new(section: Section) -> Places {
        let known =
            || Known { location: AtomicPtr::new(ptr::null_mut()), place: AtomicU64::new(0) };
        Places { section, known: (0..PLACES_MAX).map(|_| known()).collect() }
    }

    /// Where the texts of the file are.
    pub(super) fn section(&self) -> &Section {
        &self.section
    }

    /// The place of the poll under way; 0 if it is not known.
    #[inline]
    pub(super) fn here(&self, map: &Map) -> u64 {
        match HERE.with(Cell::get) {
            Some(location) => self.of(location, map),
            None => 0,
        }
    }

    fn of(&self, location: &'static Location<'static>, map: &Map) -> u64 {
        let name = (location as *const Location<'_>).cast_mut().cast::<()>();
        // Locations are multiples of eight bytes apart.
        let home = (name as usize >> 3).wrapping_mul(0x9e37_79b1) >> 7;
        for probe in 0..PROBES {
            let known = &self.known[(home + probe) % PLACES_MAX];
            let there = known.location.load(Ordering::Acquire);
            if there == name {
                return known.place.load(Ordering::Acquire);
            }
            if there.is_null() {
                let (set, fetch) = (Ordering::AcqRel, Ordering::Acquire);
                match known.location.compare_exchange(there, name, set, fetch) {
                    Ok(_) => {
                        let place = self.append(location, map);
                        known.place.store(place, Ordering::Release);
                        return place;
                    }
                    Err(other) if other == name => return known.place.load(Ordering::Acquire),
                    Err(_) => {}
                }
            }
        }
        0
    }

    /// Puts a place into the file. Returns where; 0 if there is no room.
    #[cold]
    fn append(&self, location: &Location<'_>, map: &Map) -> u64 {
        if says_nothing(location) {
            return 0;
        }
        let place = strings::append(&self.section, map, &location.to_string());
        map.tell_if_full();
        place
    }
}

/// Whether the place says nothing about who waits. It may be in the reactor: a poll through a trait
/// object does not know its caller. Or it is in code that only passes polls on, as for a boxed stream.
fn says_nothing(location: &Location<'_>) -> bool {
    let file = location.file();
    admission::reactor().is_some_and(|reactor| (reactor.passes_on)(location))
        || file.starts_with("/rustc/")
        || file.contains("/futures-io-")
}
