//! What is asked of Windows where there may be no recorder: the counter, and a thread's number.
//!
//! This file may contain `unsafe`: the system's calls.

#![allow(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};

use windows_sys::Win32::System::Performance::{QueryPerformanceCounter, QueryPerformanceFrequency};
use windows_sys::Win32::System::Threading::GetCurrentThreadId;

/// Nanoseconds of the counter that the standard library's clock reads too. It goes on in steps of 100 ns on most
/// machines.
#[cfg_attr(loom, allow(dead_code))] // Where there is a recorder.
pub(crate) fn monotonic_ns() -> u64 {
    const SECOND_NS: u64 = 1_000_000_000;
    let mut count = 0;
    // SAFETY: `count` is ours to write to. The call never fails.
    unsafe { QueryPerformanceCounter(&mut count) };
    let (count, rate) = (count as u64, rate());
    count / rate * SECOND_NS + count % rate * SECOND_NS / rate
}

/// How many units of the counter a second has, which stays the same until the machine is started again.
fn rate() -> u64 {
    /// Relaxed: whoever finds 0 asks again.
    static RATE: AtomicU64 = AtomicU64::new(0);
    match RATE.load(Ordering::Relaxed) {
        0 => {
            let mut rate = 0;
            // SAFETY: `rate` is ours to write to. The call never fails.
            unsafe { QueryPerformanceFrequency(&mut rate) };
            let rate = (rate as u64).max(1);
            RATE.store(rate, Ordering::Relaxed);
            rate
        }
        rate => rate,
    }
}

/// The number of this thread, as debuggers show it.
pub(crate) fn thread_number() -> u64 {
    // SAFETY: it takes nothing and always succeeds.
    unsafe { GetCurrentThreadId() }.into()
}
