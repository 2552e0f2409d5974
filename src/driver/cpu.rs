//! Whether the threads in `block_on` compute, or are blocked outside this crate.
//!
//! A thread that computes uses processor time, and its clock says how much. On systems without such
//! clocks, each thread counts as blocked.
//!
//! This file may contain `unsafe`: a system call that takes a pointer.

#![allow(unsafe_code)]

use std::time::{Duration, Instant};

use super::handover::Handover;

/// A thread that has used less than this part of the time is blocked.
const PART: u32 = 8;

/// The clocks of the threads that run in `block_on`, as they were at the latest look.
#[derive(Debug)]
pub(super) struct Clocks {
    at: Instant,
    /// Thread and processor time.
    used: Vec<(u64, Duration)>,
    running: Vec<u64>,
}

impl Clocks {
    pub(super) fn new() -> Clocks {
        Clocks { at: Instant::now(), used: Vec::new(), running: Vec::new() }
    }

    /// Looks at the clocks. Returns whether a thread ran in `block_on` at this look and the one before,
    /// and was blocked in between.
    pub(super) fn show_blocked(&mut self, handover: &Handover) -> bool {
        let now = Instant::now();
        let passed = now.duration_since(std::mem::replace(&mut self.at, now));
        handover.running_threads(&mut self.running);
        let mut blocked = false;
        let before = std::mem::take(&mut self.used);
        for &thread in &self.running {
            let Some(used) = processor_time(thread) else {
                blocked |= cfg!(not(any(target_os = "linux", target_os = "android")));
                continue;
            };
            let known = before.iter().find(|(other, _)| *other == thread);
            blocked |= known.is_some_and(|&(_, then)| used.saturating_sub(then) < passed / PART);
            self.used.push((thread, used));
        }
        blocked
    }
}

/// The processor time that a thread of this process has used; `None` if it has ended.
///
/// The clock's number is that of `pthread_getcpuclockid(3)`: the thread's, inverted, with the bits for
/// "of a thread" and "as the scheduler counts" (`clock_getres(2)`, `include/linux/posix-timers.h`).
#[cfg(any(target_os = "linux", target_os = "android"))]
fn processor_time(thread: u64) -> Option<Duration> {
    const OF_A_THREAD: libc::clockid_t = 4;
    const AS_SCHEDULED: libc::clockid_t = 2;
    let thread = libc::clockid_t::try_from(thread).ok()?;
    let clock = !thread << 3 | OF_A_THREAD | AS_SCHEDULED;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` lives until the call returns; a number that names no clock gives an error.
    match unsafe { libc::clock_gettime(clock, &mut time) } {
        // The kernel's times are not negative, and its nanoseconds less than a second.
        0 => Some(Duration::new(time.tv_sec as u64, time.tv_nsec as u32)),
        _ => None,
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn processor_time(_: u64) -> Option<Duration> {
    None
}

#[cfg(all(test, not(loom), target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_computes_uses_time_and_one_that_sleeps_does_not() {
        let own = || processor_time(crate::trace::thread_number()).unwrap();
        let before = own();
        while own() < before + Duration::from_millis(2) {}
        let computed = own();
        std::thread::sleep(Duration::from_millis(50));
        assert!(own() < computed + Duration::from_millis(25), "it slept");
        let ended = std::thread::spawn(crate::trace::thread_number).join().unwrap();
        while processor_time(ended).is_some() {
            // The kernel frees the thread a moment after `join`.
            std::thread::yield_now();
        }
    }
}
