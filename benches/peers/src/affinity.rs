//! Keeps a row's threads apart, so that the scheduler's choice of a core is not what is measured.

use rustix::thread::{sched_getaffinity, sched_setaffinity, CpuSet};

/// Puts the calling thread on one core until dropped. Does nothing where the process may use
/// one core only, or may not choose.
pub(crate) struct Pinned(Option<CpuSet>);

impl Pinned {
    /// `place` counts the cores the process may use, from 0, and wraps around.
    pub(crate) fn to(place: usize) -> Pinned {
        let Ok(allowed) = sched_getaffinity(None) else {
            return Pinned(None);
        };
        let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect();
        if cores.len() < 2 {
            return Pinned(None);
        }
        let mut one = CpuSet::new();
        one.set(cores[place % cores.len()]);
        Pinned(sched_setaffinity(None, &one).ok().map(|()| allowed))
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if let Some(allowed) = &self.0 {
            let _worst_case_the_thread_stays = sched_setaffinity(None, allowed);
        }
    }
}
