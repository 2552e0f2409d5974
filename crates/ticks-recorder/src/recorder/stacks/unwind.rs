//! From a function to the one that called it, by what compilers write down about frames (`.eh_frame`), with
//! the crate `framehop`. It reads no memory but the bytes that it is given and the words of the stack that
//! [`Used`] lets it have, and keeps the rules that it has made of the descriptions at hand.

use std::ops::{Deref, Range};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

#[cfg(target_arch = "aarch64")]
use framehop::aarch64::{
    CacheAarch64 as Cache, PtrAuthMask, UnwindRegsAarch64 as Regs, UnwinderAarch64 as Framehop,
};
#[cfg(target_arch = "x86_64")]
use framehop::x86_64::{
    CacheX86_64 as Cache, UnwindRegsX86_64 as Regs, UnwinderX86_64 as Framehop,
};
use framehop::{ExplicitModuleSectionInfo, FrameAddress, MustNotAllocateDuringUnwind, Unwinder};
use ticks_format::stacks::FRAMES_MAX;
use ticks_format::{Frame, StackEnd};

use super::loaded::{self, Snapshot};
use super::modules::Modules;
use super::registers::{Registers, Used};

/// Bytes of a module that are there for as long as anybody looks at them.
#[derive(Clone, Debug)]
enum Bytes {
    Program(&'static [u8]),
    Copied(Arc<[u8]>),
}

/// Framehop wants one.
impl Default for Bytes {
    fn default() -> Bytes {
        Bytes::Program(&[])
    }
}

impl Bytes {
    fn of(snapshot: &Snapshot, bytes: &loaded::Bytes) -> Bytes {
        match bytes {
            loaded::Bytes::Program(bytes) => Bytes::Program(bytes),
            loaded::Bytes::Copied(_) => Bytes::Copied(slice(snapshot, bytes).into()),
        }
    }
}

fn slice<'a>(snapshot: &'a Snapshot, bytes: &'a loaded::Bytes) -> &'a [u8] {
    match bytes {
        loaded::Bytes::Program(bytes) => bytes,
        loaded::Bytes::Copied(range) => snapshot.bytes.get(range.clone()).unwrap_or_default(),
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Program(bytes) => bytes,
            Bytes::Copied(bytes) => bytes,
        }
    }
}

/// Where a module's frames are described.
#[derive(Clone, Debug)]
pub(super) struct Described {
    index_at: u64,
    index: Bytes,
    frames_at: u64,
    frames: Bytes,
}

impl Described {
    pub(super) fn of(snapshot: &Snapshot, from: &loaded::Described) -> Described {
        Described {
            index_at: from.index_at,
            index: Bytes::of(snapshot, &from.index),
            frames_at: from.frames_at,
            frames: Bytes::of(snapshot, &from.frames),
        }
    }

    /// Whether these are the same descriptions at the same place.
    pub(super) fn is(&self, snapshot: &Snapshot, other: &loaded::Described) -> bool {
        let is_same = |ours: &Bytes, theirs: &loaded::Bytes| match (ours, theirs) {
            (Bytes::Copied(ours), theirs @ loaded::Bytes::Copied(_)) => {
                **ours == *slice(snapshot, theirs)
            }
            (Bytes::Program(ours), loaded::Bytes::Program(theirs)) => {
                ours.as_ptr() == theirs.as_ptr()
            }
            _ => false,
        };
        (self.index_at, self.frames_at) == (other.index_at, other.frames_at)
            && is_same(&self.index, &other.index)
            && is_same(&self.frames, &other.frames)
    }
}

/// How the frames of all modules are unwound.
pub(super) struct Rules(Framehop<Bytes, MustNotAllocateDuringUnwind>);

#[cfg(target_arch = "x86_64")]
fn regs(_: &Modules, registers: &Registers) -> Regs {
    Regs::new(registers.pc, registers.sp, registers.fp)
}

#[cfg(target_arch = "aarch64")]
fn regs(modules: &Modules, registers: &Registers) -> Regs {
    let Registers { lr, sp, fp, .. } = *registers;
    Regs::new_with_ptr_auth_mask(modules.rules.mask(), lr, sp, fp)
}

impl Rules {
    pub(super) fn new() -> Rules {
        Rules(Framehop::new())
    }

    #[cfg(target_arch = "aarch64")]
    fn mask(&self) -> PtrAuthMask {
        PtrAuthMask::from_max_known_address(self.0.max_known_code_address())
    }

    /// Adds a module that is at `at`, its code at `code`.
    pub(super) fn add(&mut self, at: &Range<u64>, bias: u64, code: &Range<u64>, frames: Described) {
        let in_file = |address: u64| address.wrapping_sub(bias);
        let range = |begin: u64, len: usize| {
            let begin = in_file(begin);
            begin..begin.wrapping_add(len as u64)
        };
        let Described { index_at, index, frames_at, frames } = frames;
        let sections = ExplicitModuleSectionInfo {
            base_svma: in_file(at.start),
            text_svma: Some(in_file(code.start)..in_file(code.end)),
            eh_frame_svma: Some(range(frames_at, frames.len())),
            eh_frame: Some(frames),
            eh_frame_hdr_svma: Some(range(index_at, index.len())),
            eh_frame_hdr: Some(index),
            ..Default::default()
        };
        self.0.add_module(framehop::Module::new(String::new(), at.clone(), at.start, sections));
    }
}

impl Modules {
    /// An address without the signature that the processor may have put into it.
    fn strip(&self, address: u64) -> u64 {
        #[cfg(target_arch = "x86_64")]
        return address;
        #[cfg(target_arch = "aarch64")]
        return self.rules.mask().strip_ptr_auth(address);
    }
}

/// A word of the stack that says where a call returns to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    /// Its address, counted from the stack pointer.
    pub(super) offset: u32,
    pub(super) word: u64,
}

/// What unwinding found.
#[derive(Debug)]
pub(super) struct Walk {
    /// The frames' words, as a recording has them.
    pub(super) frames: Vec<u64>,
    /// Where they were read, as many as there are frames, or fewer if that was not a word of the stack.
    pub(super) slots: Vec<Slot>,
    pub(super) end: StackEnd,
}

/// A thread's own place for unwinding.
pub(super) struct Walker {
    rules: Cache<MustNotAllocateDuringUnwind>,
    walk: Walk,
}

impl Walker {
    pub(super) fn new() -> Walker {
        Walker { rules: Cache::new_in(), walk: Walk::new() }
    }

    /// Forgets the rules of modules that may be gone.
    pub(super) fn forget(&mut self) {
        self.rules = Cache::new_in();
    }

    /// The frames above the function with these registers.
    pub(super) fn walk(&mut self, modules: &Modules, registers: &Registers, used: Used) -> &Walk {
        let Walker { rules, walk } = self;
        // Damaged descriptions may have it add what does not fit, which a debug build does not let pass.
        let walked =
            panic::catch_unwind(AssertUnwindSafe(|| walk.go(modules, rules, registers, used)));
        if walked.is_err() {
            walk.end = StackEnd::Unknown;
        }
        &self.walk
    }
}

impl Walk {
    fn new() -> Walk {
        let (frames, slots) = (Vec::with_capacity(FRAMES_MAX), Vec::with_capacity(FRAMES_MAX));
        Walk { frames, slots, end: StackEnd::Unknown }
    }

    /// Whether the stack can be recognised: if all of its return addresses are words of the stack.
    pub(super) fn is_on_stack(&self) -> bool {
        self.slots.len() == self.frames.len()
    }

    fn go(
        &mut self,
        modules: &Modules,
        rules: &mut Cache<MustNotAllocateDuringUnwind>,
        registers: &Registers,
        used: Used,
    ) {
        self.frames.clear();
        self.slots.clear();
        let mut regs = regs(modules, registers);
        let mut at = FrameAddress::from_instruction_pointer(registers.pc);
        self.end = loop {
            let mut reads = Reads::default();
            let mut read = |address| reads.read(used, address).ok_or(());
            match modules.rules.0.unwind_frame(at, &mut regs, rules, &mut read) {
                Ok(Some(_)) if self.frames.len() == FRAMES_MAX => break StackEnd::TooDeep,
                Ok(Some(to)) => match self.add(modules, registers, &reads, to) {
                    Some(next) => at = next,
                    None => break StackEnd::Unknown,
                },
                Ok(None) => break StackEnd::Whole,
                Err(_) => break StackEnd::Unknown,
            }
        };
    }

    /// Adds the frame that is returned to. `None`: it goes no further, because this is no code that is
    /// known, or its frames are not described.
    fn add(
        &mut self,
        modules: &Modules,
        registers: &Registers,
        reads: &Reads,
        to: u64,
    ) -> Option<FrameAddress> {
        // The call is before the address, which may be another function's.
        let module = modules.of_code(to.checked_sub(1)?)?;
        let address = match module.number {
            0 => to,
            _ => to.wrapping_sub(module.bias),
        };
        self.frames.push(Frame { module: module.number, address }.word());
        if let Some((address, word)) = reads.of(modules.strip(to), |word| modules.strip(word)) {
            let offset = u32::try_from(address - registers.sp);
            self.slots.extend(offset.ok().map(|offset| Slot { offset, word }));
        }
        FrameAddress::from_return_address(to).filter(|_| module.is_described)
    }
}

/// The words that were read last: a return address is among them, first or last.
#[derive(Default)]
struct Reads {
    last: [(u64, u64); 4],
    count: usize,
}

impl Reads {
    fn read(&mut self, used: Used, address: u64) -> Option<u64> {
        let word = used.word(address)?;
        self.last[self.count % self.last.len()] = (address, word);
        self.count += 1;
        Some(word)
    }

    /// The address and the word that means this.
    fn of(&self, meaning: u64, means: impl Fn(u64) -> u64) -> Option<(u64, u64)> {
        let read = &self.last[..self.count.min(self.last.len())];
        read.iter().copied().find(|(_, word)| means(*word) == meaning)
    }
}
