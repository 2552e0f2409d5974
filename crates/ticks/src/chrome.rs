//! A timeline in Chrome's trace event format: JSON that chrome://tracing and Perfetto load.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{json, Map, Value as Json};

use crate::input::Input;
use crate::timeline::{Event, Phase, Timeline, Track};

/// Colours that the viewers know by name.
const COLOURS: [&str; 12] = [
    "thread_state_uninterruptible",
    "thread_state_iowait",
    "thread_state_running",
    "thread_state_runnable",
    "rail_response",
    "rail_animation",
    "rail_idle",
    "rail_load",
    "good",
    "bad",
    "terrible",
    "generic_work",
];

/// Where a track is: the viewers know processes and threads only, so sources and tasks are threads
/// of processes of their own.
struct Places(BTreeMap<Track, (u64, u64)>);

impl Places {
    fn new(timeline: &Timeline, inputs: &[Input]) -> Places {
        let used = timeline.events.iter().map(|event| event.track.clone());
        let used: std::collections::BTreeSet<Track> = used.collect();
        let mut places = BTreeMap::new();
        for (number, track) in (1..).zip(used) {
            let pid = |input: usize| inputs[input].recording.header().pid;
            let place = match track {
                Track::Thread { input, tid } => (pid(input), tid),
                // Beyond all numbers that a system gives.
                Track::Source { input, .. } => (1 << 32 | pid(input), number),
                Track::Task { input, .. } => (2 << 32 | pid(input), number),
            };
            places.insert(track, place);
        }
        Places(places)
    }

    fn of(&self, track: &Track) -> (u64, u64) {
        self.0.get(track).copied().unwrap_or_default()
    }
}

/// Writes the timeline.
pub fn write(out: &mut dyn Write, timeline: &Timeline, inputs: &[Input]) -> io::Result<()> {
    let places = Places::new(timeline, inputs);
    let begin_ns = timeline.events.first().map_or(0, |event| event.utc_ns);
    writeln!(out, "{{\"displayTimeUnit\":\"ns\",\"traceEvents\":[")?;
    for (name, pid, tid, args) in metadata(timeline, &places, inputs) {
        let object = json!({"ph": "M", "name": name, "pid": pid, "tid": tid, "args": args});
        writeln!(out, "{object},")?;
    }
    for event in &timeline.events {
        for object in objects(event, &places, begin_ns) {
            writeln!(out, "{},", Json::Object(object))?;
        }
    }
    // No comma may follow the last one.
    let end = json!({"ph": "M", "name": "trace_begin_utc_ns", "pid": 0, "tid": 0,
        "args": {"utc_ns": begin_ns}});
    writeln!(out, "{end}]}}")
}

type Meta = (&'static str, u64, u64, Json);

fn metadata(timeline: &Timeline, places: &Places, inputs: &[Input]) -> Vec<Meta> {
    let mut all = Vec::new();
    for input in inputs {
        let (pid, process) = (input.recording.header().pid, input.process_name());
        for (order, (pid, name)) in [
            (pid, process.clone()),
            (1 << 32 | pid, format!("sources of {process}")),
            (2 << 32 | pid, format!("tasks of {process}")),
        ]
        .into_iter()
        .enumerate()
        {
            all.push(("process_name", pid, 0, json!({ "name": name })));
            all.push(("process_sort_index", pid, 0, json!({ "sort_index": order })));
        }
    }
    for (track, (pid, tid)) in &places.0 {
        let name = timeline.names.get(track).cloned().unwrap_or_default();
        all.push(("thread_name", *pid, *tid, json!({ "name": name })));
    }
    all
}

/// The event, and its arrows' ends, which the viewers take for parts of the slice that is open.
fn objects(event: &Event, places: &Places, begin_ns: u64) -> Vec<Map<String, Json>> {
    let (pid, tid) = places.of(&event.track);
    let ts = microseconds(event.utc_ns - begin_ns);
    let object = |phase: &str| {
        let mut object = Map::new();
        object.insert("ph".into(), phase.into());
        object.insert("pid".into(), pid.into());
        object.insert("tid".into(), tid.into());
        object.insert("ts".into(), ts.clone());
        object
    };
    let Phase::Begin { name, args } = &event.phase else {
        return vec![object("E")];
    };
    let mut begin = object("B");
    begin.insert("name".into(), name.as_str().into());
    begin.insert("cat".into(), category(&event.track).into());
    if let Some(colour) = colour(&event.track) {
        begin.insert("cname".into(), colour.into());
    }
    begin.insert("args".into(), Json::Object(args.clone()));
    let mut all = vec![begin];
    let arrows = event.arrows_in.iter().map(|id| ("f", id));
    for (phase, id) in arrows.chain(event.arrows_out.iter().map(|id| ("s", id))) {
        let mut arrow = object(phase);
        arrow.insert("name".into(), "causes".into());
        arrow.insert("cat".into(), "cause".into());
        arrow.insert("id".into(), (*id).into());
        if phase == "f" {
            // Bound to the slice that is open, not to the next one.
            arrow.insert("bp".into(), "e".into());
        }
        all.push(arrow);
    }
    all
}

/// Microseconds with three digits behind the point, exactly.
fn microseconds(ns: u64) -> Json {
    let text = format!("{}.{:03}", ns / 1000, ns % 1000);
    serde_json::from_str(&text).unwrap_or(Json::Null)
}

fn category(track: &Track) -> &'static str {
    match track {
        Track::Thread { .. } => "thread",
        Track::Source { .. } => "source",
        Track::Task { .. } => "task",
    }
}

/// A task's colour, the same in every export.
fn colour(track: &Track) -> Option<&'static str> {
    let Track::Task { task, .. } = track else {
        return None;
    };
    let hash = task.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    Some(COLOURS[hash as usize % COLOURS.len()])
}
