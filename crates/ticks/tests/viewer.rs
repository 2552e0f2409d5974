//! The accept repro as a picture: recorded, exported in both formats, and opened in an independent
//! viewer, whose query engine and page must hold what the recording holds.
//!
//! It needs Chromium and packages of PyPI, which `.ci/run viewer` installs before it runs this. The
//! pictures stay in `target/tmp/viewer`.

mod util;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;
use util::{path, stdout};

/// A slice: its track, its name, when it begins after the first one, how long it is.
type Slice = (String, String, u64, u64);

/// What a trace holds.
#[derive(Debug, Default, PartialEq)]
struct Trace {
    /// In order.
    slices: Vec<Slice>,
    /// From, to.
    arrows: Vec<(Slice, Slice)>,
}

impl Trace {
    fn new(mut slices: Vec<Slice>, mut arrows: Vec<(Slice, Slice)>) -> Trace {
        slices.sort();
        arrows.sort();
        Trace { slices, arrows }
    }

    fn tracks(&self) -> BTreeSet<&str> {
        self.slices.iter().map(|(track, ..)| track.as_str()).collect()
    }

    /// How many slices of tracks of this sort have names that begin so.
    fn count(&self, of: fn(&str) -> bool, begin: &str) -> usize {
        let those = self.slices.iter().filter(|(track, ..)| of(track));
        those.filter(|(_, name, ..)| name.starts_with(begin)).count()
    }
}

fn is_source(track: &str) -> bool {
    track.starts_with("fd ")
}

fn is_thread(track: &str) -> bool {
    !is_source(track) && !track.starts_with("task ")
}

/// Chrome's format, read by its rules.
fn read_chrome(file: &Path) -> Trace {
    let text = fs::read_to_string(file).expect("readable");
    let trace: Json = serde_json::from_str(&text).expect("JSON");
    let events = trace["traceEvents"].as_array().expect("events");
    let place = |event: &Json| (event["pid"].as_u64(), event["tid"].as_u64());
    let named = events.iter().filter(|event| event["name"] == "thread_name");
    let names: BTreeMap<_, _> = named
        .map(|event| (place(event), event["args"]["name"].as_str().expect("a name")))
        .collect();
    let (mut slices, mut open) = (Vec::new(), BTreeMap::<_, Vec<usize>>::new());
    let mut arrows = BTreeMap::<u64, [usize; 2]>::new();
    for event in events {
        let open = open.entry(place(event)).or_default();
        let ns = (event["ts"].as_f64().unwrap_or(0.0) * 1000.0).round() as u64;
        match event["ph"].as_str().expect("a phase") {
            "B" => {
                open.push(slices.len());
                let name = event["name"].as_str().expect("a name").to_owned();
                slices.push((names[&place(event)].to_owned(), name, ns, 0));
            }
            "E" => {
                let slice = open.pop().expect("something to end");
                slices[slice].3 = ns - slices[slice].2;
            }
            end @ ("s" | "f") => {
                let id = event["id"].as_u64().expect("an id");
                let slice = *open.last().expect("within a slice");
                arrows.entry(id).or_default()[usize::from(end == "f")] = slice;
            }
            _ => {}
        }
    }
    let slice = |index: usize| slices[index].clone();
    let arrows = arrows.into_values().map(|[from, to]| (slice(from), slice(to))).collect();
    Trace::new(slices.clone(), arrows)
}

/// What the viewer's query engine has.
fn read_viewer(found: &Json) -> Trace {
    let rows = |name: &str| found[name].as_array().unwrap_or_else(|| panic!("{name}: {found}"));
    let number = |row: &Json, name: &str| -> u64 {
        row[name].as_str().and_then(|text| text.parse().ok()).expect("a number")
    };
    let begin = rows("slices").iter().map(|row| number(row, "ts")).min().expect("a slice");
    let text = |row: &Json, name: &str| row[name].as_str().expect("a text").to_owned();
    let slices: BTreeMap<u64, Slice> = rows("slices")
        .iter()
        .map(|row| {
            let (ts, dur) = (number(row, "ts") - begin, number(row, "dur"));
            let slice = (text(row, "track"), text(row, "name"), ts, dur);
            (row["id"].as_u64().expect("an id"), slice)
        })
        .collect();
    let slice = |row: &Json, name: &str| slices[&row[name].as_u64().expect("an id")].clone();
    let arrows = rows("flows").iter().map(|row| (slice(row, "slice_out"), slice(row, "slice_in")));
    Trace::new(slices.values().cloned().collect(), arrows.collect())
}

/// The example server, which lies beside the directory of this test.
fn repro() -> PathBuf {
    let own = env::current_exe().expect("a path");
    let profile = own.ancestors().nth(2).expect("target/debug/deps");
    let repro = profile.join("examples/tcp_accept");
    assert!(repro.exists(), "{} is missing: cargo build --example tcp_accept", repro.display());
    repro
}

/// Opens the trace in the viewer, selects a slice, takes a picture.
fn look(trace: &Path, picture: &Path, select: &str) -> Json {
    let python = env::var_os("TICKS_VIEWER_PYTHON")
        .expect("TICKS_VIEWER_PYTHON: a Python that has tests/viewer/requirements.txt");
    let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/viewer/drive.py");
    let mut command = Command::new(python);
    let output = command.arg(driver).args([trace, picture]).arg(select).output().expect("it runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// How many records of each kind there are, and the threads' names.
fn records(recording: &str) -> (BTreeMap<String, usize>, BTreeSet<String>) {
    let (mut counts, mut threads) = (BTreeMap::new(), BTreeSet::new());
    for line in stdout(["show", "--json", recording]).lines() {
        let record: Json = serde_json::from_str(line).expect("JSON");
        *counts.entry(record["record"].as_str().expect("a kind").to_owned()).or_default() += 1;
        threads.insert(record["thread_name"].as_str().expect("a thread").to_owned());
        for dir in ["readable", "writable"] {
            if record["record"] == "ReactEvent" && record["fields"][dir] == true {
                *counts.entry("event of a direction".to_owned()).or_default() += 1;
            }
        }
    }
    (counts, threads)
}

#[test]
#[ignore = "needs Chromium and packages of PyPI: .ci/run viewer"]
fn the_repro_in_a_trace_viewer() {
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("viewer");
    fs::create_dir_all(&pictures).expect("a directory");
    let dir = tempfile::tempdir().expect("a directory");
    let repro = repro();
    let clients = ["--clients", "4", "--spacing-ms", "12", "--deadline-ms", "60000"];
    stdout(["record", "-o", path(dir.path()), "--", path(&repro)].iter().chain(&clients));
    let mut files = fs::read_dir(dir.path()).expect("a directory");
    let recording = files.next().expect("a recording").expect("an entry").path();
    let (counts, threads) = records(path(&recording));

    let pid = recording.file_stem().and_then(|stem| stem.to_str()).expect("a number");
    let name = format!("tcp_accept ({pid})");
    let exported = [("--chrome", "repro.json"), ("--perfetto", "repro.pftrace")];
    let [chrome, perfetto] = exported.map(|(format, name)| {
        let out = dir.path().join(name);
        stdout(["export", format, path(&recording), "-o", path(&out)]);
        out
    });

    // The file against the recording.
    let trace = read_chrome(&chrome);
    for (of, begin, kind) in [
        (is_thread as fn(&str) -> bool, "round ", "ReactBegin"),
        (is_thread, "wait", "WaitBegin"),
        (is_thread, "poll ", "PollBegin"),
        (is_thread, "wake task ", "Wake"),
        (is_source, "round ", "event of a direction"),
    ] {
        let expected = counts.get(kind).copied().unwrap_or(0);
        assert!(expected > 0, "no {kind}: {counts:?}");
        assert_eq!(trace.count(of, begin), expected, "{begin} for {kind}: {trace:#?}");
    }
    let tracks = trace.tracks();
    let of_threads: BTreeSet<String> =
        tracks.iter().filter(|track| is_thread(track)).map(|track| track.to_string()).collect();
    assert_eq!(of_threads, threads);
    // From an event of the listener to the wake to the poll that finds it ready.
    let (event, wake) = trace.arrows.iter().find(|(event, _)| is_source(&event.0)).expect("one");
    let (_, poll) = trace.arrows.iter().find(|(from, _)| from == wake).expect("the next one");
    assert!(poll.1.starts_with("poll fd ") && poll.1.ends_with("read: Ready"), "{poll:?}");

    // The viewer against the file.
    for (file, picture) in [(&chrome, "chrome.png"), (&perfetto, "perfetto.png")] {
        let found = look(file, &pictures.join(picture), &event.1);
        assert_eq!(read_viewer(&found), trace, "{picture}");
        let nothing = Vec::<Json>::new();
        assert_eq!(
            found["wrong"].as_array(),
            Some(&nothing),
            "{picture}: the importer's complaints"
        );
        assert_eq!(found["said"].as_array(), Some(&nothing), "{picture}: the page's complaints");
        // With numbers beyond 32 bits the sources' and the tasks' process were one, by the name of the
        // later one.
        let processes = found["processes"].as_array().expect("rows");
        let mut processes: Vec<_> = processes.iter().map(|row| row["name"].as_str()).collect();
        processes.sort_unstable();
        let expected = match picture {
            "chrome.png" => {
                vec![format!("sources of {name}"), format!("tasks of {name}"), name.clone()]
            }
            _ => vec![name.clone()],
        };
        let expected: Vec<_> = expected.iter().map(|name| Some(name.as_str())).collect();
        assert_eq!(processes, expected, "{picture}");
        let titles = found["titles"].to_string().replace("\\n", "");
        for track in &tracks {
            // The page cuts names in two to shorten them.
            assert!(titles.contains(track), "{picture}: no {track} in {titles}");
        }
        let selected = found["selected"].as_str().expect("a text");
        assert!(selected.contains(&wake.1), "{picture}: no arrow to {} in {selected}", wake.1);
        let size = fs::metadata(pictures.join(picture)).expect("a picture").len();
        assert!(size > 10_000, "{picture}: {size} bytes");
        if let Some(decoded) = found.get("decoded") {
            check_decoded(decoded, &trace);
        }
    }
}

/// The Perfetto trace as the published definitions read it.
fn check_decoded(decoded: &Json, trace: &Trace) {
    assert_eq!(decoded["unknown_bytes"], 0);
    assert_eq!(decoded["begins"], trace.slices.len());
    assert_eq!(decoded["ends"], trace.slices.len());
    assert_eq!(decoded["tracks"], trace.tracks().len());
    assert_eq!(decoded["flows_out"].as_array().map(Vec::len), Some(trace.arrows.len()));
    assert_eq!(decoded["flows_out"], decoded["flows_in"]);
    let tasks = trace.tracks().iter().filter(|track| track.starts_with("task ")).count();
    assert_eq!(decoded["colours"].as_array().map(Vec::len), Some(tasks));
}
