//! The system allocator with a count of the bytes that are in use, switched on while a row asks.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering};

static COUNTING: AtomicBool = AtomicBool::new(false);
static IN_USE_BYTES: AtomicIsize = AtomicIsize::new(0);

struct Counting;

#[global_allocator]
static GLOBAL: Counting = Counting;

fn count(bytes: isize) {
    if COUNTING.load(Ordering::Relaxed) {
        IN_USE_BYTES.fetch_add(bytes, Ordering::Relaxed);
    }
}

// SAFETY: every call goes to `System` with the caller's own arguments, so `System` keeps the
// contract; counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller of `alloc` promises what `System` asks of the layout.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller promises that `block` came from this allocator, hence from
        // `System`, with this layout.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: as for `dealloc`, and the caller promises a valid new size.
        unsafe { System.realloc(block, layout, size) }
    }
}

/// By how many bytes the memory in use grew while `body` ran, in all threads.
pub(crate) fn growth_bytes<T>(body: impl FnOnce() -> T) -> (T, isize) {
    IN_USE_BYTES.store(0, Ordering::Relaxed);
    COUNTING.store(true, Ordering::Relaxed);
    let value = body();
    COUNTING.store(false, Ordering::Relaxed);
    (value, IN_USE_BYTES.load(Ordering::Relaxed))
}
