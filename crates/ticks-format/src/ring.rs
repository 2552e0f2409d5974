//! The records of one ring, oldest first, while its writer may be going on.

use std::sync::Arc;

use crate::error::Error;
use crate::foreign::Foreign;
use crate::marks::{read_thread, Thread, THREAD_BEGIN, THREAD_END};
use crate::read::ReadAt;
use crate::recording::Recording;
use crate::records::Record;
use crate::slot::{self, Head, Slot, RECORD_SLOTS_MAX, SLOT_BYTES};
use crate::tables::Ring;

/// How many slots are read at once.
const CHUNK_SLOTS: usize = 2048;

/// What stands in a ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A record that this build knows.
    Record(Record),
    /// A record of a kind or with a value that only the file's own description knows.
    Foreign(Foreign),
    /// A thread claimed the ring: the records that follow are its.
    ThreadBegin(Arc<Thread>),
    /// The thread gave the ring back: the records before were its.
    ThreadEnd(Arc<Thread>),
}

/// A record with its time and its thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// The counter when it was made; [`Clock`](crate::Clock) turns it into UTC.
    pub time: u64,
    /// How many slots were written to the ring before it.
    pub position: u64,
    /// The thread that made it; `None` where that was overwritten.
    pub thread: Option<Arc<Thread>>,
    /// The record.
    pub what: What,
}

/// What a ring has lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Slots that were overwritten before they could be read.
    pub overwritten: u64,
    /// Slots that cannot be read: damaged, or cut off.
    pub unreadable: u64,
    /// Records of kinds that nothing describes.
    pub unknown: u64,
}

/// The records of a ring, one by one.
pub struct Records<'a, R> {
    file: &'a Recording<R>,
    ring: Ring,
    /// The next slot to look at, and the first of `buffer`.
    position: u64,
    buffer: Vec<Slot>,
    at: usize,
    bytes: Vec<u8>,
    thread: Option<Arc<Thread>>,
    loss: Loss,
    /// Whether the next slots may be the rest of a record whose beginning was overwritten.
    cut: bool,
}

/// The first position whose slot cannot be under the writer's hand: the writer stores up to
/// [`RECORD_SLOTS_MAX`] slots beyond the head before it moves the head.
fn oldest(ring: &Ring, head: u64) -> u64 {
    head.saturating_add(RECORD_SLOTS_MAX as u64).saturating_sub(ring.slots)
}

impl<'a, R: ReadAt> Records<'a, R> {
    pub(crate) fn new(
        file: &'a Recording<R>,
        ring: &Ring,
        from: u64,
    ) -> Result<Records<'a, R>, Error> {
        check_place(file, ring)?;
        let begin = oldest(ring, ring.head).max(from.min(ring.head));
        let mut records = Records {
            file,
            ring: ring.clone(),
            position: begin,
            buffer: Vec::with_capacity(CHUNK_SLOTS),
            at: 0,
            bytes: vec![0; CHUNK_SLOTS * SLOT_BYTES],
            thread: None,
            loss: Loss { overwritten: begin - from.min(begin), ..Loss::default() },
            cut: begin > 0,
        };
        records.thread = records.first_thread()?;
        (records.position, records.at) = (begin, 0);
        records.buffer.clear();
        records.loss.unreadable = 0;
        records.loss.unknown = 0;
        Ok(records)
    }

    /// Where the next record would be: what to go on from later.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// What was lost so far.
    pub fn loss(&self) -> Loss {
        self.loss
    }

    /// The thread whose records come first: the owner, or who the first mark says.
    fn first_thread(&mut self) -> Result<Option<Arc<Thread>>, Error> {
        if self.ring.since <= self.position {
            return Ok(Some(Arc::new(self.ring.owner.clone())));
        }
        while self.position < self.ring.since.min(self.ring.head) {
            let Some(slot) = self.peek()? else { break };
            let code = match Head::of(slot[0]) {
                Head::Wide(code) => code,
                _ => 0,
            };
            if code == THREAD_BEGIN || code == THREAD_END {
                let mark = self.take_wide(code, slot)?;
                return Ok(match mark {
                    Some(What::ThreadEnd(thread)) => Some(thread),
                    _ => None,
                });
            }
            self.skip(1);
        }
        Ok(None)
    }

    /// The slot at `position`, read from the file if need be.
    #[inline]
    fn peek(&mut self) -> Result<Option<Slot>, Error> {
        if self.at >= self.buffer.len() {
            self.fill()?;
        }
        Ok(self.buffer.get(self.at).copied())
    }

    #[inline]
    fn skip(&mut self, slots: usize) {
        self.at += slots;
        self.position += slots as u64;
    }

    /// Reads the next slots up to the ring's end or the head. The ones overwritten meanwhile are
    /// passed over.
    fn fill(&mut self) -> Result<(), Error> {
        loop {
            let rest = self.buffer.len().saturating_sub(self.at);
            self.buffer.drain(..self.at.min(self.buffer.len()));
            self.at = 0;
            let next = self.position + rest as u64;
            let place = next % self.ring.slots;
            let count = (self.ring.head.saturating_sub(next))
                .min(self.ring.slots - place)
                .min((CHUNK_SLOTS - rest.min(CHUNK_SLOTS)) as u64);
            if count == 0 {
                return Ok(());
            }
            let offset = self.ring.offset + place * SLOT_BYTES as u64;
            let there = self.file.bytes_there()?.saturating_sub(offset) / SLOT_BYTES as u64;
            if there == 0 {
                if rest > 0 {
                    return Ok(());
                }
                self.pass_over_the_end();
                continue;
            }
            let count = count.min(there);
            let bytes = &mut self.bytes[..count as usize * SLOT_BYTES];
            self.file.slots_at(offset, bytes, &mut self.buffer)?;
            if !self.overtaken()? {
                return Ok(());
            }
        }
    }

    /// Passes over the slots up to the ring's end, all of which lie beyond the file's.
    fn pass_over_the_end(&mut self) {
        let to_end = self.ring.slots - self.position % self.ring.slots;
        let lost = to_end.min(self.ring.head - self.position);
        self.position += lost;
        self.loss.unreadable += lost;
        self.cut = true;
    }

    /// Whether the writer has come around to what was read; if so, all that is passed over.
    fn overtaken(&mut self) -> Result<bool, Error> {
        let Some(now) = self.file.ring(self.ring.index)? else {
            return Ok(false);
        };
        let oldest = oldest(&self.ring, now.head);
        if oldest <= self.position || now.head < self.ring.head {
            return Ok(false);
        }
        self.loss.overwritten += oldest - self.position;
        self.position = oldest.min(self.ring.head);
        self.buffer.clear();
        self.cut = true;
        Ok(self.position < self.ring.head)
    }

    /// The mark or record that begins with `first` at `position`; `None` if it is not whole.
    fn take_wide(&mut self, code: u8, first: Slot) -> Result<Option<What>, Error> {
        let Some(len) = slot::wide_len(&first) else {
            self.skip(1);
            return Ok(None);
        };
        if self.buffer.len() - self.at < len {
            let position = self.position;
            self.fill_record(len)?;
            if self.position != position {
                return Ok(None);
            }
        }
        let end = (self.at + len).min(self.buffer.len());
        let slots = &self.buffer[self.at..end];
        let what = self.wide(code, slots);
        let taken = if what.is_some() { len } else { 1 };
        self.skip(taken);
        Ok(what)
    }

    /// Reads on until the buffer holds `len` slots from `at`, as far as there are some: the record
    /// may go on at the ring's beginning.
    fn fill_record(&mut self, len: usize) -> Result<(), Error> {
        let mut had = usize::MAX;
        while self.buffer.len() - self.at < len && self.buffer.len() - self.at != had {
            had = self.buffer.len() - self.at;
            self.fill()?;
        }
        Ok(())
    }

    fn wide(&self, code: u8, slots: &[Slot]) -> Option<What> {
        if self.file.agrees[usize::from(code)] {
            if code == THREAD_BEGIN || code == THREAD_END {
                let (bytes, len) = slot::wide_bytes(slots)?;
                let thread = Arc::new(read_thread(&bytes[..len])?);
                return Some(match code {
                    THREAD_BEGIN => What::ThreadBegin(thread),
                    _ => What::ThreadEnd(thread),
                });
            }
            if let Some(record) = slot::decode_wide(slots) {
                return Some(What::Record(record));
            }
        }
        let (bytes, len) = slot::wide_bytes(slots)?;
        Foreign::from_wide(&self.file.schema, code, &bytes[..len]).map(What::Foreign)
    }

    #[inline]
    fn narrow(&self, code: u8, slot: &Slot) -> Option<What> {
        if self.file.agrees[usize::from(code)] {
            if let Some(record) = slot::decode_narrow(slot) {
                return Some(What::Record(record));
            }
        }
        Foreign::from_narrow(&self.file.schema, code, slot).map(What::Foreign)
    }

    fn advance(&mut self) -> Result<Option<Stamped>, Error> {
        while let Some(slot) = self.peek()? {
            let position = self.position;
            let (code, what) = match Head::of(slot[0]) {
                Head::Narrow(code) => {
                    self.skip(1);
                    (code, self.narrow(code, &slot))
                }
                Head::Wide(code) => (code, self.take_wide(code, slot)?),
                Head::Continuation if self.cut => {
                    self.skip(1);
                    self.loss.overwritten += 1;
                    continue;
                }
                Head::Empty | Head::Continuation => {
                    self.skip(1);
                    self.loss.unreadable += 1;
                    continue;
                }
            };
            self.cut = false;
            let Some(what) = what else {
                self.lose(code);
                continue;
            };
            let time = self.file.clock().whole(slot::time_bits(slot[0]));
            if let What::ThreadBegin(thread) = &what {
                self.thread = Some(thread.clone());
            }
            return Ok(Some(Stamped { time, position, thread: self.thread.clone(), what }));
        }
        Ok(None)
    }

    /// A record of a described kind that cannot be read is damage, one of another kind is not.
    fn lose(&mut self, code: u8) {
        if self.file.schema.kinds.contains_key(&code) {
            self.loss.unreadable += 1;
        } else {
            self.loss.unknown += 1;
            self.cut = true;
        }
    }
}

impl<R: ReadAt> Iterator for Records<'_, R> {
    type Item = Result<Stamped, Error>;

    fn next(&mut self) -> Option<Result<Stamped, Error>> {
        self.advance().transpose()
    }
}

fn check_place<R: ReadAt>(file: &Recording<R>, ring: &Ring) -> Result<(), Error> {
    let end = ring.slots.checked_mul(SLOT_BYTES as u64);
    let end = end.and_then(|bytes| bytes.checked_add(ring.offset));
    let within = end.is_some_and(|end| end <= file.header().file_bytes);
    if within && ring.slots > RECORD_SLOTS_MAX as u64 {
        return Ok(());
    }
    let found = format!("{} slots at byte {}", ring.slots, ring.offset);
    let expected = format!("the slots of ring {} within the file", ring.index);
    Err(Error::damaged(ring.offset, expected, found))
}
