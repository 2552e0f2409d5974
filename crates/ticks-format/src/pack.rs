//! The two forms of a field: *narrow*, a declared number of bits, and *wide*, whole bytes.
//!
//! Everything here works on values: three words for the narrow form, a byte string for the wide one.
//! The schema describes both, so a reader without this code can read them too ([`crate::Foreign`]).

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

use crate::values::*;

/// The bits of a [`Key`]'s narrow form that hold the index.
pub(crate) const KEY_INDEX_BITS: u32 = 20;

/// The longest text in bytes: the longest path of a Unix socket. Longer ones are cut.
pub(crate) const TEXT_BYTES_MAX: usize = 108;

/// The longest wide form in bytes: two Unix addresses and what else a source is described by.
pub(crate) const WIDE_BYTES_MAX: usize = 286;

/// Puts values into the payload of a narrow slot, lowest bit first.
#[derive(Default)]
pub(crate) struct Packer {
    pub words: [u64; 3],
    at: u32,
    /// Not zero when a value did not fit.
    pub lost: u64,
    /// The last plain number, from which ticks are counted.
    base: u64,
}

impl Packer {
    #[inline(always)]
    fn put(&mut self, value: u64, bits: u32) {
        let value = if bits < 64 {
            self.lost |= value >> bits;
            value & ((1 << bits) - 1)
        } else {
            value
        };
        if bits == 0 {
            return;
        }
        let (word, shift) = ((self.at / 64) as usize, self.at % 64);
        self.words[word] |= value << shift;
        if shift + bits > 64 {
            self.words[word + 1] |= value >> (64 - shift);
        }
        self.at += bits;
    }
}

/// Takes values out of the payload of a narrow slot.
pub(crate) struct Unpacker {
    words: [u64; 3],
    at: u32,
    base: u64,
}

impl Unpacker {
    #[inline(always)]
    pub fn new(words: [u64; 3]) -> Unpacker {
        let (at, base) = (0, 0);
        Unpacker { words, at, base }
    }

    /// The next `bits` bits; zero beyond the end.
    #[inline(always)]
    pub fn take(&mut self, bits: u32) -> u64 {
        let word = |index: u32| self.words.get(index as usize).copied().unwrap_or(0);
        if bits == 0 {
            return 0;
        }
        let (index, shift) = (self.at / 64, self.at % 64);
        let mut value = word(index) >> shift;
        if shift + bits > 64 {
            value |= word(index + 1) << (64 - shift);
        }
        self.at += bits;
        if bits < 64 {
            value & ((1 << bits) - 1)
        } else {
            value
        }
    }
}

/// A wide form under construction. What exceeds its bounds is left out.
pub(crate) struct WideWriter {
    pub bytes: [u8; WIDE_BYTES_MAX],
    pub len: usize,
}

impl WideWriter {
    pub fn new() -> WideWriter {
        WideWriter { bytes: [0; WIDE_BYTES_MAX], len: 0 }
    }

    pub fn put(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        if let Some(room) = self.bytes.get_mut(self.len..end) {
            room.copy_from_slice(bytes);
            self.len = end;
        }
    }

    pub fn put_text(&mut self, text: &str) {
        let mut len = text.len().min(TEXT_BYTES_MAX);
        while !text.is_char_boundary(len) {
            len -= 1;
        }
        self.put(&[len as u8]);
        self.put(&text.as_bytes()[..len]);
    }
}

/// A wide form being read.
pub(crate) struct WideReader<'a>(pub &'a [u8]);

impl<'a> WideReader<'a> {
    pub fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        if len > self.0.len() {
            return None;
        }
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        Some(taken)
    }

    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    pub fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub fn text(&mut self) -> Option<Box<str>> {
        let len = self.byte()?;
        let text = self.bytes(usize::from(len))?;
        Some(String::from_utf8_lossy(text).into())
    }
}

/// A type of fields: its name in the schema and its two forms.
pub(crate) trait Field: Sized {
    const TYPE: &'static str;
    const OPTIONAL: bool = false;

    fn pack(&self, bits: u32, into: &mut Packer);
    fn unpack(bits: u32, from: &mut Unpacker) -> Option<Self>;
    fn write(&self, into: &mut WideWriter);
    fn read(from: &mut WideReader<'_>) -> Option<Self>;
}

impl Field for u64 {
    const TYPE: &'static str = "u64";

    #[inline(always)]
    fn pack(&self, bits: u32, into: &mut Packer) {
        into.put(*self, bits);
        into.base = *self;
    }

    #[inline(always)]
    fn unpack(bits: u32, from: &mut Unpacker) -> Option<u64> {
        from.base = from.take(bits);
        Some(from.base)
    }

    fn write(&self, into: &mut WideWriter) {
        into.put(&self.to_le_bytes());
    }

    fn read(from: &mut WideReader<'_>) -> Option<u64> {
        from.array().map(u64::from_le_bytes)
    }
}

impl Field for u32 {
    const TYPE: &'static str = "u32";

    #[inline(always)]
    fn pack(&self, bits: u32, into: &mut Packer) {
        into.put(u64::from(*self), bits);
    }

    #[inline(always)]
    fn unpack(bits: u32, from: &mut Unpacker) -> Option<u32> {
        Some(from.take(bits) as u32)
    }

    fn write(&self, into: &mut WideWriter) {
        into.put(&self.to_le_bytes());
    }

    fn read(from: &mut WideReader<'_>) -> Option<u32> {
        from.array().map(u32::from_le_bytes)
    }
}

/// A number with sign as one without: 0, -1, 1, -2, … become 0, 1, 2, 3, ….
#[inline(always)]
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[inline(always)]
fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

impl Field for i64 {
    const TYPE: &'static str = "i64";

    #[inline(always)]
    fn pack(&self, bits: u32, into: &mut Packer) {
        into.put(zigzag(*self), bits);
    }

    #[inline(always)]
    fn unpack(bits: u32, from: &mut Unpacker) -> Option<i64> {
        Some(unzigzag(from.take(bits)))
    }

    fn write(&self, into: &mut WideWriter) {
        into.put(&self.to_le_bytes());
    }

    fn read(from: &mut WideReader<'_>) -> Option<i64> {
        from.array().map(i64::from_le_bytes)
    }
}

impl Field for bool {
    const TYPE: &'static str = "bool";

    #[inline(always)]
    fn pack(&self, bits: u32, into: &mut Packer) {
        into.put(u64::from(*self), bits);
    }

    #[inline(always)]
    fn unpack(bits: u32, from: &mut Unpacker) -> Option<bool> {
        Some(from.take(bits) != 0)
    }

    fn write(&self, into: &mut WideWriter) {
        into.put(&[u8::from(*self)]);
    }

    fn read(from: &mut WideReader<'_>) -> Option<bool> {
        from.byte().map(|byte| byte != 0)
    }
}

impl Field for Key {
    const TYPE: &'static str = "key";

    #[inline(always)]
    fn pack(&self, bits: u32, into: &mut Packer) {
        into.put(u64::from(self.index()), KEY_INDEX_BITS);
        into.put(u64::from(self.generation()), bits - KEY_INDEX_BITS);
    }

    #[inline(always)]
    fn unpack(bits: u32, from: &mut Unpacker) -> Option<Key> {
        let index = from.take(KEY_INDEX_BITS);
        let generation = from.take(bits.saturating_sub(KEY_INDEX_BITS));
        Some(Key::new(index as u32, generation as u32))
    }

    fn write(&self, into: &mut WideWriter) {
        self.0.write(into);
    }

    fn read(from: &mut WideReader<'_>) -> Option<Key> {
        u64::read(from).map(Key)
    }
}

/// Two differences from the last plain number before them, which is the direction's tick.
impl Field for Ticks {
    const TYPE: &'static str = "ticks";

    #[inline(always)]
    fn pack(&self, bits: u32, into: &mut Packer) {
        let base = into.base;
        into.put(zigzag(self.a.wrapping_sub(base) as i64), bits);
        into.put(zigzag(self.b.wrapping_sub(base) as i64), bits);
    }

    #[inline(always)]
    fn unpack(bits: u32, from: &mut Unpacker) -> Option<Ticks> {
        let base = from.base;
        let mut tick = || base.wrapping_add(unzigzag(from.take(bits)) as u64);
        let (a, b) = (tick(), tick());
        Some(Ticks { a, b })
    }

    fn write(&self, into: &mut WideWriter) {
        self.a.write(into);
        self.b.write(into);
    }

    fn read(from: &mut WideReader<'_>) -> Option<Ticks> {
        let (a, b) = (u64::read(from)?, u64::read(from)?);
        Some(Ticks { a, b })
    }
}

/// An address has no narrow form, but its absence has: no bits.
impl Field for Address {
    const TYPE: &'static str = "address";

    #[inline(always)]
    fn pack(&self, _bits: u32, into: &mut Packer) {
        into.lost |= u64::from(*self != Address::None);
    }

    #[inline(always)]
    fn unpack(bits: u32, from: &mut Unpacker) -> Option<Address> {
        from.take(bits);
        Some(Address::None)
    }

    fn write(&self, into: &mut WideWriter) {
        match self {
            Address::None => into.put(&[0]),
            Address::Ip(SocketAddr::V4(v4)) => {
                into.put(&[1]);
                into.put(&v4.ip().octets());
                into.put(&v4.port().to_le_bytes());
            }
            Address::Ip(SocketAddr::V6(v6)) => {
                into.put(&[2]);
                into.put(&v6.ip().octets());
                into.put(&v6.port().to_le_bytes());
                into.put(&v6.flowinfo().to_le_bytes());
                into.put(&v6.scope_id().to_le_bytes());
            }
            Address::Unix(path) => {
                into.put(&[3]);
                into.put_text(path);
            }
        }
    }

    fn read(from: &mut WideReader<'_>) -> Option<Address> {
        Some(match from.byte()? {
            0 => Address::None,
            1 => {
                let ip: [u8; 4] = from.array()?;
                let port = from.array().map(u16::from_le_bytes)?;
                Address::Ip(SocketAddr::new(IpAddr::from(ip), port))
            }
            2 => {
                let ip: [u8; 16] = from.array()?;
                let port = from.array().map(u16::from_le_bytes)?;
                let (flow, scope) = (u32::read(from)?, u32::read(from)?);
                SocketAddr::from(SocketAddrV6::new(Ipv6Addr::from(ip), port, flow, scope)).into()
            }
            3 => Address::Unix(from.text()?),
            _ => return None,
        })
    }
}

macro_rules! enum_fields {
    ($($enum:ident)*) => {
        $(impl Field for $enum {
            const TYPE: &'static str = stringify!($enum);

            #[inline(always)]
            fn pack(&self, bits: u32, into: &mut Packer) {
                into.put(u64::from(self.code()), bits);
            }

            #[inline(always)]
            fn unpack(bits: u32, from: &mut Unpacker) -> Option<$enum> {
                $enum::from_code(from.take(bits) as u8)
            }

            fn write(&self, into: &mut WideWriter) {
                into.put(&[self.code()]);
            }

            fn read(from: &mut WideReader<'_>) -> Option<$enum> {
                $enum::from_code(from.byte()?)
            }
        })*

        /// Every type of fields that is a set of names: its own name, its numbers and their names.
        pub(crate) fn enums() -> Vec<(&'static str, Vec<(u8, &'static str)>)> {
            vec![$((
                stringify!($enum),
                $enum::ALL.iter().map(|value| (value.code(), value.name())).collect(),
            ),)*]
        }
    };
}

enum_fields! { Direction Verdict Reason WakerChange WakeCause Op SourceKind WokenBy TaskKind }

/// One bit says whether there is a value; the bits of an absent one are zero.
impl<T: Field> Field for Option<T> {
    const TYPE: &'static str = T::TYPE;
    const OPTIONAL: bool = true;

    #[inline(always)]
    fn pack(&self, bits: u32, into: &mut Packer) {
        into.put(u64::from(self.is_some()), 1);
        match self {
            Some(value) => value.pack(bits, into),
            None => into.at += narrow_bits(T::TYPE, bits),
        }
    }

    #[inline(always)]
    fn unpack(bits: u32, from: &mut Unpacker) -> Option<Option<T>> {
        if from.take(1) == 1 {
            return T::unpack(bits, from).map(Some);
        }
        from.at += narrow_bits(T::TYPE, bits);
        Some(None)
    }

    fn write(&self, into: &mut WideWriter) {
        into.put(&[u8::from(self.is_some())]);
        if let Some(value) = self {
            value.write(into);
        }
    }

    fn read(from: &mut WideReader<'_>) -> Option<Option<T>> {
        match from.byte()? {
            0 => Some(None),
            _ => T::read(from).map(Some),
        }
    }
}

/// How many bits a value of the type takes that is declared with `bits`.
#[inline(always)]
pub(crate) fn narrow_bits(type_name: &str, bits: u32) -> u32 {
    match type_name {
        "ticks" => 2 * bits,
        _ => bits,
    }
}
