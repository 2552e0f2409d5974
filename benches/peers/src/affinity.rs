//! Keeps a row's threads apart, or together, so that the scheduler's choice of a core is not what is measured.

use rustix::thread::{sched_getaffinity, sched_setaffinity, CpuSet, Pid};

/// Puts the calling thread on one core until dropped. Does nothing where the process may use
/// one core only, or may not choose.
pub(crate) struct Pinned(Option<CpuSet>);

impl Pinned {
    /// `place` counts the cores the process may use, from 0, and wraps around.
    pub(crate) fn to(place: usize) -> Pinned {
        let Some((allowed, cores)) = cores() else { return Pinned(None) };
        let here = cores[place % cores.len()];
        Pinned(sched_setaffinity(None, &here).ok().map(|()| allowed))
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if let Some(allowed) = &self.0 {
            let _worst_case_the_thread_stays = sched_setaffinity(None, allowed);
        }
    }
}

/// Where the threads of a process run that hand work to each other. To wake one on another core may take
/// several times as long as on the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// Where the scheduler puts them.
    Anywhere,
    /// All on one core.
    OneCore,
    /// The calling thread on one core, all others on another.
    TwoCores,
}

/// All threads of the process are in their place until this is dropped; those that they start follow them.
/// Does nothing where the process may use one core only, or may not choose.
pub(crate) struct Placed(Option<CpuSet>);

impl Placed {
    pub(crate) fn new(place: Place) -> Placed {
        let others = match place {
            Place::Anywhere => return Placed(None),
            Place::OneCore => 0,
            Place::TwoCores => 1,
        };
        let Some((allowed, cores)) = cores() else { return Placed(None) };
        set_all(&cores[others]);
        let _as_good_as_possible = sched_setaffinity(None, &cores[0]);
        Placed(Some(allowed))
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        if let Some(allowed) = &self.0 {
            set_all(allowed);
        }
    }
}

/// The cores that this thread may use: together, and each by itself. `None`: there is no choice.
fn cores() -> Option<(CpuSet, Vec<CpuSet>)> {
    let allowed = sched_getaffinity(None).ok()?;
    let numbers = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
    let each = numbers.map(|core| {
        let mut one = CpuSet::new();
        one.set(core);
        one
    });
    let each: Vec<CpuSet> = each.collect();
    (each.len() > 1).then_some((allowed, each))
}

/// A thread that has just ended, or a system that does not list them, is left alone.
fn set_all(cores: &CpuSet) {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return };
    for thread in threads.flatten() {
        let number = thread.file_name().to_str().and_then(|name| name.parse().ok());
        let _the_others_are_moved = sched_setaffinity(number.and_then(Pid::from_raw), cores);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    /// The row `foreign` once ran on two cores what it said was on one: the calling thread was let go at once.
    #[test]
    fn threads_are_where_they_were_put() {
        let Some((allowed, cores)) = cores() else { return };
        // The test's own threads alone: those of other tests are moved as well, and back.
        let (ask, asked) = mpsc::channel::<()>();
        let (answer, answered) = mpsc::channel();
        let other = thread::spawn(move || {
            while asked.recv().is_ok() {
                answer.send(sched_getaffinity(None).unwrap()).unwrap();
            }
        });
        let where_are_we = || {
            ask.send(()).unwrap();
            (sched_getaffinity(None).unwrap(), answered.recv().unwrap())
        };
        let placed = Placed::new(Place::OneCore);
        assert_eq!(where_are_we(), (cores[0], cores[0]));
        drop(placed);
        let placed = Placed::new(Place::TwoCores);
        assert_eq!(where_are_we(), (cores[0], cores[1]));
        drop(placed);
        assert_eq!(where_are_we(), (allowed, allowed));
        drop(ask);
        other.join().unwrap();
    }
}
