//! Records of the file itself: which thread a ring belongs to from here on.

use crate::pack::{Field, WideReader, WideWriter};
use crate::schema::FieldInfo;
use crate::slot::{wide_slots, Wide};

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
