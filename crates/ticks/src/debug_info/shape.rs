//! What a type is, as far as a walk through futures asks.

use super::{DebugInfo, Entry, Id};

/// A type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Fields in places.
    Struct {
        /// Its name with all that it is in.
        path: String,
        /// Its size in bytes.
        bytes: u64,
        /// Its alignment in bytes, if it is told.
        alignment: Option<u64>,
        /// Its fields.
        fields: Vec<Field>,
    },
    /// One of several: an enum, or the state of an async function.
    Variants {
        /// Its name with all that it is in.
        path: String,
        /// Its size in bytes.
        bytes: u64,
        /// Its alignment in bytes, if it is told.
        alignment: Option<u64>,
        /// Where the number of the variant is, and how many bytes it has.
        tag: Option<(u64, u64)>,
        /// What it may be.
        variants: Vec<Variant>,
    },
    /// A pointer: a reference, a `Box`, or a raw one.
    Pointer {
        /// Its name: `&mut T`, `alloc::boxed::Box<T>`.
        name: String,
        /// What it points to.
        to: Id,
    },
    /// Something without fields.
    Other,
}

/// A field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// How many bytes from the beginning.
    pub offset: u64,
    /// Its type.
    pub of: Id,
}

/// One of several things that a value may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// The number that says it is this one; none: it is this if it is no other.
    pub number: Option<u64>,
    /// How many bytes from the beginning.
    pub offset: u64,
    /// Its type.
    pub of: Id,
    /// Where in the source; of an async function's state: where it waits.
    pub place: Option<(String, u32)>,
}

impl Shape {
    /// Its alignment in bytes.
    pub fn alignment(&self) -> u64 {
        match self {
            Shape::Struct { alignment, .. } | Shape::Variants { alignment, .. } => {
                alignment.unwrap_or(8)
            }
            Shape::Pointer { .. } => 8,
            Shape::Other => 1,
        }
    }

    /// Its size in bytes.
    pub fn bytes(&self) -> u64 {
        match self {
            Shape::Struct { bytes, .. } | Shape::Variants { bytes, .. } => *bytes,
            Shape::Pointer { .. } => 8,
            Shape::Other => 0,
        }
    }

    /// Its name with all that it is in.
    pub fn path(&self) -> &str {
        match self {
            Shape::Struct { path, .. } | Shape::Variants { path, .. } => path,
            Shape::Pointer { name, .. } => name,
            Shape::Other => "",
        }
    }
}

pub fn of(info: &DebugInfo<'_>, id: Id) -> Option<Shape> {
    let entry = info.entry(id)?;
    match entry.tag() {
        gimli::DW_TAG_structure_type => Some(structure(info, id, &entry)),
        gimli::DW_TAG_pointer_type => Some(Shape::Pointer {
            name: info.string(id, &entry, gimli::DW_AT_name).unwrap_or_default(),
            to: info.reference(id, &entry, gimli::DW_AT_type)?,
        }),
        _ => None,
    }
}

fn structure<'a>(info: &DebugInfo<'a>, id: Id, entry: &Entry<'a>) -> Shape {
    let (mut fields, mut part) = (Vec::new(), None);
    info.each_child(id, |child| match child.tag() {
        gimli::DW_TAG_member => fields.extend(field(info, id, child)),
        gimli::DW_TAG_variant_part => {
            let tag = info.reference(id, child, gimli::DW_AT_discr);
            part = Some((Id { unit: id.unit, offset: child.offset().0 }, tag));
        }
        _ => {}
    });
    let path = info.path(id);
    let bytes = info.number(entry, gimli::DW_AT_byte_size).unwrap_or(0);
    let alignment = info.number(entry, gimli::DW_AT_alignment);
    match part {
        None => Shape::Struct { path, bytes, alignment, fields },
        Some((part, tag)) => {
            let tag = tag.and_then(|tag| tag_place(info, tag));
            let variants = variants(info, part);
            Shape::Variants { path, bytes, alignment, tag, variants }
        }
    }
}

fn field<'a>(info: &DebugInfo<'a>, near: Id, entry: &Entry<'a>) -> Option<Field> {
    Some(Field {
        name: info.string(near, entry, gimli::DW_AT_name).unwrap_or_default(),
        offset: info.number(entry, gimli::DW_AT_data_member_location).unwrap_or(0),
        of: info.reference(near, entry, gimli::DW_AT_type)?,
    })
}

/// Where the number of the variant is.
fn tag_place(info: &DebugInfo<'_>, tag: Id) -> Option<(u64, u64)> {
    let member = info.entry(tag)?;
    let at = info.number(&member, gimli::DW_AT_data_member_location).unwrap_or(0);
    let number = info.reference(tag, &member, gimli::DW_AT_type)?;
    let bytes = info.number(&info.entry(number)?, gimli::DW_AT_byte_size)?;
    Some((at, bytes))
}

fn variants(info: &DebugInfo<'_>, part: Id) -> Vec<Variant> {
    let mut all = Vec::new();
    info.each_child(part, |variant| {
        if variant.tag() != gimli::DW_TAG_variant {
            return;
        }
        let number = info.number(variant, gimli::DW_AT_discr_value);
        let id = Id { unit: part.unit, offset: variant.offset().0 };
        info.each_child(id, |member| {
            let field = field(info, id, member);
            all.extend(field.map(|field| Variant {
                number,
                offset: field.offset,
                of: field.of,
                place: info.place(id, member),
            }));
        });
    });
    all
}
