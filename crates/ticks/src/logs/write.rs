//! A recording that is written in one go, record by record, into a file that nobody else sees.
//!
//! Each thread has a ring long enough for the whole log. The file has holes where nothing is written, so it takes no
//! more room than its records.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

use ticks_format::image::Image;
use ticks_format::layout::{Layout, SectionKind, PAGE_BYTES};
use ticks_format::slot::{Slot, SLOT_BYTES};
use ticks_format::tables::{ring_name, ring_word, text_words};
use ticks_format::{marks, schema_text, Anchor, Header, Source, Waiter};

use crate::temporary::Temporary;

/// How many threads have a ring of their own; the others share the last one.
const RINGS: u64 = 64;

/// How much is written at once.
const BUFFER_BYTES: usize = 64 << 10;

/// The size of the tables is that of a recording of as many bytes as the log has, within these.
const TABLES_OF_BYTES: [u64; 2] = [1 << 20, 256 << 20];

/// The writer.
pub struct Writer {
    file: Temporary,
    image: Image,
    begin: u64,
    slots: u64,
    rings: Vec<Ring>,
    by_tid: HashMap<u64, usize>,
}

#[derive(Default)]
struct Ring {
    tid: u64,
    head: u64,
    buffer: Vec<u8>,
}

impl Writer {
    /// For a log of so many bytes.
    pub fn new(log_bytes: u64, about: &str) -> anyhow::Result<Writer> {
        let mut layout = Layout::new(log_bytes.clamp(TABLES_OF_BYTES[0], TABLES_OF_BYTES[1]));
        let begin = layout.rings.first().map_or(PAGE_BYTES, |ring| ring.offset);
        let ring_bytes = (ring_bytes(log_bytes) / PAGE_BYTES + 16) * PAGE_BYTES;
        let slots = ring_bytes / SLOT_BYTES as u64;
        layout.rings.clear();
        layout.file_bytes = begin + RINGS * ring_bytes;
        let header = Header::new(&layout, 0, 0);
        layout.file_bytes = begin;
        let mut image = Image::new(layout, &header, about);
        let section = image.layout().section(SectionKind::Schema);
        let schema = text_words(
            &(schema_text() + marks::LOG_LINE_SCHEMA + marks::LOG_AT_SCHEMA),
            section.len,
        );
        let at = section.offset as usize / 8;
        image.words_mut()[at..at + schema.len()].copy_from_slice(&schema);
        let file = Temporary::new()?;
        Ok(Writer { file, image, begin, slots, rings: Vec::new(), by_tid: HashMap::new() })
    }

    /// The log's clock: its times are the records' own.
    pub fn begins_at(&mut self, utc_ns: u64) {
        let clock = Anchor { counter: utc_ns, utc_ns, monotonic_ns: utc_ns, reactor_ns: None };
        self.image.anchor(&clock);
    }

    /// Appends a record's slots to the thread's.
    pub fn push(&mut self, tid: u64, time: u64, slots: &[Slot]) -> io::Result<()> {
        let last = RINGS as usize - 1;
        let ring = match self.by_tid.get(&tid) {
            Some(ring) => *ring,
            None if self.rings.len() < RINGS as usize => {
                self.rings.push(Ring { tid, ..Ring::default() });
                let ring = self.rings.len() - 1;
                if ring < last {
                    self.by_tid.insert(tid, ring);
                }
                self.append(ring, &marks::thread_begin(tid, "", time))?;
                ring
            }
            None => last,
        };
        if self.rings[ring].tid != tid {
            let before = std::mem::replace(&mut self.rings[ring].tid, tid);
            self.append(ring, &marks::thread_end(before, "", time))?;
            self.append(ring, &marks::thread_begin(tid, "", time))?;
        }
        self.append(ring, slots)
    }

    fn append(&mut self, ring: usize, slots: &[Slot]) -> io::Result<()> {
        let state = &mut self.rings[ring];
        for slot in slots {
            state.buffer.extend(slot.iter().flat_map(|word| word.to_le_bytes()));
            state.head += 1;
            // One write never goes beyond the ring's end.
            let next = state.head % self.slots;
            if state.buffer.len() >= BUFFER_BYTES || next == 0 {
                flush(&mut self.file, self.begin, self.slots, ring, state)?;
            }
        }
        Ok(())
    }

    /// Writes the tables, and gives the file.
    pub fn finish(
        mut self,
        sources: impl Iterator<Item = Source>,
        waiters: impl Iterator<Item = Waiter>,
    ) -> io::Result<File> {
        for (index, ring) in self.rings.iter_mut().enumerate() {
            flush(&mut self.file, self.begin, self.slots, index, ring)?;
        }
        sources.for_each(|source| self.image.source(&source));
        waiters.zip(0..).for_each(|(waiter, index)| self.image.waiter(index, &waiter));
        let section = self.image.layout().section(SectionKind::Rings);
        for (index, ring) in (0..).zip(&self.rings) {
            let at = ((section.offset + index * section.entry_bytes) / 8) as usize;
            let entry = &mut self.image.words_mut()[at..];
            entry[ring_word::STATE] = 1 << 8 | ring_word::OWNED;
            entry[ring_word::OFFSET] = self.begin + index * self.slots * SLOT_BYTES as u64;
            entry[ring_word::SLOTS] = self.slots;
            entry[ring_word::HEAD] = ring.head;
            entry[ring_word::TID] = ring.tid;
            entry[ring_word::NAME..][..4].copy_from_slice(&ring_name(""));
        }
        self.image.write_to(&mut self.file)?;
        self.file.set_len(self.begin + RINGS * self.slots * SLOT_BYTES as u64)?;
        Ok(self.file.into_file())
    }
}

/// Room for all of the log in each ring. The shortest line has two bytes and takes a slot of 32; the lines of a real log
/// take at most three times their text. A file system bounds the size of a file, its holes included, so a log of many
/// gigabytes gets less than for the worst case.
fn ring_bytes(log_bytes: u64) -> u64 {
    const ALL_BYTES_MAX: u64 = 8 << 40;
    let worst = log_bytes.saturating_mul(SLOT_BYTES as u64 / 2);
    worst.min(ALL_BYTES_MAX / RINGS).max(log_bytes.saturating_mul(3))
}

fn flush(
    file: &mut Temporary,
    begin: u64,
    slots: u64,
    ring: usize,
    state: &mut Ring,
) -> io::Result<()> {
    let first = state.head - (state.buffer.len() / SLOT_BYTES) as u64;
    let at = begin + (ring as u64 * slots + first % slots) * SLOT_BYTES as u64;
    file.seek(SeekFrom::Start(at))?;
    file.write_all(&state.buffer)?;
    state.buffer.clear();
    Ok(())
}
