//! A record as a line: the log's text, or JSON.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde_json::{Map, Value as Json};
use ticks_format::{FieldValue, Key, Record, Value, What};

use crate::input::Input;
use crate::logs;
use crate::merge::Moment;
use crate::plain::plain;
use crate::units;

/// The target, as in the log.
pub fn target(what: &What) -> &str {
    match what {
        What::Record(record) => record.kind().target(),
        What::Foreign(foreign) => &foreign.target,
        What::ThreadBegin(_) | What::ThreadEnd(_) => "ticks",
    }
}

/// The name that begins the text.
pub fn name(what: &What) -> &str {
    match what {
        What::Record(record) => record.kind().name(),
        What::Foreign(foreign) => &foreign.name,
        What::ThreadBegin(_) => "thread:+",
        What::ThreadEnd(_) => "thread:-",
    }
}

/// The name of the kind in the declarations.
pub fn kind(what: &What) -> String {
    match what {
        What::Record(record) => format!("{:?}", record.kind()),
        What::Foreign(foreign) => foreign.kind.to_string(),
        What::ThreadBegin(_) => "ThreadBegin".into(),
        What::ThreadEnd(_) => "ThreadEnd".into(),
    }
}

/// The text, as in the log.
pub fn text(what: &What) -> String {
    match what {
        What::Record(record) => record.to_string(),
        What::Foreign(foreign) => foreign.to_string(),
        What::ThreadBegin(thread) | What::ThreadEnd(thread) => {
            format!("{} tid={} name={:?}", name(what), thread.tid, thread.name)
        }
    }
}

/// The fields, numbers as numbers.
pub fn fields(what: &What, each: &mut dyn FnMut(&str, Json)) {
    match what {
        What::Record(record) => record.visit(&mut |name, value| each(name, json(value))),
        What::Foreign(foreign) => {
            for (name, value) in &foreign.fields {
                match value {
                    Value::Ticks(ticks) => {
                        each("ticks_a", ticks.a.into());
                        each("ticks_b", ticks.b.into());
                    }
                    Value::Unsigned(value) => each(name, (*value).into()),
                    Value::Signed(value) => each(name, (*value).into()),
                    Value::Bool(value) => each(name, (*value).into()),
                    Value::Key(Key(value)) => each(name, (*value).into()),
                    Value::Name(value) => each(name, (&**value).into()),
                    Value::Text(value) => each(name, (&**value).into()),
                    Value::Address(value) => each(name, value.to_string().into()),
                }
            }
        }
        What::ThreadBegin(thread) | What::ThreadEnd(thread) => {
            each("tid", thread.tid.into());
            each("thread_name", (&*thread.name).into());
        }
    }
}

fn json(value: FieldValue<'_>) -> Json {
    match value {
        FieldValue::Unsigned(value) => value.into(),
        FieldValue::Signed(value) => value.into(),
        FieldValue::Bool(value) => value.into(),
        FieldValue::Name(value) => value.into(),
        FieldValue::Text(value) => value.to_string().into(),
    }
}

const DIM: Style = Style::new().dimmed();
const READY: Style = AnsiColor::Green.on_default();
const EVENT: Style = AnsiColor::Cyan.on_default();
const WAKE: Style = AnsiColor::Yellow.on_default();
const WRONG: Style = AnsiColor::Red.on_default();

/// What is worth a colour.
fn style(what: &What) -> Style {
    use ticks_format::Verdict::{Failed, Ready};
    match what {
        What::Record(Record::PollEnd(poll)) if poll.result == Ready => READY,
        What::Record(Record::PollEnd(poll)) if poll.result == Failed => WRONG,
        What::Record(Record::ReactEvent(_) | Record::TimerFire(_)) => EVENT,
        What::Record(Record::ReactStale(_)) => WRONG,
        What::Record(Record::Wake(_) | Record::TaskWake(_)) => WAKE,
        What::Record(Record::TaskForgotten(_) | Record::TaskPanicked(_)) => WRONG,
        What::ThreadBegin(_) | What::ThreadEnd(_) => DIM,
        _ => Style::new(),
    }
}

/// `[2022-05-03T18:37:52.139518Z TRACE async_io::reactor 0 4711] …`, as the logs of 2022: time,
/// level, module, line (a recording has none, and 0 is shown), thread; of a log that has neither line nor thread, without
/// them. With the record's text, or in words, and what is to stand behind it.
pub fn write_text(
    out: &mut dyn Write,
    inputs: &[Input],
    moment: &Moment,
    at_line: u64,
    words: Option<String>,
    beside: &str,
    colours: bool,
) -> io::Result<()> {
    let what = &moment.stamped.what;
    let time = units::time(moment.utc_ns);
    let tid = moment.stamped.thread.as_ref().map_or(0, |thread| thread.tid);
    let (dim, style) = if colours { (DIM, style(what)) } else { Default::default() };
    let text = words.unwrap_or_else(|| text(what)) + beside;
    let (target, text) = (plain(target(what)), plain(&text));
    // With several processes the thread's number alone would not say whose it is.
    let pid = match inputs.len() {
        0 | 1 => String::new(),
        _ => format!("{}/", inputs[moment.input].recording.header().pid),
    };
    let is_log = inputs[moment.input].log.is_some();
    let place = |line: u64| match (is_log, line, tid) {
        (true, 0, 0) => String::new(),
        _ => format!(" {line} {pid}{tid}"),
    };
    if let Some((level, module, line, text)) = logs::line_of(what) {
        if module.is_empty() {
            return writeln!(out, "{}", plain(text));
        }
        let (level, module, text) = (plain(level), plain(module), plain(text));
        let place = place(line);
        return writeln!(out, "{dim}[{time} {level} {module}{place}]{dim:#} {text}");
    }
    let place = place(at_line);
    writeln!(out, "{dim}[{time} TRACE {target}{place}]{dim:#} {style}{text}{style:#}")
}

/// One object a line.
pub fn write_json(
    out: &mut dyn Write,
    inputs: &[Input],
    moment: &Moment,
    caused_by: Option<Json>,
) -> io::Result<()> {
    let what = &moment.stamped.what;
    let thread = moment.stamped.thread.as_ref();
    let mut object = Map::new();
    object.insert("time".into(), units::time(moment.utc_ns).into());
    object.insert("utc_ns".into(), moment.utc_ns.into());
    let pid = inputs[moment.input].recording.header().pid;
    object.insert("pid".into(), pid.into());
    object.insert("thread".into(), thread.map(|thread| thread.tid).into());
    object.insert("thread_name".into(), thread.map(|thread| thread.name.to_string()).into());
    object.insert("target".into(), target(what).into());
    object.insert("record".into(), kind(what).into());
    object.insert("name".into(), name(what).into());
    let mut values = Map::new();
    fields(what, &mut |name, value| {
        values.insert(name.into(), value);
    });
    object.insert("fields".into(), Json::Object(values));
    if let Some(cause) = caused_by {
        object.insert("caused_by".into(), cause);
    }
    writeln!(out, "{}", Json::Object(object))
}
