//! The queue of one runner: it alone pushes, anybody may take.
//!
//! A ring that grows. Pushing is two stores. Taking is one compare-exchange of the head, for the runner
//! as for thieves, and a thief takes half of what is there with one. First in, first out.
//!
//! This file has unsafe code: items are kept as raw pointers, so that a thief may read one that it then
//! fails to take, and the ring is reached through a pointer that the runner replaces when it grows.

#![allow(unsafe_code)]

use std::fmt;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use async_task::Runnable;

use crate::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use crate::sync::{Mutex, Padded};

/// Slots of a new queue.
const SLOTS_MIN: usize = if cfg!(all(test, loom)) { 2 } else { 256 };

/// The most that a thief takes. It copies items before it knows whether it gets them, and this bounds
/// the copy.
const STOLEN_MAX: usize = 256;

/// What can be kept in a queue: something that is a pointer.
///
/// # Safety
///
/// `from_raw` of what `into_raw` returned, called once, gives the item back, on whichever thread.
pub(crate) unsafe trait Item: Send {
    fn into_raw(self) -> NonNull<()>;

    /// # Safety
    ///
    /// The pointer is from `into_raw`, and nobody else makes an item of it.
    unsafe fn from_raw(raw: NonNull<()>) -> Self;
}

// SAFETY: async-task documents the two functions as each other's inverse, and `Runnable` as `Send`.
unsafe impl Item for Runnable {
    fn into_raw(self) -> NonNull<()> {
        Runnable::into_raw(self)
    }

    unsafe fn from_raw(raw: NonNull<()>) -> Runnable {
        // SAFETY: the caller's promise.
        unsafe { Runnable::from_raw(raw) }
    }
}

/// A ring of slots; an index is mapped to a slot by its low bits.
struct Ring {
    mask: usize,
    slots: Box<[AtomicPtr<()>]>,
}

impl Ring {
    fn new(slots: usize) -> Ring {
        let slots: Box<[_]> = (0..slots).map(|_| AtomicPtr::new(ptr::null_mut())).collect();
        Ring { mask: slots.len() - 1, slots }
    }

    fn slot(&self, index: usize) -> &AtomicPtr<()> {
        &self.slots[index & self.mask]
    }
}

/// A queue that one runner at a time owns. Indices only grow (and wrap around with the word).
pub(crate) struct Queue<T: Item> {
    /// The index of the oldest item. Every thread that takes one moves it.
    head: Padded<AtomicUsize>,
    owned: Padded<Owned>,
    items: PhantomData<T>,
}

/// What the owner alone writes.
struct Owned {
    /// The index after the youngest item.
    tail: AtomicUsize,
    /// Never null; owned by the queue.
    ring: AtomicPtr<Ring>,
    /// Rings that were outgrown. A thief may still be reading one, so they live as long as the queue;
    /// together they are smaller than the one in use.
    outgrown: Mutex<Vec<NonNull<Ring>>>,
}

// SAFETY: the raw pointers are items, which are `Send`, and rings, which are `Sync` and freed when the
// queue is dropped, which needs it alone.
unsafe impl<T: Item> Send for Queue<T> {}
// SAFETY: as above; shared use goes through atomics and a lock, and what needs to be the only one of its
// kind (`push`, `steal_into`) is unsafe and says so.
unsafe impl<T: Item> Sync for Queue<T> {}

impl<T: Item> Queue<T> {
    pub(crate) fn new() -> Queue<T> {
        let ring = Box::into_raw(Box::new(Ring::new(SLOTS_MIN)));
        Queue {
            head: Padded(AtomicUsize::new(0)),
            owned: Padded(Owned {
                tail: AtomicUsize::new(0),
                ring: AtomicPtr::new(ring),
                outgrown: Mutex::default(),
            }),
            items: PhantomData,
        }
    }

    /// How many there are, or were a moment ago.
    pub(crate) fn len(&self) -> usize {
        let mut head = self.head.0.load(Ordering::Acquire);
        loop {
            let tail = self.tail(Ordering::Acquire);
            // If the head has moved since it was read, items that were taken since and items that were
            // pushed since would both count.
            match self.head.0.load(Ordering::Acquire) {
                same if same == head => return tail.wrapping_sub(head),
                now => head = now,
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first().is_none()
    }

    /// The index of the oldest item, if there is one. While it stays the same nobody has taken that item.
    pub(crate) fn first(&self) -> Option<usize> {
        // Head first: then the tail is not before it.
        let head = self.head.0.load(Ordering::Acquire);
        (head != self.tail(Ordering::Acquire)).then_some(head)
    }

    /// Puts an item at the end.
    ///
    /// # Safety
    ///
    /// The caller owns the queue: no other `push` or `steal_into` to it is under way, and the last one
    /// happened before.
    #[inline]
    pub(crate) unsafe fn push(&self, item: T) {
        // SAFETY: the caller owns the queue.
        let (tail, ring) = unsafe { self.room(1) };
        ring.slot(tail).store(item.into_raw().as_ptr(), Ordering::Relaxed);
        // `Release`, for the `Acquire` in `pop` and `steal_into`: they shall see the slot, and the ring.
        self.owned.0.tail.store(tail.wrapping_add(1), Ordering::Release);
    }

    /// Takes the oldest item. Anybody may.
    #[inline]
    pub(crate) fn pop(&self) -> Option<T> {
        let mut head = self.head.0.load(Ordering::Acquire);
        loop {
            if head == self.tail(Ordering::Acquire) {
                return None;
            }
            let raw = self.ring().slot(head).load(Ordering::Relaxed);
            match self.take(head, 1) {
                // SAFETY: we have taken index `head`, and read its slot after its tail and before that,
                // so this is the item that was pushed there.
                Ok(()) => return Some(unsafe { from_slot(raw) }),
                Err(now) => head = now,
            }
        }
    }

    /// Takes the older half of two or more: returns one, and puts the others at the end of `thief`.
    ///
    /// # Safety
    ///
    /// The caller owns `thief`, as for `push`, and it is another queue than this.
    pub(crate) unsafe fn steal_into(&self, thief: &Queue<T>) -> Option<T> {
        let mut head = self.head.0.load(Ordering::Acquire);
        loop {
            let there = self.tail(Ordering::Acquire).wrapping_sub(head);
            if there < 2 {
                return None;
            }
            let wanted = (there - there / 2).min(STOLEN_MAX);
            // SAFETY: the caller owns `thief`.
            let (tail, room) = unsafe { thief.room(wanted - 1) };
            let ring = self.ring();
            let first = ring.slot(head).load(Ordering::Relaxed);
            for index in 1..wanted {
                let raw = ring.slot(head.wrapping_add(index)).load(Ordering::Relaxed);
                room.slot(tail.wrapping_add(index - 1)).store(raw, Ordering::Relaxed);
            }
            match self.take(head, wanted) {
                Ok(()) => {
                    // `Release`: as in `push`. What was written before is the thief's only now.
                    thief.owned.0.tail.store(tail.wrapping_add(wanted - 1), Ordering::Release);
                    // SAFETY: as in `pop`, and so are those that `thief` now has.
                    return Some(unsafe { from_slot(first) });
                }
                Err(now) => head = now,
            }
        }
    }

    fn tail(&self, order: Ordering) -> usize {
        self.owned.0.tail.load(order)
    }

    /// Moves the head on, if nobody else has.
    ///
    /// `Release`, for the owner's `Acquire` in `room`: it writes to these slots only after we have read
    /// them. `SeqCst`: a runner that has taken a task looks then whether another sleeps, see `Sleepers`.
    #[inline]
    fn take(&self, head: usize, count: usize) -> Result<(), usize> {
        let then = head.wrapping_add(count);
        let order = (Ordering::SeqCst, Ordering::Acquire);
        self.head.0.compare_exchange(head, then, order.0, order.1)?;
        // Model checks know of `SeqCst` in fences alone.
        #[cfg(loom)]
        crate::sync::full_fence();
        Ok(())
    }

    /// The ring that holds what is between a head and a tail which were loaded before.
    #[inline]
    fn ring(&self) -> &Ring {
        // SAFETY: a ring lives as long as the queue. `Acquire` pairs with the `Release` in `grow`.
        unsafe { &*self.owned.0.ring.load(Ordering::Acquire) }
    }

    /// The tail, and a ring with room for so many more.
    ///
    /// # Safety
    ///
    /// The caller owns the queue.
    #[inline]
    unsafe fn room(&self, count: usize) -> (usize, &Ring) {
        let tail = self.tail(Ordering::Relaxed);
        let ring = self.ring();
        let head = self.head.0.load(Ordering::Acquire);
        if tail.wrapping_sub(head) + count <= ring.slots.len() {
            return (tail, ring);
        }
        // SAFETY: the caller owns the queue.
        (tail, unsafe { self.grow(head, tail, count) })
    }

    /// # Safety
    ///
    /// The caller owns the queue.
    #[cold]
    unsafe fn grow(&self, head: usize, tail: usize, count: usize) -> &Ring {
        let old = self.owned.0.ring.load(Ordering::Relaxed);
        let needed = tail.wrapping_sub(head) + count;
        let new = Ring::new(needed.next_power_of_two());
        let mut index = head;
        while index != tail {
            let raw = self.ring().slot(index).load(Ordering::Relaxed);
            new.slot(index).store(raw, Ordering::Relaxed);
            index = index.wrapping_add(1);
        }
        self.owned.0.ring.store(Box::into_raw(Box::new(new)), Ordering::Release);
        self.owned.0.outgrown.lock().extend(NonNull::new(old));
        self.ring()
    }

    /// Makes the ring of an empty queue small again.
    ///
    /// # Safety
    ///
    /// Nobody else uses the queue.
    pub(crate) unsafe fn tidy(&self) {
        debug_assert!(self.is_empty());
        let ring = self.owned.0.ring.load(Ordering::Relaxed);
        // SAFETY: a ring lives as long as the queue.
        if unsafe { &*ring }.slots.len() > SLOTS_MIN {
            let small = Box::into_raw(Box::new(Ring::new(SLOTS_MIN)));
            self.owned.0.ring.store(small, Ordering::Release);
            self.owned.0.outgrown.lock().extend(NonNull::new(ring));
        }
        // SAFETY: the caller promises that nobody reads one any more.
        unsafe { self.free_outgrown() };
    }

    /// # Safety
    ///
    /// Nobody uses a ring that was outgrown.
    unsafe fn free_outgrown(&self) {
        for ring in self.owned.0.outgrown.lock().drain(..) {
            // SAFETY: it came from `Box::into_raw`, and was put here once. The caller promises the
            // rest.
            drop(unsafe { Box::from_raw(ring.as_ptr()) });
        }
    }
}

/// # Safety
///
/// The pointer was in a slot whose index the caller has taken.
unsafe fn from_slot<T: Item>(raw: *mut ()) -> T {
    debug_assert!(!raw.is_null());
    // SAFETY: `push` stores nothing but what `into_raw` returned, and an index is taken once.
    unsafe { T::from_raw(NonNull::new_unchecked(raw)) }
}

impl<T: Item> Drop for Queue<T> {
    fn drop(&mut self) {
        while let Some(item) = self.pop() {
            drop(item);
        }
        // SAFETY: nobody else has the queue. The ring came from `Box::into_raw`.
        unsafe {
            self.free_outgrown();
            drop(Box::from_raw(self.owned.0.ring.load(Ordering::Relaxed)));
        }
    }
}

impl<T: Item> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("len", &self.len()).finish()
    }
}
