//! Stacks: by which calls a wait was begun, each kept once; and the modules that the code is in.
//!
//! An address is kept as its place in its module's file. So it means the same wherever the system put
//! the module, and when another module takes the place of one that was unloaded.

use crate::error::Error;
use crate::layout::SectionKind;
use crate::read::{bytes_of, put_bytes, ReadAt};
use crate::recording::{Entry, Recording};

/// The words of a module's entry.
pub const MODULE_WORDS: usize = 16;

/// The most frames of a stack that are kept.
pub const FRAMES_MAX: usize = 128;

/// The longest identity of a build, in bytes.
pub const BUILD_ID_MAX: usize = 24;

/// Bits of a frame's word that are the address; above them is the module's number.
const ADDRESS_BITS: u32 = 48;

/// Where a call returns to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Frame {
    /// The number of the module that the code is in; 0 if it is none that the file knows.
    pub module: u16,
    /// The address in the module's file, as its own tables have it; without a module, in memory. The
    /// call ends here: the code that calls is before it.
    pub address: u64,
}

impl Frame {
    /// The frame in one word.
    #[inline]
    pub fn word(self) -> u64 {
        u64::from(self.module) << ADDRESS_BITS | self.address & ((1 << ADDRESS_BITS) - 1)
    }

    /// The frame that a word is.
    pub fn from_word(word: u64) -> Frame {
        let address = word & ((1 << ADDRESS_BITS) - 1);
        Frame { module: (word >> ADDRESS_BITS) as u16, address }
    }
}

/// Why a stack has no more frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum StackEnd {
    /// The thread began there.
    Whole = 0,
    /// There are more than [`FRAMES_MAX`].
    TooDeep = 1,
    /// What called the outermost frame cannot be told: there is no description of its frame, or the
    /// stack goes on elsewhere in memory.
    Unknown = 2,
}

impl StackEnd {
    fn from_code(code: u64) -> StackEnd {
        match code {
            0 => StackEnd::Whole,
            1 => StackEnd::TooDeep,
            _ => StackEnd::Unknown,
        }
    }
}

/// By which calls a wait was begun.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stack {
    /// The innermost first.
    pub frames: Vec<Frame>,
    /// Why there are no more.
    pub end: StackEnd,
}

/// The first word of a stack; one more follows for each frame.
#[inline]
pub fn stack_head(frames: usize, end: StackEnd) -> u64 {
    frames as u64 | (end as u64) << 32
}

/// How many bytes a stack takes of its section.
#[inline]
pub fn stack_bytes(frames: usize) -> u64 {
    8 * (1 + frames as u64)
}

/// The program, or a library, that code of the process is in or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Where it is mapped: the first address.
    pub start: u64,
    /// Behind the last address.
    pub end: u64,
    /// What must be added to an address in its file to have the one in memory.
    pub bias: u64,
    /// Its file: what appending the path to the strings gave; 0 if there was no room.
    pub path: u64,
    /// The identity of the build, if the linker gave it one, of [`BUILD_ID_MAX`] bytes at the most.
    pub build_id: Vec<u8>,
    /// The length of its file when it was first seen; 0 if that could not be read.
    pub file_bytes: u64,
    /// When its file was last changed by then, nanoseconds since 1970.
    pub file_mtime_ns: u64,
    /// The counter when it was first seen.
    pub since: u64,
}

impl Module {
    /// The words of its entry but the sequence, which is the writer's.
    pub fn words(&self) -> [u64; MODULE_WORDS] {
        let mut words = [0; MODULE_WORDS];
        words[1..5].copy_from_slice(&[self.start, self.end, self.bias, self.path]);
        let build_id = &self.build_id[..self.build_id.len().min(BUILD_ID_MAX)];
        words[5] = build_id.len() as u64;
        put_bytes(build_id, &mut words[6..9]);
        words[9..12].copy_from_slice(&[self.file_bytes, self.file_mtime_ns, self.since]);
        words
    }

    fn from_words(words: &[u64; MODULE_WORDS]) -> Module {
        let mut build_id = bytes_of(&words[6..9]);
        build_id.truncate(usize::try_from(words[5]).unwrap_or(usize::MAX));
        Module {
            start: words[1],
            end: words[2],
            bias: words[3],
            path: words[4],
            build_id,
            file_bytes: words[9],
            file_mtime_ns: words[10],
            since: words[11],
        }
    }
}

impl<R: ReadAt> Recording<R> {
    /// The stack of this number, as a waiter's entry names it; `None` if there is none, as in recordings
    /// from before there were stacks.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn stack(&self, number: u64) -> Result<Option<Stack>, Error> {
        let section = self.section(SectionKind::Stacks).unwrap_or_default();
        let place = number.saturating_mul(8);
        if place == 0 || place >= section.len {
            return Ok(None);
        }
        let Some(offset) = section.offset.checked_add(place) else { return Ok(None) };
        let Some(frames_at) = offset.checked_add(8) else { return Ok(None) };
        let mut head = [0];
        self.words_at(offset, &mut head)?;
        let count = (head[0] & u64::from(u32::MAX)) as usize;
        // A stack that a writer is at has no length yet.
        if count == 0 || count > FRAMES_MAX || stack_bytes(count) > section.len - place {
            return Ok(None);
        }
        let mut words = vec![0; count];
        self.words_at(frames_at, &mut words)?;
        let frames = words.into_iter().map(Frame::from_word).collect();
        Ok(Some(Stack { frames, end: StackEnd::from_code(head[0] >> 32) }))
    }

    /// The module of this number, as a frame names it.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn module(&self, number: u16) -> Result<Option<Module>, Error> {
        let section = self.section(SectionKind::Modules).unwrap_or_default();
        let index = u64::from(number).wrapping_sub(1);
        let usable = section.entry_bytes >= SectionKind::Modules.entry_bytes();
        if !usable || index >= self.entries(&section) {
            return Ok(None);
        }
        match self.entry(section.offset + index * section.entry_bytes)? {
            Entry::Whole(words) if words[2] != 0 => Ok(Some(Module::from_words(&words))),
            Entry::Whole(_) | Entry::Torn => Ok(None),
        }
    }
}
