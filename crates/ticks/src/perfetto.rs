//! A timeline as a Perfetto trace: protobuf of `perfetto.protos.Trace`.
//!
//! The messages and field numbers are those of Perfetto's published `trace_packet.proto`,
//! `track_descriptor.proto`, `track_event.proto` and `debug_annotation.proto`.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};

use serde_json::Value as Json;

use crate::input::Input;
use crate::timeline::{Event, Phase, Timeline, Track};

/// `TracePacket.trusted_packet_sequence_id`: we write one sequence.
const SEQUENCE: u64 = 1;
/// `BUILTIN_CLOCK_BOOTTIME`, the viewer's own clock; times are UTC all the same.
const CLOCK: u64 = 6;

/// A protobuf message under construction.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(mut self, field: u64, value: u64) -> Message {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    fn fixed(mut self, field: u64, value: u64) -> Message {
        self.varint(field << 3 | 1);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn bytes(mut self, field: u64, bytes: &[u8]) -> Message {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    fn text(self, field: u64, text: &str) -> Message {
        self.bytes(field, text.as_bytes())
    }

    fn message(self, field: u64, message: Message) -> Message {
        self.bytes(field, &message.0)
    }
}

/// Writes the timeline.
pub fn write(out: &mut dyn Write, timeline: &Timeline, inputs: &[Input]) -> io::Result<()> {
    for input in inputs {
        let (pid, name) = (input.recording.header().pid, input.process_name());
        let process = Message::default().number(1, pid).text(6, &name);
        let descriptor = Message::default().number(1, group(pid, 0)).message(3, process);
        packet(out, Message::default().message(60, descriptor))?;
        for (number, what) in [(1, "sources"), (2, "tasks")] {
            let descriptor = Message::default()
                .number(1, group(pid, number))
                .text(2, what)
                .number(5, group(pid, 0));
            packet(out, Message::default().message(60, descriptor))?;
        }
    }
    let used: BTreeSet<&Track> = timeline.events.iter().map(|event| &event.track).collect();
    for track in used {
        let name = timeline.names.get(track).map_or("", String::as_str);
        packet(out, Message::default().message(60, describe(track, name, inputs)))?;
    }
    for event in &timeline.events {
        let packet_of_event = Message::default()
            .number(8, event.utc_ns)
            .number(58, CLOCK)
            .message(11, track_event(event));
        packet(out, packet_of_event)?;
    }
    Ok(())
}

/// `Trace.packet`.
fn packet(out: &mut dyn Write, packet: Message) -> io::Result<()> {
    let packet = packet.number(10, SEQUENCE);
    out.write_all(&Message::default().message(1, packet).0)
}

fn uuid(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    // 0 means none.
    hasher.finish() | 1
}

/// The track that holds a process's threads (0), sources (1) or tasks (2).
fn group(pid: u64, number: u64) -> u64 {
    uuid(&("group", pid, number))
}

/// `TrackDescriptor`.
fn describe(track: &Track, name: &str, inputs: &[Input]) -> Message {
    let pid = |input: &usize| inputs[*input].recording.header().pid;
    let descriptor = Message::default().number(1, uuid(track));
    match track {
        Track::Thread { input, tid } => {
            let thread = Message::default().number(1, pid(input)).number(2, *tid).text(5, name);
            descriptor.message(4, thread)
        }
        Track::Source { input, .. } => descriptor.text(2, name).number(5, group(pid(input), 1)),
        Track::Task { input, .. } => descriptor.text(2, name).number(5, group(pid(input), 2)),
    }
}

/// `TrackEvent`.
fn track_event(event: &Event) -> Message {
    let message = Message::default().number(11, uuid(&event.track));
    let Phase::Begin { name, args } = &event.phase else {
        return message.number(9, 2);
    };
    // The viewer colours by name: a task's slices get its name, so that each task has its colour.
    let name = match &event.track {
        Track::Task { task, .. } => format!("{task:#x} {name}"),
        _ => name.clone(),
    };
    let mut message = message.number(9, 1).text(23, &name);
    for (name, value) in args {
        message = message.message(4, annotation(name, value));
    }
    for arrow in &event.arrows_out {
        message = message.fixed(47, *arrow);
    }
    for arrow in &event.arrows_in {
        message = message.fixed(48, *arrow);
    }
    message
}

/// `DebugAnnotation`.
fn annotation(name: &str, value: &Json) -> Message {
    let annotation = Message::default().text(10, name);
    match value {
        Json::Bool(value) => annotation.number(2, u64::from(*value)),
        Json::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(value), _) => annotation.number(3, value),
            (None, Some(value)) => annotation.number(4, value as u64),
            (None, None) => annotation.text(6, &number.to_string()),
        },
        Json::String(text) => annotation.text(6, text),
        other => annotation.text(6, &other.to_string()),
    }
}
