//! The stacks on which waits begin: the return addresses on the thread's stack, each stack kept once.
//!
//! # Contract
//!
//! It works on any stack and never faults. It reads the thread's own stack, from the stack pointer to the
//! stack's beginning: all of this is mapped. It reads descriptions of frames: the program's own in place, and
//! a library's in a copy that was made while the system kept the library loaded. On another stack, a
//! coroutine's or a signal's, it takes none and counts that. If a frame has no valid description, the stack
//! ends early and says so.
//!
//! No thread waits for another. Threads that find that libraries were loaded or unloaded look at them in
//! parallel. A thread that cannot get a library's number at once keeps addresses in memory instead. A stack that
//! was taken before at the same place is recognised ([`known`]): that neither allocates nor calls the system. For
//! any other stack, the thread asks the loader whether libraries were loaded or unloaded. That takes the loader's
//! lock for a moment, as every panic does, and never happens in a forked child. A library that replaces another
//! one, with the same calls at the same addresses, is noticed after a hundredth of a second at the latest.
//!
//! - [`registers`], [`bounds`]: where the thread is, and how far its stack goes.
//! - [`loaded`], [`elf`], [`modules`]: what is loaded; [`described`], [`numbers`]: what is kept of it.
//! - [`unwind`]: from frame to frame; [`rule`]: how, as [`cfi`] and [`expression`] read it from what compilers
//!   write down. The crate `framehop` does this too; with it a program that needs only async-io took a fifth
//!   longer to build, and damaged descriptions were a panic in a debug build.
//! - [`store`]: the stacks of the file.

mod bounds;
mod cfi;
mod cursor;
mod described;
mod elf;
mod expression;
mod known;
mod loaded;
mod modules;
mod numbers;
mod registers;
mod rule;
pub(super) mod store;
mod unwind;

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use ticks_format::layout::{counter, Layout, Section, SectionKind};

use self::bounds::Bounds;
use self::known::Known;
use self::modules::Modules;
use self::registers::{Registers, Used};
use self::store::Store;
use self::unwind::Walker;
use super::current::Recorder;

/// For how long a stack is recognised without another look at what is loaded.
const LOOK_NS: u64 = 10_000_000;

/// The number of a stack that could not be kept.
const NONE_KEPT: u32 = 0;

/// The stacks of a recording.
#[derive(Debug)]
pub(super) struct Stacks {
    is_on: bool,
    section: Section,
    pub(super) modules: Section,
    table: Box<[AtomicU64]>,
    /// How long [`LOOK_NS`] is by the counter.
    look_units: u64,
    /// When somebody looks next at what is loaded, by the counter. Relaxed: it orders nothing.
    look_at: AtomicU64,
}

impl Stacks {
    pub(super) fn new(layout: &Layout, is_on: bool, units_per_second: u64) -> Stacks {
        let section = layout.section(SectionKind::Stacks);
        // A place for each eight words, of which few stacks have fewer.
        let places = if is_on { (section.len / 64).next_power_of_two() } else { 0 };
        let units = u128::from(LOOK_NS) * u128::from(units_per_second) / 1_000_000_000;
        Stacks {
            is_on,
            section,
            modules: layout.section(SectionKind::Modules),
            table: (0..places).map(|_| AtomicU64::new(0)).collect(),
            look_units: units as u64,
            look_at: AtomicU64::new(0),
        }
    }

    fn put(&self, recorder: &Recorder, walk: &unwind::Walk) -> Option<u32> {
        let (offset, len) = (self.section.offset as usize, self.section.len as usize);
        let store = Store {
            words: recorder.map.words(offset, len),
            taken: recorder.map.header(counter::STACKS_TAKEN),
            table: &self.table,
        };
        let mut reserve = |at, len| recorder.map.reserve_all(offset + at, len);
        store.put(&walk.frames, walk.end, &mut reserve)
    }
}

/// A recording has been made.
pub(super) fn begin(recorder: &Recorder) {
    if recorder.stacks.is_on {
        numbers::begin(recorder);
    }
}

/// What a thread needs to take stacks.
enum State {
    New,
    /// It is in use: this hook was called inside itself, by the program's allocator for example.
    InUse,
    /// The system does not say where its stack is.
    Nowhere,
    Ready(Box<Thread>),
}

struct Thread {
    bounds: Bounds,
    /// The recording to which the remembered numbers belong.
    recorder: *const Recorder,
    modules: Option<Arc<Modules>>,
    known: Known,
    walker: Walker,
}

thread_local! {
    static STATE: Cell<State> = const { Cell::new(State::New) };
}

/// The number of the stack that this is called on; 0 if none could be taken. Each `caller` has remembered
/// stacks of its own.
#[inline(never)]
pub(super) fn here(recorder: &'static Recorder, caller: u64, time: u64) -> u64 {
    if !recorder.stacks.is_on {
        return 0;
    }
    let registers = registers::here();
    // It fails in the last of a thread's destructors.
    let Ok(state) = STATE.try_with(|state| state.replace(State::InUse)) else { return 0 };
    let mut state = match state {
        State::New => begin_thread(recorder),
        state => state,
    };
    let number = match &mut state {
        State::Ready(thread) => thread.number(recorder, &registers, caller, time),
        State::New | State::InUse | State::Nowhere => 0,
    };
    let _ = STATE.try_with(|cell| cell.replace(state));
    number.into()
}

#[cold]
fn begin_thread(recorder: &'static Recorder) -> State {
    match Bounds::of_this_thread() {
        Some(bounds) => State::Ready(Box::new(Thread {
            bounds,
            recorder,
            modules: None,
            known: Known::new(),
            walker: Walker::new(),
        })),
        None => State::Nowhere,
    }
}

impl Thread {
    #[inline]
    fn number(
        &mut self,
        recorder: &'static Recorder,
        registers: &Registers,
        caller: u64,
        time: u64,
    ) -> u32 {
        let Some(used) = self.bounds.used(registers) else {
            recorder.count(counter::STACKS_ELSEWHERE);
            return 0;
        };
        let number = match self.may_recognise(recorder, time) {
            true => self.known.find(registers, used, caller),
            false => None,
        };
        match number.or_else(|| self.take(recorder, registers, used, caller, time)) {
            Some(NONE_KEPT) => {
                recorder.count(counter::STACKS_LEFT_OUT);
                NONE_KEPT
            }
            number => number.unwrap_or(0),
        }
    }

    /// Whether what this thread remembers is of this recording, and of the modules that are loaded.
    #[inline]
    fn may_recognise(&self, recorder: &Recorder, time: u64) -> bool {
        let generation = self.modules.as_ref().map_or(0, |modules| modules.generation);
        generation == modules::generation()
            && ptr::eq(self.recorder, recorder)
            && time < recorder.stacks.look_at.load(Ordering::Relaxed)
    }

    /// Unwinds the stack, and puts it into the recording if it is not there. `None`: there is none to tell of.
    #[inline(never)]
    fn take(
        &mut self,
        recorder: &'static Recorder,
        registers: &Registers,
        used: Used,
        caller: u64,
        time: u64,
    ) -> Option<u32> {
        if !ptr::eq(self.recorder, recorder) {
            self.recorder = recorder;
            self.known.forget();
        }
        self.look(recorder, time);
        // Libraries are being loaded or unloaded: no stack is better than a wrong one.
        let Some(modules) = &self.modules else { return Some(NONE_KEPT) };
        let walk = self.walker.walk(modules, registers, used);
        if walk.frames.is_empty() {
            return None;
        }
        let number = recorder.stacks.put(recorder, walk).unwrap_or(NONE_KEPT);
        self.known.remember(registers, caller, walk, number);
        Some(number)
    }

    /// Takes up the newest list of modules.
    fn look(&mut self, recorder: &'static Recorder, time: u64) {
        let is_newest = |modules: &Arc<Modules>| {
            modules.generation == modules::generation() && modules.is_up_to_date()
        };
        if !self.modules.as_ref().is_some_and(is_newest) {
            let newest = modules::newest(recorder, time);
            let place = |modules: &Option<Arc<Modules>>| modules.as_ref().map(Arc::as_ptr);
            if place(&newest) != place(&self.modules) {
                self.known.forget();
                self.walker.forget();
            }
            self.modules = newest;
            if !self.modules.as_ref().is_some_and(is_newest) {
                return;
            }
        }
        let look_at = time.saturating_add(recorder.stacks.look_units);
        recorder.stacks.look_at.store(look_at, Ordering::Relaxed);
    }
}
