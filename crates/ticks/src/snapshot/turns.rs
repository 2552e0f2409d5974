//! How far the threads that poll an executor's tasks have come, from the memory.
//!
//! A task that is found running at each look is in one long poll, or was polled again and again: with enough to do, it
//! is nearly always running. Its thread's count of looks for a task tells the two apart.

use std::collections::HashMap;

use ticks_format::published::{executor as word, runner_bits};

use super::tables::Table;
use crate::memory::{Memory, Unreadable};

/// The runners of an executor at one moment.
///
/// How often each has looked for a task, of those that are in a `run` and do not sleep. Empty where that is not known:
/// without a runner, tasks are polled by `tick`, which counts nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turns(HashMap<u64, u64>);

impl Turns {
    /// Of an executor that any thread may run, with these runners.
    pub fn shared(memory: &dyn Memory, table: &Table, runners: &[u64]) -> Turns {
        let mut turns = Turns::default();
        if !table.has(word::RUNNER_BITS) {
            return turns;
        }
        for runner in runners {
            let at = |number| memory.u64(runner + table.get(number));
            let looks = || -> Result<Option<u64>, Unreadable> {
                if at(word::RUNNER_IN_USE)? == 0 {
                    return Ok(None);
                }
                let is_asleep = at(word::RUNNER_BITS)? & runner_bits::ASLEEP != 0;
                Ok((!is_asleep).then_some(at(word::RUNNER_LOOKS)?))
            };
            if let Ok(Some(looks)) = looks() {
                turns.0.insert(*runner, looks);
            }
        }
        turns
    }

    /// Of an executor of one thread.
    pub fn local(memory: &dyn Memory, table: &Table, state: u64) -> Turns {
        let looks = match table.has(word::LOCAL_LOOKS) {
            true => memory.u64(state + table.get(word::LOCAL_LOOKS)).ok(),
            false => None,
        };
        Turns(looks.map(|looks| (state, looks)).into_iter().collect())
    }

    /// Whether a thread has not looked for a task since the earlier moment: it is in a long poll. `None`: not known.
    pub fn are_stuck(&self, earlier: &Turns) -> Option<bool> {
        let is_known = !self.0.is_empty() && !earlier.0.is_empty();
        let is_stuck = |(runner, looks): (&u64, &u64)| earlier.0.get(runner) == Some(looks);
        is_known.then(|| self.0.iter().any(is_stuck))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(looks: &[(u64, u64)]) -> Turns {
        Turns(looks.iter().copied().collect())
    }

    #[test]
    fn a_poll_goes_on_where_nobody_looked_for_another_task() {
        let then = turns(&[(1, 10), (2, 20)]);
        assert_eq!(turns(&[(1, 10), (2, 21)]).are_stuck(&then), Some(true), "the first thread is");
        assert_eq!(turns(&[(1, 11), (2, 21)]).are_stuck(&then), Some(false), "both went on");
        assert_eq!(turns(&[(3, 1)]).are_stuck(&then), Some(false), "another came, and those sleep");
        assert_eq!(turns(&[]).are_stuck(&Turns::default()), None, "nothing is known");
    }
}
