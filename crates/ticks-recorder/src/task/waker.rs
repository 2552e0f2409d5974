//! The waker that a recorded task hands to others.
//!
//! All clones have one data pointer, so `will_wake` gives the same answers as without the recorder. The clones
//! are counted: a task that waits and has no waker left cannot be woken any more.
//!
//! This file may contain `unsafe`: the table of a waker's functions.

#![allow(unsafe_code)]

use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::task::{RawWaker, RawWakerVTable, Waker};
use std::thread;

#[cfg(not(all(test, loom)))]
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

#[cfg(all(test, loom))]
use loom::sync::atomic::{AtomicU64, Ordering::SeqCst};

use super::current;
use super::parent::Parent;
use crate::recorder::tasks::{Entry, Waited};

/// A task, shared by its wakers and its poller.
#[derive(Debug)]
pub(super) struct Shared {
    /// What is recorded of it.
    pub(super) entry: Entry,
    /// How many wakers there are. `SeqCst`: see `state`.
    wakers: AtomicU64,
    parent: Parent,
}

/// The task, as its poller has it. It is not counted as a waker.
pub(super) type Handle = Arc<Shared>;

impl Shared {
    pub(super) fn new(entry: Entry) -> Handle {
        let shared = Arc::new(Shared { entry, wakers: AtomicU64::new(0), parent: Parent::new() });
        shared.entry.begins(Arc::as_ptr(&shared) as usize as u64);
        shared
    }

    fn has_wakers(&self) -> bool {
        self.wakers.load(SeqCst) > 0
    }

    fn waker_made(&self) {
        self.wakers.fetch_add(1, SeqCst);
        self.entry.waker_made();
    }

    fn waker_gone(&self) {
        self.entry.waker_gone();
        if self.wakers.fetch_sub(1, SeqCst) == 1 {
            self.entry.may_be_forgotten(|| self.has_wakers());
            self.parent.waker_gone(|| self.has_wakers());
        }
    }

    fn wake(&self) {
        // First, so that the record comes before the poll that this wake causes.
        self.entry.wakes();
        self.parent.wake();
    }
}

/// A poll of a task under way.
pub(super) struct Polling<'a> {
    shared: &'a Handle,
    /// Borrowed from `shared`: it is not counted, and not dropped.
    waker: ManuallyDrop<Waker>,
    outer: current::Outer,
    /// What it has waited for, if nobody has woken it for this poll.
    waited: Option<Waited>,
    has_ended: bool,
}

impl<'a> Polling<'a> {
    pub(super) fn begin(shared: &'a Handle, parent: &Waker) -> Polling<'a> {
        shared.parent.poll_begins(parent);
        let raw = RawWaker::new(Arc::as_ptr(shared).cast(), &VTABLE);
        // SAFETY: the functions of the table keep the contract of a waker, for a pointer from an `Arc` that
        // is there. `shared` is borrowed for longer than this waker is used.
        let waker = ManuallyDrop::new(unsafe { Waker::from_raw(raw) });
        let outer = current::enter(shared.entry.id());
        let waited = shared.entry.poll_begins();
        Polling { shared, waker, outer, waited, has_ended: false }
    }

    pub(super) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// The poll has returned.
    pub(super) fn end(mut self, is_ready: bool) {
        self.has_ended = true;
        self.shared.entry.poll_ends(is_ready, self.waited);
        if !is_ready && !self.shared.has_wakers() {
            self.shared.entry.may_be_forgotten(|| self.shared.has_wakers());
        }
    }
}

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        if !self.has_ended && thread::panicking() {
            self.shared.entry.poll_panics();
        }
        current::leave(&self.outer);
        self.shared.parent.poll_ends(|| self.shared.has_wakers());
    }
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

/// # Safety
///
/// Each of these functions: the pointer is that of an `Arc<Shared>`, of which a waker, or a poll under way,
/// holds a count.
unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: as above; the new waker holds the count that is added.
    let shared = unsafe {
        Arc::increment_strong_count(data.cast::<Shared>());
        &*data.cast::<Shared>()
    };
    shared.waker_made();
    RawWaker::new(data, &VTABLE)
}

/// # Safety
///
/// As for `clone`; the waker's own count is used up.
unsafe fn wake(data: *const ()) {
    // SAFETY: the caller gives us the count of the waker.
    let shared = unsafe { Arc::from_raw(data.cast::<Shared>()) };
    shared.wake();
    shared.waker_gone();
}

/// # Safety
///
/// As for `clone`.
unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: as above; the waker is borrowed meanwhile.
    let shared = unsafe { &*data.cast::<Shared>() };
    shared.wake();
}

/// # Safety
///
/// As for `wake`.
unsafe fn drop_waker(data: *const ()) {
    // SAFETY: as for `wake`.
    let shared = unsafe { Arc::from_raw(data.cast::<Shared>()) };
    shared.waker_gone();
}
