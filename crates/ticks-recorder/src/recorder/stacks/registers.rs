//! Where this thread is, and the words of its stack.
//!
//! This file may contain `unsafe`: reading registers and the stack is not expressible otherwise. The
//! loads are instructions of ours, not the compiler's: it knows nothing of what lies there, and neither do
//! the sanitizers, which would take a return address for a variable that nobody may read.

#![allow(unsafe_code)]

use std::arch::asm;

/// The registers that unwinding begins with, of the function that asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registers {
    pub(super) pc: u64,
    pub(super) sp: u64,
    pub(super) fp: u64,
    /// Where calls leave what they return to.
    #[cfg(target_arch = "aarch64")]
    pub(super) lr: u64,
}

impl Registers {
    /// What the function returns to, if it still is in a register.
    pub(super) fn link(&self) -> Option<u64> {
        #[cfg(target_arch = "x86_64")]
        return None;
        #[cfg(target_arch = "aarch64")]
        return Some(self.lr);
    }

    /// Those of a caller.
    pub(super) fn caller(&self, pc: u64, sp: u64, fp: u64) -> Registers {
        #[cfg(target_arch = "x86_64")]
        return Registers { pc, sp, fp };
        #[cfg(target_arch = "aarch64")]
        return Registers { pc, sp, fp, lr: self.lr };
    }
}

/// Those of the function that this is compiled into.
#[inline(always)]
pub(super) fn here() -> Registers {
    let (pc, sp, fp);
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the instructions only copy registers.
    unsafe {
        asm!(
            "lea {pc}, [rip]", "mov {sp}, rsp", "mov {fp}, rbp",
            pc = out(reg) pc, sp = out(reg) sp, fp = out(reg) fp,
            options(nomem, nostack, preserves_flags),
        );
    }
    #[cfg(target_arch = "x86_64")]
    return Registers { pc, sp, fp };
    #[cfg(target_arch = "aarch64")]
    {
        let lr;
        // SAFETY: the instructions only copy registers.
        unsafe {
            asm!(
                "adr {pc}, .", "mov {sp}, sp", "mov {fp}, x29", "mov {lr}, x30",
                pc = out(reg) pc, sp = out(reg) sp, fp = out(reg) fp, lr = out(reg) lr,
                options(nomem, nostack, preserves_flags),
            );
        }
        Registers { pc, sp, fp, lr }
    }
}

/// The part of this thread's stack that is in use: from where it is now up to where it began. All of it
/// is mapped for as long as the function that asked has not returned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Used {
    from: u64,
    to: u64,
}

impl Used {
    /// # Safety
    ///
    /// `from` is at or above the stack pointer of the caller, and the thread's own stack ends at `to`.
    pub(super) unsafe fn new(from: u64, to: u64) -> Used {
        Used { from, to }
    }

    /// A part without a byte.
    #[cfg(test)]
    pub(super) fn nothing() -> Used {
        Used { from: 0, to: 0 }
    }

    /// The word at an address; `None` if that is not in this part, or is no place of a word.
    #[inline]
    pub(super) fn word(self, address: u64) -> Option<u64> {
        let room = self.to.checked_sub(address)?;
        if address < self.from || room < 8 || address % 8 != 0 {
            return None;
        }
        // SAFETY: the address is within what `new` was told is mapped.
        Some(unsafe { load(address) })
    }

    /// Whether this part is the one in which the words were seen, and they still are there.
    #[inline(always)]
    pub(super) fn has(self, seen: &Seen) -> bool {
        let differs = |slot: &Slot| {
            // SAFETY: `see` has found each within a part of these bounds, of a thread's stack, and all of this
            // part is mapped as all of that was.
            let word = unsafe { load(self.from.wrapping_add(slot.offset.into())) };
            word ^ slot.word
        };
        // All of them, as nearly always must be: a branch after each takes longer.
        let compare = || seen.slots.iter().fold(0, |all, slot| all | differs(slot));
        (self.from, self.to) == (seen.from, seen.to) && compare() == 0
    }
}

/// A word of the stack, and where it is.
#[derive(Clone, Copy, Debug)]
struct Slot {
    /// Counted from where the part begins.
    offset: u32,
    word: u64,
}

/// Words that were seen in the part of a stack that was in use.
#[derive(Debug)]
pub(super) struct Seen {
    from: u64,
    to: u64,
    slots: Vec<Slot>,
}

impl Seen {
    /// Nothing yet.
    pub(super) fn with_capacity(words: usize) -> Seen {
        Seen { from: 0, to: 0, slots: Vec::with_capacity(words) }
    }

    /// Begins anew, in this part.
    pub(super) fn begin(&mut self, used: Used) {
        (self.from, self.to) = (used.from, used.to);
        self.slots.clear();
    }

    /// Remembers the word at an address of the part. `false`: there is none.
    pub(super) fn see(&mut self, address: u64) -> bool {
        let used = Used { from: self.from, to: self.to };
        let offset = address.checked_sub(self.from).and_then(|offset| u32::try_from(offset).ok());
        let (Some(offset), Some(word)) = (offset, used.word(address)) else { return false };
        self.slots.push(Slot { offset, word });
        true
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Takes over what the other one has. It allocates only to become larger than ever.
    pub(super) fn copy(&mut self, other: &Seen) {
        (self.from, self.to) = (other.from, other.to);
        self.slots.clear();
        self.slots.extend_from_slice(&other.slots);
    }

    pub(super) fn clear(&mut self) {
        (self.from, self.to) = (0, 0);
        self.slots.clear();
    }
}

/// The word at an address.
///
/// # Safety
///
/// It is mapped, and a multiple of 8.
#[inline(always)]
unsafe fn load(address: u64) -> u64 {
    let word;
    // SAFETY: as of the caller; the load changes nothing. Other threads may store there at the same time, which
    // for the processor is no fault.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        asm!(
            "mov {word}, qword ptr [{address}]",
            word = lateout(reg) word, address = in(reg) address,
            options(pure, readonly, nostack, preserves_flags),
        );
        #[cfg(target_arch = "aarch64")]
        asm!(
            "ldr {word}, [{address}]",
            word = lateout(reg) word, address = in(reg) address,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    word
}
