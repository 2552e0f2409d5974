//! The system's clocks by their numbers.
//!
//! This file may contain `unsafe`: a call that fills a place. `rustix` has it too, and crashes where
//! it finds no vDSO, as under Valgrind.

#![allow(unsafe_code)]

/// Nanoseconds of the monotonic clock.
#[allow(dead_code)] // Where there is a recorder.
pub(crate) fn monotonic_ns() -> u64 {
    ns(libc::CLOCK_MONOTONIC)
}

/// Nanoseconds of one of the monotonic clocks (`clock_gettime(2)`).
#[allow(dead_code)] // Where there is a recorder, or a coarse clock.
pub(super) fn ns(clock: libc::clockid_t) -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is ours to write to. A failure, which a clock unknown to the system alone causes,
    // leaves 0.
    unsafe { libc::clock_gettime(clock, &mut now) };
    // Neither is negative.
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
