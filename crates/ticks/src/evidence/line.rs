//! What was seen, as a line: text, or JSON.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde_json::{json, Map, Value as Json};

use super::{part, Cause, End, Seen, SeenWhat, Threads};
use crate::input::Input;
use crate::packets::{Flags, Packet};
use crate::plain::plain;
use crate::strace::{self, Traced};
use crate::units;

const DIM: Style = Style::new().dimmed();
const CALL: Style = AnsiColor::Magenta.on_default();
const PACKET: Style = AnsiColor::Blue.on_default();
const WRONG: Style = AnsiColor::Red.on_default();

/// As a record's line, with `strace` or `pcap` as the target.
pub fn write_text(
    out: &mut dyn Write,
    inputs: &[Input],
    threads: &Threads,
    seen: &Seen,
    colours: bool,
) -> io::Result<()> {
    let time = units::time(seen.utc_ns);
    let (target, who, style, text) = match &seen.what {
        SeenWhat::Traced { traced, input, operation } => {
            let tid = threads.tid(traced, *input);
            let tid = tid.map_or_else(|| "-".into(), |tid| tid.to_string());
            let mut text = traced_text(traced);
            if let Some(operation) = operation {
                text = format!("└ {text}; {}", operation.words());
            }
            let pid = match (input, inputs.len()) {
                (Some(input), 2..) => format!("{}/", inputs[*input].recording.header().pid),
                _ => String::new(),
            };
            ("strace", format!("{pid}{tid}"), CALL, text)
        }
        SeenWhat::Packet { packet, ends } => {
            let style = if packet.has(Flags::RST) { WRONG } else { PACKET };
            ("pcap", "-".into(), style, packet_text(packet, ends, inputs))
        }
    };
    let (dim, style) = if colours { (DIM, style) } else { Default::default() };
    writeln!(out, "{dim}[{time} TRACE {target} 0 {who}]{dim:#} {style}{}{style:#}", plain(&text))
}

fn traced_text(traced: &Traced) -> String {
    match &traced.what {
        strace::What::Call(call) => {
            let took = call.duration_ns.map(|ns| format!(", {}", units::duration(ns)));
            format!(
                "{}({}) = {}{}",
                call.name,
                call.args,
                call.outcome.text(),
                took.unwrap_or_default()
            )
        }
        strace::What::Begins(call) => format!("{}({} …", call.name, call.args),
        strace::What::Ends(call) => {
            let took = call.duration_ns.map(|ns| format!(", {}", units::duration(ns)));
            format!(
                "… {}({}) = {}{}",
                call.name,
                call.args,
                call.outcome.text(),
                took.unwrap_or_default()
            )
        }
        strace::What::Signal(text) => format!("signal {text}"),
        strace::What::Exit(text) => text.clone(),
    }
}

/// `127.0.0.1:5 → 127.0.0.1:80 PSH ACK, 5 bytes; from fd 6 to fd 8`.
fn packet_text(packet: &Packet, ends: &[Option<End>; 2], inputs: &[Input]) -> String {
    let mut text = format!("{} → {} {}", packet.from, packet.to, packet_kind(packet));
    let name = |end: &End| match inputs.len() {
        0 | 1 => format!("fd {}", end.fd),
        _ => format!("fd {} of {}", end.fd, inputs[end.input].recording.header().pid),
    };
    let words = ["from", "to"].into_iter().zip(ends);
    let known = words.filter_map(|(word, end)| Some(format!("{word} {}", name(end.as_ref()?))));
    let known: Vec<String> = known.collect();
    if !known.is_empty() {
        text += &format!("; {}", known.join(" "));
    }
    text
}

/// `PSH ACK, 5 bytes`.
pub fn packet_kind(packet: &Packet) -> String {
    match &packet.tcp {
        None => format!("UDP, {}", bytes(packet.bytes)),
        Some(tcp) if packet.bytes == 0 => tcp.flags.to_string(),
        Some(tcp) => format!("{}, {}", tcp.flags, bytes(packet.bytes)),
    }
}

fn bytes(count: u64) -> String {
    units::things(count, "byte")
}

impl Cause {
    /// ` ← PSH ACK, 5 bytes, 23 µs before`, to stand behind an event.
    pub fn words(&self, event_ns: u64) -> String {
        let before = units::duration(event_ns.saturating_sub(self.utc_ns));
        // Bytes that came in several, or before the end of the connection.
        let what = match self.bytes == self.packet.bytes {
            true => packet_kind(&self.packet),
            false => {
                let total = bytes(self.bytes);
                let last = packet_kind(&self.packet);
                match self.packets {
                    1 => format!("{total}, then {last}"),
                    packets => format!("{total} in {packets} packets, the last {last}"),
                }
            }
        };
        format!(" ← {what}, {before} before, from {}", self.packet.from)
    }

    /// For scripts.
    pub fn json(&self) -> Json {
        let mut object = packet_fields(&self.packet);
        object.insert("utc_ns".into(), self.utc_ns.into());
        object.insert("packets".into(), self.packets.into());
        object.insert("packets_bytes".into(), self.bytes.into());
        Json::Object(object)
    }
}

fn packet_fields(packet: &Packet) -> Map<String, Json> {
    let mut fields = Map::new();
    fields.insert("from".into(), packet.from.to_string().into());
    fields.insert("to".into(), packet.to.to_string().into());
    fields.insert("protocol".into(), if packet.tcp.is_some() { "tcp" } else { "udp" }.into());
    fields.insert("bytes".into(), packet.bytes.into());
    if let Some(tcp) = &packet.tcp {
        fields.insert("flags".into(), tcp.flags.to_string().into());
        fields.insert("seq".into(), tcp.seq.into());
        fields.insert("ack".into(), tcp.ack.into());
        fields.insert("window".into(), tcp.window.into());
    }
    fields
}

/// One object a line.
pub fn write_json(
    out: &mut dyn Write,
    inputs: &[Input],
    threads: &Threads,
    seen: &Seen,
) -> io::Result<()> {
    let mut object = Map::new();
    object.insert("time".into(), units::time(seen.utc_ns).into());
    object.insert("utc_ns".into(), seen.utc_ns.into());
    let pid = |input: usize| inputs[input].recording.header().pid;
    match &seen.what {
        SeenWhat::Traced { traced, input, operation } => {
            let tid = threads.tid(traced, *input);
            let name = input.zip(tid).and_then(|(input, tid)| threads.name(input, tid));
            object.insert("pid".into(), input.map(pid).into());
            object.insert("thread".into(), tid.into());
            object.insert("thread_name".into(), name.into());
            object.insert("target".into(), "strace".into());
            object.insert("record".into(), "Call".into());
            let called = traced.what.call().map(|call| call.name.as_str());
            object.insert("name".into(), called.into());
            object.insert(
                "in".into(),
                operation.as_ref().map(|it| format!("{:?}", it.begin.kind())).into(),
            );
            object.insert("task".into(), operation.as_ref().and_then(|it| it.task).into());
            object.insert("fields".into(), traced_fields(traced));
        }
        SeenWhat::Packet { packet, ends } => {
            object.insert("target".into(), "pcap".into());
            object.insert("record".into(), "Packet".into());
            object.insert("name".into(), "packet".into());
            let mut fields = packet_fields(packet);
            for (name, end) in ["from_source", "to_source"].into_iter().zip(ends) {
                let end =
                    end.map(|end| json!({"pid": pid(end.input), "fd": end.fd, "key": end.key.0}));
                fields.insert(name.into(), end.into());
            }
            object.insert("fields".into(), Json::Object(fields));
        }
    }
    writeln!(out, "{}", Json::Object(object))
}

fn traced_fields(traced: &Traced) -> Json {
    let mut fields = Map::new();
    fields.insert("part".into(), part(&traced.what));
    fields.insert("line".into(), traced.line.into());
    match &traced.what {
        strace::What::Signal(text) | strace::What::Exit(text) => {
            fields.insert("text".into(), text.as_str().into());
        }
        what => {
            let Some(call) = what.call() else { return Json::Object(fields) };
            fields.insert("args".into(), call.args.as_str().into());
            fields.insert("fd".into(), call.fds.first().map(|fd| fd.fd).into());
            fields.insert("result".into(), call.outcome.text().into());
            fields.insert("returned".into(), call.returned().into());
            fields.insert("error".into(), call.error().into());
            fields.insert("duration_ns".into(), call.duration_ns.into());
        }
    }
    Json::Object(fields)
}
