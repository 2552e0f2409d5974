//! A runner's queue: what is pushed is taken once, whoever takes it.

#![allow(unsafe_code)]

use std::ptr::NonNull;

use loom::thread;

use super::{check, leak};
use crate::queue::{Item, Queue};

/// A number, boxed.
struct Number(Box<usize>);

// SAFETY: `Box::into_raw` and `Box::from_raw`.
unsafe impl Item for Number {
    fn into_raw(self) -> NonNull<()> {
        NonNull::from(Box::leak(self.0)).cast()
    }

    unsafe fn from_raw(raw: NonNull<()>) -> Number {
        // SAFETY: the caller's promise.
        Number(unsafe { Box::from_raw(raw.cast().as_ptr()) })
    }
}

fn push(queue: &Queue<Number>, number: usize) {
    // SAFETY: in these models one thread pushes to a queue.
    unsafe { queue.push(Number(Box::new(number))) };
}

fn drain(queue: &Queue<Number>) -> Vec<usize> {
    std::iter::from_fn(|| queue.pop()).map(|number| *number.0).collect()
}

/// All of the numbers, each once.
fn assert_all(mut taken: Vec<usize>, count: usize) {
    taken.sort_unstable();
    assert_eq!(taken, (0..count).collect::<Vec<_>>());
}

#[test]
fn model_owner_and_thief_take_each_item_once() {
    check(|| {
        let queue = std::sync::Arc::new(Queue::new());
        push(&queue, 0);
        push(&queue, 1);
        let thief = thread::spawn({
            let queue = queue.clone();
            move || queue.pop().map(|number| *number.0)
        });
        let mut taken = Vec::new();
        taken.extend(queue.pop().map(|number| *number.0));
        push(&queue, 2);
        taken.extend(queue.pop().map(|number| *number.0));
        taken.extend(thief.join().unwrap());
        taken.extend(drain(&queue));
        assert_all(taken, 3);
    });
}

/// The ring has two slots: the third item makes it grow, while a thief reads the old one.
#[test]
fn model_a_thief_meets_a_ring_that_grows() {
    check(|| {
        let queue = std::sync::Arc::new(Queue::new());
        push(&queue, 0);
        push(&queue, 1);
        let thief = thread::spawn({
            let queue = queue.clone();
            move || {
                let own = Queue::new();
                // SAFETY: `own` is this thread's.
                let first = unsafe { queue.steal_into(&own) };
                let mut taken: Vec<_> = first.map(|number| *number.0).into_iter().collect();
                taken.extend(drain(&own));
                taken
            }
        });
        push(&queue, 2);
        push(&queue, 3);
        let mut taken = thief.join().unwrap();
        taken.extend(drain(&queue));
        assert_all(taken, 4);
    });
}

/// The owner takes and pushes, so that a slot is used again, while a thief reads it.
#[test]
fn model_a_thief_meets_a_slot_that_is_used_again() {
    check(|| {
        let queue = std::sync::Arc::new(Queue::new());
        push(&queue, 0);
        push(&queue, 1);
        let thief = thread::spawn({
            let queue = queue.clone();
            move || {
                let own = Queue::new();
                // SAFETY: `own` is this thread's.
                let first = unsafe { queue.steal_into(&own) };
                first.map(|number| *number.0).into_iter().chain(drain(&own)).collect::<Vec<_>>()
            }
        });
        let mut taken = Vec::new();
        for number in 2..4 {
            taken.extend(queue.pop().map(|number| *number.0));
            push(&queue, number);
        }
        taken.extend(thief.join().unwrap());
        taken.extend(drain(&queue));
        assert_all(taken, 4);
    });
}

#[test]
fn model_two_thieves_take_each_item_once() {
    check(|| {
        let queue = leak(Queue::new());
        (0..3).for_each(|number| push(queue, number));
        let thieves = [(); 2].map(|()| {
            thread::spawn(|| {
                let own = Queue::new();
                // SAFETY: `own` is this thread's.
                let first = unsafe { queue.steal_into(&own) };
                first.map(|number| *number.0).into_iter().chain(drain(&own)).collect::<Vec<_>>()
            })
        });
        let mut taken = Vec::new();
        for thief in thieves {
            taken.extend(thief.join().unwrap());
        }
        taken.extend(drain(queue));
        assert_all(taken, 3);
    });
}
