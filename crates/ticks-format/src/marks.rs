//! Records of the file itself: which thread a ring belongs to from here on.

use crate::pack::{Field, WideReader, WideWriter, TEXT_BYTES_MAX};
use crate::schema::FieldInfo;
use crate::slot::{wide_slots, Slot, Wide};

/// The declaration of one mark.
pub(crate) struct MarkInfo {
    pub code: u8,
    pub id: &'static str,
    pub name: &'static str,
    pub target: &'static str,
    pub fields: &'static [FieldInfo],
}

/// The number of the mark that a thread writes when it claims a ring.
pub const THREAD_BEGIN: u8 = 112;

/// The number of the mark that a thread writes when it gives its ring back.
pub const THREAD_END: u8 = 113;

const THREAD_FIELDS: &[FieldInfo] = &[
    FieldInfo { name: "tid", type_name: "u64", optional: false, bits: 64 },
    FieldInfo { name: "name", type_name: "text", optional: false, bits: 0 },
];

/// Every mark.
pub(crate) const MARKS: &[MarkInfo] = &[
    MarkInfo {
        code: THREAD_BEGIN,
        id: "ThreadBegin",
        name: "thread:+",
        target: "ticks",
        fields: THREAD_FIELDS,
    },
    MarkInfo {
        code: THREAD_END,
        id: "ThreadEnd",
        name: "thread:-",
        target: "ticks",
        fields: THREAD_FIELDS,
    },
];

/// A thread: the system's number for it, and its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Thread {
    /// The system's number.
    pub tid: u64,
    /// The name; empty if it has none.
    pub name: Box<str>,
}

/// The slots of the mark that a thread writes first into a ring that it has claimed.
pub fn thread_begin(tid: u64, name: &str, time: u64) -> Wide {
    mark(THREAD_BEGIN, tid, name, time)
}

/// The slots of the mark that a thread writes last, before it gives its ring back.
pub fn thread_end(tid: u64, name: &str, time: u64) -> Wide {
    mark(THREAD_END, tid, name, time)
}

fn mark(code: u8, tid: u64, name: &str, time: u64) -> Wide {
    let mut fields = WideWriter::new();
    tid.write(&mut fields);
    fields.put_text(name);
    wide_slots(code, time, &fields)
}

/// The thread that a mark's wide form names.
pub(crate) fn read_thread(bytes: &[u8]) -> Option<Thread> {
    let mut fields = WideReader(bytes);
    Some(Thread { tid: u64::read(&mut fields)?, name: fields.text()? })
}

/// The number of a line of a text log that is no record. Only what reads logs writes it, into a file of its own.
pub const LOG_LINE: u8 = 120;

/// How [`log_line`] is described; for the end of that file's schema.
pub const LOG_LINE_SCHEMA: &str = "record\t120\tLogLine\tlog\tticks\n\
    field\tlevel\ttext\t0\t-\nfield\tmodule\ttext\t0\t-\nfield\tline\tu64\t64\t-\nfield\ttext\ttext\t0\t-\n";

/// A line of a log. A text that is longer than a record can hold is cut, and ends with `…`.
pub fn log_line(level: &str, module: &str, line: u64, text: &str, time: u64) -> Wide {
    /// Four texts of the longest kind would not fit a record.
    const SHORT_MAX: usize = 64;
    let short = |text: &str| text.chars().take(SHORT_MAX / 4).collect::<String>();
    let module = match module.len() {
        0..=SHORT_MAX => module.to_owned(),
        _ => short(module),
    };
    let mut fields = WideWriter::new();
    fields.put_text(&short(level));
    fields.put_text(&module);
    line.write(&mut fields);
    match text.len() <= TEXT_BYTES_MAX {
        true => fields.put_text(text),
        false => {
            let mut end = TEXT_BYTES_MAX - '…'.len_utf8();
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            fields.put_text(&format!("{}…", &text[..end]));
        }
    }
    wide_slots(LOG_LINE, time, &fields)
}

/// The number of the mark before a record that was read from a log: in which line of its module's file it was logged.
pub const LOG_AT: u8 = 121;

/// How [`log_at`] is described.
pub const LOG_AT_SCHEMA: &str = "record\t121\tLogAt\tlog:at\tticks\nfield\tline\tu64\t64\t-\n";

/// The line in the module's file of the record that follows.
pub fn log_at(line: u64, time: u64) -> [Slot; 1] {
    [[crate::slot::head(LOG_AT, time), line, 0, 0]]
}
