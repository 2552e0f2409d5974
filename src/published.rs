//! The table by which a debugger, or `ticks`, finds this process's sources, waits and timers in its memory:
//! [`ticks_format::published`]. Made once, with the first reactor; nobody here reads it.
//!
//! Where a field is, its own module says: the functions `publish`. What std does not tell of its own types is
//! measured here, on a value.
//!
//! This file may contain `unsafe`: it looks at the words of a vector and of a waker.

#![allow(unsafe_code)]

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{RawWakerVTable, Waker};

use ticks_format::published::{place, reactor as word, Published, REACTOR};

use crate::driver::handover::Handover;
use crate::driver::signal::Signal;
use crate::fork::{self, PerProcess};
use crate::reactor::{clock, Reactor};

/// This copy's table.
pub(crate) type Table = Published<{ word::COUNT }>;

// `used`: nobody here reads it.
#[used]
static TICKS_PUBLISHED_REACTOR: Table = Published::new(REACTOR);

/// Says where the reactor is, and what it is like. Once: a forked child has a copy of the table.
pub(crate) fn publish(reactor: &Reactor, place: &'static PerProcess<Reactor>) {
    static BEGUN: AtomicBool = AtomicBool::new(false);
    if BEGUN.swap(true, Ordering::Relaxed) {
        return;
    }
    let table = &TICKS_PUBLISHED_REACTOR;
    let moment = clock::moment();
    table.set(word::MONOTONIC_NS, moment.monotonic_ns);
    table.set(word::UTC_NS, moment.utc_ns);
    table.set(word::REACTOR_NS, moment.process_ns);
    measure_vec(table);
    measure_waker(table);
    let [latest, forks, value] = place.published();
    table.set(word::LATEST, latest);
    table.set(word::LATEST_FORKS, forks);
    table.set(word::LATEST_REACTOR, value);
    table.set(word::FORKS, fork::published());
    reactor.publish(table);
    table.complete();
}

/// Says where the threads are that have been in `block_on`.
pub(crate) fn publish_drivers(drivers: &Handover, place: &'static PerProcess<Handover>) {
    let table = &TICKS_PUBLISHED_REACTOR;
    let [latest, forks, value] = place.published();
    table.set(word::DRIVERS_FORKS, forks);
    table.set(word::DRIVERS_THREADS, value + drivers.published());
    Signal::publish(table);
    table.set(word::DRIVERS, latest);
}

/// How far a value is from what an `Arc` of it has as its pointer: there are its two counts first.
pub(crate) fn offset_of_shared<T>() -> u64 {
    #[repr(C)]
    struct Pattern<T>([usize; 2], T);
    mem::offset_of!(Pattern<T>, 1) as u64
}

/// The words of a value that has nothing but words, none of them padding.
///
/// # Safety
///
/// `T` is made of integers and pointers as wide as an address, without padding.
unsafe fn words_of<T, const N: usize>(value: &T) -> [usize; N] {
    const { assert!(size_of::<T>() == size_of::<[usize; N]>()) };
    // SAFETY: of this size, and every byte of it is initialised, as the caller says.
    unsafe { mem::transmute_copy(value) }
}

fn measure_vec(table: &Table) {
    let mut pattern: Vec<u64> = Vec::with_capacity(7);
    pattern.extend([0; 3]);
    // SAFETY: a vector is a pointer, a capacity and a length, and of the size of these.
    let words: [usize; 3] = unsafe { words_of(&pattern) };
    table.set(word::VEC_ELEMENTS, place(&words, pattern.as_ptr() as usize));
    table.set(word::VEC_LEN, place(&words, pattern.len()));
}

fn measure_waker(table: &Table) {
    let pattern = Waker::noop();
    // The address of its table is where a waker that is not there has null.
    const { assert!(size_of::<Option<Waker>>() == size_of::<Waker>()) };
    // SAFETY: a waker is a data pointer and a reference, and of the size of these.
    let words: [usize; 2] = unsafe { words_of(pattern) };
    let address = pattern.vtable() as *const RawWakerVTable as usize;
    let at = place(&words, address);
    table.set(word::WAKER_TABLE, at);
    table.set(word::WAKER_DATA, size_of::<usize>() as u64 ^ at);
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[repr(align(64))]
    struct Aligned(#[allow(dead_code)] u8);

    fn measured<T>(value: T) -> u64 {
        let pattern = Arc::new(value);
        // SAFETY: an `Arc` is one pointer.
        let [address]: [usize; 1] = unsafe { words_of(&pattern) };
        (Arc::as_ptr(&pattern) as usize - address) as u64
    }

    #[test]
    fn what_is_shared_is_where_it_is_said_to_be() {
        assert_eq!(offset_of_shared::<u8>(), measured(1_u8));
        assert_eq!(offset_of_shared::<u64>(), measured(1_u64));
        assert_eq!(offset_of_shared::<Aligned>(), measured(Aligned(1)));
    }

    #[test]
    fn every_word_is_there_once_a_thread_blocks() {
        crate::block_on(async {});
        let table = &TICKS_PUBLISHED_REACTOR;
        assert!(table.is_complete());
        // These are the first of what they are in, in the builds of today or tomorrow, or may be.
        for (number, name) in word::NAMES.iter().enumerate() {
            assert!(table.get(number) < u64::MAX, "{name} was not found");
        }
        for number in [word::LATEST, word::FORKS, word::DRIVERS, word::MONOTONIC_NS, word::UTC_NS] {
            assert_ne!(table.get(number), 0, "{}", word::NAMES[number]);
        }
    }
}
