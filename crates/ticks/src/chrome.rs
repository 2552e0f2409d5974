//! A timeline in Chrome's trace event format: JSON that chrome://tracing and Perfetto load.

use std::io::{self, Write};

use serde_json::{json, Value as Json};

use crate::input::Input;
use crate::progress::Progress;
use crate::timeline::{Event, TaskId, Timeline, Track, TrackId};
use crate::units;

/// Colours that chrome://tracing knows by name, each unlike the others. Perfetto makes its own of the
/// slices' names.
const COLOURS: [&str; 12] = [
    "thread_state_running",
    "thread_state_iowait",
    "thread_state_runnable",
    "detailed_memory_dump",
    "background_memory_dump",
    "rail_animation",
    "yellow",
    "good",
    "light_memory_dump",
    "terrible",
    "bad",
    "thread_state_uninterruptible",
];

/// Beyond all numbers that a system gives to processes, and small enough for the viewers, which keep
/// them in 32 bits.
const FIRST_PID: u64 = 1_000_000_000;

/// Where the tracks are: the viewers know processes and threads only, so that sources and tasks are
/// threads of processes of their own.
struct Places {
    /// The file's process, and those of its sources and its tasks.
    pids: Vec<[u64; 3]>,
    /// The process and thread of each track.
    tracks: Vec<(u64, u64)>,
}

impl Places {
    fn new(timeline: &Timeline, inputs: &[Input]) -> Places {
        let mut pids: Vec<[u64; 3]> = Vec::new();
        for (input, own) in inputs.iter().zip((FIRST_PID..).step_by(3)) {
            let pid = input.recording.header().pid;
            // Two files may be of processes with the same number, on two hosts or one after the
            // other, or of one process; their slices must not get into each other.
            let taken = pids.iter().any(|[other, ..]| *other == pid) || pid >= FIRST_PID;
            pids.push([if taken { own } else { pid }, own + 1, own + 2]);
        }
        let all = timeline.tracks();
        let mut tracks = vec![(0, 0); all.len()];
        for (number, (id, track)) in (1..).zip(all) {
            let [process, sources, tasks] = pids[track.input()];
            tracks[id.index()] = match track {
                Track::Thread { tid, .. } => (process, tid),
                // No thread has such a number.
                Track::Calls { .. } => (process, FIRST_PID + number),
                Track::Source { .. } | Track::Packets { .. } => (sources, number),
                Track::Task { .. } => (tasks, number),
            };
        }
        Places { pids, tracks }
    }

    fn of(&self, track: TrackId) -> (u64, u64) {
        self.tracks[track.index()]
    }
}

/// Writes the timeline.
pub fn write(out: &mut dyn Write, timeline: &Timeline, inputs: &[Input]) -> io::Result<()> {
    let places = Places::new(timeline, inputs);
    let begin_ns = timeline.events.first().map_or(0, |event| event.utc_ns);
    let about = json!({"begin_utc": units::time(begin_ns), "begin_utc_ns": begin_ns.to_string()});
    writeln!(out, "{{\"displayTimeUnit\":\"ns\",\"otherData\":{about},\"traceEvents\":[")?;
    let mut separator = "";
    for object in metadata(timeline, &places, inputs) {
        write!(out, "{separator}{object}")?;
        separator = ",\n";
    }
    let mut progress = Progress::new(timeline.events.len() as u64, "writing");
    for event in &timeline.events {
        write!(out, "{separator}")?;
        write_event(out, timeline, &places, event, begin_ns)?;
        separator = ",\n";
        progress.step();
    }
    writeln!(out, "]}}")
}

fn metadata(timeline: &Timeline, places: &Places, inputs: &[Input]) -> Vec<Json> {
    let mut all = Vec::new();
    let mut say = |name: &str, (pid, tid): (u64, u64), args: Json| {
        all.push(json!({"ph": "M", "name": name, "pid": pid, "tid": tid, "args": args}));
    };
    let mut order = 0;
    for (input, pids) in inputs.iter().zip(&places.pids) {
        let process = input.process_name();
        let names =
            [process.clone(), format!("sources of {process}"), format!("tasks of {process}")];
        for (pid, name) in pids.iter().zip(names) {
            say("process_name", (*pid, 0), json!({ "name": name }));
            say("process_sort_index", (*pid, 0), json!({ "sort_index": order }));
            order += 1;
        }
    }
    for (order, (id, _)) in timeline.tracks().into_iter().enumerate() {
        say("thread_name", places.of(id), json!({ "name": timeline.track_name(id) }));
        say("thread_sort_index", places.of(id), json!({ "sort_index": order }));
    }
    all
}

/// The event, and its arrows' ends, which the viewers take for parts of the slice that is open.
fn write_event(
    out: &mut dyn Write,
    timeline: &Timeline,
    places: &Places,
    event: &Event,
    begin_ns: u64,
) -> io::Result<()> {
    let (pid, tid) = places.of(event.track);
    // Microseconds, exactly.
    let ns = event.utc_ns - begin_ns;
    let place = format!("\"pid\":{pid},\"tid\":{tid},\"ts\":{}.{:03}", ns / 1000, ns % 1000);
    let Some(slice) = event.begins else {
        return write!(out, "{{\"ph\":\"E\",{place}}}");
    };
    let text = |text: &str| Json::from(text).to_string();
    let name = text(&timeline.name(event.track, slice));
    let category = timeline.track(event.track).kind();
    write!(out, "{{\"ph\":\"B\",{place},\"name\":{name},\"cat\":\"{category}\"")?;
    if let Some(task) = timeline.task(slice) {
        write!(out, ",\"cname\":\"{}\"", colour(task))?;
    }
    write!(out, ",\"args\":{{")?;
    for (index, (name, value)) in timeline.args(event.track, slice).iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(out, "{comma}{}:{value}", text(name))?;
    }
    write!(out, "}}}}")?;
    let arrow = "\"name\":\"causes\",\"cat\":\"cause\"";
    // `bp`: bound to the slice that is open, not to the next one.
    for id in timeline.arrows_in(slice) {
        write!(out, ",\n{{\"ph\":\"f\",{place},{arrow},\"id\":{id},\"bp\":\"e\"}}")?;
    }
    for id in timeline.arrows_out(slice) {
        write!(out, ",\n{{\"ph\":\"s\",{place},{arrow},\"id\":{id}}}")?;
    }
    Ok(())
}

/// A task's colour. The first twelve differ.
fn colour(task: TaskId) -> &'static str {
    COLOURS[task.0 as usize % COLOURS.len()]
}
