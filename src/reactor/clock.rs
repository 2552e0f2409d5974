//! The reactor's clock: that of the process, by which its recording goes too.

#[cfg(any(target_os = "linux", target_os = "android"))]
use std::sync::OnceLock;

#[cfg(any(target_os = "linux", target_os = "android"))]
use ticks_recorder::clock::coarse_ns;

pub(crate) use ticks_recorder::clock::{moment, now_ns, ns_of};

/// Whether a point on this clock is certainly more than a moment away, as never is. `false`: it may be
/// near, and only [`now_ns`] can tell.
///
/// Nearly every timer is first polled right after it is made. This check costs a tenth of a reading of
/// the exact clock. While the coarse one stands still for longer than `FAR_NS`, as after a pause of a
/// virtual machine, an instant that has just passed is taken for far away; a timer that waits for it
/// fires in the next round.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn is_far(deadline_ns: Option<u64>) -> bool {
    /// Hundreds of the coarse clock's steps of 1 to 10 ms.
    const FAR_NS: u64 = 1_000_000_000;
    static COARSE_BASE_NS: OnceLock<u64> = OnceLock::new();

    let base_ns = *COARSE_BASE_NS.get_or_init(|| coarse_ns().saturating_sub(now_ns()));
    let far_ns = coarse_ns().saturating_sub(base_ns).saturating_add(FAR_NS);
    deadline_ns.is_none_or(|deadline_ns| deadline_ns > far_ns)
}

/// No cheaper clock is known of.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn is_far(_: Option<u64>) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

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
