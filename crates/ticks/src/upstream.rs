//! What async-io 2.6.0 would have answered, worked out from a file's records in the order of time.
//!
//! No record may be missing for that: where some are, of one thread or of all, nothing is said until
//! the file is whole again, and from there on only what the later records tell.

use ticks_format::layout::counter;
use ticks_format::{Record, Shadow, Verdict, What};

use crate::input::Input;

/// The shadow of one file.
#[derive(Clone, Debug)]
pub struct Upstream {
    shadow: Shadow,
    /// Before this records are missing.
    whole_from_ns: u64,
}

impl Upstream {
    /// Of a file whose oldest records are next.
    pub fn new() -> Upstream {
        Upstream { shadow: Shadow::new(), whole_from_ns: 0 }
    }

    /// Looks whether records found no ring: when that was, nobody knows.
    pub fn check(&mut self, input: &Input) -> anyhow::Result<()> {
        // What answered there is its rule.
        let is_its_own = input.log.as_ref().is_some_and(|log| log.of_upstream);
        if is_its_own || input.recording.counter(counter::UNRECORDED)? > 0 {
            self.lost_until(u64::MAX);
        }
        Ok(())
    }

    /// Records before this time are missing.
    pub fn lost_until(&mut self, utc_ns: u64) {
        self.shadow.forget();
        self.whole_from_ns = self.whole_from_ns.max(utc_ns);
    }

    /// Takes in the next record. Of a poll that ends, returns the answer of 2.6.0 if that is known, and
    /// notes it in the record if it differs.
    pub fn judge(&mut self, utc_ns: u64, what: &mut What) -> Option<Verdict> {
        let What::Record(record) = what else { return None };
        if utc_ns < self.whole_from_ns {
            return None;
        }
        let verdict = self.shadow.observe(record)?;
        if let Record::PollEnd(poll) = record {
            poll.upstream = Some(verdict).filter(|verdict| *verdict != poll.result);
        }
        Some(verdict)
    }
}
