//! The timers that a round found due: put in order, and taken some at a time.

/// Fewer are sorted without being spread first.
const SPREAD_MIN: usize = 256;

/// How many timers a bucket gets if the deadlines are spread evenly: this many, up to twice as many.
const BUCKET_LEN: usize = 2;

/// How many wakers are taken at a time: they stay in the nearest cache until they are woken, and the
/// lock is held for a few microseconds.
const CHUNK_LEN: usize = 256;

/// Room for more than this is given back after the round: 64 KiB a buffer are kept.
const KEPT_MAX: usize = 4_096;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DueTimer {
    pub(crate) deadline_ns: u64,
    pub(crate) id: u64,
    pub(super) slot: u32,
}

/// The timers that are due in a round, in the order in which they fire. They are out of the heap, and
/// their wakers still in its table.
#[derive(Debug, Default)]
pub(crate) struct Due {
    pub(super) timers: Vec<DueTimer>,
    /// The end of each bucket, if the timers were spread into buckets.
    ends: Vec<u32>,
    pub(super) now_ns: u64,
}

impl Due {
    pub(crate) fn len(&self) -> usize {
        self.timers.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.timers.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &DueTimer> {
        self.timers.iter()
    }

    /// When they were found due.
    pub(crate) fn now_ns(&self) -> u64 {
        self.now_ns
    }

    pub(crate) fn chunks(&self) -> impl Iterator<Item = &[DueTimer]> {
        self.timers.chunks(CHUNK_LEN)
    }

    /// Takes over what is due, in no order. Called with the timers' lock held, so it only spreads many
    /// into buckets of equal spans of time: that costs a fraction of sorting them all by comparison,
    /// and a bucket that gets more than its share is no worse off for it.
    pub(super) fn gather(&mut self, due: impl Iterator<Item = DueTimer> + Clone) {
        debug_assert!(self.timers.is_empty(), "what was due before is done with");
        self.timers.extend(due.clone());
        if self.timers.len() < SPREAD_MIN {
            return;
        }
        let (first_ns, last_ns) = self.timers.iter().fold((u64::MAX, 0), |(first, last), timer| {
            (first.min(timer.deadline_ns), last.max(timer.deadline_ns))
        });
        let span_bits = u64::BITS - (last_ns - first_ns).leading_zeros();
        let shift = span_bits.saturating_sub((self.timers.len() / BUCKET_LEN).ilog2());
        let bucket = |deadline_ns: u64| ((deadline_ns - first_ns) >> shift) as usize;

        // How many are in the buckets before each; then, as they move in, where the next one goes.
        self.ends.resize(bucket(last_ns) + 2, 0);
        for timer in &self.timers {
            self.ends[bucket(timer.deadline_ns) + 1] += 1;
        }
        for index in 1..self.ends.len() {
            self.ends[index] += self.ends[index - 1];
        }
        for timer in due {
            let place = &mut self.ends[bucket(timer.deadline_ns)];
            self.timers[*place as usize] = timer;
            *place += 1;
        }
    }

    /// Sorts by deadline, then by age.
    pub(super) fn sort(&mut self) {
        let mut rest = &mut self.timers[..];
        let mut start = 0;
        for end in self.ends.drain(..).chain([rest.len() as u32]) {
            let (bucket, behind) = rest.split_at_mut((end - start) as usize);
            bucket.sort_unstable_by_key(|timer| (timer.deadline_ns, timer.id));
            (rest, start) = (behind, end);
        }
    }

    /// Forgets them.
    pub(crate) fn clear(&mut self) {
        self.timers.clear();
        self.timers.shrink_to(KEPT_MAX);
        self.ends.shrink_to(KEPT_MAX);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Sorts `count` timers whose deadlines `deadline` makes of random numbers, in a random order, and
    /// compares with the standard library.
    #[track_caller]
    fn sorts(count: u32, deadline: impl Fn(u64) -> u64) {
        let mut random = 0x2545_f491_4f6c_dd1du64;
        let mut timers = Vec::new();
        for slot in 0..count {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            // Each number once: a multiplier that has no factor in common with a power of two.
            let id = u64::from(slot.wrapping_mul(0x9e37_79b1));
            timers.push(DueTimer { deadline_ns: deadline(random), id, slot });
        }
        let mut due = Due::default();
        due.gather(timers.iter().copied());
        due.sort();
        timers.sort_by_key(|timer| (timer.deadline_ns, timer.id));
        assert_eq!(due.timers, timers);
    }

    #[test]
    fn sorts_few_and_many_evenly_and_unevenly_spread() {
        for count in [0, 1, 2, SPREAD_MIN as u32 - 1, SPREAD_MIN as u32, 5_000] {
            sorts(count, |random| 1_000_000_000 + random % 1_000_000);
            sorts(count, |random| random % 7);
            sorts(count, |_| 77);
            sorts(count, |random| if random % 1_000 == 0 { u64::MAX } else { random % 100 });
            sorts(count, |random| if random % 2 == 0 { 0 } else { u64::MAX });
            sorts(count, |random| 1 << (random % 64));
        }
    }

    #[test]
    fn room_for_many_is_given_back() {
        let mut due = Due::default();
        let timer = DueTimer { deadline_ns: 1, id: 1, slot: 0 };
        due.gather(std::iter::repeat_n(timer, 10 * KEPT_MAX));
        due.sort();
        assert_eq!(due.len(), 10 * KEPT_MAX);
        due.clear();
        assert_eq!(due.len(), 0);
        assert!(due.timers.capacity().max(due.ends.capacity()) <= KEPT_MAX);
    }
}
