//! Telling a `block_on` thread that its future is to be polled: while it runs, parks or waits in the
//! poller.

use std::mem::offset_of;
use std::ptr;
use std::sync::Arc;
use std::task::Wake;

use parking::Unparker;
use ticks_format::published::reactor as word;

use crate::published::{self, Table};
use crate::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use crate::trace;

/// Polling its future, or about to look at this state.
const RUNNING: u8 = 0;
/// Its future is to be polled (again).
const WOKEN: u8 = 1;
/// Parked, or about to be.
const PARKED: u8 = 2;
/// Waiting in the poller, or about to.
const DRIVING: u8 = 3;

/// Where a `block_on` thread is, and whether its future was woken.
///
/// Every change is one atomic exchange. A thread goes to sleep only by replacing `RUNNING`, and a wake
/// replaces any state. So either the sleeper sees the wake, or the waker sees the sleep. `AcqRel`: what
/// was done before the wake is seen by the poll that follows it.
#[derive(Debug)]
pub(crate) struct Signal {
    state: AtomicU8,
    /// Whether the thread is in `block_on`. Relaxed: the helper, which reads it, looks again soon.
    inside: AtomicBool,
    unparker: Unparker,
    /// The thread, by the system's number.
    pub(crate) thread: u64,
    future: Future,
}

/// The future of the thread's `block_on`, for readers of this memory. Relaxed: nobody in this process reads it.
#[derive(Debug, Default)]
struct Future {
    address: AtomicUsize,
    /// The function that drops it in place. Debug information says for which type it was compiled.
    drops: AtomicUsize,
    name: AtomicUsize,
    name_len: AtomicUsize,
}

/// What a thread does that is in `block_on`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    Runs,
    IsWoken,
    Parks,
    Drives,
}

/// What it takes, besides the state, to have a thread see its wake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nudge {
    /// It is running.
    None,
    /// It is parked.
    Unpark,
    /// It waits in the poller.
    Notify,
}

impl Signal {
    pub(crate) fn new(unparker: Unparker) -> Signal {
        let (state, inside) = (AtomicU8::new(RUNNING), AtomicBool::new(false));
        let (thread, future) = (trace::thread_number(), Future::default());
        Signal { state, inside, unparker, thread, future }
    }

    /// Says what one is like to readers of this memory.
    pub(crate) fn publish(table: &Table) {
        table.set(word::SHARED_THREAD, published::offset_of_shared::<Signal>());
        table.set(word::THREAD_NUMBER, offset_of!(Signal, thread));
        table.set(word::THREAD_INSIDE, offset_of!(Signal, inside));
        table.set(word::THREAD_STATE, offset_of!(Signal, state));
        let future = offset_of!(Signal, future);
        table.set(word::THREAD_FUTURE, future + offset_of!(Future, address));
        table.set(word::THREAD_DROPS, future + offset_of!(Future, drops));
        table.set(word::THREAD_NAME, future + offset_of!(Future, name));
        table.set(word::THREAD_NAME_LEN, future + offset_of!(Future, name_len));
    }

    /// The thread enters `block_on`.
    pub(crate) fn enter(&self) {
        self.inside.store(true, Ordering::Relaxed);
    }

    /// The thread is to be found with this future, which is at this address until `leave`.
    #[inline]
    pub(crate) fn polls<F>(&self, future: *const F, name: &'static str) {
        let drops: unsafe fn(*mut F) = ptr::drop_in_place::<F>;
        self.future.name.store(name.as_ptr() as usize, Ordering::Relaxed);
        self.future.name_len.store(name.len(), Ordering::Relaxed);
        self.future.drops.store(drops as usize, Ordering::Relaxed);
        self.future.address.store(future as usize, Ordering::Relaxed);
    }

    /// The thread leaves `block_on`. Its future is gone.
    pub(crate) fn leave(&self) {
        self.future.address.store(0, Ordering::Relaxed);
        self.inside.store(false, Ordering::Relaxed);
    }

    /// Whether the thread is in `block_on`.
    pub(crate) fn is_inside(&self) -> bool {
        self.inside.load(Ordering::Relaxed)
    }

    /// What the thread does in `block_on`, for somebody who only looks.
    pub(crate) fn doing(&self) -> Doing {
        match self.state.load(Ordering::Relaxed) {
            RUNNING => Doing::Runs,
            WOKEN => Doing::IsWoken,
            PARKED => Doing::Parks,
            _ => Doing::Drives,
        }
    }

    /// The data pointer of its wakers.
    pub(crate) fn waker_data(self: &Arc<Signal>) -> usize {
        Arc::as_ptr(self) as usize
    }

    /// Whether the thread is in `block_on` and does not wait there.
    pub(crate) fn is_running(&self) -> bool {
        self.is_inside() && matches!(self.state.load(Ordering::Relaxed), RUNNING | WOKEN)
    }

    /// The future is about to be polled. This poll serves all wakes so far.
    #[inline]
    pub(crate) fn reset(&self) {
        self.state.swap(RUNNING, Ordering::AcqRel);
    }

    #[inline]
    pub(crate) fn is_woken(&self) -> bool {
        self.state.load(Ordering::Acquire) == WOKEN
    }

    /// The thread is about to wait in the poller. `false`: it must not, its future was woken.
    #[inline]
    pub(crate) fn start_driving(&self) -> bool {
        self.exchange(RUNNING, DRIVING)
    }

    /// The wait is over: a wake needs no notification any more.
    #[inline]
    pub(crate) fn stop_driving(&self) {
        self.exchange(DRIVING, RUNNING);
    }

    /// The thread is about to park. `false`: it must not, its future was woken.
    pub(crate) fn start_parking(&self) -> bool {
        self.exchange(RUNNING, PARKED)
    }

    pub(crate) fn stop_parking(&self) {
        self.exchange(PARKED, RUNNING);
    }

    /// Has the thread, if it is parked, look whether it can drive.
    pub(crate) fn offer(&self) {
        trace::handover(self.thread);
        self.unparker.unpark();
    }

    #[inline]
    fn exchange(&self, from: u8, to: u8) -> bool {
        self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Notes the wake. Returns what it takes to have the thread see it.
    #[inline]
    pub(crate) fn mark(&self) -> Nudge {
        match self.state.swap(WOKEN, Ordering::AcqRel) {
            PARKED => Nudge::Unpark,
            DRIVING => Nudge::Notify,
            _ => Nudge::None,
        }
    }

    fn signal(&self) {
        match self.mark() {
            Nudge::None => {}
            Nudge::Unpark => {
                trace::unpark(self.thread);
                self.unparker.unpark();
            }
            Nudge::Notify => crate::reactor::current::get().notify(),
        }
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.signal();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.signal();
    }
}
