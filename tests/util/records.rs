//! The records as a logger or a subscriber gets them, kept to be looked at.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread::{self, ThreadId};

use log::kv::{self, Key, Value, VisitSource};

/// A key-value's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    Number(i128),
    Bool(bool),
    Text(String),
}

/// What came with one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub thread: ThreadId,
    pub level: String,
    pub target: String,
    pub module: Option<String>,
    /// The file and the line of the hook's call.
    pub place: Option<(String, u32)>,
    pub text: String,
    pub fields: BTreeMap<String, Field>,
}

/// A logger that keeps what it gets.
#[derive(Default)]
pub struct Keeper(Mutex<Vec<Line>>);

impl Keeper {
    pub const fn new() -> Keeper {
        Keeper(Mutex::new(Vec::new()))
    }

    /// Takes out what was kept so far.
    pub fn take(&self) -> Vec<Line> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    pub fn push(&self, line: Line) {
        self.0.lock().unwrap().push(line);
    }
}

impl log::Log for Keeper {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let mut fields = Fields(BTreeMap::new());
        record.key_values().visit(&mut fields).expect("the fields can be visited");
        self.push(Line {
            thread: thread::current().id(),
            level: record.level().to_string(),
            target: record.target().to_owned(),
            module: record.module_path().map(str::to_owned),
            place: record.file().map(str::to_owned).zip(record.line()),
            text: record.args().to_string(),
            fields: fields.0,
        });
    }

    fn flush(&self) {}
}

struct Fields(BTreeMap<String, Field>);

impl<'kvs> VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        let number = value.to_u64().map(i128::from).or(value.to_i64().map(i128::from));
        let field = match (number, value.to_bool()) {
            (Some(number), _) => Field::Number(number),
            (None, Some(yes)) => Field::Bool(yes),
            (None, None) => Field::Text(value.to_string()),
        };
        let before = self.0.insert(key.to_string(), field);
        assert_eq!(before, None, "{key} comes twice");
        Ok(())
    }
}
