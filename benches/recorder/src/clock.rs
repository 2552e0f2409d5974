//! The recorder's clock, alone.
//!
//! This file may contain `unsafe`: the time stamp counter.

use std::hint::black_box;

use crate::work::timed;

/// The least that a reading takes, nanoseconds.
pub(crate) fn reading_ns() -> f64 {
    const READINGS: u64 = 1_000_000;
    let lap = || {
        let reading = || {
            black_box(read());
        };
        timed(READINGS, reading).ns as f64 / READINGS as f64
    };
    (0..20).map(|_| lap()).fold(f64::INFINITY, f64::min)
}

#[cfg(target_arch = "x86_64")]
fn read() -> u64 {
    // SAFETY: every x86-64 has the instruction.
    unsafe { std::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
fn read() -> std::time::Instant {
    std::time::Instant::now()
}
