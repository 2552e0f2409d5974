//! Who was woken and has not asked since.

use std::collections::HashMap;

use ticks_format::{Direction, Key, Record, Waiter, WaiterId, WakeCause, WakerChange, What};

use crate::input::Input;

/// The last wakes and polls that a recording holds, by its counter.
#[derive(Default)]
pub struct Wakes {
    /// By source, direction and task.
    wakes: HashMap<(Key, Direction, u64), u64>,
    polls: HashMap<WaiterId, u64>,
}

impl Wakes {
    /// Reads all rings, if one of these waits for a source.
    pub fn of(input: &Input, waiters: &[Waiter]) -> anyhow::Result<Wakes> {
        let mut found = Wakes::default();
        if waiters.iter().all(|waiter| waiter.waiter_id().is_none()) {
            return Ok(found);
        }
        for ring in input.recording.rings()? {
            for record in input.recording.records(&ring)? {
                let record = record?;
                if let What::Record(what) = &record.what {
                    found.add(what, record.time);
                }
            }
        }
        Ok(found)
    }

    fn add(&mut self, record: &Record, time: u64) {
        let last = match record {
            Record::Wake(wake) => match (wake.by, wake.key, wake.dir) {
                (WakeCause::Source, Some(key), Some(dir)) => {
                    self.wakes.entry((key, dir, wake.task)).or_default()
                }
                _ => return,
            },
            Record::SourceWaker(waker) if waker.change != WakerChange::Dropped => return,
            // One that goes asks no more.
            Record::PollEnd(_) | Record::SourceWaker(_) => match record.waiter_id() {
                Some(waiter) => self.polls.entry(waiter).or_default(),
                None => return,
            },
            _ => return,
        };
        *last = time.max(*last);
    }

    /// When the task that waits was woken, if it has not asked since.
    pub fn owed(&self, waiter: &Waiter) -> Option<u64> {
        let id = waiter.waiter_id()?;
        let woken = *self.wakes.get(&(id.key, id.dir, waiter.task))?;
        let polled = self.polls.get(&id).copied().unwrap_or(0);
        (woken > polled.max(waiter.since)).then_some(woken)
    }
}
