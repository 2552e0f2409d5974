//! Small numbers for threads.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::sync::thread_cell;

#[cfg(all(test, loom))]
pub(crate) use loom::thread::yield_now;
#[cfg(not(all(test, loom)))]
pub(crate) use std::thread::yield_now;

thread_cell! {
    /// 0 until it is asked for.
    static NUMBER: usize = 0;
}

thread_cell! {
    /// See `look`.
    static LOOKS: usize = 0;
}

/// The calling thread's number, from 1. No other thread of the process has, had or will have it.
#[inline]
pub(crate) fn number() -> usize {
    match NUMBER.with(|cell| cell.get()) {
        0 => assign(),
        number => number,
    }
}

#[cold]
fn assign() -> usize {
    // `Relaxed`: numbers order nothing. A process that starts a thread each microsecond reuses a 32-bit
    // number after an hour. That does harm only if two threads with the same number live at once, and one
    // wakes tasks of a `LocalExecutor` of the other.
    static LAST: AtomicUsize = AtomicUsize::new(0);
    let number = loop {
        match LAST.fetch_add(1, Ordering::Relaxed).wrapping_add(1) {
            0 => continue,
            number => break number,
        }
    };
    NUMBER.with(|cell| cell.set(number));
    number
}

/// How often the thread has called this: for taking turns between things.
pub(crate) fn look() -> usize {
    LOOKS.with(|cell| {
        let looks = cell.get().wrapping_add(1);
        cell.set(looks);
        looks
    })
}
