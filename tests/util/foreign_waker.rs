//! A waker each of whose functions calls back into the test: being cloned, woken and dropped is where a
//! reactor runs code that it knows nothing about.

use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::task::{RawWaker, RawWakerVTable, Waker};

/// What is being done with the waker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// It is cloned.
    Clone,
    /// It is woken, by value or by reference.
    Wake,
    /// It, or a clone, is dropped without being woken.
    Drop,
}

type Hook = Box<dyn Fn(Call) + Send + Sync>;

/// A waker that wakes nobody and calls `hook` whenever it is used.
///
/// The hook may panic: the waker has then been woken or dropped all the same.
pub fn foreign_waker(hook: impl Fn(Call) + Send + Sync + 'static) -> Waker {
    let hook: Arc<Hook> = Arc::new(Box::new(hook));
    // SAFETY: the data pointer is that of an `Arc<Hook>`, of which each waker owns one count, as the
    // functions of the table expect; hooks are `Send` and `Sync`.
    unsafe { Waker::from_raw(RawWaker::new(Arc::into_raw(hook).cast(), &TABLE)) }
}

static TABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop);

/// The waker's own count.
///
/// # Safety
/// `data` is that of a waker made by [`foreign_waker`], whose count the caller may give up.
unsafe fn owned(data: *const ()) -> Arc<Hook> {
    // SAFETY: `data` came from `Arc::into_raw` of this type, and the caller gives up one count.
    unsafe { Arc::from_raw(data.cast()) }
}

unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: the caller's waker keeps its count, so this one is not given up.
    let hook = ManuallyDrop::new(unsafe { owned(data) });
    hook(Call::Clone);
    let clone = Arc::clone(&hook);
    RawWaker::new(Arc::into_raw(clone).cast(), &TABLE)
}

unsafe fn wake(data: *const ()) {
    // SAFETY: waking by value gives up the waker.
    let hook = unsafe { owned(data) };
    hook(Call::Wake);
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: the caller's waker keeps its count, so this one is not given up.
    let hook = ManuallyDrop::new(unsafe { owned(data) });
    hook(Call::Wake);
}

unsafe fn drop(data: *const ()) {
    // SAFETY: dropping gives up the waker.
    let hook = unsafe { owned(data) };
    hook(Call::Drop);
}
