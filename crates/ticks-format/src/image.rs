//! A recording made in memory: what a recorder does, in order and in one thread.
//!
//! It serves tests, and it is the reference for a recorder: each method stores the words in the
//! order in which a recorder stores them. SPEC.md says which of the stores must be ordered.

use std::io::{self, Seek, SeekFrom, Write};

use crate::clock::Anchor;
use crate::header::Header;
use crate::layout::{counter, Layout, SectionKind, HEADER_WORDS, PAGE_BYTES};
use crate::marks;
use crate::read::{put_bytes, ReadAt};
use crate::records::Record;
use crate::schema::schema_text;
use crate::slot::{narrow, wide, Slot, SLOT_WORDS};
use crate::stacks::{stack_bytes, stack_head, Frame, Module, StackEnd};
use crate::tables::{ring_name, ring_word, string_bytes, text_words, Source, Waiter};
use crate::tasks::Task;

/// A recording in memory.
#[derive(Clone, Debug)]
pub struct Image {
    words: Vec<u64>,
    layout: Layout,
    anchors: u64,
}

impl Image {
    /// An empty recording, complete but for records.
    ///
    /// `about` is what it says about the process: `name=value` lines.
    pub fn new(layout: Layout, header: &Header, about: &str) -> Image {
        let words = vec![0; (layout.file_bytes / 8) as usize];
        let mut image = Image { words, layout, anchors: 0 };
        image.put_text(SectionKind::About, about);
        image.put_text(SectionKind::Schema, &schema_text());
        let rings = image.layout.section(SectionKind::Rings);
        for (index, place) in image.layout.rings.clone().iter().enumerate() {
            let entry = rings.offset + index as u64 * rings.entry_bytes;
            image.store(entry, ring_word::OFFSET, place.offset);
            image.store(entry, ring_word::SLOTS, place.slots);
        }
        // The first string's place must not be 0, which says that there is none; nor the first stack's.
        image.words[counter::STRINGS_TAKEN] = 8;
        image.words[counter::STACKS_TAKEN] = 8;
        let header = header.words();
        image.words[2..HEADER_WORDS].copy_from_slice(&header[2..]);
        image.words[..2].copy_from_slice(&header[..2]);
        image
    }

    fn store(&mut self, entry: u64, word: usize, value: u64) {
        self.words[entry as usize / 8 + word] = value;
    }

    fn load(&self, entry: u64, word: usize) -> u64 {
        self.words[entry as usize / 8 + word]
    }

    fn put_text(&mut self, kind: SectionKind, text: &str) {
        let section = self.layout.section(kind);
        let words = text_words(text, section.len);
        let at = section.offset as usize / 8;
        self.words[at..at + words.len()].copy_from_slice(&words);
    }

    fn ring_entry(&self, ring: usize) -> u64 {
        let section = self.layout.section(SectionKind::Rings);
        section.offset + ring as u64 * section.entry_bytes
    }

    /// A thread claims a ring: one never used, else the one given back longest ago. `None` if all
    /// have owners.
    pub fn claim(&mut self, tid: u64, name: &str, time: u64) -> Option<usize> {
        let rank = |ring: usize| {
            let entry = self.ring_entry(ring);
            match self.load(entry, ring_word::STATE) & 0xff {
                ring_word::FREE => Some((0, 0)),
                ring_word::RETURNED => Some((1, self.load(entry, ring_word::RETURNED_AT))),
                _ => None,
            }
        };
        let rings = (0..self.layout.rings.len()).filter_map(|ring| Some((rank(ring)?, ring)));
        let Some((_, ring)) = rings.min() else {
            self.words[counter::UNRECORDED] += 1;
            return None;
        };
        let entry = self.ring_entry(ring);
        let claims = (self.load(entry, ring_word::STATE) >> 8) + 1;
        self.store(entry, ring_word::STATE, claims << 8 | ring_word::OWNED);
        let head = self.load(entry, ring_word::HEAD);
        self.store(entry, ring_word::SINCE, head);
        self.store(entry, ring_word::TID, tid);
        for (index, word) in ring_name(name).into_iter().enumerate() {
            self.store(entry, ring_word::NAME + index, word);
        }
        self.push(ring, &marks::thread_begin(tid, name, time));
        Some(ring)
    }

    /// The thread that owns the ring gives it back.
    pub fn give_back(&mut self, ring: usize, tid: u64, name: &str, time: u64) {
        self.push(ring, &marks::thread_end(tid, name, time));
        let entry = self.ring_entry(ring);
        self.store(entry, ring_word::RETURNED_AT, time);
        let claims = self.load(entry, ring_word::STATE) >> 8;
        self.store(entry, ring_word::STATE, claims << 8 | ring_word::RETURNED);
    }

    /// Appends a record to a ring.
    pub fn record(&mut self, ring: usize, record: &Record, time: u64) {
        match narrow(record, time) {
            Some(slot) => self.push(ring, &[slot]),
            None => self.push(ring, &wide(record, time)),
        }
    }

    /// Appends the slots of one record to a ring, then moves its head.
    pub fn push(&mut self, ring: usize, slots: &[Slot]) {
        let entry = self.ring_entry(ring);
        let place = self.layout.rings[ring];
        let head = self.load(entry, ring_word::HEAD);
        for (index, slot) in slots.iter().enumerate() {
            let at = (head + index as u64) % place.slots * SLOT_WORDS as u64;
            let at = (place.offset / 8 + at) as usize;
            self.words[at..at + SLOT_WORDS].copy_from_slice(slot);
        }
        self.store(entry, ring_word::HEAD, head + slots.len() as u64);
    }

    /// Takes another reading of the clocks: the first stays, the others follow each other around.
    pub fn anchor(&mut self, anchor: &Anchor) {
        let section = self.layout.section(SectionKind::Anchors);
        let index = match self.anchors {
            0 => 0,
            count => 1 + (count - 1) % (section.entries() - 1),
        };
        self.anchors += 1;
        self.put_entry(SectionKind::Anchors, index, &anchor.words());
    }

    /// Describes a source in its place; one whose index is beyond the table is left out.
    pub fn source(&mut self, source: &Source) {
        let index = u64::from(source.key.index());
        if index < self.layout.section(SectionKind::Sources).entries() {
            self.put_entry(SectionKind::Sources, index, &source.words());
        } else {
            self.words[counter::SOURCES_LEFT_OUT] += 1;
        }
    }

    /// Notes who waits in the entry `index`; one beyond the table is left out.
    pub fn waiter(&mut self, index: u64, waiter: &Waiter) {
        if index >= self.layout.section(SectionKind::Waiters).entries() {
            self.words[counter::WAITERS_LEFT_OUT] += 1;
            return;
        }
        self.put_entry(SectionKind::Waiters, index, &waiter.words());
    }

    /// Clears the entry `index`: that wait is over.
    pub fn waiter_gone(&mut self, index: u64) {
        self.put_entry(SectionKind::Waiters, index, &[0, 0]);
    }

    /// Keeps a place in the code, and says what waiters' entries call it; 0 if there is no room.
    pub fn place(&mut self, text: &str) -> u64 {
        let section = self.layout.section(SectionKind::Strings);
        let place = self.words[counter::STRINGS_TAKEN];
        self.words[counter::STRINGS_TAKEN] += string_bytes(text);
        if place + string_bytes(text) > section.len {
            return 0;
        }
        let at = ((section.offset + place) / 8) as usize;
        let len = text.len();
        put_bytes(text.as_bytes(), &mut self.words[at + 1..][..len.div_ceil(8)]);
        self.words[at] = len as u64;
        place
    }

    /// Keeps a stack, and says what waiters' entries call it; 0 if there is no room.
    pub fn stack(&mut self, frames: &[Frame], end: StackEnd) -> u64 {
        let section = self.layout.section(SectionKind::Stacks);
        let place = self.words[counter::STACKS_TAKEN];
        self.words[counter::STACKS_TAKEN] += stack_bytes(frames.len());
        if place + stack_bytes(frames.len()) > section.len {
            self.words[counter::STACKS_LEFT_OUT] += 1;
            return 0;
        }
        let at = ((section.offset + place) / 8) as usize;
        for (word, frame) in self.words[at + 1..].iter_mut().zip(frames) {
            *word = frame.word();
        }
        self.words[at] = stack_head(frames.len(), end);
        place / 8
    }

    /// Describes a module, whose number is one more than the index; one beyond the table is left out.
    pub fn module(&mut self, index: u64, module: &Module) {
        if index >= self.layout.section(SectionKind::Modules).entries() {
            self.words[counter::MODULES_LEFT_OUT] += 1;
            return;
        }
        self.put_entry(SectionKind::Modules, index, &module.words());
    }

    /// Puts a task into the entry `index`; one beyond the table is left out.
    pub fn task(&mut self, index: u64, task: &Task) {
        if index >= self.layout.section(SectionKind::Tasks).entries() {
            self.words[counter::TASKS_LEFT_OUT] += 1;
            return;
        }
        self.put_entry(SectionKind::Tasks, index, &task.words());
    }

    /// Clears the entry `index`: that task is done.
    pub fn task_gone(&mut self, index: u64) {
        self.put_entry(SectionKind::Tasks, index, &[0, 0]);
    }

    /// Odd sequence, content, even sequence.
    fn put_entry(&mut self, kind: SectionKind, index: u64, words: &[u64]) {
        let section = self.layout.section(kind);
        let entry = section.offset + index * section.entry_bytes;
        let sequence = self.load(entry, 0);
        self.store(entry, 0, sequence + 1);
        for (word, value) in words.iter().enumerate().skip(1) {
            self.store(entry, word, *value);
        }
        self.store(entry, 0, sequence + 2);
    }

    /// How the recording is divided.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// All words, to be damaged by tests.
    pub fn words_mut(&mut self) -> &mut [u64] {
        &mut self.words
    }

    /// Writes it where the file begins. What is all zero is passed over and stays a hole, as tables are mostly empty;
    /// the file may end before the image does.
    ///
    /// # Errors
    ///
    /// If the file cannot be written to.
    pub fn write_to(&self, file: &mut (impl Write + Seek)) -> io::Result<()> {
        const CHUNK_WORDS: usize = PAGE_BYTES as usize / 8;
        for (index, words) in (0..).zip(self.words.chunks(CHUNK_WORDS)) {
            if words.iter().any(|word| *word != 0) {
                let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
                file.seek(SeekFrom::Start(index * PAGE_BYTES))?;
                file.write_all(&bytes)?;
            }
        }
        Ok(())
    }

    /// The bytes of the file, as a little-endian machine has them.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }
}

impl ReadAt for Image {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let there = self.layout.file_bytes.saturating_sub(offset);
        let len = usize::try_from(there).unwrap_or(usize::MAX).min(into.len());
        for (at, byte) in (offset..).zip(&mut into[..len]) {
            *byte = self.words[at as usize / 8].to_le_bytes()[at as usize % 8];
        }
        Ok(len)
    }

    fn len_bytes(&self) -> io::Result<u64> {
        Ok(self.layout.file_bytes)
    }
}
