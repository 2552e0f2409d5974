//! The names of tasks, each kept once in the file.

use std::collections::HashMap;
use std::sync::Mutex;

use super::map::Map;
use super::places::Places;
use super::strings;

/// The longest name that is kept, in bytes: what is beyond tells types of types.
const NAME_BYTES_MAX: usize = 1024;

/// The names that the file holds, and where.
#[derive(Debug, Default)]
pub(super) struct Names(Mutex<HashMap<Box<str>, u64>>);

impl Names {
    /// Where the name is in the file; 0 if there is no room.
    pub(super) fn of(&self, name: &str, places: &Places, map: &Map) -> u64 {
        let mut len = name.len().min(NAME_BYTES_MAX);
        while !name.is_char_boundary(len) {
            len -= 1;
        }
        let name = &name[..len];
        // Holding it grants the right to look a name up and to add it. Nobody panics meanwhile.
        let mut known = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(place) = known.get(name) {
            return *place;
        }
        let place = strings::append(places.section(), map, name);
        // If there is no room now, there never will be: do not remember the name.
        if place != 0 {
            known.insert(name.into(), place);
        }
        drop(known);
        map.tell_if_full();
        place
    }
}
