//! The timers that are armed, and how late those fire that are due.

use std::collections::HashMap;

use ticks_format::Record;

/// Timers.
#[derive(Default)]
pub struct Timers {
    /// The armed ones, by number: for how long each was set.
    pub armed: HashMap<u64, u64>,
    /// How many have fired.
    pub fired: u64,
}

impl Timers {
    /// Takes in the next record.
    pub fn add(&mut self, record: &Record, _at_ns: u64) {
        match record {
            Record::TimerInsert(timer) => {
                self.armed.insert(timer.id, timer.in_ns);
            }
            Record::TimerRemove(timer) => {
                self.armed.remove(&timer.id);
            }
            Record::TimerFire(timer) => {
                self.armed.remove(&timer.id);
                self.fired += 1;
            }
            _ => {}
        }
    }
}
