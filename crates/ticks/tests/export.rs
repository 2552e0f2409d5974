//! `ticks export`, checked against the formats' rules.

mod util;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;

use serde_json::Value as Json;
use ticks_format::image::Image;
use ticks_format::records::*;
use util::{accept, empty, path, record, stdout, Sample};

fn chrome(image: &Image) -> Vec<Json> {
    let sample = Sample::new(image);
    let out = sample.dir.path().join("t.json");
    stdout(["export", "--chrome", path(&sample.path), "-o", path(&out)]);
    let text = fs::read_to_string(out).expect("readable");
    let trace: Json = serde_json::from_str(&text).expect("JSON");
    let events = trace["traceEvents"].as_array().expect("events").clone();
    check_chrome(&events);
    events
}

/// The rules: each track's times never fall, each begin has its end and nothing ends that did not
/// begin, each arrow has one beginning and one end, not earlier, both inside a slice.
fn check_chrome(events: &[Json]) {
    let mut open: BTreeMap<(u64, u64), Vec<f64>> = BTreeMap::new();
    let mut last: HashMap<(u64, u64), f64> = HashMap::new();
    let mut arrows: HashMap<u64, f64> = HashMap::new();
    let mut ended = HashSet::new();
    for event in events {
        let number = |name: &str| event[name].as_u64().unwrap_or_else(|| panic!("{name}: {event}"));
        let phase = event["ph"].as_str().expect("a phase");
        let track = (number("pid"), number("tid"));
        if phase == "M" {
            assert!(event["args"].is_object());
            continue;
        }
        let ts = event["ts"].as_f64().expect("a time");
        let before = last.insert(track, ts).unwrap_or(0.0);
        assert!(before <= ts, "time goes back: {event}");
        let open = open.entry(track).or_default();
        match phase {
            "B" => {
                assert!(event["name"].is_string() && event["cat"].is_string());
                open.push(ts);
            }
            "E" => assert!(open.pop().is_some(), "nothing to end: {event}"),
            "s" => {
                assert!(!open.is_empty(), "outside: {event}");
                assert!(arrows.insert(number("id"), ts).is_none(), "twice: {event}");
            }
            "f" => {
                assert!(!open.is_empty() && event["bp"] == "e", "outside: {event}");
                let begin = arrows.get(&number("id"));
                assert!(begin.is_some_and(|begin| *begin <= ts), "no beginning: {event}");
                assert!(ended.insert(number("id")), "twice: {event}");
            }
            other => panic!("unknown phase {other}"),
        }
    }
    assert!(open.values().all(Vec::is_empty), "not ended: {open:?}");
    assert_eq!(arrows.len(), ended.len(), "arrows without end");
}

fn names(events: &[Json], phase: &str) -> Vec<String> {
    let some = events.iter().filter(|event| event["ph"] == phase);
    some.map(|event| event["name"].as_str().unwrap_or("").to_owned()).collect()
}

#[test]
fn the_accept_as_chrome_json() {
    let events = chrome(&accept());
    let slices = names(&events, "B");
    let expected = [
        "block_on",
        "round",
        "wait",
        "poll",
        "poll fd 4 read: Pending",
        "waited for",
        "event fd 4",
        "wake 0x55a8a668d970",
        "poll",
        "poll fd 4 read: Ready",
        "timer fires",
        "poll",
        "poll fd 4 read: Pending",
        "waited for",
    ];
    assert_eq!(slices, expected);
    // From the event to the wake, from the wake to the poll.
    assert_eq!(names(&events, "s").len(), 2);
    let tracks: Vec<&str> = events
        .iter()
        .filter(|event| event["name"] == "thread_name")
        .filter_map(|event| event["args"]["name"].as_str())
        .collect();
    let expected =
        ["main", "async-io", "fd 4 read tcp-listener 127.0.0.1:4001", "task 0x55a8a668d970"];
    assert_eq!(tracks, expected);
    let waited = events.iter().find(|event| event["name"] == "waited for").expect("a wait");
    assert_eq!(waited["ts"].as_f64(), Some(8_000.2));
}

/// Beginnings that were overwritten, ends that never came, ends in the wrong order.
#[test]
fn halves_are_made_whole() {
    let mut image = empty(1, 1);
    let ring = image.claim(1, "main", 0).expect("a ring");
    let duration_ns = 1;
    record(&mut image, ring, 1, ParkEnd { thread: 1, duration_ns });
    record(&mut image, ring, 2, BlockOnBegin { thread: 1 });
    record(&mut image, ring, 3, DriveBegin { thread: 1 });
    record(&mut image, ring, 4, WaitBegin { epoll_fd: 5, timeout_ns: None });
    record(&mut image, ring, 5, DriveEnd { thread: 1, duration_ns });
    record(&mut image, ring, 6, WaitEnd { epoll_fd: 5, res: 0 });
    record(&mut image, ring, 7, ParkBegin { thread: 1 });
    let events = chrome(&image);
    assert_eq!(names(&events, "B"), ["block_on", "drive", "wait", "park"]);
    assert_eq!(names(&chrome(&empty(1, 1)), "B"), [""; 0]);
}

/// The fields of a protobuf message: number and value, a varint's, a fixed one's, or bytes.
fn protobuf(mut bytes: &[u8]) -> Vec<(u64, u64, Vec<u8>)> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = bytes.split_first().expect("more bytes");
            *bytes = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        value
    }
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let (number, content) = match tag & 7 {
            0 => (varint(&mut bytes), Vec::new()),
            1 => {
                let (value, rest) = bytes.split_at(8);
                bytes = rest;
                (u64::from_le_bytes(value.try_into().expect("eight bytes")), Vec::new())
            }
            2 => {
                let len = varint(&mut bytes) as usize;
                let (content, rest) = bytes.split_at(len);
                bytes = rest;
                (0, content.to_vec())
            }
            wire => panic!("wire type {wire}"),
        };
        fields.push((tag >> 3, number, content));
    }
    fields
}

#[test]
fn the_accept_as_perfetto_trace() {
    let sample = Sample::new(&accept());
    let out = sample.dir.path().join("t.pftrace");
    stdout(["export", "--perfetto", path(&sample.path), "-o", path(&out)]);
    let trace = fs::read(out).expect("readable");
    let mut tracks = HashSet::new();
    let mut open: HashMap<u64, u64> = HashMap::new();
    let (mut out, mut into, mut slices) = (HashSet::new(), HashSet::new(), 0);
    for (field, _, packet) in protobuf(&trace) {
        assert_eq!(field, 1, "Trace.packet");
        let packet = protobuf(&packet);
        assert!(packet.iter().any(|(field, ..)| *field == 10), "a sequence");
        for (field, _, content) in &packet {
            let message = if [11, 60].contains(field) { protobuf(content) } else { Vec::new() };
            let first = |wanted: u64| message.iter().find(|(field, ..)| *field == wanted);
            if *field == 60 {
                assert!(tracks.insert(first(1).expect("uuid").1), "a track twice");
            }
            if *field == 11 {
                let track = first(11).expect("track_uuid").1;
                assert!(tracks.contains(&track), "a track without description");
                let depth = open.entry(track).or_default();
                match first(9).expect("type").1 {
                    1 => (*depth, slices) = (*depth + 1, slices + 1),
                    2 => *depth = depth.checked_sub(1).expect("something to end"),
                    other => panic!("type {other}"),
                }
                let ids = |wanted| message.iter().filter(move |(field, ..)| *field == wanted);
                out.extend(ids(47).map(|(_, id, _)| *id));
                into.extend(ids(48).map(|(_, id, _)| *id));
            }
        }
    }
    assert!(open.values().all(|depth| *depth == 0));
    assert_eq!(slices, 14);
    assert_eq!(out.len(), 2);
    assert_eq!(out, into);
}

#[test]
fn one_format_must_be_chosen() {
    let sample = Sample::new(&accept());
    let output = util::ticks(["export", path(&sample.path), "-o", "-"]);
    assert_eq!(output.status.code(), Some(2));
    let json = stdout(["export", "--chrome", path(&sample.path), "-o", "-"]);
    assert!(serde_json::from_str::<Json>(&json).is_ok());
}
