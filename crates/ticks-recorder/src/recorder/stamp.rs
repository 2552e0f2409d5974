//! The counter that stamps records: the time stamp counter where the kernel trusts it, elsewhere the
//! system's monotonic clock.
//!
//! The counter is read by the standard library's intrinsic. The crates for it do not fit: `quanta`
//! does not say which clock it reads, `minstant` and `fastant` hide the counter, and calibrate in a
//! constructor of every program that links them, recording or not.
//!
//! This file may contain `unsafe`: the intrinsic.

#![allow(unsafe_code)]

use std::sync::atomic::{fence, AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ticks_format::{Anchor, Counter};

use crate::clock;

/// Whether the counter is the time stamp counter. Set before anything is recorded, never unset.
static IS_TSC: AtomicBool = AtomicBool::new(false);

/// Nanoseconds that one unit of the counter lasts, in units of 2^-32.
static NS_PER_UNIT: AtomicU64 = AtomicU64::new(1 << 32);

/// One moment by the counter and by the process's clock, guarded by a sequence: odd while they change.
static MOMENT: [AtomicU64; 3] = [AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0)];

/// For how long the counter is watched at least to learn its rate.
const WATCHED_MIN: Duration = Duration::from_millis(2);

/// The counter, now.
#[inline(always)]
pub fn now() -> u64 {
    #[cfg(target_arch = "x86_64")]
    if IS_TSC.load(Ordering::Relaxed) {
        // SAFETY: every x86-64 has the instruction, and the kernel that counts by it lets programs
        // read it.
        return unsafe { std::arch::x86_64::_rdtsc() };
    }
    monotonic_ns()
}

#[inline(never)]
fn monotonic_ns() -> u64 {
    clock::monotonic_ns()
}

/// The counter with which something was timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(bool);

impl Rate {
    /// That which every process begins with.
    pub const INITIAL: Rate = Rate(false);

    /// The counter that is read now.
    #[inline]
    pub fn current() -> Rate {
        Rate(IS_TSC.load(Ordering::Relaxed))
    }
}

/// Whether the counter is still the one that it was then.
#[inline]
pub fn is_steady_with(then: Rate) -> bool {
    then == Rate::current()
}

/// From one value of the counter to a later one, nanoseconds.
#[inline]
pub fn elapsed_ns(from: u64, to: u64) -> u64 {
    units_to_ns(to.saturating_sub(from))
}

#[inline]
fn units_to_ns(units: u64) -> u64 {
    let rate = NS_PER_UNIT.load(Ordering::Relaxed);
    ((u128::from(units) * u128::from(rate)) >> 32) as u64
}

/// The process's clock when the counter was at `count`.
pub fn clock_ns(count: u64) -> u64 {
    let sequence = MOMENT[0].load(Ordering::Acquire);
    let (then, then_ns) = (MOMENT[1].load(Ordering::Relaxed), MOMENT[2].load(Ordering::Relaxed));
    fence(Ordering::Acquire);
    if sequence == 0 || sequence % 2 == 1 || MOMENT[0].load(Ordering::Relaxed) != sequence {
        return clock::now_ns();
    }
    match count.checked_sub(then) {
        Some(units) => then_ns.saturating_add(units_to_ns(units)),
        None => then_ns.saturating_sub(units_to_ns(then - count)),
    }
}

/// All clocks at one moment.
pub(super) fn reading() -> Anchor {
    let mut best = (u64::MAX, Anchor::default());
    // If the thread is interrupted between the readings, they are of different moments.
    for _ in 0..3 {
        let before = now();
        let monotonic_ns = monotonic_ns();
        let utc = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let reactor_ns = Some(clock::now_ns());
        let spread = now() - before;
        if spread < best.0 {
            let counter = before + spread / 2;
            let utc_ns = utc.as_nanos() as u64;
            best = (spread, Anchor { counter, utc_ns, monotonic_ns, reactor_ns });
        }
    }
    best.1
}

/// Decides which counter is read, and begins to watch it.
pub(super) fn begin() -> Anchor {
    IS_TSC.store(is_tsc_trusted(), Ordering::Relaxed);
    reading()
}

/// The kernel offers the time stamp counter as a clock only while it finds it constant, going on in
/// every sleep, and in step on all processors.
fn is_tsc_trusted() -> bool {
    const OFFERED: &str = "/sys/devices/system/clocksource/clocksource0/available_clocksource";
    cfg!(all(target_arch = "x86_64", any(target_os = "linux", target_os = "android")))
        && std::fs::read_to_string(OFFERED)
            .is_ok_and(|offered| offered.split_whitespace().any(|name| name == "tsc"))
}

/// Watches the counter since `begun` for long enough to know its rate. Returns the counter's kind, its
/// units in a second and another reading.
pub(super) fn calibrate(begun: &Anchor) -> (Counter, u64, Anchor) {
    let watched = Duration::from_nanos(reading().monotonic_ns.saturating_sub(begun.monotonic_ns));
    if let Some(rest) = WATCHED_MIN.checked_sub(watched) {
        std::thread::sleep(rest);
    }
    let now = reading();
    fix_rate(begun, &now);
    let kind = match IS_TSC.load(Ordering::Relaxed) {
        true => Counter::Tsc,
        false => Counter::Monotonic,
    };
    let rate = NS_PER_UNIT.load(Ordering::Relaxed).max(1);
    (kind, ((1_000_000_000u128 << 32) / u128::from(rate)) as u64, now)
}

/// Learns the rate between two readings, and ties the counter to the process's clock. One thread at a
/// time does this: the one that takes an anchor.
pub(super) fn fix_rate(from: &Anchor, to: &Anchor) {
    let units = to.counter.saturating_sub(from.counter);
    let ns = to.monotonic_ns.saturating_sub(from.monotonic_ns);
    if units > 0 && ns > 0 && IS_TSC.load(Ordering::Relaxed) {
        let rate = (u128::from(ns) << 32) / u128::from(units);
        NS_PER_UNIT.store(u64::try_from(rate).unwrap_or(1 << 32), Ordering::Relaxed);
    }
    let Some(reactor_ns) = to.reactor_ns else { return };
    let sequence = MOMENT[0].load(Ordering::Relaxed);
    // In a forked child it may have been left odd.
    let writing = sequence | 1;
    MOMENT[0].store(writing, Ordering::Relaxed);
    fence(Ordering::Release);
    MOMENT[1].store(to.counter, Ordering::Relaxed);
    MOMENT[2].store(reactor_ns, Ordering::Relaxed);
    MOMENT[0].store(writing + 1, Ordering::Release);
}
