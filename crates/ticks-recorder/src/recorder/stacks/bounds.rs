//! Where this thread's own stack is: asked of the system once a thread.
//!
//! Code on another stack, a coroutine's or a signal's, is recognised by its stack pointer. The system does
//! not know the bounds of such a stack, so it is not read.
//!
//! This file may contain `unsafe`: the system's calls.

#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::ptr;

use super::registers::{Registers, Used};

/// A thread's own stack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    low: u64,
    high: u64,
}

impl Bounds {
    /// Those of this thread; `None` if the system does not say, as for its first thread without `/proc`.
    #[cold]
    pub(super) fn of_this_thread() -> Option<Bounds> {
        let mut attributes = MaybeUninit::uninit();
        let (mut start, mut bytes) = (ptr::null_mut(), 0);
        // SAFETY: the calls fill the places that are named, and what the first has filled is destroyed.
        let got = unsafe {
            if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
                return None;
            }
            let got = libc::pthread_attr_getstack(attributes.as_ptr(), &mut start, &mut bytes);
            libc::pthread_attr_destroy(attributes.as_mut_ptr());
            got
        };
        let low = start as u64;
        let high = low.checked_add(bytes as u64)?;
        (got == 0 && low > 0).then_some(Bounds { low, high })
    }

    /// The part that is in use by the function with these registers; `None` if it runs on another stack.
    #[inline(always)]
    pub(super) fn used(self, registers: &Registers) -> Option<Used> {
        let is_own = (self.low..self.high).contains(&registers.sp);
        // SAFETY: the stack pointer is within the thread's own stack, which goes up to `high`. What is
        // above a stack pointer is in use, so it is mapped: the first thread's stack grows downward without
        // holes, another one's is mapped as a whole.
        is_own.then(|| unsafe { Used::new(registers.sp, self.high) })
    }
}
