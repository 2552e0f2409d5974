//! Threads by their numbers.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::forks;

thread_local! {
    /// And in which fork: the thread that a child has left gets another number there.
    static NUMBER: Cell<(u64, u32)> = const { Cell::new((0, 0)) };
}

/// The number of this thread: the system's where it has one that tools show.
#[inline]
pub fn thread_number() -> u64 {
    NUMBER.with(|number| match number.get() {
        (known, fork) if known != 0 && fork == forks::count() => known,
        _ => find_number(number),
    })
}

#[cold]
fn find_number(number: &Cell<(u64, u32)>) -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    // If the system cannot, a child's thread goes by the number that it had in the parent.
    forks::watch();
    let new = match system_number() {
        0 => NEXT.fetch_add(1, Ordering::Relaxed),
        system => system,
    };
    number.set((new, forks::count()));
    new
}

/// 0 where the system has none that tools show.
fn system_number() -> u64 {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return rustix::thread::gettid().as_raw_nonzero().get() as u64;
    #[cfg(windows)]
    return crate::windows::thread_number();
    #[cfg(not(any(target_os = "linux", target_os = "android", windows)))]
    return 0;
}
