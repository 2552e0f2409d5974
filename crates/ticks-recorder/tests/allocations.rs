//! A recorder that allocates where the program does not would deadlock in an allocator that records, and make
//! a program slower in a way that has nothing to do with what it does. Once a thread has taken a stack, taking
//! it again allocates nothing, whether it is recognised or unwound.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

mod util;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use ticks_recorder::stack_here;
use util::{recorded, stack};

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
    /// The allocator takes a stack itself.
    static WAITS: Cell<bool> = const { Cell::new(false) };
    static TAKEN_WITHIN: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        if WAITS.try_with(Cell::get).unwrap_or(false) {
            TAKEN_WITHIN.with(|taken| taken.set(taken.get() + 1));
            black_box(stack_here(9));
        }
        // SAFETY: as of the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as of the caller.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[inline(never)]
fn at_level(level: u32) -> u64 {
    let number = match level {
        // More callers than a thread remembers, so that some of them are always unwound.
        0 => (0..1_000).map(|caller| stack_here(caller * 7)).max().unwrap_or(0),
        _ => at_level(level - 1),
    };
    black_box(number)
}

#[test]
fn nothing_is_allocated_once_it_is_warm() {
    recorded("nothing_is_allocated_once_it_is_warm", || {
        let round = || (0..20).map(at_level).fold(u64::MAX, u64::min);
        for _ in 0..5 {
            assert_ne!(round(), 0);
        }
        let before = COUNT.with(Cell::get);
        for _ in 0..5 {
            assert_ne!(round(), 0);
        }
        assert_eq!(COUNT.with(Cell::get) - before, 0);
    });
}

/// An allocator that waits for a lock with a timeout, for example, comes back here in the midst of it.
#[test]
fn an_allocator_that_waits_gets_none() {
    recorded("an_allocator_that_waits_gets_none", || {
        WAITS.with(|waits| waits.set(true));
        let first = at_level(3);
        WAITS.with(|waits| waits.set(false));
        assert!(TAKEN_WITHIN.with(Cell::get) > 0, "the first stack allocates");
        assert!(stack(first).frames.len() > 3);
        assert_ne!(at_level(3), 0);
    });
}
