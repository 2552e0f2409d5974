//! Model checks of a task's wakers: every interleaving of those who drop them, wake, and poll.
//!
//! Run by `RUSTFLAGS="--cfg loom" cargo test -p ticks-recorder --release --lib models`.

use std::sync::atomic::{AtomicUsize as Count, Ordering::SeqCst as Counted};
use std::sync::Arc as StdArc;
use std::task::{Wake, Waker};

use loom::sync::atomic::{AtomicU64, Ordering::SeqCst};
use loom::sync::Arc;
use loom::thread;
use ticks_format::tasks::task_word as word;

use super::parent::Parent;
use super::state;

/// A task as `waker` has it: its state, its wakers, its executor's waker; and how often it was reported as
/// forgotten. A waker of it is a call of `hold`.
struct Machine {
    state: AtomicU64,
    wakers: AtomicU64,
    parent: Parent,
    forgotten: AtomicU64,
    /// The time: it only has to go on, for which no thread waits for another.
    time: Count,
}

/// The executor's waker.
#[derive(Default)]
struct Woken(Count);

impl Wake for Woken {
    fn wake(self: StdArc<Woken>) {
        self.0.fetch_add(1, Counted);
    }
}

impl Machine {
    fn new() -> Arc<Machine> {
        Arc::new(Machine {
            state: AtomicU64::new(state::since(word::SCHEDULED, 0)),
            wakers: AtomicU64::new(0),
            parent: Parent::new(),
            forgotten: AtomicU64::new(0),
            time: Count::new(1),
        })
    }

    fn now(&self) -> u64 {
        self.time.fetch_add(1, Counted) as u64
    }

    fn hold(&self) {
        self.wakers.fetch_add(1, SeqCst);
    }

    fn may_be_forgotten(&self) {
        if state::forget(&self.state, self.now(), || self.wakers.load(SeqCst) > 0) {
            self.forgotten.fetch_add(1, SeqCst);
        }
    }

    fn release(&self) {
        if self.wakers.fetch_sub(1, SeqCst) == 1 {
            self.may_be_forgotten();
            self.parent.waker_gone(|| self.wakers.load(SeqCst) > 0);
        }
    }

    fn wake(&self) {
        state::wake(&self.state, self.now());
        self.parent.wake();
    }

    /// As a waker that is woken by value.
    fn use_up(&self) {
        self.wake();
        self.release();
    }

    /// A poll that returns Pending.
    fn poll(&self, waker: &Waker, within: impl FnOnce()) {
        self.parent.poll_begins(waker);
        let waited = state::run(&self.state, self.now());
        within();
        state::pause(&self.state, self.now(), waited);
        if self.wakers.load(SeqCst) == 0 {
            self.may_be_forgotten();
        }
        self.parent.poll_ends(|| self.wakers.load(SeqCst) > 0);
    }
}

/// A poll that returns Pending, in which a waker is handed to another thread; until that has done this with it.
fn poll_and_hand_out(machine: &Arc<Machine>, waker: &Waker, does: fn(&Machine)) {
    let mut other = None;
    machine.poll(waker, || {
        machine.hold();
        let machine = machine.clone();
        other = Some(thread::spawn(move || does(&machine)));
    });
    other.unwrap().join().unwrap();
}

/// The waker of a task is handed to another thread in its poll, which drops it: the task is forgotten, and that is
/// said once, whether the poll was over by then or not.
#[test]
fn model_a_dropped_waker_is_told_of_once() {
    loom::model(|| {
        let (machine, waker) = (Machine::new(), Waker::from(StdArc::new(Woken::default())));
        poll_and_hand_out(&machine, &waker, Machine::release);
        assert_eq!(machine.forgotten.load(SeqCst), 1);
        assert_eq!(state::of(machine.state.load(SeqCst)), word::FORGOTTEN);
    });
}

/// The other thread wakes the task, then drops the waker: the task is not forgotten, its executor is told, and it is
/// to be polled again.
#[test]
fn model_one_that_was_woken_is_not_forgotten() {
    loom::model(|| {
        let machine = Machine::new();
        let woken = StdArc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        poll_and_hand_out(&machine, &waker, Machine::use_up);
        assert_eq!(machine.forgotten.load(SeqCst), 0);
        assert_eq!(state::of(machine.state.load(SeqCst)), word::SCHEDULED);
        assert_eq!(woken.0.load(Counted), 1);
    });
}

/// A waker is used up: it wakes the task, and is dropped then. In between the task is polled, and another one has
/// its waker: it is not forgotten. Once it was, by whoever came late with the news that there were no wakers.
#[test]
fn model_late_news_of_no_wakers_are_no_news() {
    loom::model(|| {
        let (machine, waker) = (Machine::new(), Waker::from(StdArc::new(Woken::default())));
        machine.poll(&waker, || machine.hold());
        let other = {
            let machine = machine.clone();
            thread::spawn(move || machine.use_up())
        };
        machine.poll(&waker, || machine.hold());
        other.join().unwrap();
        assert_eq!(machine.forgotten.load(SeqCst), 0);
        assert_ne!(state::of(machine.state.load(SeqCst)), word::FORGOTTEN);
    });
}

/// The last waker is dropped while whoever polls the task on its own account polls it again, and hands out another
/// waker. That one still reaches the executor.
#[test]
fn model_a_waker_handed_out_meanwhile_reaches_the_executor() {
    loom::model(|| {
        let machine = Machine::new();
        let woken = StdArc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        machine.poll(&waker, || machine.hold());
        let other = {
            let machine = machine.clone();
            thread::spawn(move || machine.release())
        };
        machine.poll(&waker, || machine.hold());
        other.join().unwrap();
        machine.wake();
        assert_eq!(woken.0.load(Counted), 1);
        assert_eq!(state::of(machine.state.load(SeqCst)), word::SCHEDULED);
        machine.release();
    });
}

/// Nothing of the executor's is kept once nobody can use it.
#[test]
fn model_the_executors_waker_goes_with_the_last() {
    loom::model(|| {
        let machine = Machine::new();
        let woken = StdArc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        poll_and_hand_out(&machine, &waker, Machine::release);
        drop(waker);
        assert_eq!(StdArc::strong_count(&woken), 1);
    });
}
