//! The reactor's clock: nanoseconds of the monotonic clock since its first use in the process.

use std::sync::OnceLock;
use std::time::Instant;

static BASE: OnceLock<Instant> = OnceLock::new();

fn base() -> Instant {
    *BASE.get_or_init(Instant::now)
}

/// Now.
pub(crate) fn now_ns() -> u64 {
    ns_of(Instant::now()).unwrap_or(u64::MAX)
}

/// An instant on this clock; 0 if it was before the clock began, `None` if it is more than 584 years
/// away, which is never.
pub(crate) fn ns_of(instant: Instant) -> Option<u64> {
    let since = instant.saturating_duration_since(base());
    since.as_secs().checked_mul(1_000_000_000)?.checked_add(since.subsec_nanos().into())
}
