//! The timers that a round found due: put in order, and taken some at a time.

use super::queue::Entry;

/// Fewer are sorted without being spread first.
const SPREAD_MIN: usize = 256;

/// How many share a bucket, or up to twice as many, when the deadlines are spread evenly.
const BUCKET_LEN: usize = 2;

/// How many wakers are taken at a time: they stay in the nearest cache until they are woken, and the
/// lock is held for a few microseconds.
const CHUNK_LEN: usize = 256;

/// Room for more than this is given back after the round: 64 KiB a buffer are kept.
const KEPT_MAX: usize = 4_096;

/// The timers that are due in a round, in the order in which they fire. They are out of the heap, and
/// their wakers still in its table.
#[derive(Debug, Default)]
pub(crate) struct Due {
    pub(super) entries: Vec<Entry>,
    /// Where the bucket ends that each of them is in, if they were spread into buckets.
    ends: Vec<u32>,
    pub(super) now_ns: u64,
}

impl Due {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// When they were found due.
    pub(crate) fn now_ns(&self) -> u64 {
        self.now_ns
    }

    pub(crate) fn chunks(&self) -> impl Iterator<Item = &[Entry]> {
        self.entries.chunks(CHUNK_LEN)
    }

    /// Takes over what is due, in no order. Called with the timers' lock held, so it only spreads many
    /// into buckets of equal spans of time: that costs a fraction of sorting them all by comparison,
    /// and a bucket that gets more than its share is no worse off for it.
    pub(super) fn gather(&mut self, due: &[Entry]) {
        debug_assert!(self.entries.is_empty(), "what was due before is done with");
        self.entries.extend_from_slice(due);
        if due.len() < SPREAD_MIN {
            return;
        }
        let (first_ns, last_ns) = due.iter().fold((u64::MAX, 0), |(first, last), entry| {
            (first.min(entry.deadline_ns), last.max(entry.deadline_ns))
        });
        let span_bits = u64::BITS - (last_ns - first_ns).leading_zeros();
        let shift = span_bits.saturating_sub((due.len() / BUCKET_LEN).ilog2());
        let bucket = |deadline_ns: u64| ((deadline_ns - first_ns) >> shift) as usize;

        // How many are in the buckets before each; then, as they move in, where the next one goes.
        self.ends.resize(bucket(last_ns) + 2, 0);
        for entry in due {
            self.ends[bucket(entry.deadline_ns) + 1] += 1;
        }
        for index in 1..self.ends.len() {
            self.ends[index] += self.ends[index - 1];
        }
        for entry in due {
            let place = &mut self.ends[bucket(entry.deadline_ns)];
            self.entries[*place as usize] = *entry;
            *place += 1;
        }
    }

    /// Sorts by deadline, then by age. `next_id`: the number that the next timer will get.
    pub(super) fn sort(&mut self, next_id: u64) {
        // The youngest that can be armed was the last to get a number. Of two that are due at the same
        // instant, one may come first that is four billion insertions younger.
        let youngest = next_id as u32;
        let mut rest = &mut self.entries[..];
        let mut start = 0;
        for end in self.ends.drain(..).chain([rest.len() as u32]) {
            let (bucket, behind) = rest.split_at_mut((end - start) as usize);
            bucket.sort_unstable_by_key(|entry| {
                (entry.deadline_ns, entry.order.wrapping_sub(youngest))
            });
            (rest, start) = (behind, end);
        }
    }

    /// Forgets them.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.entries.shrink_to(KEPT_MAX);
        self.ends.shrink_to(KEPT_MAX);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Sorts `count` entries whose deadlines `deadline` makes of random numbers, in a random order, and
    /// compares with the standard library.
    #[track_caller]
    fn sorts(count: u32, next_id: u64, deadline: impl Fn(u64) -> u64) {
        let mut random = 0x2545_f491_4f6c_dd1du64;
        let mut entries = Vec::new();
        for slot in 0..count {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            // Each number once: a multiplier that has no factor in common with a power of two.
            let age = u64::from(slot.wrapping_mul(0x9e37_79b1) >> 8) << 8 | u64::from(slot & 0xff);
            let order = next_id.wrapping_sub(1 + age) as u32;
            entries.push(Entry { deadline_ns: deadline(random), order, slot });
        }
        let by = |entry: &Entry| (entry.deadline_ns, entry.order.wrapping_sub(next_id as u32));
        let tell = |entry: &Entry| (entry.deadline_ns, entry.order, entry.slot);
        let mut due = Due::default();
        due.gather(&entries);
        due.sort(next_id);
        entries.sort_by_key(by);
        let sorted: Vec<_> = due.iter().map(tell).collect();
        assert_eq!(sorted, entries.iter().map(tell).collect::<Vec<_>>());
    }

    #[test]
    fn sorts_few_and_many_evenly_and_unevenly_spread() {
        for count in [0, 1, 2, SPREAD_MIN as u32 - 1, SPREAD_MIN as u32, 5_000] {
            sorts(count, 1 << 20, |random| 1_000_000_000 + random % 1_000_000);
            sorts(count, 1 << 20, |random| random % 7);
            sorts(count, 1 << 20, |_| 77);
            sorts(
                count,
                1 << 20,
                |random| if random % 1_000 == 0 { u64::MAX } else { random % 100 },
            );
            sorts(count, 1 << 20, |random| if random % 2 == 0 { 0 } else { u64::MAX });
            sorts(count, 1 << 20, |random| 1 << (random % 64));
            sorts(count, (1 << 32) + 10, |random| random % 3);
        }
    }

    #[test]
    fn room_for_many_is_given_back() {
        let mut due = Due::default();
        let entry = Entry { deadline_ns: 1, order: 1, slot: 0 };
        due.gather(&vec![entry; 10 * KEPT_MAX]);
        due.sort(2);
        assert_eq!(due.len(), 10 * KEPT_MAX);
        due.clear();
        assert_eq!(due.len(), 0);
        assert!(due.entries.capacity().max(due.ends.capacity()) <= KEPT_MAX);
    }
}
