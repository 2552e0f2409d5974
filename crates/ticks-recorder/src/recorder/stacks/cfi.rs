//! What compilers write down about frames: `.eh_frame`, found by its index `.eh_frame_hdr`. Nothing in it is
//! trusted: lengths are held against the bytes that there are, and what makes no sense is no description.
//!
//! The form is in the Linux Standard Base, "Exception Frames", and in DWARF 5, section 6.4.

use super::cursor::Cursor;
use super::rule::{Before, Begin, Program, Register, Rule};

#[cfg(all(test, not(loom)))]
#[path = "cfi_tests.rs"]
mod tests;

/// A module's descriptions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tables<'a> {
    /// The index's address in memory.
    pub(super) index_at: u64,
    pub(super) index: &'a [u8],
    /// The descriptions' address in memory.
    pub(super) frames_at: u64,
    pub(super) frames: &'a [u8],
}

/// How values are written, in the low half of an encoding, and what they are counted from, in the high half.
mod encoding {
    pub(super) const ULEB: u8 = 0x01;
    pub(super) const U16: u8 = 0x02;
    pub(super) const U32: u8 = 0x03;
    pub(super) const U64: u8 = 0x04;
    pub(super) const SLEB: u8 = 0x09;
    pub(super) const I16: u8 = 0x0a;
    pub(super) const I32: u8 = 0x0b;
    pub(super) const I64: u8 = 0x0c;
    pub(super) const FROM_ITSELF: u8 = 0x10;
    pub(super) const FROM_INDEX: u8 = 0x30;
    /// The value is where the value is.
    pub(super) const INDIRECT: u8 = 0x80;
    /// As an address, at the next place that is one's.
    pub(super) const ALIGNED: u8 = 0x50;
    pub(super) const NONE: u8 = 0xff;
}

/// What many functions have in common.
struct Common<'a> {
    code_align: u64,
    data_align: i64,
    /// How addresses of code are written.
    encoding: u8,
    is_signal: bool,
    has_more: bool,
    program: Cursor<'a>,
}

/// What is known at one address.
#[derive(Clone, Copy)]
struct Row {
    begin: Begin,
    fp: Before,
    to: Before,
}

/// How many rows may be remembered at a time.
const ROWS_MAX: usize = 8;

impl Tables<'_> {
    /// How the caller is found at the address, which is of an instruction of the function.
    pub(super) fn rule(&self, address: u64) -> Option<Rule> {
        let entry = usize::try_from(self.find(address)?.checked_sub(self.frames_at)?).ok()?;
        let (common_at, mut function) = self.entry(entry)?;
        let common = self.common(common_at?)?;
        let begin = self.code_address(&mut function, common.encoding)?;
        let len = value(&mut function, common.encoding & 0x0f)?;
        if address.checked_sub(begin)? >= len {
            return None;
        }
        if common.has_more {
            let more = function.uleb()?;
            function.take(usize::try_from(more).ok()?)?;
        }
        let mut machine = Machine::new(self, &common, begin, address);
        machine.run(common.program)?;
        machine.first = Some(machine.row);
        machine.run(function)?;
        let Row { begin, fp, to } = machine.row;
        Some(Rule { begin, fp, to, is_signal: common.is_signal })
    }

    /// Where the last function that begins at or before the address is described.
    fn find(&self, address: u64) -> Option<u64> {
        let mut index = Cursor(self.index);
        let [_version, frames, count, entries] = *index.take(4)? else { return None };
        value(&mut index, frames & 0x0f)?;
        let count = usize::try_from(value(&mut index, count)?).ok()?;
        if entries != encoding::FROM_INDEX | encoding::I32 {
            return None;
        }
        let table = index.take(count.checked_mul(8)?)?;
        let word = |entry: &[u8], at: usize| {
            let word = entry.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
            self.index_at.wrapping_add_signed(word.map_or(0, i32::from_le_bytes).into())
        };
        // The entries are in the order of the functions; if not, what is found is another function.
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            let begins = word(&table[8 * middle..][..8], 0);
            match begins <= address {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        Some(word(&table[8 * low.checked_sub(1)?..][..8], 4))
    }

    /// The entry at this place: where that is which it has in common with others, if it is a function's, and
    /// the rest of it.
    fn entry(&self, at: usize) -> Option<(Option<usize>, Cursor<'_>)> {
        let mut rest = Cursor(self.frames.get(at..)?);
        let len = rest.u32()?;
        // The other form, of 64 bits, is for what no linker writes.
        if len == 0 || len == u32::MAX {
            return None;
        }
        let mut entry = Cursor(rest.take(usize::try_from(len).ok()?)?);
        let back = usize::try_from(entry.u32()?).ok()?;
        let common = if back == 0 { None } else { Some((at + 4).checked_sub(back)?) };
        Some((common, entry))
    }

    fn common(&self, at: usize) -> Option<Common<'_>> {
        let (None, mut entry) = self.entry(at)? else { return None };
        let version = entry.u8()?;
        let contents = entry.text()?;
        let (code_align, data_align) = (entry.uleb()?, entry.sleb()?);
        let to = match version {
            1 => entry.u8()?.into(),
            3 => entry.uleb()?,
            _ => return None,
        };
        if Register::of_number(to) != Some(Register::Return) {
            return None;
        }
        let has_more = contents.first() == Some(&b'z');
        let mut common = Common {
            code_align,
            data_align,
            encoding: 0,
            is_signal: false,
            has_more,
            program: entry,
        };
        match contents {
            [] => return Some(common),
            [b'z', ..] => {}
            _ => return None,
        }
        let len = entry.uleb()?;
        let mut more = Cursor(entry.take(usize::try_from(len).ok()?)?);
        common.program = entry;
        for content in &contents[1..] {
            match content {
                b'R' => common.encoding = more.u8()?,
                b'L' => drop(more.u8()?),
                b'P' => match more.u8()? {
                    encoding::NONE => {}
                    encoding::ALIGNED => return None,
                    encoding => drop(value(&mut more, encoding & 0x0f)?),
                },
                b'S' => common.is_signal = true,
                // The key by which return addresses are signed, and tagged memory: nothing to us.
                b'B' | b'G' => {}
                _ => return None,
            }
        }
        Some(common)
    }

    /// How far into the descriptions what is left begins.
    fn place(&self, rest: &Cursor<'_>) -> Option<u64> {
        let at = (rest.0.as_ptr() as usize).checked_sub(self.frames.as_ptr() as usize)?;
        (at <= self.frames.len()).then_some(at as u64)
    }

    fn code_address(&self, rest: &mut Cursor<'_>, encoding: u8) -> Option<u64> {
        let here = self.frames_at.wrapping_add(self.place(rest)?);
        if encoding == encoding::NONE || encoding & encoding::INDIRECT != 0 {
            return None;
        }
        let value = value(rest, encoding & 0x0f)?;
        match encoding & 0x70 {
            0 => Some(value),
            encoding::FROM_ITSELF => Some(here.wrapping_add(value)),
            encoding::FROM_INDEX => Some(self.index_at.wrapping_add(value)),
            _ => None,
        }
    }
}

/// A value in one of the ways of writing it.
fn value(rest: &mut Cursor<'_>, how: u8) -> Option<u64> {
    match how {
        0 | encoding::U64 => rest.u64(),
        encoding::ULEB => rest.uleb(),
        encoding::U16 => rest.u16().map(u64::from),
        encoding::U32 => rest.u32().map(u64::from),
        encoding::SLEB => rest.sleb().map(|value| value as u64),
        encoding::I16 => rest.i16().map(|value| value as u64),
        encoding::I32 => rest.i32().map(|value| value as u64),
        encoding::I64 => rest.i64().map(|value| value as u64),
        _ => None,
    }
}

/// What runs the programs that say, address by address, what is known.
struct Machine<'a> {
    tables: &'a Tables<'a>,
    common: &'a Common<'a>,
    /// The address that the row is for, and the one that is asked about.
    at: u64,
    target: u64,
    row: Row,
    /// As the common program left it.
    first: Option<Row>,
    remembered: [Option<Row>; ROWS_MAX],
    depth: usize,
}

impl<'a> Machine<'a> {
    fn new(tables: &'a Tables<'a>, common: &'a Common<'a>, begin: u64, target: u64) -> Machine<'a> {
        let row = Row { begin: Begin::FromOther(0), fp: Before::Same, to: Before::Same };
        let (remembered, depth) = ([None; ROWS_MAX], 0);
        Machine { tables, common, at: begin, target, row, first: None, remembered, depth }
    }

    /// Runs the program up to the address that is asked about. `None`: it makes no sense.
    fn run(&mut self, mut program: Cursor<'_>) -> Option<()> {
        while let Some(operation) = program.u8() {
            let low = operation & 0x3f;
            match operation >> 6 {
                1 => self.advance(low.into())?,
                2 => {
                    let offset = program.uleb()? as i64;
                    self.at_offset(low.into(), offset);
                }
                3 => self.restore(low.into())?,
                _ => self.step(low, &mut program)?,
            }
            if self.at > self.target {
                return Some(());
            }
        }
        Some(())
    }

    fn step(&mut self, operation: u8, program: &mut Cursor<'_>) -> Option<()> {
        match operation {
            0x00 => {}
            0x01 => self.at = self.tables.code_address(program, self.common.encoding)?,
            0x02 => self.advance(program.u8()?.into())?,
            0x03 => self.advance(program.u16()?.into())?,
            0x04 => self.advance(program.u32()?.into())?,
            0x05 => {
                let register = program.uleb()?;
                let offset = program.uleb()? as i64;
                self.at_offset(register, offset);
            }
            0x06 => self.restore(program.uleb()?)?,
            0x07 => self.set(program.uleb()?, Before::Nothing),
            0x08 => self.set(program.uleb()?, Before::Same),
            // In another register.
            0x09 => {
                let register = program.uleb()?;
                program.uleb()?;
                self.set(register, Before::Unknown);
            }
            0x0a => self.remember()?,
            0x0b => {
                self.depth = self.depth.checked_sub(1)?;
                self.row = self.remembered[self.depth]?;
            }
            0x0c => {
                let register = program.uleb()?;
                let offset = program.uleb()? as i64;
                self.begins(register, offset);
            }
            0x0d => {
                let register = program.uleb()?;
                match self.row.begin {
                    Begin::From(_, offset) | Begin::FromOther(offset) => {
                        self.begins(register, offset.into());
                    }
                    Begin::Computed(_) => return None,
                }
            }
            0x0e => {
                let offset = program.uleb()? as i64;
                self.begins_at(offset)?;
            }
            0x0f => self.row.begin = Begin::Computed(self.program(program)?),
            0x10 => {
                let register = program.uleb()?;
                let program = self.program(program)?;
                self.set(register, Before::AtComputed(program));
            }
            0x11 => {
                let register = program.uleb()?;
                let offset = program.sleb()?;
                self.at_offset(register, offset);
            }
            0x12 => {
                let register = program.uleb()?;
                let offset = program.sleb()?.wrapping_mul(self.common.data_align);
                self.begins(register, offset);
            }
            0x13 => {
                let offset = program.sleb()?.wrapping_mul(self.common.data_align);
                self.begins_at(offset)?;
            }
            0x14 | 0x15 => {
                let register = program.uleb()?;
                let offset = match operation {
                    0x14 => program.uleb()? as i64,
                    _ => program.sleb()?,
                };
                let offset = i32::try_from(offset.wrapping_mul(self.common.data_align));
                self.set(register, offset.map_or(Before::Unknown, Before::Is));
            }
            0x16 => {
                let register = program.uleb()?;
                let program = self.program(program)?;
                self.set(register, Before::Computed(program));
            }
            // Whether the return address is signed: the signature is taken off in any case.
            0x2d => {}
            // How many bytes of arguments there are.
            0x2e => drop(program.uleb()?),
            _ => return None,
        }
        Some(())
    }

    fn advance(&mut self, by: u64) -> Option<()> {
        self.at = self.at.checked_add(by.checked_mul(self.common.code_align)?)?;
        Some(())
    }

    fn set(&mut self, register: u64, before: Before) {
        match Register::of_number(register) {
            Some(Register::Fp) => self.row.fp = before,
            Some(Register::Return) => self.row.to = before,
            // The stack pointer is what the frame begins with. The others are not followed.
            Some(Register::Sp) | None => {}
        }
    }

    fn at_offset(&mut self, register: u64, offset: i64) {
        let offset = i32::try_from(offset.wrapping_mul(self.common.data_align));
        self.set(register, offset.map_or(Before::Unknown, Before::At));
    }

    fn begins(&mut self, register: u64, offset: i64) {
        self.row.begin = match (Register::of_number(register), i32::try_from(offset)) {
            (Some(register @ (Register::Sp | Register::Fp)), Ok(offset)) => {
                Begin::From(register, offset)
            }
            (_, offset) => Begin::FromOther(offset.unwrap_or(0)),
        };
    }

    fn begins_at(&mut self, offset: i64) -> Option<()> {
        match &mut self.row.begin {
            Begin::From(_, there) | Begin::FromOther(there) => {
                *there = i32::try_from(offset).ok()?
            }
            Begin::Computed(_) => return None,
        }
        Some(())
    }

    fn restore(&mut self, register: u64) -> Option<()> {
        let first = self.first?;
        match Register::of_number(register) {
            Some(Register::Fp) => self.row.fp = first.fp,
            Some(Register::Return) => self.row.to = first.to,
            Some(Register::Sp) | None => {}
        }
        Some(())
    }

    fn remember(&mut self) -> Option<()> {
        *self.remembered.get_mut(self.depth)? = Some(self.row);
        self.depth += 1;
        Some(())
    }

    fn program(&self, rest: &mut Cursor<'_>) -> Option<Program> {
        let len = rest.uleb()?;
        let at = self.tables.place(rest)?;
        rest.take(usize::try_from(len).ok()?)?;
        Some(Program { at: u32::try_from(at).ok()?, len: u32::try_from(len).ok()? })
    }
}
