//! `ticks stat` counts under `UP≠` the polls that async-io 2.6.0 would have answered otherwise, the very fault
//! that all this began with, and of every real recording it counted none, though the log of the same run had
//! dozens: the program worked the answers out for its logger and not for its recorder, and the tool's tests
//! had written them into the file by hand. The readers work them out now, of a recording as of a log.

mod util;

use std::fs;
use std::io::BufReader;

use repro::case::{Build, Case, Reactor};
use repro::story::{Otherwise, Story};
use serde_json::Value as Json;
use ticks_format::records::ParkBegin;
use ticks_format::{Ticks, Verdict};
use util::{accept, path, poll, record, stdout, Sample};

/// What the tool says of a recording: in the table of `stat`, and by the records that `show` marks.
fn told(file: &str) -> (Vec<String>, usize) {
    let stat = stdout(["stat", file]);
    let column = |line: &str| {
        let words = line.split("  ").map(str::trim).filter(|word| !word.is_empty());
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    let mut lines = stat.lines().skip_while(|line| !line.trim_start().starts_with("FD "));
    let header = column(lines.next().expect("a table of sources"));
    let at = header.iter().position(|name| name == "UP≠").expect("a column");
    let rows = lines.take_while(|line| !line.is_empty());
    let shown = stdout(["show", "--json", "--kind", "PollEnd", file]);
    let records = shown.lines().map(|line| serde_json::from_str::<Json>(line).expect("JSON"));
    let marked = records.filter(|record| !record["fields"]["upstream"].is_null());
    (rows.map(|row| column(row).swap_remove(at)).collect(), marked.count())
}

/// The program of the bug report, on this reactor, with logger and recorder: the three agree.
#[test]
fn a_recording_says_what_its_log_says() {
    if !cfg!(any(target_os = "linux", target_os = "macos", target_os = "freebsd")) {
        println!("skipped: there is no recorder here");
        return;
    }
    let case = Case { build: Build::Debug, reactor: Reactor::Ours, cost_us: 1_000 };
    let mut last = String::new();
    // Where two threads make a record at one moment, the log may have them the other way around than the
    // recording, which goes by the clock. Both are a true account, and the answers may differ.
    for _ in 0..20 {
        let dir = tempfile::tempdir().expect("a directory");
        let run = repro::record(case, dir.path(), &mut |step| println!("{step}"));
        let run = run.unwrap_or_else(|error| panic!("{error}"));
        let logged = run.story.otherwise();
        assert!(logged.differ > 0, "{logged:?}");
        let recording = run.recording.expect("a recording");
        let (counted, marked) = told(path(&recording));
        // The listener's; the accepted sockets are never polled.
        let counted: usize = counted.iter().map(|count| count.parse().unwrap_or(usize::MAX)).sum();
        assert_eq!(counted, marked, "stat and show");
        // The lines of `ticks show` are a log like any other.
        let lines = stdout(["show", path(&recording)]);
        let story = Story::read(BufReader::new(lines.as_bytes()), 1).expect("a log");
        assert_eq!(story.otherwise(), Otherwise { differ: marked, ..logged });
        if marked == logged.differ {
            return;
        }
        last = format!("the log says {}, the recording {marked}", logged.differ);
    }
    panic!("{last}");
}

/// Where the beginning was overwritten, what a waiter remembers is not known, and a guess would be taken for
/// a finding.
#[test]
fn nothing_is_claimed_of_what_was_overwritten() {
    let whole = Sample::new(&accept());
    assert_eq!(told(path(&whole.path)), (vec!["1".to_owned()], 1));

    // The helper has gone around its ring by 2 s.
    let mut image = accept();
    let slots = image.layout().rings[1].slots;
    for n in 0..slots {
        record(&mut image, 1, 1_500_000_000 + n, ParkBegin { thread: 4714 });
    }
    let sample = Sample::new(&image);
    assert_eq!(told(path(&sample.path)), (vec!["?".to_owned()], 0));
    // Of the wait that goes on nothing is known either, and the next poll says only that it is Pending.
    let ticks = Some(Ticks { a: 2, b: 2 });
    poll(&mut image, 0, 3_000_000_000, ticks, Verdict::Pending);
    poll(&mut image, 0, 3_100_000_000, ticks, Verdict::Pending);
    let sample = Sample::new(&image);
    assert_eq!(told(path(&sample.path)), (vec!["?".to_owned()], 0));
    util::wait(&mut image, 1, 3_200_000_000);
    poll(&mut image, 0, 3_300_000_000, ticks, Verdict::Pending);
    poll(&mut image, 0, 3_400_000_000, ticks, Verdict::Ready);
    let sample = Sample::new(&image);
    assert_eq!(told(path(&sample.path)), (vec!["≥ 1".to_owned()], 1));
}

/// A damaged place in a ring is a gap like any other, and so is a ring that cannot be found.
#[test]
fn nothing_is_claimed_across_a_gap() {
    let image = accept();
    let sample = Sample::new(&image);
    let whole = fs::read(&sample.path).expect("readable");
    // The helper's records are gone, and with them when it waited.
    fs::write(&sample.path, &whole[..image.layout().rings[1].offset as usize]).expect("written");
    let shown = util::ticks(["show", "--json", "--kind", "PollEnd", path(&sample.path)]);
    assert_eq!(shown.status.code(), Some(1));
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert_eq!((shown.lines().count(), shown.contains("upstream")), (3, false), "{shown}");

    // One slot in the midst of them, between the wait and the event.
    let image = accept();
    let mut bytes = image.to_bytes();
    let helper = image.layout().rings[1].offset as usize;
    bytes[helper + 64..helper + 96].fill(0);
    fs::write(&sample.path, bytes).expect("written");
    let shown = util::ticks(["stat", path(&sample.path)]);
    assert_eq!(shown.status.code(), Some(1));
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let source = shown.lines().find(|line| line.contains("tcp-listener")).expect("the source");
    assert!(source.contains("  ≥ 0  "), "{shown}");
}
