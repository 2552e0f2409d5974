//! How long tasks that were woken wait to be polled, and how late timers fire, over the time of the recording.

use std::collections::HashMap;

use ticks_format::Record;

/// Into how many parts the time is cut at most, and at least half as many.
const PARTS_MAX: usize = 64;

/// How long the first parts are.
const PART_NS: u64 = 50_000_000;

/// One measure over time. The parts grow with the recording, so that there are never more than some.
pub struct Series {
    begin_ns: Option<u64>,
    part_ns: u64,
    parts: Vec<Part>,
}

/// A part of the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// How many values.
    pub count: u64,
    /// Their sum.
    pub sum_ns: u64,
    /// The greatest.
    pub max_ns: u64,
}

impl Part {
    /// The mean.
    pub fn mean_ns(&self) -> u64 {
        self.sum_ns.checked_div(self.count).unwrap_or(0)
    }

    fn join(self, other: Part) -> Part {
        Part {
            count: self.count + other.count,
            sum_ns: self.sum_ns.saturating_add(other.sum_ns),
            max_ns: self.max_ns.max(other.max_ns),
        }
    }
}

impl Default for Series {
    fn default() -> Series {
        Series { begin_ns: None, part_ns: PART_NS, parts: Vec::new() }
    }
}

impl Series {
    /// Takes in a value of that time.
    pub fn add(&mut self, at_ns: u64, value_ns: u64) {
        let begin_ns = *self.begin_ns.get_or_insert(at_ns);
        let since_ns = at_ns.saturating_sub(begin_ns);
        while since_ns / self.part_ns >= PARTS_MAX as u64 {
            self.part_ns *= 2;
            let pairs = self.parts.chunks(2);
            self.parts =
                pairs.map(|pair| pair.iter().copied().fold(Part::default(), Part::join)).collect();
        }
        let index = (since_ns / self.part_ns) as usize;
        if self.parts.len() <= index {
            self.parts.resize(index + 1, Part::default());
        }
        let value = Part { count: 1, sum_ns: value_ns, max_ns: value_ns };
        self.parts[index] = self.parts[index].join(value);
    }

    /// The whole, cut into that many parts.
    pub fn cut(&self, into: usize) -> Vec<Part> {
        let size = self.parts.len().div_ceil(into.max(1)).max(1);
        let parts = self.parts.chunks(size);
        parts.map(|part| part.iter().copied().fold(Part::default(), Part::join)).collect()
    }
}

/// The measures.
#[derive(Default)]
pub struct Delays {
    /// From the wake of a task to its poll.
    pub scheduled: Series,
    /// From when a timer was due to when it fired.
    pub timers: Series,
    /// Of each task that lives, the sum of its delays and how many there were.
    pub by_task: HashMap<u64, (u64, u64)>,
    /// By which calls each task that lives asked last to be woken.
    pub stacks: HashMap<u64, u64>,
    /// How long each task that lives was polled in all, and the longest poll.
    pub polled: HashMap<u64, (u64, u64)>,
    woken: HashMap<u64, u64>,
}

impl Delays {
    /// Takes in the next record.
    pub fn add(&mut self, record: &Record, at_ns: u64) {
        match record {
            Record::TaskWake(wake) if wake.first => {
                self.woken.insert(wake.task, at_ns);
            }
            Record::TaskPollBegin(poll) => {
                if let Some(woken_ns) = self.woken.remove(&poll.task) {
                    let delay_ns = at_ns.saturating_sub(woken_ns);
                    self.scheduled.add(at_ns, delay_ns);
                    let (sum_ns, count) = self.by_task.entry(poll.task).or_default();
                    (*sum_ns, *count) = (sum_ns.saturating_add(delay_ns), *count + 1);
                }
            }
            Record::TaskPollEnd(poll) => {
                let (sum_ns, max_ns) = self.polled.entry(poll.task).or_default();
                *sum_ns = sum_ns.saturating_add(poll.duration_ns);
                *max_ns = poll.duration_ns.max(*max_ns);
                if poll.stack != 0 {
                    self.stacks.insert(poll.task, poll.stack);
                }
            }
            Record::TimerFire(timer) => self.timers.add(at_ns, timer.late_ns),
            Record::TaskDone(task) => self.forget(task.task),
            Record::TaskCancelled(task) => self.forget(task.task),
            Record::TaskPanicked(task) => self.forget(task.task),
            _ => {}
        }
    }

    fn forget(&mut self, task: u64) {
        self.by_task.remove(&task);
        self.stacks.remove(&task);
        self.polled.remove(&task);
        self.woken.remove(&task);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_recording_has_no_more_parts_than_a_short_one() {
        let mut series = Series::default();
        for second in 0..100_000 {
            series.add(second * 1_000_000_000, second);
        }
        assert!(series.parts.len() <= PARTS_MAX, "{}", series.parts.len());
        let quarters = series.cut(4);
        assert_eq!(quarters.iter().map(|part| part.count).sum::<u64>(), 100_000);
        assert_eq!(quarters.last().expect("a part").max_ns, 99_999);
        assert!(quarters[0].mean_ns() < quarters[1].mean_ns());
    }
}
