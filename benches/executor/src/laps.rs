//! A stopwatch for operations that follow one another.
//!
//! It times laps of half a millisecond or less and yields the median lap. A lap is much shorter
//! than the slice of time that another process gets, so that most laps are whole even on a machine
//! that has other work, while the mean of all would be a measure of that work.

use std::time::Instant;

use crate::peer::Runtime;
use crate::row::Work;
use crate::stats::median;

/// Laps of a sample.
const LAPS: u64 = 400;

/// Times laps of operations, once the warm-up is over.
pub(crate) struct Laps {
    /// Operations of a lap.
    size: u64,
    done: u64,
    /// The count of operations at which the lap under way ends.
    end: u64,
    /// Where the lap under way began: the count and the time.
    begun: (u64, Instant),
    warm_up: u64,
    ns_per_op: Vec<f64>,
}

impl Laps {
    pub(crate) fn start(work: &Work) -> Laps {
        Laps::of(work, 1)
    }

    /// With laps of at least `size_min` operations, for work that comes in waves.
    pub(crate) fn of(work: &Work, size_min: u64) -> Laps {
        let size = (work.ops / LAPS).max(size_min).clamp(1, work.ops.max(1));
        Laps {
            size,
            done: 0,
            end: if work.warm_up > 0 { work.warm_up } else { size },
            begun: (0, Instant::now()),
            warm_up: work.warm_up,
            ns_per_op: Vec::with_capacity((work.ops / size) as usize + 1),
        }
    }

    /// An operation is done.
    pub(crate) fn op(&mut self) {
        self.ops(1);
    }

    /// So many operations are done.
    pub(crate) fn ops(&mut self, count: u64) {
        self.done += count;
        if self.done >= self.end {
            self.lap();
        }
    }

    #[cold]
    fn lap(&mut self) {
        let now = Instant::now();
        let (first, start) = self.begun;
        if first >= self.warm_up {
            let elapsed_ns = (now - start).as_nanos() as f64;
            self.ns_per_op.push(elapsed_ns / (self.done - first) as f64);
        }
        self.begun = (self.done, now);
        self.end = self.done + self.size;
    }

    /// Nanoseconds an operation: in the median lap where one thread works. Where there are more, in all
    /// laps together: there it matters how often a task goes from one thread to the other, which takes
    /// many times the usual lap.
    pub(crate) fn ns_per_op<R: Runtime>(&self) -> f64 {
        match R::THREADS {
            1 => median(&self.ns_per_op),
            _ => self.ns_per_op.iter().sum::<f64>() / self.ns_per_op.len() as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laps_of(warm_up: u64, ops: u64) -> usize {
        let work = Work { warm_up, ops };
        let mut laps = Laps::start(&work);
        for _ in 0..work.total() {
            laps.op();
        }
        laps.ns_per_op.len()
    }

    #[test]
    fn the_warm_up_is_in_no_lap() {
        assert_eq!(laps_of(50, 4_000), 400);
        assert_eq!(laps_of(0, 4_000), 400);
    }

    #[test]
    fn a_short_sample_has_a_lap() {
        assert_eq!(laps_of(0, 1), 1);
        assert_eq!(laps_of(3, 7), 7);
    }

    #[test]
    fn batches_longer_than_a_lap_are_laps() {
        let work = Work { warm_up: 0, ops: 100 };
        let mut laps = Laps::start(&work);
        laps.ops(50);
        laps.ops(50);
        assert_eq!(laps.ns_per_op.len(), 2);
    }
}
