//! What this thread does for tasks now: which task it polls, and why it wakes others.

use std::cell::Cell;

use ticks_format::{Direction, Key};

/// Why a reactor wakes somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// An event of a source.
    Source(Key, Direction),
    /// A timer that fired, by its number.
    Timer(u64),
    /// Something else: its place was given to another waiter, or its source cannot be waited for any
    /// longer.
    Other,
}

/// What a thread does.
#[derive(Clone, Copy, Debug)]
struct Now {
    /// The task that it polls; 0: none that is recorded.
    task: u64,
    /// The stack on which that task last asked to be woken, in this poll; 0: it has not asked, or the
    /// stack is not known.
    asked: u64,
    /// The task asks the reactor to wake it. The table of waiters, not the task, counts these wakers.
    asks_reactor: bool,
    /// Why the reactor wakes, while it does.
    wakes: Option<Cause>,
}

impl Now {
    const IDLE: Now = Now { task: 0, asked: 0, asks_reactor: false, wakes: None };
}

thread_local! {
    static NOW: Cell<Now> = const { Cell::new(Now::IDLE) };
}

fn change(change: impl FnOnce(&mut Now)) {
    NOW.with(|now| {
        let mut new = now.get();
        change(&mut new);
        now.set(new);
    });
}

/// What the thread did before the poll under way began.
#[derive(Debug)]
pub(super) struct Outer(Now);

/// A poll of a task begins.
pub(super) fn enter(task: u64) -> Outer {
    NOW.with(|now| Outer(now.replace(Now { task, ..Now::IDLE })))
}

/// It has ended.
pub(super) fn leave(outer: &Outer) {
    NOW.with(|now| now.set(outer.0));
}

/// The task that this thread polls; 0 if there is none.
#[inline]
pub(crate) fn current_id() -> u64 {
    NOW.with(|now| now.get().task)
}

/// The task that this thread polls asks to be woken, on this stack.
#[inline]
pub(crate) fn note_asked(stack: u64) {
    change(|now| now.asked = stack);
}

/// The stack on which the task asked last in this poll.
pub(crate) fn last_asked() -> u64 {
    NOW.with(|now| now.get().asked)
}

/// Sets whether this thread asks the reactor from now on. The table of waiters counts wakers that are cloned
/// meanwhile. Returns the value before.
#[inline]
pub fn asks_reactor(does: bool) -> bool {
    NOW.with(|now| {
        let before = now.get();
        now.set(Now { asks_reactor: does, ..before });
        before.asks_reactor
    })
}

/// Whether a waker that is cloned now is for the reactor.
pub(crate) fn is_asking_reactor() -> bool {
    NOW.with(|now| now.get().asks_reactor)
}

/// The reactor wakes somebody for this cause, or has woken all: `None`.
#[inline]
pub fn round_wakes(cause: Option<Cause>) {
    change(|now| now.wakes = cause);
}

/// Why the reactor wakes just now, if it does.
pub(crate) fn woken_by_round() -> Option<Cause> {
    NOW.with(|now| now.get().wakes)
}
