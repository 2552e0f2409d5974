//! The table of tasks, and the records of their life.
//!
//! A task has its entry until its last reference is dropped, and its wakers are references too. So nobody
//! stores into another task's entry. Each word is stored on its own. A task that found no entry has a word
//! for its state, and its records.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ticks_format::layout::counter;
use ticks_format::records as r;
use ticks_format::tasks::{task_word as word, Asked, ASKED_MAX, TASK_WORDS};
use ticks_format::{LastWake, TaskKind, Verdict, WokenBy};

use super::current::{self, Recorder};
use super::table::Writing;
use super::writer::{now_and_just_now, record};
use super::{stacks, stamp};
use crate::task::current as thread;
use crate::task::{state, Cause};
use crate::thread::thread_number;

/// How many entries are looked at for that of a task that was lost.
const PROBES: u64 = 16;

const ENTRY_BYTES: usize = 8 * TASK_WORDS;

/// The words of a task in the file.
type Words = [AtomicU64; TASK_WORDS];

/// The `caller` numbers for `stacks::here`.
mod caller {
    pub(super) const BEGINS: u64 = u64::MAX;
    pub(super) const ASKS: u64 = u64::MAX - 4;
    pub(super) const WAKES: u64 = u64::MAX - 8;
}

/// An entry of the table.
#[derive(Clone, Copy, Debug)]
struct Place {
    index: usize,
    words: &'static Words,
}

/// What is recorded of a task.
#[derive(Debug)]
pub(crate) struct Entry {
    recorder: &'static Recorder,
    id: u64,
    /// When it began, by the counter.
    begun: u64,
    kind: TaskKind,
    /// Its name's place in the strings.
    name: u64,
    owned: bool,
    /// Its place in the table, if there was one.
    place: Option<Place>,
    /// The state of a task without a place.
    state: AtomicU64,
    /// On which stack its last poll asked last to be woken; 0: on none that is known. Only who polls it writes it.
    waits_in: AtomicU64,
    /// It ended, and the record of that is made.
    has_ended: AtomicBool,
    /// It was lost, and the entry stays.
    is_lost: AtomicBool,
}

/// What a task waits for that is polled though nobody has woken it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waited {
    /// By the counter.
    since: u64,
    /// How often it had asked somebody other than the reactor.
    asked: u64,
}

impl Entry {
    /// A task that begins; `None` if nobody records.
    pub(crate) fn new(kind: TaskKind, name: &str, owned: bool) -> Option<Entry> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let recorder = current::get()?;
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = recorder.names.of(name, &recorder.places, &recorder.map);
        Some(Entry {
            recorder,
            id,
            begun: stamp::now(),
            kind,
            name,
            owned,
            place: claim(recorder, id),
            state: AtomicU64::new(0),
            waits_in: AtomicU64::new(0),
            has_ended: AtomicBool::new(false),
            is_lost: AtomicBool::new(false),
        })
    }

    /// The task's number.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Whether it is of this process's recording: a forked child leaves its parent's alone.
    fn is_ours(&self) -> bool {
        current::get().is_some_and(|ours| std::ptr::eq(ours, self.recorder))
    }

    fn words(&self) -> Option<&'static Words> {
        self.place.map(|place| place.words)
    }

    fn state(&self) -> &AtomicU64 {
        self.words().map_or(&self.state, |words| &words[word::STATE])
    }

    fn store(&self, at: usize, value: u64) {
        if let Some(words) = self.words() {
            words[at].store(value, Ordering::Relaxed);
        }
    }

    fn load(&self, at: usize) -> u64 {
        self.words().map_or(0, |words| words[at].load(Ordering::Relaxed))
    }

    /// Adds to a word that several threads change.
    fn add(&self, at: usize, count: u64) {
        if let Some(words) = self.words() {
            words[at].fetch_add(count, Ordering::Relaxed);
        }
    }

    /// The task is there, with this waker.
    pub(crate) fn begins(&self, waker: u64) {
        let time = now_and_just_now();
        let parent = thread::current_id();
        let stack = stacks::here(self.recorder, caller::BEGINS, time);
        if let Some(words) = self.words() {
            let begun = [
                (word::ID, self.id),
                (word::WAKER, waker),
                (word::NAME, self.name),
                (word::BEGUN, self.begun),
                (word::KIND, self.kind.code().into()),
                (word::PARENT, parent),
                (word::STACK, stack),
            ];
            for (at, value) in begun {
                words[at].store(value, Ordering::Relaxed);
            }
        }
        // Last: a reader that sees the state sees the rest.
        self.state().store(state::since(word::SCHEDULED, time), Ordering::SeqCst);
        let Entry { id: task, kind, name, .. } = *self;
        record(&r::TaskSpawn { task, kind, waker, parent, name, stack }, time);
    }

    /// Whether a poll is recorded. A future may be polled again after its end, if it is fused for example; then
    /// it is no task any more.
    fn goes_on(&self) -> bool {
        self.is_ours() && !self.has_ended.load(Ordering::Relaxed)
    }

    /// Returns what the task has waited for until now, if nobody has woken it since.
    pub(crate) fn poll_begins(&self) -> Option<Waited> {
        if !self.goes_on() {
            return None;
        }
        let time = now_and_just_now();
        self.store(word::THREAD, thread_number());
        self.store(word::POLLS, self.load(word::POLLS) + 1);
        let waited = state::run(self.state(), time);
        record(&r::TaskPollBegin { task: self.id }, time);
        waited.map(|since| Waited { since, asked: self.load(word::ASKED) })
    }

    /// `waited`: from [`poll_begins`](Self::poll_begins).
    pub(crate) fn poll_ends(&self, is_ready: bool, waited: Option<Waited>) {
        if !self.goes_on() {
            return;
        }
        let stack = thread::last_asked();
        let time = self.poll_over(if is_ready { Verdict::Ready } else { Verdict::Pending }, stack);
        match is_ready {
            true => self.ends(time, End::Done),
            false => state::pause(self.state(), time, self.waits_on(waited, stack)),
        }
    }

    /// Since when the task has waited for what it waits for: an executor polls what its `run` was given whenever it is
    /// polled itself. Then it asks nobody anew, or in the same place.
    fn waits_on(&self, waited: Option<Waited>, stack: u64) -> Option<u64> {
        let before = self.waits_in.load(Ordering::Relaxed);
        if stack != 0 {
            self.waits_in.store(stack, Ordering::Relaxed);
        }
        let is_same = |waited: &Waited| match stack {
            0 => waited.asked == self.load(word::ASKED),
            _ => stack == before,
        };
        waited.filter(is_same).map(|waited| waited.since)
    }

    pub(crate) fn poll_panics(&self) {
        if self.goes_on() {
            let time = self.poll_over(Verdict::Failed, thread::last_asked());
            self.ends(time, End::Panicked);
        }
    }

    /// Returns when.
    fn poll_over(&self, result: Verdict, stack: u64) -> u64 {
        let time = now_and_just_now();
        let begun = self.state().load(Ordering::Relaxed) >> 8;
        // The state has the low 56 bits.
        let took = (time.wrapping_sub(begun)) & (u64::MAX >> 8);
        self.store(word::POLLED, self.load(word::POLLED) + took);
        if took > self.load(word::LONGEST) {
            self.store(word::LONGEST, took);
            self.store(word::LONGEST_STACK, stack);
        }
        let duration_ns = stamp::elapsed_ns(0, took);
        record(&r::TaskPollEnd { task: self.id, result, duration_ns, stack }, time);
        time
    }

    /// Somebody has a waker of it from now on.
    pub(crate) fn waker_made(&self) {
        if !self.is_ours() {
            return;
        }
        self.add(word::WAKERS, 1);
        // Outside of its poll a waker may be passed on, which does not say what the task waits for.
        if thread::current_id() == self.id && !thread::is_asking_reactor() {
            self.asks();
        }
    }

    /// In its poll, somebody other than the reactor is asked to wake it.
    fn asks(&self) {
        let time = now_and_just_now();
        let stack = stacks::here(self.recorder, caller::ASKS, time);
        thread::note_asked(stack);
        self.store(word::ASKED, self.load(word::ASKED) + 1);
        if let Some(words) = self.words() {
            keep(&words[word::WAIT..][..ASKED_MAX], stack, self.load(word::POLLS) as u32);
        }
        record(&r::TaskWait { task: self.id, stack }, time);
    }

    /// Somebody has one waker of it less.
    pub(crate) fn waker_gone(&self) {
        if self.is_ours() {
            self.add(word::WAKERS, 1_u64.wrapping_neg());
        }
    }

    /// The last waker of it was dropped: if it waits, and there is none by now, nobody can wake it any more.
    pub(crate) fn may_be_forgotten(&self, has_wakers: impl Fn() -> bool) {
        if !self.is_ours() {
            return;
        }
        // What runs an executor for good is given a main future that waits for nobody.
        if self.kind == TaskKind::Run && self.load(word::ASKED) == 0 {
            return;
        }
        let time = now_and_just_now();
        if state::forget(self.state(), time, has_wakers) {
            let words = self.words().map(|words| &words[word::WAIT..][..ASKED_MAX]);
            let stack = words.map_or(0, latest);
            record(&r::TaskForgotten { task: self.id, stack }, time);
        }
    }

    /// Somebody wakes it.
    pub(crate) fn wakes(&self) {
        if !self.is_ours() || state::is_over(self.state()) {
            return;
        }
        let time = now_and_just_now();
        let wake = self.who_wakes(time);
        // Before the state, so that a reader that sees the wake also finds its cause. If the task was
        // woken already, the later wake may replace the cause.
        let [by, from] = wake.words();
        self.store(word::WOKEN_BY, by);
        self.store(word::WOKEN_FROM, from);
        self.add(word::WAKES, 1);
        let first = state::wake(self.state(), time);
        let LastWake { by, from, dir, stack } = wake;
        record(&r::TaskWake { task: self.id, by, from, dir, first, stack }, time);
    }

    fn who_wakes(&self, time: u64) -> LastWake {
        let (by, from, dir) = match (thread::woken_by_round(), thread::current_id()) {
            (Some(Cause::Source(key, dir)), _) => (WokenBy::Source, key.0, Some(dir)),
            (Some(Cause::Timer(id)), _) => (WokenBy::Timer, id, None),
            (Some(Cause::Other), _) => (WokenBy::Reactor, 0, None),
            (None, 0) => (WokenBy::Thread, thread_number(), None),
            (None, id) if id == self.id => (WokenBy::Itself, id, None),
            (None, id) => (WokenBy::Task, id, None),
        };
        let by_code = matches!(by, WokenBy::Thread | WokenBy::Task | WokenBy::Itself);
        let stack = if by_code { stacks::here(self.recorder, caller::WAKES, time) } else { 0 };
        LastWake { by, from, dir, stack }
    }

    /// It is about to be dropped.
    pub(crate) fn goes(&self) {
        if !self.is_ours() || self.has_ended.load(Ordering::Relaxed) {
            return;
        }
        let time = now_and_just_now();
        let was = state::end(self.state(), time);
        if was == word::FORGOTTEN && !self.owned {
            self.is_lost.store(true, Ordering::Relaxed);
            self.store(word::STATE, state::since(word::FORGOTTEN, time));
        }
    }

    /// It was dropped.
    pub(crate) fn gone(&self) {
        if !self.is_ours() {
            return;
        }
        let time = now_and_just_now();
        self.ends(time, End::Cancelled);
        if self.is_lost.load(Ordering::Relaxed) {
            // This comes last: another task may take the entry from now on.
            self.store(word::STATE, state::since(word::LOST, time));
        }
    }

    fn ends(&self, time: u64, end: End) {
        if self.has_ended.swap(true, Ordering::Relaxed) {
            return;
        }
        let (task, polls) = (self.id, self.load(word::POLLS));
        let age_ns = stamp::elapsed_ns(self.begun, time);
        match end {
            End::Done => record(&r::TaskDone { task, polls, age_ns }, time),
            End::Cancelled => record(&r::TaskCancelled { task, polls, age_ns }, time),
            End::Panicked => record(&r::TaskPanicked { task, polls, age_ns }, time),
        }
        if !self.is_lost.load(Ordering::Relaxed) {
            state::end(self.state(), time);
        }
    }
}

impl Drop for Entry {
    /// The last reference to the task is dropped.
    fn drop(&mut self) {
        if self.is_ours() && !*self.is_lost.get_mut() {
            if let Some(Place { index, words }) = self.place {
                Writing::begin_own(words).store(word::STATE, word::NONE);
                self.recorder.vacancies.give(index);
            }
        }
    }
}

/// How a task ends.
#[derive(Clone, Copy)]
enum End {
    Done,
    Cancelled,
    Panicked,
}

/// An entry for a task: one that is free, else that of a task that was lost.
fn claim(recorder: &'static Recorder, id: u64) -> Option<Place> {
    if let Some(index) = recorder.vacancies.take() {
        if let Some(words) = change(recorder, index, word::NONE) {
            return Some(Place { index, words });
        }
        recorder.vacancies.give(index);
    } else {
        let entries = recorder.tasks.entries().max(1);
        for probe in 0..PROBES {
            let index = ((id + probe) % entries) as usize;
            if let Some(words) = change(recorder, index, word::LOST) {
                return Some(Place { index, words });
            }
        }
    }
    recorder.count(counter::TASKS_LEFT_OUT);
    None
}

/// Makes an entry the caller's, if it is in this state.
fn change(recorder: &'static Recorder, index: usize, from: u64) -> Option<&'static Words> {
    let offset = recorder.tasks.offset as usize + index * ENTRY_BYTES;
    if !recorder.map.reserve_all(offset, ENTRY_BYTES) {
        return None;
    }
    let words = <&Words>::try_from(recorder.map.words(offset, ENTRY_BYTES)).ok()?;
    // Acquire: the state is of this sequence or a later one, for which the exchange fails.
    let sequence = words[0].load(Ordering::Acquire);
    if state::of(words[word::STATE].load(Ordering::Relaxed)) != from {
        return None;
    }
    let writing = Writing::begin(words, sequence)?;
    writing.store_all(&[0; TASK_WORDS]);
    // So that nobody else takes it until it has begun.
    writing.store(word::STATE, word::ENDED);
    Some(words)
}

/// Keeps a stack on which the task asked. Each stack is kept once; a new one replaces the one that was
/// used longest ago.
fn keep(places: &[AtomicU64], stack: u64, poll: u32) {
    if stack == 0 {
        return;
    }
    let load = |place: &AtomicU64| place.load(Ordering::Relaxed);
    let is_same = |place: &&AtomicU64| load(place) as u32 == stack as u32;
    // One that was never used is older than any.
    let age = |place: &&AtomicU64| match load(place) {
        0 => u32::MAX,
        kept => poll.wrapping_sub((kept >> 32) as u32),
    };
    let place = places.iter().find(is_same).or_else(|| places.iter().max_by_key(age));
    if let Some(place) = place {
        place.store(Asked { stack, poll }.word(), Ordering::Relaxed);
    }
}

/// The stack of the latest poll in which a task asked.
fn latest(places: &[AtomicU64]) -> u64 {
    let all = places.iter().map(|place| place.load(Ordering::Relaxed));
    all.max_by_key(|kept| kept >> 32).unwrap_or(0) & u64::from(u32::MAX)
}
