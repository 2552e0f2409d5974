//! Stacks that this thread has taken, to be recognised instead of unwound.
//!
//! A stack is the same as one that was taken at the same stack pointer if each of its return addresses
//! is where that was. Then, frame by frame, each is of the same function at the same call, and so the
//! next return address is at the same place. A task that waits where it waited before costs one
//! comparison a frame.

use super::registers::{Registers, Seen, Used};
use super::unwind::Walk;

/// How many groups of stacks a thread remembers.
const GROUPS: usize = 32;

/// How many stacks of the same depth and the same caller: of a `join!` of several, for example.
const GROUP: usize = 4;

/// The stacks that a thread remembers.
pub(super) struct Known([Group; GROUPS]);

struct Group {
    stacks: [Remembered; GROUP],
    /// Which is forgotten next.
    next: usize,
}

struct Remembered {
    pc: u64,
    number: u32,
    /// Its return addresses; none: there is no stack.
    seen: Seen,
}

impl Known {
    pub(super) fn new() -> Known {
        let none = || Remembered { pc: 0, number: 0, seen: Seen::with_capacity(0) };
        Known([(); GROUPS].map(|()| Group { stacks: [(); GROUP].map(|()| none()), next: 0 }))
    }

    pub(super) fn forget(&mut self) {
        let stacks = self.0.iter_mut().flat_map(|group| &mut group.stacks);
        stacks.for_each(|stack| stack.seen.clear());
    }

    /// The number of the stack of the function with these registers; `None` if it is not remembered.
    #[inline]
    pub(super) fn find(&self, registers: &Registers, used: Used, caller: u64) -> Option<u32> {
        let is_same = |stack: &&Remembered| stack.pc == registers.pc && used.has(&stack.seen);
        let group = &self.0[home(registers.sp, caller)];
        group.stacks.iter().find(is_same).map(|stack| stack.number)
    }

    /// Remembers the stack, in place of another one. It allocates only for a stack that is deeper than
    /// those before.
    pub(super) fn remember(
        &mut self,
        registers: &Registers,
        caller: u64,
        walk: &Walk,
        number: u32,
    ) {
        if walk.is_on_stack() {
            let group = &mut self.0[home(registers.sp, caller)];
            let stack = &mut group.stacks[group.next];
            group.next = (group.next + 1) % GROUP;
            (stack.pc, stack.number) = (registers.pc, number);
            stack.seen.copy(&walk.seen);
        }
    }
}

/// Where a stack is remembered.
fn home(sp: u64, caller: u64) -> usize {
    let mixed = (sp >> 3 ^ caller >> 2).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as usize % GROUPS
}
