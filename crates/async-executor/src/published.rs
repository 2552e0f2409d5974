//! The table by which a debugger, or `ticks`, finds the tasks of this process's executors in its memory:
//! [`ticks_format::published`]. Made once, with the first executor; nobody here reads it.
//!
//! Where a field is, its own module says: the functions `publish`. What other crates do not tell of their types is
//! measured here, on a value.
//!
//! This file has unsafe code: it looks at the words of a slab, of a vector, and of a task.

#![allow(unsafe_code)]

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{RawWakerVTable, Waker};

use slab::Slab;
use ticks_format::published::{executor as word, place, task_state, Published, EXECUTOR};

use crate::listing::{self, Layout};
use crate::spawn;
use crate::{local_state, signal, state};

/// This copy's table.
pub(crate) type Table = Published<{ word::COUNT }>;

const ADDRESS_BYTES: usize = size_of::<usize>();

// `used`: nobody here reads it.
#[used]
static TICKS_PUBLISHED_EXECUTOR: Table = Published::new(EXECUTOR);

/// Says where the tasks are, once.
pub(crate) fn publish() {
    static BEGUN: AtomicBool = AtomicBool::new(false);
    if cfg!(loom) || BEGUN.swap(true, Ordering::Relaxed) {
        return;
    }
    let table = &TICKS_PUBLISHED_EXECUTOR;
    measure_slab(table);
    measure_task(table);
    signal::publish(table);
    state::publish(table);
    local_state::publish(table);
    table.complete();
    ticks_recorder::add_executor(listing::list);
}

/// How a task lies in memory.
pub(crate) fn task_layout() -> Option<Layout> {
    Layout::of(&TICKS_PUBLISHED_EXECUTOR)
}

/// The words of a value that has nothing but words, none of them padding.
///
/// # Safety
///
/// `T` is made of integers and pointers as wide as an address, without padding.
unsafe fn words_of<T, const N: usize>(value: &T) -> [usize; N] {
    const { assert!(size_of::<T>() == size_of::<[usize; N]>()) };
    // SAFETY: of this size, and every byte of it is initialised, as the caller says.
    unsafe { mem::transmute_copy(value) }
}

/// How a set of wakers lies in memory. A slab has a vector of entries, their number, and the first free one.
fn measure_slab(table: &Table) {
    let mut pattern: Slab<Waker> = Slab::with_capacity(7);
    for _ in 0..3 {
        pattern.insert(Waker::noop().clone());
    }
    // Three entries of which one is free, so that no two words are alike.
    pattern.remove(1);
    // SAFETY: a slab is five words, and of the size of these.
    let words: [usize; 5] = unsafe { words_of(&pattern) };
    let [first, last] = [&pattern[0], &pattern[2]].map(|waker| waker as *const Waker as usize);
    table.set(word::VEC_ELEMENTS, place(&words, first));
    table.set(word::VEC_LEN, place(&words, 3));
    table.set(word::ELEMENT_BYTES, (last - first) / 2);
    // Of a free entry the address of the table is null, as there is no other room to say so.
    let is_known = (last - first) / 2 == size_of::<Waker>();
    let waker = &pattern[0];
    // SAFETY: a waker is a data pointer and a reference, and of the size of these.
    let words: [usize; 2] = unsafe { words_of(waker) };
    let at = place(&words, waker.vtable() as *const RawWakerVTable as usize);
    table.set(word::ELEMENT_TABLE, if is_known { at } else { u64::MAX });
    table.set(word::ELEMENT_TASK, ADDRESS_BYTES as u64 ^ at);
}

/// What of a task lies where.
fn measure_task(table: &Table) {
    /// A task that is new: scheduled, with a handle, and one reference.
    const NEW: u64 = task_state::SCHEDULED | task_state::TASK | task_state::REFERENCE;

    let pattern = spawn::pattern();
    let [executor, name, name_len] = pattern.kept;
    for (number, at) in
        [(word::TASK_EXECUTOR, executor), (word::TASK_NAME, name), (word::TASK_NAME_LEN, name_len)]
    {
        table.set(number, at as u64);
    }
    table.set(word::TASK_END, pattern.end as u64);
    // async-task's own part comes first. It begins with a table and the state, in either order.
    for at in 0..2 {
        // SAFETY: the task is there, and larger than this; its state is an atomic word, and the other one of these
        // does not change.
        let found = unsafe { pattern.task.cast::<AtomicUsize>().add(at).as_ref() };
        if found.is_some_and(|word| word.load(Ordering::Relaxed) as u64 == NEW) {
            table.set(word::TASK_STATE, at * ADDRESS_BYTES);
        }
    }
}
