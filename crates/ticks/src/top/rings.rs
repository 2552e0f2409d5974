//! What the threads have recorded since the last look.

use std::collections::HashMap;
use std::time::Instant;

use ticks_format::{Loss, Record, Ring, What};

use super::shown::Rates;
use crate::input::Input;
use crate::line;

/// Enough slots to hold a whole record.
const TAIL_SLOTS: u64 = 64;

/// The rings of a recording, as far as they were read.
#[derive(Default)]
pub struct Rings {
    seen: HashMap<u64, Seen>,
    at: Option<Instant>,
}

/// A ring, as far as it was read.
struct Seen {
    position: u64,
    last: Option<Last>,
}

/// The last record of a thread.
#[derive(Clone)]
pub struct Last {
    /// When it was made: UTC.
    pub utc_ns: u64,
    /// The record as text.
    pub text: String,
}

/// A thread that records.
pub struct Recorded {
    /// Its number.
    pub tid: u64,
    /// Its name.
    pub name: String,
    /// Its last record.
    pub last: Option<Last>,
}

/// What was done since the last look.
#[derive(Default)]
struct Counts {
    polls: u64,
    rounds: u64,
    /// What the reactor woke.
    wakes: u64,
    /// The wakes of tasks, by whomever. One by the reactor makes both records.
    task_wakes: u64,
}

impl Rings {
    /// Reads what is new. The rates are none at the first look, and where there is no ring.
    pub fn look(&mut self, input: &Input) -> anyhow::Result<(Option<Rates>, Vec<Recorded>)> {
        let (now, before) = (Instant::now(), self.at);
        let (mut counts, mut is_at_least) = (Counts::default(), false);
        let mut threads = Vec::new();
        let rings = input.recording.rings()?;
        for ring in &rings {
            let loss = self.read(input, ring, &mut counts)?;
            is_at_least |= loss != Loss::default();
            if ring.owned {
                threads.push(Recorded {
                    tid: ring.owner.tid,
                    name: ring.owner.name.to_string(),
                    last: self.seen.get(&ring.index).and_then(|seen| seen.last.clone()),
                });
            }
        }
        self.at = Some(now);
        let seconds = before.map(|before| now.duration_since(before).as_secs_f64());
        let seconds = seconds.filter(|seconds| *seconds > 0.0 && !rings.is_empty());
        let rates = seconds.map(|seconds| {
            let per_s = |count: u64| count as f64 / seconds;
            Rates {
                polls: per_s(counts.polls),
                rounds: per_s(counts.rounds),
                wakes: per_s(counts.wakes.max(counts.task_wakes)),
                is_at_least,
            }
        });
        Ok((rates, threads))
    }

    fn read(&mut self, input: &Input, ring: &Ring, counts: &mut Counts) -> anyhow::Result<Loss> {
        // What was there before the first look counts for nothing but the last record.
        let is_first = self.at.is_none();
        let position = if is_first { ring.head.saturating_sub(TAIL_SLOTS) } else { 0 };
        let seen = self.seen.entry(ring.index).or_insert(Seen { position, last: None });
        let mut records = input.recording.records_from(ring, seen.position)?;
        let mut last = None;
        for stamped in &mut records {
            let stamped = stamped?;
            if let (What::Record(record), false) = (&stamped.what, is_first) {
                counts.add(record);
            }
            last = Some(stamped);
        }
        seen.position = records.position();
        if let Some(last) = last {
            let utc_ns = input.utc_ns(last.time);
            seen.last = Some(Last { utc_ns, text: line::text(&last.what) });
        }
        Ok(if is_first { Loss::default() } else { records.loss() })
    }
}

impl Counts {
    fn add(&mut self, record: &Record) {
        match record {
            Record::TaskPollBegin(_) => self.polls += 1,
            Record::ReactEnd(_) => self.rounds += 1,
            Record::Wake(_) => self.wakes += 1,
            Record::TaskWake(_) => self.task_wakes += 1,
            _ => {}
        }
    }
}
