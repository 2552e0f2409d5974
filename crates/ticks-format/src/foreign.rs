//! Records that this build does not know, read by the description in the file.

use std::fmt;
use std::sync::Arc;

use crate::pack::{narrow_bits, Field, Unpacker, WideReader};
use crate::schema::{FieldSchema, KindSchema, Schema};
use crate::slot::Slot;
use crate::values::{Address, Key, Ticks};

/// A record of a kind, or with a value, that this build does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// The number of its kind.
    pub code: u8,
    /// The name of its kind in the declarations that the file was written by.
    pub kind: Arc<str>,
    /// The name that begins its text.
    pub name: Arc<str>,
    /// The module it speaks for.
    pub target: Arc<str>,
    /// Its fields in their order. One that is absent, and all after one that cannot be read, are
    /// left out.
    pub fields: Vec<(Arc<str>, Value)>,
}

/// The value of a field of a [`Foreign`] record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number without sign, or the bits of a type that is not known.
    Unsigned(u64),
    /// A number with sign.
    Signed(i64),
    /// Yes or no.
    Bool(bool),
    /// A source.
    Key(Key),
    /// What a waiter remembers.
    Ticks(Ticks),
    /// One of a set of names.
    Name(Arc<str>),
    /// An address.
    Address(Address),
    /// A text.
    Text(Box<str>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Unsigned(value) => value.fmt(f),
            Value::Signed(value) => value.fmt(f),
            Value::Bool(value) => value.fmt(f),
            Value::Key(value) => value.fmt(f),
            Value::Ticks(value) => value.fmt(f),
            Value::Name(value) => fmt::Debug::fmt(value, f),
            Value::Address(value) => value.fmt(f),
            Value::Text(value) => fmt::Debug::fmt(value, f),
        }
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (name, value) in &self.fields {
            write!(f, " {name}={value}")?;
        }
        Ok(())
    }
}

impl Foreign {
    fn new(code: u8, kind: &KindSchema) -> Foreign {
        let (name, target) = (kind.name.clone(), kind.target.clone());
        Foreign { code, kind: kind.id.clone(), name, target, fields: Vec::new() }
    }

    pub(crate) fn from_narrow(schema: &Schema, code: u8, slot: &Slot) -> Option<Foreign> {
        let kind = schema.kinds.get(&code)?;
        let mut foreign = Foreign::new(code, kind);
        let mut bits = Unpacker::new([slot[1], slot[2], slot[3]]);
        for field in &kind.fields {
            let present = !field.optional || bits.take(1) == 1;
            if let Some(value) = narrow_value(schema, field, present, &mut bits) {
                foreign.fields.push((field.name.clone(), value));
            }
        }
        Some(foreign)
    }

    pub(crate) fn from_wide(schema: &Schema, code: u8, bytes: &[u8]) -> Option<Foreign> {
        let kind = schema.kinds.get(&code)?;
        let mut foreign = Foreign::new(code, kind);
        let mut bytes = WideReader(bytes);
        for field in &kind.fields {
            if field.optional && bytes.byte().unwrap_or(0) == 0 {
                continue;
            }
            let Some(value) = wide_value(schema, field, &mut bytes) else {
                break;
            };
            foreign.fields.push((field.name.clone(), value));
        }
        Some(foreign)
    }
}

fn narrow_value(
    schema: &Schema,
    field: &FieldSchema,
    present: bool,
    from: &mut Unpacker,
) -> Option<Value> {
    if !present {
        let bits = narrow_bits(&field.type_name, field.bits);
        from.take(bits.min(64));
        from.take(bits.saturating_sub(64));
        return None;
    }
    let bits = field.bits;
    Some(match &*field.type_name {
        "u64" => Value::Unsigned(u64::unpack(bits, from)?),
        "i64" => Value::Signed(i64::unpack(bits, from)?),
        "bool" => Value::Bool(bool::unpack(bits, from)?),
        "key" => Value::Key(Key::unpack(bits, from)?),
        "ticks" => Value::Ticks(Ticks::unpack(bits, from)?),
        "address" => Value::Address(Address::unpack(bits, from)?),
        _ => named(schema, field, from.take(bits)),
    })
}

fn wide_value(schema: &Schema, field: &FieldSchema, from: &mut WideReader<'_>) -> Option<Value> {
    Some(match &*field.type_name {
        "u64" => Value::Unsigned(u64::read(from)?),
        "u32" => Value::Unsigned(u64::from(u32::read(from)?)),
        "i64" => Value::Signed(i64::read(from)?),
        "bool" => Value::Bool(bool::read(from)?),
        "key" => Value::Key(Key::read(from)?),
        "ticks" => Value::Ticks(Ticks::read(from)?),
        "address" => Value::Address(Address::read(from)?),
        "text" => Value::Text(from.text()?),
        name if schema.enums.contains_key(name) => named(schema, field, from.byte()?.into()),
        _ => return None,
    })
}

/// The name of the value if the field's type is a set of names that the file describes.
fn named(schema: &Schema, field: &FieldSchema, value: u64) -> Value {
    let names = schema.enums.get(&field.type_name);
    match names.and_then(|names| names.get(&value)) {
        Some(name) => Value::Name(name.clone()),
        None => Value::Unsigned(value),
    }
}
