//! The process's recorder, and what becomes of it in a forked child.
//!
//! A child has its parent's mapping and its parent's rings, but may store into neither: it forgets
//! both at once, and makes its own file when it first uses its reactor.
//!
//! At a normal end of the process the recording is marked as closed. Without the mark, a reader knows
//! that the process was killed.
//!
//! This file may contain `unsafe`: it follows a pointer to a leaked recorder.

#![allow(unsafe_code)]

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, Ordering};

use ticks_format::layout::{counter, Section};

use super::anchors::Anchors;
use super::map::Map;
use super::names::Names;
use super::places::Places;
use super::stacks::Stacks;
use super::vacancies::Vacancies;
#[cfg(unix)]
use super::writer;
use super::{stamp, system};

/// What records.
#[derive(Debug)]
pub(super) struct Recorder {
    pub(super) map: Map,
    pub(super) rings: Section,
    pub(super) sources: Section,
    pub(super) waiters: Section,
    pub(super) tasks: Section,
    /// Where the table of tasks has room.
    pub(super) vacancies: Vacancies,
    pub(super) names: Names,
    pub(super) anchors: Anchors,
    pub(super) places: Places,
    #[allow(dead_code)] // Where stacks are taken.
    pub(super) stacks: Stacks,
}

impl Recorder {
    /// Counts one that found no place, in a word of the header.
    #[cold]
    pub(super) fn count(&self, counter: usize) {
        self.map.header(counter).fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a record that found no ring.
    #[cold]
    pub(super) fn lost_record(&self) {
        self.count(counter::UNRECORDED);
    }
}

/// Released when it is made, acquired by `get`.
static CURRENT: AtomicPtr<Recorder> = AtomicPtr::new(ptr::null_mut());

/// How far this process is with its recorder.
pub(super) static STATE: AtomicU8 = AtomicU8::new(UNTRIED);

pub(super) const UNTRIED: u8 = 0;
pub(super) const STARTING: u8 = 1;
pub(super) const ON: u8 = 2;
pub(super) const OFF: u8 = 3;

/// The recorder of this process, if it has one.
#[inline]
pub(super) fn get() -> Option<&'static Recorder> {
    // SAFETY: null, or what `set` leaked.
    unsafe { CURRENT.load(Ordering::Acquire).as_ref() }
}

/// Makes it the recorder of this process, until the process ends.
pub(super) fn set(recorder: Box<Recorder>) {
    CURRENT.store(Box::into_raw(recorder), Ordering::Release);
}

/// Forgets the parent's recorder and ring, in a forked child. Only stores: nothing else is allowed
/// between `fork` and `exec`. The thread that runs this is the only one that the child has.
#[cfg(unix)]
pub(crate) fn forget() {
    CURRENT.store(ptr::null_mut(), Ordering::Relaxed);
    STATE.store(UNTRIED, Ordering::Relaxed);
    writer::forget_ring();
}

/// Has the recording marked when the process ends by `exit` or by returning from `main`. If the system
/// cannot do that, a normal end looks like a kill.
pub(super) fn watch_end() {
    /// A forked child inherits the exit handler, and this number.
    static WATCHED: AtomicBool = AtomicBool::new(false);
    /// It neither panics nor uses thread-locals.
    extern "C" fn ending() {
        // A forked child that does not record has none. The other threads may go on meanwhile, and
        // leave records that are later than this.
        if let Some(recorder) = get() {
            recorder.map.header(counter::CLOSED).store(stamp::now().max(1), Ordering::Relaxed);
        }
    }
    if !WATCHED.swap(true, Ordering::Relaxed) {
        system::at_end(ending);
    }
}
