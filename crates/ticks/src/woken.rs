//! Who was woken and has not asked since.

use std::collections::HashMap;

use ticks_format::{Awaited, Key, Record, Waiter, WakeCause, WakerChange, What};

use crate::input::Input;

/// The last wakes and polls that a recording holds, by its counter.
#[derive(Default)]
pub struct Wakes {
    /// By source, direction and task.
    wakes: HashMap<(Key, u8, u64), u64>,
    /// By source, direction and waiter.
    polls: HashMap<(Key, u8, u64), u64>,
}

impl Wakes {
    /// Reads all rings, if one of these waits for a source.
    pub fn of(input: &Input, waiters: &[Waiter]) -> anyhow::Result<Wakes> {
        let mut found = Wakes::default();
        let is_of_source = |it: &Waiter| matches!(it.awaited, Awaited::Source { .. });
        if !waiters.iter().any(is_of_source) {
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
                    self.wakes.entry((key, dir.code(), wake.task)).or_default()
                }
                _ => return,
            },
            Record::PollEnd(poll) => {
                self.polls.entry((poll.key, poll.dir.code(), poll.waiter)).or_default()
            }
            // One that goes asks no more.
            Record::SourceWaker(gone) if gone.change == WakerChange::Dropped => {
                self.polls.entry((gone.key, gone.dir.code(), gone.waiter)).or_default()
            }
            _ => return,
        };
        *last = time.max(*last);
    }

    /// When the task that waits was woken, if it has not asked since.
    pub fn owed(&self, waiter: &Waiter) -> Option<u64> {
        let Awaited::Source { key, dir, waiter: number, .. } = waiter.awaited else { return None };
        let woken = *self.wakes.get(&(key, dir.code(), waiter.task))?;
        let polled = self.polls.get(&(key, dir.code(), number)).copied().unwrap_or(0);
        (woken > polled.max(waiter.since)).then_some(woken)
    }
}
