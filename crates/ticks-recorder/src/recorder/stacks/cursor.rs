//! Reading little by little, and never further than there are bytes.

/// The bytes that are still to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = (self.0.get(..len)?, self.0.get(len..)?);
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn i8(&mut self) -> Option<i64> {
        self.array().map(|bytes| i8::from_le_bytes(bytes).into())
    }

    pub(super) fn i16(&mut self) -> Option<i64> {
        self.array().map(|bytes| i16::from_le_bytes(bytes).into())
    }

    pub(super) fn i32(&mut self) -> Option<i64> {
        self.array().map(|bytes| i32::from_le_bytes(bytes).into())
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    /// A number in pieces of seven bits, lowest first. What is beyond 64 bits is dropped.
    pub(super) fn uleb(&mut self) -> Option<u64> {
        self.leb().map(|(number, _, _)| number)
    }

    /// The same with a sign.
    pub(super) fn sleb(&mut self) -> Option<i64> {
        let (number, bits, last) = self.leb()?;
        let is_negative = last & 0x40 != 0 && bits < 64;
        let sign = if is_negative { u64::MAX << bits } else { 0 };
        Some((number | sign) as i64)
    }

    /// The number, how many bits it was given in, and the last byte.
    fn leb(&mut self) -> Option<(u64, u32, u8)> {
        let (mut number, mut bits) = (0, 0);
        loop {
            let byte = self.u8()?;
            if bits < 64 {
                number |= u64::from(byte & 0x7f) << bits;
                bits += 7;
            }
            if byte & 0x80 == 0 {
                return Some((number, bits, byte));
            }
        }
    }

    /// A text up to its zero byte.
    pub(super) fn text(&mut self) -> Option<&'a [u8]> {
        let len = self.0.iter().position(|byte| *byte == 0)?;
        let text = self.take(len);
        self.take(1)?;
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_length() {
        let uleb = |bytes: &[u8]| Cursor(bytes).uleb();
        assert_eq!(uleb(&[0x7f]), Some(127));
        assert_eq!(uleb(&[0xe5, 0x8e, 0x26]), Some(624_485));
        assert_eq!(uleb(&[0xff; 9]), None);
        let mut most = [0xff; 10];
        most[9] = 1;
        assert_eq!(uleb(&most), Some(u64::MAX));
        let mut longer = [0x80; 40];
        longer[39] = 0x7f;
        assert_eq!(uleb(&longer), Some(0));
        let sleb = |bytes: &[u8]| Cursor(bytes).sleb();
        assert_eq!(sleb(&[0x7f]), Some(-1));
        assert_eq!(sleb(&[0x3f]), Some(63));
        assert_eq!(sleb(&[0x80, 0x7f]), Some(-128));
        assert_eq!(sleb(&[0x80; 3]), None);
        let mut least = [0x80; 10];
        least[9] = 0x7f;
        assert_eq!(sleb(&least), Some(i64::MIN));
    }
}
