//! The small programs by which some frames are described: those of signal handlers, of calls by way of a
//! linkage table, and of functions that align their stack. DWARF 5, section 2.5, as far as such programs go.

use super::cursor::Cursor;
use super::registers::{Registers, Used};
use super::rule::Register;

/// The most values at a time, and the most steps: no such program has a loop.
const DEPTH_MAX: usize = 16;

/// What the program comes to. It begins with `first` at hand, if there is one. `None`: it asks for what is not
/// known here, for memory that is not this stack's, or makes no sense.
pub(super) fn evaluate(
    program: &[u8],
    first: Option<u64>,
    registers: &Registers,
    used: Used,
) -> Option<u64> {
    let mut values = Values::default();
    if let Some(first) = first {
        values.push(first)?;
    }
    let mut rest = Cursor(program);
    while let Some(operation) = rest.u8() {
        step(operation, &mut rest, &mut values, registers, used)?;
    }
    values.pop()
}

fn step(
    operation: u8,
    rest: &mut Cursor<'_>,
    values: &mut Values,
    registers: &Registers,
    used: Used,
) -> Option<()> {
    let value = match operation {
        // deref
        0x06 => used.word(values.pop()?)?,
        0x08 => rest.u8()?.into(),
        0x09 => rest.i8()? as u64,
        0x0a => rest.u16()?.into(),
        0x0b => rest.i16()? as u64,
        0x0c => rest.u32()?.into(),
        0x0d => rest.i32()? as u64,
        0x0e => rest.u64()?,
        0x0f => rest.i64()? as u64,
        0x10 => rest.uleb()?,
        0x11 => rest.sleb()? as u64,
        // dup, drop, over, swap
        0x12 => values.peek(0)?,
        0x13 => return values.pop().map(drop),
        0x14 => values.peek(1)?,
        0x16 => {
            let (last, other) = (values.pop()?, values.pop()?);
            values.push(last)?;
            other
        }
        // neg, not, plus_uconst
        0x1f => values.pop()?.wrapping_neg(),
        0x20 => !values.pop()?,
        0x23 => values.pop()?.wrapping_add(rest.uleb()?),
        0x1a | 0x1c | 0x1e | 0x21..=0x22 | 0x24..=0x27 | 0x29..=0x2e => {
            let (right, left) = (values.pop()?, values.pop()?);
            of_two(operation, left, right)
        }
        literal @ 0x30..=0x4f => (literal - 0x30).into(),
        register @ 0x70..=0x8f => {
            let offset = |rest: &mut Cursor<'_>| rest.sleb();
            value_of((register - 0x70).into(), registers)?.wrapping_add(offset(rest)? as u64)
        }
        // bregx
        0x92 => {
            let register = rest.uleb()?;
            value_of(register, registers)?.wrapping_add(rest.sleb()? as u64)
        }
        // nop
        0x96 => return Some(()),
        _ => return None,
    };
    values.push(value)
}

fn of_two(operation: u8, left: u64, right: u64) -> u64 {
    let (signed_left, signed_right) = (left as i64, right as i64);
    // A shift by more than there are bits leaves none.
    let bits = u32::try_from(right).unwrap_or(u32::MAX);
    match operation {
        0x1a => left & right,
        0x1c => left.wrapping_sub(right),
        0x1e => left.wrapping_mul(right),
        0x21 => left | right,
        0x22 => left.wrapping_add(right),
        0x24 => left.checked_shl(bits).unwrap_or(0),
        0x25 => left.checked_shr(bits).unwrap_or(0),
        0x26 => (signed_left >> bits.min(63)) as u64,
        0x27 => left ^ right,
        0x29 => u64::from(left == right),
        0x2a => u64::from(signed_left >= signed_right),
        0x2b => u64::from(signed_left > signed_right),
        0x2c => u64::from(signed_left <= signed_right),
        0x2d => u64::from(signed_left < signed_right),
        _ => u64::from(left != right),
    }
}

fn value_of(register: u64, registers: &Registers) -> Option<u64> {
    match Register::of_number(register)? {
        Register::Sp => Some(registers.sp),
        Register::Fp => Some(registers.fp),
        Register::Return => Some(registers.pc),
    }
}

#[derive(Default)]
struct Values {
    values: [u64; DEPTH_MAX],
    len: usize,
}

impl Values {
    fn push(&mut self, value: u64) -> Option<()> {
        *self.values.get_mut(self.len)? = value;
        self.len += 1;
        Some(())
    }

    fn pop(&mut self) -> Option<u64> {
        self.len = self.len.checked_sub(1)?;
        Some(self.values[self.len])
    }

    /// The value that is so far below the last one.
    fn peek(&self, below: usize) -> Option<u64> {
        Some(self.values[self.len.checked_sub(1 + below)?])
    }
}
