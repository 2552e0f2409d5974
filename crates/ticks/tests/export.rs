//! `ticks export`, checked against the formats' rules.

mod util;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;

use serde_json::Value as Json;
use ticks_format::image::Image;
use ticks_format::records::*;
use ticks_format::*;
use util::{accept, empty, path, record, stdout, Sample, KEY, TASK};

fn chrome(image: &Image) -> Vec<Json> {
    let sample = Sample::new(image);
    chrome_of(&[path(&sample.path)])
}

fn chrome_of(files: &[&str]) -> Vec<Json> {
    let text = stdout(["export", "--chrome", "-o", "-"].iter().chain(files));
    let trace: Json = serde_json::from_str(&text).expect("JSON");
    let events = trace["traceEvents"].as_array().expect("events").clone();
    util::chrome::check(&events);
    events
}

/// The tracks' names by process and thread.
fn tracks(events: &[Json]) -> BTreeMap<(u64, u64), &str> {
    let named = events.iter().filter(|event| event["name"] == "thread_name");
    named.map(|event| (place(event), event["args"]["name"].as_str().expect("a name"))).collect()
}

fn place(event: &Json) -> (u64, u64) {
    (event["pid"].as_u64().expect("pid"), event["tid"].as_u64().expect("tid"))
}

/// Each slice with the beginning of its track's name.
fn slices(events: &[Json]) -> Vec<(String, String)> {
    let tracks = tracks(events);
    let begins = events.iter().filter(|event| event["ph"] == "B");
    begins
        .map(|event| {
            let words: Vec<&str> = tracks[&place(event)].split(' ').take(2).collect();
            (words.join(" "), event["name"].as_str().expect("a name").to_owned())
        })
        .collect()
}

/// Each arrow with the names of its slices, which stand right before its ends.
fn arrows(events: &[Json]) -> Vec<(String, String)> {
    let mut arrows: BTreeMap<u64, (String, String)> = BTreeMap::new();
    let mut slice = String::new();
    for event in events {
        match event["ph"].as_str() {
            Some("B") => slice = event["name"].as_str().expect("a name").to_owned(),
            Some("s") => {
                arrows.entry(event["id"].as_u64().expect("id")).or_default().0 = slice.clone()
            }
            Some("f") => {
                arrows.entry(event["id"].as_u64().expect("id")).or_default().1 = slice.clone()
            }
            _ => {}
        }
    }
    arrows.into_values().collect()
}

fn names(events: &[Json], phase: &str) -> Vec<String> {
    let some = events.iter().filter(|event| event["ph"] == phase);
    some.map(|event| event["name"].as_str().unwrap_or("").to_owned()).collect()
}

#[test]
fn the_accept_as_chrome_json() {
    let events = chrome(&accept());
    let (task, event) = ("task A", "round 2: IN");
    let expected = [
        ("main", "block_on"),
        ("async-io", "round 2"),
        ("async-io", "wait"),
        ("main", "poll fd 4 read: Pending"),
        (task, "poll fd 4 read: Pending"),
        (task, "waits for fd 4 read"),
        ("fd 4", "waited for by task A"),
        ("fd 4", event),
        ("async-io", "wake task A: fd 4 read, round 2"),
        (task, "woken by fd 4 read, round 2"),
        ("main", "poll fd 4 read: Ready"),
        (task, "poll fd 4 read: Ready"),
        ("async-io", "timer 7 fires"),
        ("main", "poll fd 4 read: Pending"),
        (task, "poll fd 4 read: Pending"),
        (task, "waits for fd 4 read"),
        ("fd 4", "waited for by task A"),
    ];
    assert_eq!(slices(&events), expected.map(|(track, name)| (track.into(), name.into())));
    let expected = [
        (event.into(), "wake task A: fd 4 read, round 2".into()),
        ("wake task A: fd 4 read, round 2".into(), "poll fd 4 read: Ready".into()),
    ];
    assert_eq!(arrows(&events), expected);
    let tracks: Vec<&str> = tracks(&events).into_values().collect();
    let expected =
        ["main", "async-io", "fd 4 read tcp-listener 127.0.0.1:4001", "task A 0x55a8a668d970"];
    assert_eq!(tracks, expected);
    let waited: Vec<&Json> =
        events.iter().filter(|event| event["name"] == "waited for by task A").collect();
    assert_eq!(waited[0]["ts"].as_f64(), Some(8_000.2));
    // The last one goes on; the table knows where.
    assert_eq!(waited[0]["args"]["place"], Json::Null);
    assert_eq!(waited[1]["args"]["place"], "src/main.rs:76:9");
    assert_eq!(waited[1]["args"]["waits_since"], "2022-05-03T18:37:52.142518Z");
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

/// Two hosts, or two containers: both processes have the number 4711 and their threads too. One's
/// slices once fell onto the other's tracks.
#[test]
fn two_processes_of_one_number() {
    let samples = [Sample::new(&accept()), Sample::new(&accept())];
    let events = chrome_of(&[path(&samples[0].path), path(&samples[1].path)]);
    let names: Vec<&str> = tracks(&events).into_values().collect();
    assert_eq!(names.len(), 8, "{names:?}");
    assert_eq!(names.iter().filter(|name| **name == "main").count(), 2);
    let tasks: Vec<&str> = names.iter().copied().filter(|name| name.starts_with("task ")).collect();
    assert_eq!(tasks, ["task A 0x55a8a668d970", "task B 0x55a8a668d970"]);
    let alone = slices(&chrome(&accept()));
    assert_eq!(slices(&events).len(), 2 * alone.len());
    let colour = |task: &str| {
        let name = format!("waited for by {task}");
        let slice = events.iter().find(|event| event["name"] == *name).expect("a slice");
        slice["cname"].as_str().expect("a colour").to_owned()
    };
    assert_ne!(colour("task A"), colour("task B"));
}

/// A server whose one task has waited for hours while others filled the ring: no record of the wait is
/// left, but the table has it.
#[test]
fn a_wait_whose_beginning_was_overwritten() {
    let mut image = accept();
    let ring = image.claim(4720, "busy", 0).expect("a ring");
    record(&mut image, ring, 2_000_000_000, ParkBegin { thread: 4720 });
    let ticks = Some(Ticks { a: 1, b: 1 });
    let (dir, fd, key) = (Direction::Write, 9, Key(5));
    let awaited = Awaited::Source { key, fd, dir, waiter: 3, ticks };
    let place = image.place("src/relay.rs:9:5");
    image.waiter(
        2,
        &Waiter { awaited, task: 0x77, since: 4, place, tid: 4720, stack: 0, task_id: 0 },
    );
    let events = chrome(&image);
    let expected = [
        ("fd 9".to_owned(), "waited for by task B".to_owned()),
        ("task B".to_owned(), "waits for fd 9 write".to_owned()),
    ];
    let slices = slices(&events);
    assert!(expected.iter().all(|slice| slices.contains(slice)), "{slices:?}");
    let wait = events.iter().find(|event| event["name"] == "waits for fd 9 write").expect("one");
    // Since before the first record, which is where the timeline begins.
    assert_eq!(wait["args"]["waits_since"], "2022-05-03T18:37:51.139518Z");
    assert_eq!(wait["ts"].as_f64(), Some(0.0));
    assert_eq!(wait["args"]["place"], "src/relay.rs:9:5");
}

/// A thread wakes the task while another one still polls it, after its waker was stored: that wake
/// leads to the next poll, not to this one.
#[test]
fn a_wake_during_a_poll_causes_the_next() {
    let mut image = empty(1, 1);
    let [main, helper] = [(1, "main"), (2, "async-io")]
        .map(|(tid, name)| image.claim(tid, name, 0).expect("a ring"));
    let (dir, key, fd, waiter) = (Direction::Read, KEY, 4, 0);
    let begin = PollBegin { dir, tick: 0, ticks: None, key, fd, waiter };
    let stored = SourceWaker { change: WakerChange::Stored, dir, key, fd, waiter, task: TASK };
    let end = |result, reason| PollEnd {
        dir,
        tick: 1,
        ticks: None,
        result,
        key,
        fd,
        waiter,
        reason,
        upstream: None,
    };
    let by = WakeCause::Source;
    let wake = Wake { task: TASK, by, key: Some(key), dir: Some(dir), tick: Some(1), timer: None };
    record(&mut image, main, 10, begin.clone());
    record(&mut image, main, 12, stored);
    record(&mut image, helper, 14, wake);
    record(&mut image, main, 16, end(Verdict::Pending, Reason::NoEvent));
    record(&mut image, main, 20, begin);
    record(&mut image, main, 22, end(Verdict::Ready, Reason::LaterTick));
    let events = chrome(&image);
    let wake = "wake task A: fd 4 read, round 1".to_owned();
    assert_eq!(arrows(&events), [(wake, "poll fd 4 read: Ready".into())]);
    let of_task: Vec<_> =
        slices(&events).into_iter().filter(|(track, _)| track == "task A").collect();
    let names: Vec<&str> = of_task.iter().map(|(_, name)| name.as_str()).collect();
    let woken = "woken by fd 4 read, round 1";
    assert_eq!(names, [woken, "poll fd 4 read: Pending", "poll fd 4 read: Ready"]);
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
    let (mut out, mut into, mut slices, mut coloured) = (HashSet::new(), HashSet::new(), 0, 0);
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
                // `correlation_id_str`, of which the viewer makes a colour.
                let about = first(53).map(|(.., text)| String::from_utf8_lossy(text).into_owned());
                coloured += usize::from(about.as_deref() == Some("task A"));
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
    assert_eq!(slices, 17);
    // All but block_on, the round, its wait, its event and the timer.
    assert_eq!(coloured, 12);
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

/// Whoever exported at night and mistyped the output lost the recording, and the program that wrote it,
/// too: it was killed by SIGBUS, because the file that it had mapped was cut off.
#[test]
fn no_recording_is_written_over() {
    let sample = Sample::new(&accept());
    let other = Sample::new(&accept());
    let before = fs::read(&other.path).expect("a file");
    for format in ["--chrome", "--perfetto"] {
        let output = util::ticks(["export", format, path(&sample.path), "-o", path(&other.path)]);
        assert_eq!(output.status.code(), Some(2));
        let said = util::stderr(&output);
        assert!(said.contains("4711.ticks: is a recording, which is not written over"), "{said}");
        assert!(fs::read(&other.path).expect("a file") == before);
    }
    // What an earlier export left is replaced.
    let out = sample.dir.path().join("t.json");
    for _ in 0..2 {
        stdout(["export", "--chrome", path(&sample.path), "-o", path(&out)]);
    }
}
