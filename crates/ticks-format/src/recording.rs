//! A file that is read: its header, its tables and its rings.
//!
//! Nothing of it is trusted. What a length or a place in the file says is held against the file's
//! own length, everything is read in pieces of bounded size, and damage is reported, not fatal, as
//! long as the header stands.

use std::collections::BTreeMap;

use crate::clock::{Anchor, Clock};
use crate::error::Error;
use crate::header::Header;
use crate::layout::{Section, SectionKind};
use crate::read::{bytes_of, ByteOrder, ReadAt};
use crate::ring::Records;
use crate::schema::Schema;
use crate::slot::SLOT_BYTES;
use crate::tables::{self, Ring, Source, Waiter};

/// The most of a text that a reader looks at, in bytes.
const TEXT_MAX: u64 = 1 << 20;

/// The most rings, anchors that a reader looks at.
const RINGS_MAX: u64 = 1 << 16;
const ANCHORS_MAX: u64 = 1 << 12;

/// The most entries of a table that a reader looks at: a file may have holes of any length.
const ENTRIES_MAX: u64 = 1 << 22;

/// How often an entry is read again that a writer was at.
const ATTEMPTS: usize = 64;

/// A recording: a file, or part of the memory of a process, or of its core dump.
#[derive(Debug)]
pub struct Recording<R> {
    file: R,
    base: u64,
    order: ByteOrder,
    header: Header,
    about: Vec<(String, String)>,
    pub(crate) schema: Schema,
    /// Whether a kind is described as this build declares it, by code.
    pub(crate) agrees: [bool; 256],
    clock: Clock,
    problems: Vec<String>,
}

/// An entry of a table, or the fact that it was being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry<T> {
    /// A whole entry.
    Whole(T),
    /// A writer was at it each time it was read: it never finished, if its process is dead.
    Torn,
}

impl<R: ReadAt> Recording<R> {
    /// Opens the recording that begins at the beginning of `file`.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or its header is not one of this format. All other damage is
    /// found in [`problems`](Recording::problems).
    pub fn open(file: R) -> Result<Recording<R>, Error> {
        Recording::open_at(file, 0)
    }

    /// Opens the recording that begins at `base`, as in a core dump, where
    /// [`MAGIC`](crate::layout::MAGIC) was found there.
    ///
    /// # Errors
    ///
    /// As [`open`](Recording::open).
    pub fn open_at(file: R, base: u64) -> Result<Recording<R>, Error> {
        let (header, order) = Header::read(&file, base)?;
        let clock = Clock::new(Vec::new(), header.units_per_second);
        let mut recording = Recording {
            file,
            base,
            order,
            header,
            about: Vec::new(),
            schema: Schema::default(),
            agrees: [false; 256],
            clock,
            problems: Vec::new(),
        };
        recording.check_length()?;
        recording.read_texts()?;
        recording.read_clock()?;
        recording.check_rings()?;
        Ok(recording)
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What the file says about the process, name and value.
    pub fn about(&self) -> &[(String, String)] {
        &self.about
    }

    /// The description of the records that is in force: the file's, or this build's if it has none.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// What records' times mean.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What was found wrong so far, a sentence each.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// The file.
    pub fn file(&self) -> &R {
        &self.file
    }

    fn check_length(&mut self) -> Result<(), Error> {
        let (want, have) = (self.header.file_bytes, self.bytes_there()?);
        if have < want {
            let problem = format!(
                "the file is cut off: expected {want} bytes, found {have}; what lies beyond is lost"
            );
            self.problems.push(problem);
        }
        Ok(())
    }

    pub(crate) fn section(&self, kind: SectionKind) -> Option<Section> {
        let mut sections = self.header.sections.iter();
        sections.find(|section| section.kind == kind as u64).copied()
    }

    /// Fills `into` from the file's `offset`; what lies beyond the end reads as zero.
    pub(crate) fn words_at(&self, offset: u64, into: &mut [u64]) -> Result<(), Error> {
        let mut bytes = vec![0; 8 * into.len()];
        if let Some(offset) = self.base.checked_add(offset) {
            self.file.read_up_to(offset, &mut bytes)?;
        }
        self.order.words(&bytes, into);
        Ok(())
    }

    /// As [`words_at`](Recording::words_at), into the caller's buffer for the bytes.
    pub(crate) fn slots_at(
        &self,
        offset: u64,
        bytes: &mut [u8],
        into: &mut Vec<[u64; 4]>,
    ) -> Result<(), Error> {
        let got = match self.base.checked_add(offset) {
            Some(offset) => self.file.read_up_to(offset, bytes)?,
            None => 0,
        };
        bytes[got..].fill(0);
        into.extend(bytes.chunks_exact(32).map(|bytes| {
            let mut slot = [0; 4];
            self.order.words(bytes, &mut slot);
            slot
        }));
        Ok(())
    }

    fn read_texts(&mut self) -> Result<(), Error> {
        let schema = self.text(SectionKind::Schema)?;
        if schema.is_empty() {
            let problem = "the description of the records is missing: this build's own is used";
            self.problems.push(problem.into());
        }
        let own = Schema::own();
        self.schema = match schema.is_empty() {
            true => own.clone(),
            false => Schema::parse(&schema),
        };
        for code in 0..=u8::MAX {
            self.agrees[usize::from(code)] = self.schema.agrees(&own, code);
        }
        let about = self.text(SectionKind::About)?;
        let pairs = about.lines().filter_map(|line| line.split_once('='));
        self.about = pairs.map(|(name, value)| (name.into(), value.into())).collect();
        Ok(())
    }

    fn text(&self, kind: SectionKind) -> Result<String, Error> {
        let Some(section) = self.section(kind) else {
            return Ok(String::new());
        };
        self.text_at(section.offset, section.len.min(TEXT_MAX))
    }

    /// The text at `offset`, if its length fits into `room` bytes.
    fn text_at(&self, offset: u64, room: u64) -> Result<String, Error> {
        let mut len = [0];
        self.words_at(offset, &mut len)?;
        let len = len[0].min(room.saturating_sub(8)) as usize;
        let mut words = vec![0; len.div_ceil(8)];
        if let Some(offset) = offset.checked_add(8) {
            self.words_at(offset, &mut words)?;
        }
        let mut bytes = bytes_of(&words);
        bytes.truncate(len);
        Ok(String::from_utf8_lossy(&bytes).into())
    }

    fn read_clock(&mut self) -> Result<(), Error> {
        let mut anchors = Vec::new();
        for entry in self.table(SectionKind::Anchors, Anchor::from_words) {
            match entry? {
                Entry::Whole(anchor) if anchors.len() < ANCHORS_MAX as usize => {
                    anchors.push(anchor);
                }
                _ => {}
            }
        }
        if anchors.is_empty() {
            let problem = "no clock reading is left: times count from the start of the counter";
            self.problems.push(problem.into());
        }
        self.clock = Clock::new(anchors, self.header.units_per_second);
        Ok(())
    }

    /// Reads the clock's anchors again, of which a live file gets new ones.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn refresh_clock(&mut self) -> Result<(), Error> {
        self.problems.retain(|problem| !problem.starts_with("no clock"));
        self.read_clock()
    }

    /// A word of the header that changes while the program runs, of
    /// [`counter`](crate::layout::counter).
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn counter(&self, word: usize) -> Result<u64, Error> {
        let mut words = [0];
        self.words_at(8 * word as u64, &mut words)?;
        Ok(words[0])
    }

    /// The rings that were ever used, as they are now.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn rings(&self) -> Result<Vec<Ring>, Error> {
        self.rings_that_fit().map(|(rings, _)| rings)
    }

    /// The rings, and how many were left out, because all rings together cannot have more slots
    /// than the file has room for.
    fn rings_that_fit(&self) -> Result<(Vec<Ring>, usize), Error> {
        let (mut rings, mut left_out) = (Vec::new(), 0);
        let file_bytes = self.bytes_there()?;
        let mut room = file_bytes;
        let section = self.section(SectionKind::Rings).unwrap_or_default();
        for index in 0..self.entries(&section).min(RINGS_MAX) {
            let Some(ring) = self.ring(index)? else {
                continue;
            };
            let bytes = ring.slots.saturating_mul(SLOT_BYTES as u64);
            let bytes = bytes.min(file_bytes.saturating_sub(ring.offset));
            match room.checked_sub(bytes) {
                Some(rest) => {
                    room = rest;
                    rings.push(ring);
                }
                None => left_out += 1,
            }
        }
        Ok((rings, left_out))
    }

    fn check_rings(&mut self) -> Result<(), Error> {
        let (_, left_out) = self.rings_that_fit()?;
        if left_out > 0 {
            let problem = format!(
                "{left_out} rings are left out: together they claim more room than the file has"
            );
            self.problems.push(problem);
        }
        Ok(())
    }

    /// How many bytes of the recording there are.
    pub(crate) fn bytes_there(&self) -> Result<u64, Error> {
        Ok(self.file.len_bytes()?.saturating_sub(self.base))
    }

    /// The ring as it is now.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn ring(&self, index: u64) -> Result<Option<Ring>, Error> {
        let section = self.section(SectionKind::Rings);
        let usable = |section: &Section| {
            section.entry_bytes >= SectionKind::Rings.entry_bytes() && index < self.entries(section)
        };
        let Some(section) = section.filter(usable) else {
            return Ok(None);
        };
        let mut words = [0; tables::RING_WORDS];
        self.words_at(section.offset + index * section.entry_bytes, &mut words)?;
        Ok(Ring::from_words(index, &words))
    }

    /// The records of a ring, from the oldest that is left.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or the ring's place is outside it.
    pub fn records(&self, ring: &Ring) -> Result<Records<'_, R>, Error> {
        Records::new(self, ring, 0)
    }

    /// The records of a ring from `position`, as far as they are left: what was added since
    /// [`Records::position`] was there.
    ///
    /// # Errors
    ///
    /// As [`records`](Recording::records).
    pub fn records_from(&self, ring: &Ring, position: u64) -> Result<Records<'_, R>, Error> {
        Records::new(self, ring, position)
    }

    /// The sources that the table describes, gone ones too.
    pub fn sources(&self) -> impl Iterator<Item = Result<Entry<Source>, Error>> + '_ {
        self.table(SectionKind::Sources, Source::from_words)
    }

    /// Who waits now, or waited when the process ended.
    pub fn waiters(&self) -> impl Iterator<Item = Result<Entry<Waiter>, Error>> + '_ {
        self.table(SectionKind::Waiters, Waiter::from_words)
    }

    /// Whether the table of who waits is there in full: in a file that was cut off it may be missing.
    ///
    /// # Errors
    ///
    /// If the file's length cannot be read.
    pub fn has_waiters(&self) -> Result<bool, Error> {
        let there = self.bytes_there()?;
        let section = self.section(SectionKind::Waiters);
        Ok(section.is_some_and(|it| it.offset.saturating_add(it.len) <= there))
    }

    /// The place in the code that a waiter's entry names.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn place(&self, place: u64) -> Result<Option<String>, Error> {
        let section = self.section(SectionKind::Strings);
        let Some(section) = section.filter(|section| place != 0 && place < section.len) else {
            return Ok(None);
        };
        let room = (section.len - place).min(4096);
        let text = match section.offset.checked_add(place) {
            Some(offset) => self.text_at(offset, room)?,
            None => String::new(),
        };
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// The rings by their owners, for those who look for a thread.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn threads(&self) -> Result<BTreeMap<u64, String>, Error> {
        let rings = self.rings()?;
        let named = rings.into_iter().map(|ring| (ring.owner.tid, ring.owner.name.into()));
        Ok(named.collect())
    }

    /// How many entries of a table lie within the file.
    pub(crate) fn entries(&self, section: &Section) -> u64 {
        let file = self.header.file_bytes.min(self.bytes_there().unwrap_or(0));
        let room = file.saturating_sub(section.offset).min(section.len);
        room.checked_div(section.entry_bytes).unwrap_or(0).min(ENTRIES_MAX)
    }

    pub(crate) fn table<T, const N: usize>(
        &self,
        kind: SectionKind,
        from_words: fn(&[u64; N]) -> Option<T>,
    ) -> impl Iterator<Item = Result<Entry<T>, Error>> + '_
    where
        T: 'static,
    {
        let section = self.section(kind).unwrap_or_default();
        // A later version may have appended to an entry, but never takes from it.
        let usable = section.entry_bytes >= 8 * N as u64;
        let count = if usable { self.entries(&section) } else { 0 };
        let mut cursor = Cursor::new(section, count);
        std::iter::from_fn(move || loop {
            let offset = match cursor.next_used(self) {
                Ok(Some(offset)) => offset,
                Ok(None) => return None,
                Err(error) => return Some(Err(error)),
            };
            match self.entry(offset) {
                Ok(Entry::Whole(words)) => {
                    if let Some(value) = from_words(&words) {
                        return Some(Ok(Entry::Whole(value)));
                    }
                }
                Ok(Entry::Torn) => return Some(Ok(Entry::Torn)),
                Err(error) => return Some(Err(error)),
            }
        })
    }

    /// The entry at `offset`, read until two readings agree and no writer is at it.
    ///
    /// Some words change by themselves, with the sequence left as it is: those of a task that is polled a million
    /// times a second never agree. Then a reading is good if the sequence was the same, and even, at the next one.
    pub(crate) fn entry<const N: usize>(&self, offset: u64) -> Result<Entry<[u64; N]>, Error> {
        let mut last = [0; N];
        self.words_at(offset, &mut last)?;
        let mut agreed = None;
        for _ in 0..ATTEMPTS {
            let mut words = [0; N];
            self.words_at(offset, &mut words)?;
            if words == last && words[0] % 2 == 0 {
                return Ok(Entry::Whole(words));
            }
            if words[0] == last[0] && words[0] % 2 == 0 {
                agreed = Some(last);
            }
            last = words;
        }
        if let Some(words) = agreed {
            return Ok(Entry::Whole(words));
        }
        Ok(Entry::Torn)
    }
}

/// Finds the entries of a table that were ever written, many at a reading: most never were.
struct Cursor {
    section: Section,
    count: u64,
    next: u64,
    /// The first words of the entries from `next` on.
    sequences: std::collections::VecDeque<u64>,
}

impl Cursor {
    const AHEAD_BYTES: u64 = 64 << 10;

    fn new(section: Section, count: u64) -> Cursor {
        let (next, sequences) = (0, Default::default());
        Cursor { section, count, next, sequences }
    }

    fn next_used<R: ReadAt>(&mut self, file: &Recording<R>) -> Result<Option<u64>, Error> {
        while self.next < self.count {
            if self.sequences.is_empty() {
                self.read_ahead(file)?;
            }
            let offset = self.section.offset + self.next * self.section.entry_bytes;
            self.next += 1;
            if self.sequences.pop_front() != Some(0) {
                return Ok(Some(offset));
            }
        }
        Ok(None)
    }

    fn read_ahead<R: ReadAt>(&mut self, file: &Recording<R>) -> Result<(), Error> {
        let entry_bytes = self.section.entry_bytes;
        let entries = (Self::AHEAD_BYTES / entry_bytes).clamp(1, self.count - self.next);
        let offset = self.section.offset + self.next * entry_bytes;
        if entries == 1 || entry_bytes % 8 != 0 {
            let mut sequence = [0];
            file.words_at(offset, &mut sequence)?;
            self.sequences.push_back(sequence[0]);
            return Ok(());
        }
        let mut words = vec![0; (entries * entry_bytes / 8) as usize];
        file.words_at(offset, &mut words)?;
        self.sequences.extend(words.iter().step_by((entry_bytes / 8) as usize));
        Ok(())
    }
}
