//! What a task does, in one word: the state, and since when.
//!
//! It is the word of the task's entry in the recording, so a reader sees the true state. Every change is a
//! compare-and-exchange, `SeqCst`. A task that pauses first stores that it waits, and then looks whether
//! there are wakers. A thread that drops the last waker first counts, and then looks whether the task waits.
//! At least one of the two sees the other.

#[cfg(not(all(test, loom)))]
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

#[cfg(all(test, loom))]
use loom::sync::atomic::{AtomicU64, Ordering::SeqCst};
use ticks_format::tasks::task_word as word;

/// The state in the low byte.
const STATE: u64 = 0xff;

/// The word of a state since a time.
#[inline]
pub(crate) fn since(state: u64, time: u64) -> u64 {
    state | time << 8
}

/// The state in a word.
#[inline]
pub(crate) fn of(word: u64) -> u64 {
    word & STATE
}

/// A poll begins. Returns since when the task has waited, if nobody has woken it since.
#[inline]
pub(crate) fn run(state: &AtomicU64, time: u64) -> Option<u64> {
    let was = state.swap(since(word::RUNNING, time), SeqCst);
    (of(was) == word::WAITING).then_some(was >> 8)
}

/// A poll has returned Pending. `waits_on`: what the task waited for before, since when, if it goes on with that.
#[inline]
pub(crate) fn pause(state: &AtomicU64, time: u64, waits_on: Option<u64>) {
    // One more than before, so that `forget` sees that there was a poll.
    let since = waits_on.map_or(time, |since| since + 1);
    // Once woken, a task that runs stays so.
    if !change(state, since, |now| (now == word::RUNNING).then_some(word::WAITING)) {
        change(state, time, |now| (now == word::RUNNING_WOKEN).then_some(word::SCHEDULED));
    }
}

/// The task is woken. Returns whether this wake is the one that schedules it.
#[inline]
pub(crate) fn wake(state: &AtomicU64, time: u64) -> bool {
    change(state, time, |now| match now {
        word::RUNNING => Some(word::RUNNING_WOKEN),
        word::WAITING | word::FORGOTTEN => Some(word::SCHEDULED),
        _ => None,
    })
}

/// The last waker was dropped. Returns whether the task is forgotten: it waits, and nobody can wake it.
///
/// The caller may be late: the task may have been polled meanwhile, and wait with another waker. So it reads
/// the state first, and then looks whether there are wakers. If the state has changed since, which its time
/// shows, it is left alone. While a task waits without wakers, no new waker can appear.
#[inline]
pub(crate) fn forget(state: &AtomicU64, time: u64, has_wakers: impl Fn() -> bool) -> bool {
    let now = state.load(SeqCst);
    if of(now) != word::WAITING || has_wakers() {
        return false;
    }
    state.compare_exchange(now, since(word::FORGOTTEN, time), SeqCst, SeqCst).is_ok()
}

/// The task ends, or is about to be dropped. Returns what it did until then.
#[inline]
pub(crate) fn end(state: &AtomicU64, time: u64) -> u64 {
    of(state.swap(since(word::ENDED, time), SeqCst))
}

/// Whether the task is there.
#[inline]
pub(crate) fn is_over(state: &AtomicU64) -> bool {
    of(state.load(SeqCst)) == word::ENDED
}

/// Goes on to the next state, if there is one.
#[inline]
fn change(state: &AtomicU64, time: u64, next: impl Fn(u64) -> Option<u64>) -> bool {
    let mut now = state.load(SeqCst);
    while let Some(next) = next(of(now)) {
        // A poll that goes on keeps the time at which it began.
        let time = if next == word::RUNNING_WOKEN { now >> 8 } else { time };
        match state.compare_exchange(now, since(next, time), SeqCst, SeqCst) {
            Ok(_) => return true,
            Err(other) => now = other,
        }
    }
    false
}
