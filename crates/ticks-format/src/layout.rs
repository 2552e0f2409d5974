//! Where things are in a file: the header's words, the sections, and how a file of a given size is
//! divided.

use crate::slot::SLOT_BYTES;

/// The first two words of a file, and what to look for in a core dump.
///
/// In a file of a little-endian machine they read `\x89TICKS\r\nrecorder`.
pub const MAGIC: [u64; 2] =
    [u64::from_le_bytes(*b"\x89TICKS\r\n"), u64::from_le_bytes(*b"recorder")];

/// The version that this build writes, and the newest that it reads.
pub const VERSION: u32 = 1;

/// Sections begin at multiples of this.
pub const PAGE_BYTES: u64 = 4096;

/// The words of the header that are written once, before the magic.
pub const HEADER_WORDS: usize = 128;

/// The least size of a file in bytes.
pub const FILE_BYTES_MIN: u64 = 1 << 20;

/// The greatest size of a file in bytes.
pub const FILE_BYTES_MAX: u64 = 1 << 40;

/// The size that a recorder uses unless told otherwise, in bytes.
pub const FILE_BYTES_DEFAULT: u64 = 64 << 20;

/// Words of the header that change while the program runs. Each is one aligned word, written alone.
pub mod counter {
    /// Records that found no ring, because every ring had an owner.
    pub const UNRECORDED: usize = 256;
    /// Sources that found no place in the table.
    pub const SOURCES_LEFT_OUT: usize = 257;
    /// Waiters that found no place in the table.
    pub const WAITERS_LEFT_OUT: usize = 258;
    /// Bytes taken from the strings' section so far; it may exceed the section's size.
    pub const STRINGS_TAKEN: usize = 259;
    /// The counter when the program ended by `exit` or by returning from `main`. 0 while it runs, and
    /// for ever if it was killed, aborted, or left by `_exit` or `exec`.
    pub const CLOSED: usize = 260;
    /// Bytes taken from the stacks' section so far; it may exceed the section's size.
    pub const STACKS_TAKEN: usize = 261;
    /// Waits whose stack found no room.
    pub const STACKS_LEFT_OUT: usize = 262;
    /// Waits that began on a stack that is not their thread's own, of which none can be taken.
    pub const STACKS_ELSEWHERE: usize = 263;
    /// Modules that found no place in the table.
    pub const MODULES_LEFT_OUT: usize = 264;
    /// Tasks that found no place in the table.
    pub const TASKS_LEFT_OUT: usize = 265;
}

/// A part of the file with one kind of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u64)]
pub enum SectionKind {
    /// `name=value` lines about the process.
    About = 1,
    /// The description of the records.
    Schema = 2,
    /// Pairs of clock readings.
    Anchors = 3,
    /// One entry a ring.
    Rings = 4,
    /// One entry a source, by the index in its key.
    Sources = 5,
    /// One entry for each that waits now.
    Waiters = 6,
    /// Places in the code, and paths.
    Strings = 7,
    /// By which calls waits were begun.
    Stacks = 8,
    /// The program and its libraries.
    Modules = 9,
    /// One entry a task.
    Tasks = 10,
}

impl SectionKind {
    /// Every kind that this build knows.
    pub const ALL: [SectionKind; 10] = [
        SectionKind::About,
        SectionKind::Schema,
        SectionKind::Anchors,
        SectionKind::Rings,
        SectionKind::Sources,
        SectionKind::Waiters,
        SectionKind::Strings,
        SectionKind::Stacks,
        SectionKind::Modules,
        SectionKind::Tasks,
    ];

    /// The bytes of an entry; 1 where the section is one text or a heap.
    pub fn entry_bytes(self) -> u64 {
        match self {
            SectionKind::About | SectionKind::Schema => 1,
            SectionKind::Strings | SectionKind::Stacks => 1,
            SectionKind::Anchors => 64,
            SectionKind::Rings => 128,
            SectionKind::Sources => 272,
            SectionKind::Waiters | SectionKind::Modules => 128,
            SectionKind::Tasks => 256,
        }
    }
}

/// A section's place, as the header names it. All in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// The number of its kind; a reader passes over those it does not know.
    pub kind: u64,
    /// Where it begins.
    pub offset: u64,
    /// How long it is.
    pub len: u64,
    /// The length of an entry. A later version may append to an entry.
    pub entry_bytes: u64,
}

impl Section {
    /// How many entries it has room for.
    pub fn entries(&self) -> u64 {
        self.len.checked_div(self.entry_bytes).unwrap_or(0)
    }
}

/// A ring's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingPlace {
    /// Where its slots begin, in bytes.
    pub offset: u64,
    /// How many slots it has.
    pub slots: u64,
}

/// How a new file is divided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The length of the file in bytes.
    pub file_bytes: u64,
    /// The sections, in the order of their kinds and of their places.
    pub sections: Vec<Section>,
    /// The rings, largest first.
    pub rings: Vec<RingPlace>,
}

/// How many rings share which part of the room for slots, in eighths. The threads that come first
/// are those that work most: the first rings are the largest.
const RINGS: [(u64, u64); 4] = [(4, 4), (16, 2), (64, 1), (256, 1)];

impl Layout {
    /// Divides a file of about `file_bytes`, within [`FILE_BYTES_MIN`] and [`FILE_BYTES_MAX`].
    pub fn new(file_bytes: u64) -> Layout {
        let file_bytes = file_bytes.clamp(FILE_BYTES_MIN, FILE_BYTES_MAX) / PAGE_BYTES * PAGE_BYTES;
        let mut sections = Vec::new();
        let mut offset = PAGE_BYTES;
        for kind in SectionKind::ALL {
            let len = section_bytes(kind, file_bytes);
            let entry_bytes = kind.entry_bytes();
            let kind = kind as u64;
            sections.push(Section { kind, offset, len, entry_bytes });
            offset += len;
        }
        let rings = ring_places(offset, file_bytes - offset);
        Layout { file_bytes, sections, rings }
    }

    /// Where the section of this kind is.
    pub fn section(&self, kind: SectionKind) -> Section {
        let found = self.sections.iter().find(|section| section.kind == kind as u64);
        found.copied().unwrap_or_default()
    }
}

/// The most bytes of a table. Whoever asks who waits reads all of it, and a system has no more
/// descriptors than these have entries.
const TABLE_BYTES_MAX: u64 = 256 << 20;

fn section_bytes(kind: SectionKind, file_bytes: u64) -> u64 {
    let bytes = match kind {
        SectionKind::About => 4 << 10,
        SectionKind::Schema => 32 << 10,
        SectionKind::Anchors => 8 << 10,
        SectionKind::Rings => {
            RINGS.iter().map(|(count, _)| count).sum::<u64>() * SectionKind::Rings.entry_bytes()
        }
        // Room for 10,000 connections that wait, and for as many timers, in a file of the usual size.
        SectionKind::Sources | SectionKind::Waiters => (file_bytes / 16).min(TABLE_BYTES_MAX),
        SectionKind::Tasks => (file_bytes / 16).min(TABLE_BYTES_MAX),
        SectionKind::Strings => (file_bytes / 64).clamp(16 << 10, 16 << 20),
        SectionKind::Stacks => (file_bytes / 32).min(16 << 20),
        SectionKind::Modules => (file_bytes / 512).clamp(16 << 10, 128 << 10),
    };
    bytes.div_ceil(PAGE_BYTES) * PAGE_BYTES
}

/// Rings are whole pages, so that a thread's first store reserves none of another's.
fn ring_places(begin: u64, bytes: u64) -> Vec<RingPlace> {
    let mut places = Vec::new();
    let mut offset = begin;
    for (count, eighths) in RINGS {
        let ring_bytes = bytes / 8 * eighths / count / PAGE_BYTES * PAGE_BYTES;
        let ring_bytes = ring_bytes.max(PAGE_BYTES);
        for _ in 0..count {
            if offset + ring_bytes > begin + bytes {
                return places;
            }
            let slots = ring_bytes / SLOT_BYTES as u64;
            places.push(RingPlace { offset, slots });
            offset += ring_bytes;
        }
    }
    places
}
