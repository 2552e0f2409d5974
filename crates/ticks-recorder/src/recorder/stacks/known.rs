//! Stacks that this thread has taken, to be recognised instead of unwound.
//!
//! A stack is the same as one that was taken at the same stack pointer if each of its return addresses
//! is where that was. Then every frame is of the same function at the same call, one after the other,
//! and the next return address is where it was. So a task that waits where it waited before costs a
//! comparison a frame.

use super::registers::{Registers, Used};
use super::unwind::{Slot, Walk};

/// How many stacks a thread remembers.
const ENTRIES: usize = 64;

/// The stacks that a thread remembers.
pub(super) struct Known([Entry; ENTRIES]);

struct Entry {
    sp: u64,
    pc: u64,
    number: u32,
    /// Empty: there is none.
    slots: Vec<Slot>,
}

impl Known {
    pub(super) fn new() -> Known {
        Known([(); ENTRIES].map(|()| Entry { sp: 0, pc: 0, number: 0, slots: Vec::new() }))
    }

    pub(super) fn forget(&mut self) {
        self.0.iter_mut().for_each(|entry| entry.slots.clear());
    }

    /// The number of the stack of the function with these registers; `None` if it is not remembered.
    #[inline]
    pub(super) fn find(&self, registers: &Registers, used: Used, caller: u64) -> Option<u32> {
        let entry = &self.0[home(registers.sp, caller)];
        let is_here = |slot: &Slot| {
            // What does not fit is no address of this stack.
            let address = registers.sp.wrapping_add(slot.offset.into());
            used.word(address) == Some(slot.word)
        };
        let is_same = (entry.sp, entry.pc) == (registers.sp, registers.pc)
            && !entry.slots.is_empty()
            && entry.slots.iter().all(is_here);
        is_same.then_some(entry.number)
    }

    /// Remembers the stack, in place of another one. It allocates until the entry has had a stack as deep.
    pub(super) fn remember(
        &mut self,
        registers: &Registers,
        caller: u64,
        walk: &Walk,
        number: u32,
    ) {
        if walk.is_on_stack() {
            let entry = &mut self.0[home(registers.sp, caller)];
            (entry.sp, entry.pc, entry.number) = (registers.sp, registers.pc, number);
            entry.slots.clear();
            entry.slots.extend_from_slice(&walk.slots);
        }
    }
}

/// Where a stack is remembered.
fn home(sp: u64, caller: u64) -> usize {
    let mixed = (sp >> 3 ^ caller >> 2).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as usize % ENTRIES
}
