//! How a `run` future is woken: for the future that it was given, or for tasks.
//!
//! This file has unsafe code: a waker that is a plain reference, which costs nothing to clone and to drop.

#![allow(unsafe_code)]

use std::mem::offset_of;
use std::panic::RefUnwindSafe;
use std::task::{RawWaker, RawWakerVTable, Waker};

use ticks_format::published::{executor as word, runner_bits};

use crate::published::Table;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::Mutex;

/// The main future was woken and has not been polled since.
const WOKEN: usize = 1;
/// The `run` future has returned Pending for want of work, and nobody has woken it since.
const ASLEEP: usize = runner_bits::ASLEEP as usize;

/// A runner's state, and the waker of its poller.
#[derive(Debug)]
pub(crate) struct Signal {
    bits: AtomicUsize,
    /// Of the task or thread in which the `run` future is polled. Holding the lock allows to replace it.
    outer: Mutex<Option<Waker>>,
}

// A panic in the midst of something leaves it consistent: no foreign code runs there.
impl RefUnwindSafe for Signal {}

impl Signal {
    /// Where its bits are, to readers of this memory.
    pub(crate) const BITS: usize = offset_of!(Signal, bits);

    pub(crate) fn new() -> Signal {
        Signal { bits: AtomicUsize::new(0), outer: Mutex::new(None) }
    }

    /// The waker for the main future. It may outlive that future: then a wake makes the runner poll its
    /// next main future for nothing.
    pub(crate) fn waker(&'static self) -> Waker {
        // SAFETY: the functions of the table expect this pointer, and may be called on any thread
        // because a `Signal` is `Sync`.
        unsafe { Waker::from_raw(raw(self)) }
    }

    /// Whether the main future was woken since it was last polled.
    pub(crate) fn is_woken(&self) -> bool {
        self.bits.load(Ordering::Relaxed) & WOKEN != 0
    }

    /// The main future is about to be polled: it will see what was done before it was woken (`Acquire`,
    /// for the `Release` in `wake`).
    pub(crate) fn clear(&self) {
        self.bits.swap(0, Ordering::AcqRel);
    }

    /// The `run` future is about to return Pending. Returns false when the main future must be polled.
    ///
    /// Only the owner of the runner calls this, while awake.
    pub(crate) fn lie_down(&self, waker: &Waker) -> bool {
        if !self.outer.lock().as_ref().is_some_and(|outer| outer.will_wake(waker)) {
            // Cloned and dropped with nothing locked: both are foreign code.
            let incoming = waker.clone();
            let outgoing = self.outer.lock().replace(incoming);
            drop(outgoing);
        }
        self.bits.compare_exchange(0, ASLEEP, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// The `run` future is polled again, or gives up falling asleep.
    pub(crate) fn rise(&self) {
        self.bits.fetch_and(!ASLEEP, Ordering::AcqRel);
    }

    /// The main future is to be polled.
    fn wake(&self) {
        if self.bits.swap(WOKEN, Ordering::AcqRel) & ASLEEP != 0 {
            self.wake_outer();
        }
    }

    /// There is a task for the runner.
    pub(crate) fn rouse(&self) {
        if self.bits.fetch_and(!ASLEEP, Ordering::AcqRel) & ASLEEP != 0 {
            self.wake_outer();
        }
    }

    /// The runner goes out of use.
    pub(crate) fn reset(&self) {
        self.bits.store(0, Ordering::Relaxed);
        let outer = self.outer.lock().take();
        drop(outer);
    }

    #[cold]
    fn wake_outer(&self) {
        // Taken and not cloned: a clone is foreign code. The poller that it wakes brings another one.
        let outer = self.outer.lock().take();
        if let Some(waker) = outer {
            waker.wake();
        }
    }
}

/// A static, so that its address tells whose wakers these are.
static VTABLE: RawWakerVTable = RawWakerVTable::new(
    |data| raw(signal(data)),
    |data| signal(data).wake(),
    |data| signal(data).wake(),
    |_| {},
);

/// By which these wakers are told.
pub(crate) fn table_address() -> usize {
    (&raw const VTABLE) as usize
}

/// Says how these wakers are told to readers of this memory.
pub(crate) fn publish(table: &Table) {
    table.set(word::MAIN_TABLE, table_address());
}

fn raw(signal: &'static Signal) -> RawWaker {
    RawWaker::new((signal as *const Signal).cast(), &VTABLE)
}

fn signal(data: *const ()) -> &'static Signal {
    // SAFETY: `raw` makes the only wakers with this table, from a `&'static Signal`.
    unsafe { &*data.cast::<Signal>() }
}
