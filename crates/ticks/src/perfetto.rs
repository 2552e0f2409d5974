//! A timeline as a Perfetto trace: protobuf of `perfetto.protos.Trace`.
//!
//! The messages and field numbers are those of Perfetto's published `trace_packet.proto`,
//! `track_descriptor.proto`, `track_event.proto` and `debug_annotation.proto`.

use std::io::{self, Write};

use serde_json::Value as Json;

use crate::input::Input;
use crate::progress::Progress;
use crate::timeline::{Event, Timeline, Track, TrackId};

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
    for input in 0..inputs.len() {
        packet(out, Message::default().message(60, describe_process(input, inputs)))?;
    }
    for (rank, (id, track)) in timeline.tracks().into_iter().enumerate() {
        let descriptor = Message::default().number(1, track_uuid(id, inputs));
        let name = timeline.track_name(id);
        let descriptor = match track {
            Track::Thread { input, tid } if owns_its_number(input, inputs) => {
                let pid = inputs[input].recording.header().pid;
                let thread = Message::default().number(1, pid).number(2, tid).text(5, &name);
                descriptor.message(4, thread)
            }
            _ => descriptor.text(2, &name).number(5, process_uuid(track.input())),
        };
        // In this order, and never two as one, which the viewer does to tracks of the same name.
        let descriptor = descriptor.number(12, rank as u64).number(15, MERGE_NONE);
        packet(out, Message::default().message(60, descriptor))?;
    }
    let mut progress = Progress::new(timeline.events.len() as u64, "writing");
    for event in &timeline.events {
        let packet_of_event = Message::default()
            .number(8, event.utc_ns)
            .number(58, CLOCK)
            .message(11, track_event(timeline, event, inputs));
        packet(out, packet_of_event)?;
        progress.step();
    }
    Ok(())
}

/// `SiblingMergeBehavior.SIBLING_MERGE_BEHAVIOR_NONE`.
const MERGE_NONE: u64 = 2;
/// `ChildTracksOrdering.EXPLICIT`.
const ORDER_EXPLICIT: u64 = 3;

/// `Trace.packet`.
fn packet(out: &mut dyn Write, packet: Message) -> io::Result<()> {
    let packet = packet.number(10, SEQUENCE);
    out.write_all(&Message::default().message(1, packet).0)
}

/// Whether this file is the first with its process's number. Of two, on two hosts or one after the
/// other or of one process, the viewer would take the threads for the same.
fn owns_its_number(input: usize, inputs: &[Input]) -> bool {
    let pid = |input: &Input| input.recording.header().pid;
    inputs[..input].iter().all(|other| pid(other) != pid(&inputs[input]))
}

/// Files first, then tracks; 0 means none.
fn process_uuid(input: usize) -> u64 {
    1 + input as u64
}

fn track_uuid(id: TrackId, inputs: &[Input]) -> u64 {
    1 + (inputs.len() + id.index()) as u64
}

/// `TrackDescriptor` of what holds a process's tracks.
fn describe_process(input: usize, inputs: &[Input]) -> Message {
    let (pid, name) = (inputs[input].recording.header().pid, inputs[input].process_name());
    let descriptor = Message::default().number(1, process_uuid(input)).number(11, ORDER_EXPLICIT);
    if owns_its_number(input, inputs) {
        descriptor.message(3, Message::default().number(1, pid).text(6, &name))
    } else {
        descriptor.text(2, &name)
    }
}

/// `TrackEvent`.
fn track_event(timeline: &Timeline, event: &Event, inputs: &[Input]) -> Message {
    let message = Message::default().number(11, track_uuid(event.track, inputs));
    let Some(slice) = event.begins else {
        return message.number(9, 2);
    };
    let name = timeline.name(event.track, slice);
    let mut message = message.number(9, 1).text(23, &name);
    if let Some(task) = timeline.task(slice) {
        // `correlation_id_str`: the viewer gives all slices of a task, on all tracks, one colour.
        message = message.text(53, &timeline.task_name(task));
    }
    for (name, value) in timeline.args(event.track, slice) {
        message = message.message(4, annotation(&name, &value));
    }
    for arrow in timeline.arrows_out(slice) {
        message = message.fixed(47, arrow);
    }
    for arrow in timeline.arrows_in(slice) {
        message = message.fixed(48, arrow);
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
