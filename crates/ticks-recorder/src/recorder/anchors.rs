//! Anchors: readings of all clocks, taken again as time goes on, so that drift can be corrected.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Mutex;

use ticks_format::layout::Section;
use ticks_format::Anchor;

use super::map::Map;
use super::{stamp, table};

/// How long after the one before an anchor is taken: soon at first, to know the counter's rate.
const WAITS_NS: [u64; 4] = [10_000_000, 100_000_000, 1_000_000_000, 10_000_000_000];

/// The anchors of a recording.
#[derive(Debug)]
pub(super) struct Anchors {
    section: Section,
    units_per_second: u64,
    /// When the next one is due, by the counter.
    due: AtomicU64,
    /// Holding it grants the right to take one. A thread that finds it held goes on without an anchor.
    taken: Mutex<Taken>,
}

#[derive(Debug)]
struct Taken {
    count: u64,
    last: Anchor,
}

impl Anchors {
    /// Stores the first two readings.
    pub(super) fn new(
        map: &Map,
        section: Section,
        first: &Anchor,
        second: &Anchor,
        units_per_second: u64,
    ) -> Anchors {
        let taken = Mutex::new(Taken { count: 0, last: *first });
        let due = AtomicU64::new(0);
        let anchors = Anchors { section, units_per_second, due, taken };
        for anchor in [first, second] {
            let mut taken = anchors.taken.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            anchors.put(map, &mut taken, anchor);
        }
        anchors
    }

    /// Takes an anchor if one is due at `time`. Returns when the next one is.
    #[cold]
    pub(super) fn keep_up(&self, map: &Map, time: u64) -> u64 {
        let due = self.due.load(Ordering::Relaxed);
        if time < due {
            return due;
        }
        if let Ok(mut taken) = self.taken.try_lock() {
            let anchor = stamp::reading();
            stamp::fix_rate(&taken.last, &anchor);
            self.put(map, &mut taken, &anchor);
        }
        self.due.load(Ordering::Relaxed)
    }

    /// The first reading stays; the others follow each other around.
    fn put(&self, map: &Map, taken: &mut Taken, anchor: &Anchor) {
        let index = match taken.count {
            0 => 0,
            count => 1 + (count - 1) % (self.section.entries() - 1),
        };
        let offset = self.section.offset + index * self.section.entry_bytes;
        let entry = map.words(offset as usize, self.section.entry_bytes as usize);
        table::put(entry, &anchor.words());
        *taken = Taken { count: taken.count + 1, last: *anchor };
        let wait_ns = WAITS_NS[(taken.count as usize - 1).min(WAITS_NS.len() - 1)];
        let units = u128::from(wait_ns) * u128::from(self.units_per_second) / 1_000_000_000;
        self.due.store(anchor.counter.saturating_add(units as u64), Ordering::Relaxed);
    }
}
