//! Records as log lines, through the `log` crate: text, with the fields as key-values.

use std::panic::Location;

use log::kv::{self, Key, Source, VisitSource};
use log::{Level, LevelFilter, Metadata};
use ticks_format::{FieldValue, Record};

/// Whether a logger wants the level of records at all.
pub(super) fn listens() -> bool {
    log::STATIC_MAX_LEVEL >= LevelFilter::Trace && log::max_level() >= LevelFilter::Trace
}

/// Writes the record to the logger, as if the line at `at` had logged it.
pub(super) fn emit(record: &Record, at: &'static Location<'static>) {
    let target = record.kind().target();
    let metadata = Metadata::builder().level(Level::Trace).target(target).build();
    let logger = log::logger();
    if !logger.enabled(&metadata) {
        return;
    }
    logger.log(
        &log::Record::builder()
            .metadata(metadata)
            .args(format_args!("{record}"))
            .module_path_static(Some(target))
            .file_static(Some(at.file()))
            .line(Some(at.line()))
            .key_values(&Fields(record))
            .build(),
    );
}

/// A record's fields as key-values.
struct Fields<'a>(&'a Record);

impl Source for Fields<'_> {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), kv::Error> {
        let mut result = Ok(());
        self.0.visit(&mut |name, value| {
            if result.is_ok() {
                result = pair(visitor, name, value);
            }
        });
        result
    }
}

fn pair<'kvs>(
    visitor: &mut dyn VisitSource<'kvs>,
    name: &'static str,
    value: FieldValue<'kvs>,
) -> Result<(), kv::Error> {
    let value = match value {
        FieldValue::Unsigned(number) => kv::Value::from(number),
        FieldValue::Signed(number) => kv::Value::from(number),
        FieldValue::Bool(yes) => kv::Value::from(yes),
        FieldValue::Name(name) => kv::Value::from(name),
        FieldValue::Text(text) => kv::Value::from_dyn_display(text),
    };
    visitor.visit_pair(Key::from_str(name), value)
}
