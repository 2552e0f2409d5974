//! The reactor's clock: nanoseconds of the monotonic clock since its first use in the process.

use std::sync::OnceLock;
use std::time::Instant;

#[cfg(unix)]
pub(crate) mod system;

static BASE: OnceLock<Instant> = OnceLock::new();

#[inline]
fn base() -> Instant {
    *BASE.get_or_init(Instant::now)
}

/// Now.
pub(crate) fn now_ns() -> u64 {
    ns_of(Instant::now()).unwrap_or(u64::MAX)
}

/// An instant on this clock; 0 if it was before the clock began, `None` if it is more than 584 years
/// away, which is never.
#[inline]
pub(crate) fn ns_of(instant: Instant) -> Option<u64> {
    let since = instant.saturating_duration_since(base());
    since.as_secs().checked_mul(1_000_000_000)?.checked_add(since.subsec_nanos().into())
}

/// Whether a point on this clock is certainly more than a moment away, as never is. `false`: only
/// [`now_ns`] can tell.
///
/// A timer of many seconds is polled right after it is made, nearly always, and this costs a tenth of
/// a reading of the exact clock. While the coarse one stands still for longer than `FAR_NS`, as after
/// a pause of a virtual machine, an instant that has just passed is taken for far away; a timer that
/// waits for it fires in the next round.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn is_far(deadline_ns: Option<u64>) -> bool {
    /// Hundreds of the coarse clock's steps of 1 to 10 ms.
    const FAR_NS: u64 = 1_000_000_000;
    static COARSE_BASE_NS: OnceLock<u64> = OnceLock::new();

    let coarse_ns = || system::now_ns(libc::CLOCK_MONOTONIC_COARSE);
    let base_ns = *COARSE_BASE_NS.get_or_init(|| coarse_ns().saturating_sub(now_ns()));
    let far_ns = coarse_ns().saturating_sub(base_ns).saturating_add(FAR_NS);
    deadline_ns.map_or(true, |deadline_ns| deadline_ns > far_ns)
}

/// No cheaper clock is known of.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn is_far(_: Option<u64>) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_has_passed_is_never_far() {
        let now = Instant::now();
        assert!(!is_far(ns_of(now)));
        assert!(!is_far(ns_of(now - Duration::from_millis(1))));
        assert!(!is_far(Some(0)), "before this clock began");
    }

    #[test]
    fn never_is_far() {
        let far = Instant::now() + Duration::from_secs(1_000 * 365 * 86_400);
        assert_eq!(is_far(ns_of(far)), cfg!(any(target_os = "linux", target_os = "android")));
    }
}
