//! Slots: how a record becomes words of a ring, and words a record.
//!
//! A slot is four words of 64 bits. Word 0 holds the code in its lowest byte and the time above.
//! A *narrow* record is one slot; a *wide* one (bit 7 of its code is set) is a first slot and as
//! many continuations as its byte count asks for.

use std::ops::Deref;

use crate::pack::{Packer, Unpacker, WideReader, WideWriter, WIDE_BYTES_MAX};
use crate::records::{Kind, Record};

/// The words of a slot.
pub const SLOT_WORDS: usize = 4;

/// The bytes of a slot.
pub const SLOT_BYTES: usize = 8 * SLOT_WORDS;

/// The most slots that one record takes.
pub const RECORD_SLOTS_MAX: usize = 12;

/// The bits of a record's time: the low ones of the clock's counter.
pub const TIME_BITS: u32 = 56;

/// The highest code of a kind.
pub(crate) const CODE_MAX: u8 = 0x7e;

/// Set in the code of a wide record.
const WIDE: u8 = 0x80;

/// The code of every slot of a wide record but its first.
pub(crate) const CONTINUATION: u8 = 0xff;

/// The bytes of payload of a continuation; a first slot has two less, which hold the byte count.
const PAYLOAD_BYTES: usize = 24;
const FIRST_PAYLOAD_BYTES: usize = PAYLOAD_BYTES - 2;

/// One slot.
pub type Slot = [u64; SLOT_WORDS];

/// The slots of one wide record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wide {
    slots: [Slot; RECORD_SLOTS_MAX],
    len: usize,
}

impl Deref for Wide {
    type Target = [Slot];

    fn deref(&self) -> &[Slot] {
        &self.slots[..self.len]
    }
}

pub(crate) fn head(code: u8, time: u64) -> u64 {
    time << 8 | u64::from(code)
}

/// The one slot of the record, or `None` if a value is too large for it: then [`wide`] is its form.
///
/// `time` is the clock's counter; of it the low 56 bits are kept.
#[inline]
pub fn narrow(record: &Record, time: u64) -> Option<Slot> {
    let mut packer = Packer::default();
    record.pack(&mut packer);
    packer.slot(record.kind().code(), time)
}

/// The slots of the record in the form that holds every value.
///
/// The path of a Unix socket is cut after 108 bytes.
#[cold]
pub fn wide(record: &Record, time: u64) -> Wide {
    let mut fields = WideWriter::new();
    record.write_wide(&mut fields);
    wide_slots(record.kind().code(), time, &fields)
}

pub(crate) fn wide_slots(code: u8, time: u64, fields: &WideWriter) -> Wide {
    let mut slots = [[0; SLOT_WORDS]; RECORD_SLOTS_MAX];
    let len = slots_for(fields.len);
    slots[0][0] = head(code | WIDE, time);
    for (index, slot) in slots.iter_mut().enumerate().take(len).skip(1) {
        slot[0] = (index as u64) << 8 | u64::from(CONTINUATION);
    }
    let count = (fields.len as u16).to_le_bytes();
    let bytes = count.iter().chain(&fields.bytes[..fields.len]);
    for (at, byte) in bytes.enumerate() {
        let word = &mut slots[at / PAYLOAD_BYTES][1 + at % PAYLOAD_BYTES / 8];
        *word |= u64::from(*byte) << (at % 8 * 8);
    }
    Wide { slots, len }
}

/// How many slots a wide record of so many bytes takes.
fn slots_for(bytes: usize) -> usize {
    let rest = bytes.saturating_sub(FIRST_PAYLOAD_BYTES);
    1 + rest.div_ceil(PAYLOAD_BYTES)
}

/// What the first word of a slot says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// Nothing was ever written here.
    Empty,
    /// A record of this code in one slot.
    Narrow(u8),
    /// A record of this code begins, and goes on in the slots that follow.
    Wide(u8),
    /// The slot belongs to a wide record that began before.
    Continuation,
}

impl Head {
    #[inline]
    pub fn of(word: u64) -> Head {
        match word as u8 {
            0 => Head::Empty,
            CONTINUATION => Head::Continuation,
            code if code & WIDE != 0 && code != WIDE => Head::Wide(code & !WIDE),
            code if code & WIDE == 0 && code <= CODE_MAX => Head::Narrow(code),
            _ => Head::Empty,
        }
    }
}

/// The low bits of the counter in the first word of a slot.
#[inline]
pub(crate) fn time_bits(word: u64) -> u64 {
    word >> 8
}

/// The slots that a wide record takes, by its first one; `None` if no record is that long.
pub(crate) fn wide_len(first: &Slot) -> Option<usize> {
    let bytes = usize::from(first[1] as u16);
    (bytes <= WIDE_BYTES_MAX).then(|| slots_for(bytes))
}

/// The bytes of a wide record, all of whose slots are given; `None` if its slots are not in order.
pub(crate) fn wide_bytes(slots: &[Slot]) -> Option<([u8; WIDE_BYTES_MAX], usize)> {
    let len = usize::from(slots.first()?[1] as u16);
    if len > WIDE_BYTES_MAX || slots.len() != slots_for(len) {
        return None;
    }
    for (index, slot) in slots.iter().enumerate().skip(1) {
        if slot[0] != (index as u64) << 8 | u64::from(CONTINUATION) {
            return None;
        }
    }
    let mut bytes = [0; WIDE_BYTES_MAX];
    for (at, byte) in bytes.iter_mut().enumerate().take(len) {
        let at = at + 2;
        let word = slots[at / PAYLOAD_BYTES][1 + at % PAYLOAD_BYTES / 8];
        *byte = (word >> (at % 8 * 8)) as u8;
    }
    Some((bytes, len))
}

/// The record of a narrow slot; `None` if the kind or a value is not known to this build.
#[inline]
pub fn decode_narrow(slot: &Slot) -> Option<Record> {
    let kind = Kind::from_code(slot[0] as u8)?;
    Record::unpack(kind, &mut Unpacker::new([slot[1], slot[2], slot[3]]))
}

/// The record of all slots of a wide one; `None` if they are not in order, or the kind or a value
/// is not known to this build.
pub fn decode_wide(slots: &[Slot]) -> Option<Record> {
    let kind = Kind::from_code(slots.first()?[0] as u8 & !WIDE)?;
    let (bytes, len) = wide_bytes(slots)?;
    Record::read_wide(kind, &mut WideReader(&bytes[..len]))
}
