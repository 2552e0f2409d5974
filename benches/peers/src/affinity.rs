//! Keeps a row's threads apart, so that the scheduler's choice of a core is not what is measured.

use rustix::thread::{sched_getaffinity, sched_setaffinity, CpuSet, Pid};

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

/// Puts all threads of the process, and those that they start, on one core until dropped. Does nothing
/// where the process may use one core only, or may not choose.
///
/// For what is handed from thread to thread: waking one on another core takes four times as long here
/// as on the same, and the scheduler would choose.
pub(crate) struct Together(Option<CpuSet>);

impl Together {
    pub(crate) fn new() -> Together {
        let here = Pinned::to(0);
        let Some(allowed) = here.0 else { return Together(None) };
        // This thread's is that of all from here on.
        let Ok(one) = sched_getaffinity(None) else { return Together(None) };
        set_all(&one);
        Together(Some(allowed))
    }
}

impl Drop for Together {
    fn drop(&mut self) {
        if let Some(allowed) = &self.0 {
            set_all(allowed);
        }
    }
}

/// A thread that has just ended, or a system that does not list them, is left alone.
fn set_all(cores: &CpuSet) {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return };
    for thread in threads.flatten() {
        let number = thread.file_name().to_str().and_then(|name| name.parse().ok());
        let _the_others_are_moved = sched_setaffinity(number.and_then(Pid::from_raw), cores);
    }
}
