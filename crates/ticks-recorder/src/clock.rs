//! The process's clock: nanoseconds of the monotonic clock since its first use in the process.
//!
//! Timers and recordings use this clock, and so must every crate that records.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

#[cfg(unix)]
mod system;

#[cfg(unix)]
pub(crate) use system::monotonic_ns;

#[cfg(windows)]
#[allow(unused_imports)] // Where there is a recorder.
pub(crate) use crate::windows::monotonic_ns;

static BASE: OnceLock<Instant> = OnceLock::new();

#[inline]
fn base() -> Instant {
    *BASE.get_or_init(Instant::now)
}

/// Now.
pub fn now_ns() -> u64 {
    ns_of(Instant::now()).unwrap_or(u64::MAX)
}

/// An instant on this clock; 0 if it was before the clock began, `None` if it is more than 584 years
/// away, which is never.
#[inline]
pub fn ns_of(instant: Instant) -> Option<u64> {
    let since = instant.saturating_duration_since(base());
    since.as_secs().checked_mul(1_000_000_000)?.checked_add(since.subsec_nanos().into())
}

/// One moment by each clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The system's monotonic clock, nanoseconds since a beginning of its own.
    pub monotonic_ns: u64,
    /// UTC, nanoseconds since 1970.
    pub utc_ns: u64,
    /// This clock.
    pub process_ns: u64,
}

/// Now, by each clock. The three are read one after the other.
pub fn moment() -> Moment {
    let process_ns = now_ns();
    let monotonic_ns = monotonic_ns();
    let utc = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment { monotonic_ns, utc_ns: utc.as_nanos() as u64, process_ns }
}

/// The kernel's monotonic clock as of its last step, nanoseconds since a beginning of its own. It moves
/// on every 1 to 10 ms and costs a tenth of a reading of the exact one.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn coarse_ns() -> u64 {
    system::ns(libc::CLOCK_MONOTONIC_COARSE)
}
