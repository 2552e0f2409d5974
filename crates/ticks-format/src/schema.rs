//! The description of the records that every file carries, and SPEC.md's table of the same.
//!
//! Lines of tab-separated columns. A reader ignores a line whose first column it does not know, and
//! columns beyond those it knows.
//!
//! ```text
//! enum    Verdict  0  Pending  1  Ready  2  Failed
//! record  10       PollEnd     Source::poll_ready:-  async_io::reactor
//! field   result   Verdict     2   -
//! field   ticks    ticks?      29  -
//! ```

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use crate::marks::MARKS;
use crate::pack::enums;
use crate::records::Kind;
use crate::slot::CODE_MAX;

/// The most fields of a record that a reader looks at.
const FIELDS_MAX: usize = 64;

/// One declared field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FieldInfo {
    pub name: &'static str,
    pub type_name: &'static str,
    pub optional: bool,
    pub bits: u32,
}

impl FieldInfo {
    fn type_text(&self) -> String {
        let mark = if self.optional { "?" } else { "" };
        format!("{}{mark}", self.type_name)
    }
}

/// The unit that a name ends in.
fn unit(name: &str) -> &'static str {
    if name.ends_with("_ns") {
        "ns"
    } else {
        "-"
    }
}

/// The description of this build's records, as it stands in a file.
pub fn schema_text() -> String {
    let mut text = String::new();
    for (name, values) in enums() {
        write!(text, "enum\t{name}").expect("a String takes all");
        for (code, value) in values {
            write!(text, "\t{code}\t{value}").expect("a String takes all");
        }
        text.push('\n');
    }
    let records = Kind::ALL
        .iter()
        .map(|kind| (kind.code(), format!("{kind:?}"), kind.name(), kind.target(), kind.layout()));
    let marks = MARKS
        .iter()
        .map(|mark| (mark.code, mark.id.to_owned(), mark.name, mark.target, mark.fields));
    for (code, id, name, target, fields) in records.chain(marks) {
        writeln!(text, "record\t{code}\t{id}\t{name}\t{target}").expect("a String takes all");
        for field in fields {
            let (name, bits) = (field.name, field.bits);
            let (type_text, unit) = (field.type_text(), unit(name));
            writeln!(text, "field\t{name}\t{type_text}\t{bits}\t{unit}")
                .expect("a String takes all");
        }
    }
    text
}

/// The table in SPEC.md, which a test compares with the declarations.
pub fn spec_table() -> String {
    let mut table =
        String::from("| kind | name | text | fields: type, bits of the narrow form |\n");
    table.push_str("| ---: | --- | --- | --- |\n");
    let schema = Schema::own();
    for (code, kind) in &schema.kinds {
        let fields: Vec<String> = kind.fields.iter().map(FieldSchema::to_spec).collect();
        let KindSchema { id, name, .. } = &**kind;
        writeln!(table, "| {code} | {id} | `{name}` | {} |", fields.join(", "))
            .expect("a String takes all");
    }
    table.push_str("\n| type | values |\n| --- | --- |\n");
    for (name, values) in enums() {
        let values: Vec<String> =
            values.iter().map(|(code, value)| format!("{code} {value}")).collect();
        writeln!(table, "| `{name}` | {} |", values.join(", ")).expect("a String takes all");
    }
    table
}

/// A description of records, as read from a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    pub(crate) kinds: BTreeMap<u8, Arc<KindSchema>>,
    pub(crate) enums: BTreeMap<Box<str>, Arc<BTreeMap<u64, Arc<str>>>>,
}

/// One kind of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KindSchema {
    pub id: Arc<str>,
    pub name: Arc<str>,
    pub target: Arc<str>,
    pub fields: Vec<FieldSchema>,
}

/// One field of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldSchema {
    pub name: Arc<str>,
    pub type_name: Box<str>,
    pub optional: bool,
    pub bits: u32,
    pub unit: Box<str>,
}

impl FieldSchema {
    fn to_spec(&self) -> String {
        let mark = if self.optional { "?" } else { "" };
        let (name, type_name, bits) = (&self.name, &self.type_name, self.bits);
        let each = if &**type_name == "ticks" { "2×" } else { "" };
        format!("{name}: {type_name}{mark} {each}{bits}")
    }
}

impl Schema {
    /// The description of this build's records.
    pub fn own() -> Schema {
        Schema::parse(&schema_text())
    }

    /// The kinds that it describes, in the order of their numbers: each one's name, and the name that
    /// begins its records' text.
    pub fn kinds(&self) -> impl Iterator<Item = (&str, &str)> {
        self.kinds.values().map(|kind| (&*kind.id, &*kind.name))
    }

    /// Reads a description. Lines that cannot be understood are left out, so that records of the
    /// kinds they describe are skipped.
    pub fn parse(text: &str) -> Schema {
        let mut schema = Schema::default();
        let mut current: Option<(u8, KindSchema)> = None;
        for line in text.lines() {
            let columns: Vec<&str> = line.split('\t').take(2 + 2 * 256).collect();
            match columns.as_slice() {
                ["enum", name, values @ ..] => schema.add_enum(name, values),
                ["record", code, id, name, target, ..] => {
                    schema.add_kind(current.take());
                    let code = code.parse().ok().filter(|code| (1..=CODE_MAX).contains(code));
                    current = code.map(|code| (code, KindSchema::new(id, name, target)));
                }
                ["field", name, type_text, bits, unit, ..] => {
                    if let Some((_, kind)) = &mut current {
                        kind.add_field(name, type_text, bits, unit);
                    }
                }
                _ => {}
            }
        }
        schema.add_kind(current);
        schema
    }

    fn add_kind(&mut self, kind: Option<(u8, KindSchema)>) {
        if let Some((code, kind)) = kind {
            self.kinds.entry(code).or_insert_with(|| Arc::new(kind));
        }
    }

    fn add_enum(&mut self, name: &str, values: &[&str]) {
        let pairs = values.chunks_exact(2);
        let values = pairs.filter_map(|pair| Some((pair[0].parse().ok()?, Arc::from(pair[1]))));
        let values = Arc::new(values.collect());
        self.enums.insert(name.into(), values);
    }

    /// Whether the kind is described here as this build declares it, so that its own decoder holds.
    pub(crate) fn agrees(&self, own: &Schema, code: u8) -> bool {
        match (self.kinds.get(&code), own.kinds.get(&code)) {
            (Some(theirs), Some(ours)) => theirs.id == ours.id && theirs.fields == ours.fields,
            _ => false,
        }
    }
}

impl KindSchema {
    fn new(id: &str, name: &str, target: &str) -> KindSchema {
        KindSchema { id: id.into(), name: name.into(), target: target.into(), fields: Vec::new() }
    }

    fn add_field(&mut self, name: &str, type_text: &str, bits: &str, unit: &str) {
        // A field that cannot be placed would displace all after it.
        let bits = bits.parse().ok().filter(|bits| *bits <= 64).unwrap_or(0);
        if self.fields.len() < FIELDS_MAX {
            self.fields.push(FieldSchema {
                name: name.into(),
                type_name: type_text.trim_end_matches('?').into(),
                optional: type_text.ends_with('?'),
                bits,
                unit: unit.into(),
            });
        }
    }
}
