//! What a log has that a recording has not: lines that are no records, and where in the code a line was logged.

use std::collections::HashMap;

use ticks_format::{marks, Value, What};

use crate::merge::Moment;

/// Level, module, line number and text of a line that is no record.
pub fn line_of(what: &What) -> Option<(&str, &str, u64, &str)> {
    let What::Foreign(foreign) = what else { return None };
    if foreign.code != marks::LOG_LINE || &*foreign.kind != "LogLine" {
        return None;
    }
    let (mut texts, mut line) = (foreign.fields.iter(), 0);
    let mut next_text = || {
        texts.find_map(|(_, value)| match value {
            Value::Text(text) => Some(&**text),
            Value::Unsigned(number) => {
                line = *number;
                None
            }
            _ => None,
        })
    };
    let (level, module, text) = (next_text()?, next_text()?, next_text()?);
    Some((level, module, line, text))
}

/// Where in the code the next record of each thread was logged.
#[derive(Default)]
pub struct LogLines(HashMap<(usize, u64), u64>);

impl LogLines {
    /// Whether it is a line that is no record.
    pub fn is_line(moment: &Moment) -> bool {
        line_of(&moment.stamped.what).is_some()
    }

    /// Takes in a mark, and says whether it was one.
    pub fn learn(&mut self, moment: &Moment) -> bool {
        let What::Foreign(foreign) = &moment.stamped.what else { return false };
        if foreign.code != marks::LOG_AT || &*foreign.kind != "LogAt" {
            return false;
        }
        if let Some((_, Value::Unsigned(line))) = foreign.fields.first() {
            self.0.insert(place(moment), *line);
        }
        true
    }

    /// The line of this record, 0 if it is not known.
    pub fn take(&mut self, moment: &Moment) -> u64 {
        self.0.remove(&place(moment)).unwrap_or(0)
    }
}

fn place(moment: &Moment) -> (usize, u64) {
    (moment.input, moment.stamped.thread.as_ref().map_or(0, |thread| thread.tid))
}
