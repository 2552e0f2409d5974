//! The table of who waits now.
//!
//! The home of a wait for a source follows from the source's index and direction, that of a timer from
//! the timer's number. The entry is at its home or a few places behind. So nobody has to remember where
//! it is. Sources have the first half of the table and timers the second, so a flood of timers leaves
//! no connection out.
//!
//! One thread at a time changes the entry of an own waiter or a timer: the one that polls, cancels or
//! fires it. Tasks that share the poll functions of a direction share one entry. A thread that finds
//! another thread at it leaves it alone, and the next poll corrects it.

use std::cell::Cell;
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};

use ticks_format::layout::counter;
use ticks_format::tables::{waiter_word as word, WAITER_WORDS};
use ticks_format::{Awaited, Direction, Key, Ticks, Waiter};

use super::current::{self, Recorder};
use super::places::set_place;
use super::stacks;
use super::table::Writing;
use super::writer::now_and_just_now;
use crate::task::{current_id, note_asked};
use crate::thread::thread_number;

/// How far behind its home an entry is looked for.
const PROBES: u64 = 8;
const PROBE_LAST: u64 = PROBES - 1;

/// The entries of timers that are looked at first; a power of two, fewer than any table has.
const TIMERS_AT_HAND: u64 = 128;

const ENTRY_BYTES: usize = 8 * WAITER_WORDS;

/// The words that tell entries apart, besides the state.
const NAME: usize = 2;

/// The waiter that tasks share.
pub(super) const SHARED: u64 = 0;

/// The words of one who waits.
type Entry = [AtomicU64; WAITER_WORDS];

thread_local! {
    /// Whether the poll under way goes on with a wait, rather than begin one.
    static GOES_ON: Cell<bool> = const { Cell::new(false) };
    /// The timer that this thread is about to arm.
    static TIMER: Cell<Begun> = const { Cell::new(Begun::UNKNOWN) };
}

/// How a wait began.
#[derive(Clone, Copy)]
struct Begun {
    place: u64,
    stack: u64,
    since: u64,
}

impl Begun {
    const UNKNOWN: Begun = Begun { place: 0, stack: 0, since: 0 };
}

/// What an entry is for.
#[derive(Clone, Copy)]
struct Name {
    home: u64,
    /// The state's low bytes, without the bit that says that there are ticks.
    state: u64,
    /// The key or the timer's number, and the waiter's number.
    words: [u64; 2],
}

impl Name {
    fn of_wait(key: Key, dir: Direction, waiter: u64) -> Name {
        let home = u64::from(key.index()) * 2 + u64::from(dir.code());
        let state = word::SOURCE | u64::from(dir.code()) << 8;
        Name { home, state, words: [key.0, waiter] }
    }

    fn of_timer(id: u64) -> Name {
        Name { home: id, state: word::TIMER, words: [id, 0] }
    }

    fn is_timer(&self) -> bool {
        self.state == word::TIMER
    }

    /// Whether several threads may be at its entry.
    fn is_shared(&self) -> bool {
        !self.is_timer() && self.words[1] == SHARED
    }

    #[inline(always)]
    fn has_left(&self, entry: &Entry) -> bool {
        self.words.iter().zip(&entry[NAME..]).all(|(a, b)| b.load(Ordering::Relaxed) == *a)
    }

    #[inline(always)]
    fn holds(&self, entry: &Entry) -> bool {
        entry[word::STATE].load(Ordering::Relaxed) & 0xffff == self.state && self.has_left(entry)
    }

    /// The entries where this may be, in this order, as far as there is room for them. A few timers
    /// keep to the few entries that the processor has at hand. It says nothing of a full disk: the
    /// timers' lock may be held.
    #[inline]
    fn entries(self, recorder: &'static Recorder) -> impl Iterator<Item = &'static Entry> {
        let half = recorder.waiters.entries() / 2;
        let first = if self.is_timer() { half } else { 0 };
        let begin = recorder.waiters.offset as usize;
        (0..2 * PROBES).map_while(move |probe| {
            let at = self.home + probe;
            let index = match (self.is_timer(), probe) {
                (true, 0..=PROBE_LAST) => at % TIMERS_AT_HAND,
                (false, 0..=PROBE_LAST) if at < half => at,
                (true, _) | (false, 0..=PROBE_LAST) => at % half,
                (false, _) => return None,
            };
            let offset = begin + (first + index) as usize * ENTRY_BYTES;
            let roomy = recorder.map.reserve_all_silently(offset, ENTRY_BYTES);
            let entry = recorder.map.words(offset, ENTRY_BYTES);
            entry.try_into().ok().filter(|_| roomy)
        })
    }

    /// The entry that is looked at first.
    #[inline]
    fn home(self, recorder: &'static Recorder) -> Option<&'static Entry> {
        self.entries(recorder).next()
    }

    /// The entry that holds this, which is the home as a rule.
    #[inline]
    fn find(self, recorder: &'static Recorder) -> Option<&'static Entry> {
        match self.home(recorder) {
            Some(home) if self.holds(home) => Some(home),
            _ => self.find_away(recorder),
        }
    }

    #[inline(never)]
    fn find_away(self, recorder: &'static Recorder) -> Option<&'static Entry> {
        // Entries are claimed in this order, so the search ends at one that was never used.
        let used = |entry: &&Entry| entry[0].load(Ordering::Relaxed) != 0;
        self.entries(recorder).take_while(used).find(|entry| self.holds(entry))
    }
}

#[inline(always)]
fn is_free(entry: &Entry) -> bool {
    entry[word::STATE].load(Ordering::Relaxed) & 0xff == word::NOBODY
}

/// A poll of a source begins; `anew` if its waiter does not wait already.
#[inline]
pub fn wait_begins_anew(anew: bool) {
    GOES_ON.with(|goes_on| goes_on.set(!anew));
}

/// A waiter waits from now on, or goes on waiting, for another task maybe.
#[allow(clippy::too_many_arguments)] // The words of an entry, as the hook has them.
pub fn waits(key: Key, fd: i64, dir: Direction, waiter: u64, ticks: Ticks, task: u64, time: u64) {
    let Some(recorder) = current::get() else { return };
    let name = Name::of_wait(key, dir, waiter);
    let goes_on = GOES_ON.with(Cell::get);
    let home = name.home(recorder);
    // The home is free and was last this waiter's: then no other entry holds it.
    let is_left = home.is_some_and(|entry| is_free(entry) && name.has_left(entry));
    if (goes_on || waiter == SHARED) && !is_left {
        let held = home.filter(|entry| name.holds(entry));
        if let Some(entry) = held.or_else(|| name.find_away(recorder)) {
            // The calls of one task are not those of another one that waits beside it.
            note_asked(match entry[word::TASK].load(Ordering::Relaxed) == task {
                true => entry[word::STACK].load(Ordering::Relaxed),
                false => stacks::here(recorder, recorder.places.here(&recorder.map), time),
            });
            // While the entry is held, the task may be stored alone.
            return entry[word::TASK].store(task, Ordering::Relaxed);
        }
    }
    let awaited = Awaited::Source { key, fd, dir, waiter, ticks: Some(ticks) };
    let place = recorder.places.here(&recorder.map);
    let tid = thread_number();
    let stack = stacks::here(recorder, place, time);
    note_asked(stack);
    let task_id = current_id();
    claim(recorder, name, &Waiter { awaited, task, since: time, place, tid, stack, task_id });
    recorder.map.tell_if_full();
}

/// A timer that was made at `at` is about to be armed. Call it with nothing locked: it takes the stack.
pub fn timer_begins(at: &'static Location<'static>) {
    set_place(at);
    let Some(recorder) = current::get() else { return };
    let time = now_and_just_now();
    let place = recorder.places.here(&recorder.map);
    let stack = stacks::here(recorder, place, time);
    note_asked(stack);
    TIMER.with(|timer| timer.set(Begun { place, stack, since: time }));
}

/// The timer of the last `timer_begins` on this thread is armed. Called with the timers' lock held, before
/// anybody can fire it. It writes nothing to standard error.
pub fn timer_waits(id: u64, deadline_ns: u64, task: u64) {
    let Some(recorder) = current::get() else { return };
    let awaited = Awaited::Timer { id, deadline_ns };
    let Begun { place, stack, since } = TIMER.with(|timer| timer.replace(Begun::UNKNOWN));
    let (tid, task_id) = (thread_number(), current_id());
    claim(
        recorder,
        Name::of_timer(id),
        &Waiter { awaited, task, since, place, tid, stack, task_id },
    );
}

/// A timer is armed, and its lock released: now the user can be told of a full disk.
#[inline]
pub fn timer_begun() {
    if let Some(recorder) = current::get() {
        recorder.map.tell_if_full();
    }
}

/// Another task is to be woken by the timer.
pub fn timer_task(id: u64, task: u64) {
    let Some(recorder) = current::get() else { return };
    if let Some(entry) = Name::of_timer(id).find(recorder) {
        entry[word::TASK].store(task, Ordering::Relaxed);
    }
}

/// The first free entry becomes the waiter's.
#[inline]
fn claim(recorder: &'static Recorder, name: Name, waiter: &Waiter) {
    for entry in name.entries(recorder) {
        // Acquire: the state is of this sequence or a later one, for which the exchange fails.
        let sequence = entry[0].load(Ordering::Acquire);
        if !is_free(entry) {
            continue;
        }
        if let Some(_writing) = Writing::begin(entry, sequence) {
            let words = waiter.words();
            // A constant number of words, so that the compiler unrolls the loop.
            for at in 1..WAITER_WORDS {
                entry[at].store(words[at], Ordering::Relaxed);
            }
            return;
        }
    }
    recorder.count(counter::WAITERS_LEFT_OUT);
}

/// A waiter waits no longer.
pub fn wait_over(key: Key, dir: Direction, waiter: u64) {
    end(Name::of_wait(key, dir, waiter));
}

/// A timer was disarmed, or fired.
pub fn timer_over(id: u64) {
    end(Name::of_timer(id));
}

fn end(name: Name) {
    let Some(recorder) = current::get() else { return };
    let Some(entry) = name.find(recorder) else { return };
    let writing = match name.is_shared() {
        true => begin_shared(name, entry),
        false => Some(Writing::begin_own(entry)),
    };
    if let Some(writing) = writing {
        writing.store(word::STATE, word::NOBODY);
    }
}

/// Begins to change the entry if it still holds this: another task may have ended the wait meanwhile, and
/// the entry be another waiter's.
fn begin_shared(name: Name, entry: &Entry) -> Option<Writing<'_>> {
    // Read before the entry is looked at: the exchange fails if the entry changes after that.
    let sequence = entry[0].load(Ordering::Acquire);
    name.holds(entry).then(|| Writing::begin(entry, sequence)).flatten()
}
