//! Text logs where a recording is taken: the seeds' excerpts, which their author read for days, and ours.

mod util;

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use serde_json::Value as Json;
use util::{path, stderr, stdout, ticks};

fn seed(name: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    path(&root.join("tests/data/seeds").join(name)).to_owned()
}

fn findings(args: &[&str], code: i32) -> Vec<Json> {
    let output = ticks([&["explain", "--json"], args].concat());
    assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
    let answer: Json = serde_json::from_slice(&output.stdout).expect("JSON");
    answer["findings"].as_array().expect("an array").clone()
}

/// All that a finding says, in one text.
fn text(finding: &Json) -> String {
    finding.to_string()
}

#[test]
fn the_debug_build_of_2022_is_explained() {
    let (debug, release) = (seed("relay.debug.log"), seed("relay.release.log"));
    let found = findings(&[&debug, &release], 1);
    let [hang] = &found[..] else { panic!("{found:?}") };
    assert_eq!(hang["kind"], "would_hang_upstream");
    // The excerpt ends before the next poll.
    assert_eq!(hang["sure"], "likely");
    let sentence = hang["sentence"].as_str().expect("a text");
    let wanted = "fd 4's event to read was harvested in round 3 while its waiter held (3, 2), so the event is taken \
                  for old";
    assert!(sentence.starts_with(wanted), "{sentence}");
    assert!(text(hang).contains("had remembered (2, 2) before round 3 began"), "{hang}");
}

/// With the next poll in the log, which is told Pending, nothing is left to doubt.
#[test]
fn a_poll_that_is_told_pending_after_its_event_proves_the_hang() {
    let next = "[2022-05-03T18:39:43.243800Z TRACE async_io::reactor 475  1] Source::poll_ready:+ dir=0 tick=3 \
                ticks=Some((3, 2))\n\
                [2022-05-03T18:39:43.243810Z TRACE polling::epoll 256  1] ctl:+ MOD epoll_fd=5, fd=4 event_fd=6 \
                { events: 4000201b u64: 0 }\n\
                [2022-05-03T18:39:43.243820Z TRACE async_io::reactor 527  1] Source::poll_ready:- dir=0 \
                Poll::Pending at bottom\n";
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("longer.log");
    let first = fs::read_to_string(seed("relay.debug.log")).expect("the log");
    fs::write(&file, format!("{}\n{next}", first.trim_end())).expect("the file can be written");
    let found = findings(&[path(&file)], 1);
    let [hang] = &found[..] else { panic!("{found:?}") };
    assert_eq!((&hang["kind"], &hang["sure"]), (&"would_hang_upstream".into(), &"proven".into()));
    assert!(text(hang).contains("its next poll was told Pending"), "{hang}");
}

/// What is no fault says nothing: the poll of the release build was Ready.
#[test]
fn the_release_build_of_2022_is_well() {
    assert_eq!(findings(&[&seed("relay.release.log")], 0), [] as [Json; 0]);
}

#[test]
fn the_quiet_before_a_lookup_is_told_with_flags_and_keys() {
    let found = findings(&[&seed("lookup.log")], 0);
    let [quiet] = &found[..] else { panic!("{found:?}") };
    assert_eq!(quiet["kind"], "quiet");
    let sentence = quiet["sentence"].as_str().expect("a text");
    assert!(
        sentence.starts_with("nothing was logged for 45.1 s, from 2022-04-21T22:34:42.294524Z"),
        "{sentence}"
    );
    let told = text(quiet);
    for wanted in [
        "the source with key 0: events 1, IN",
        "fd 5, the poller's own notification (key ffffffffffffffff), was armed for 4000201b, \
         IN|PRI|ERR|HUP|RDHUP|ONESHOT",
        "no poll of a source is logged",
    ] {
        assert!(told.contains(wanted), "{wanted}: {told}");
    }
}

#[test]
fn the_time_before_a_timeout_is_told() {
    let around = ["--around", "2022-04-21T22:35:47Z", "--window", "20s"];
    let found = findings(&[&[&*seed("lookup.log")], &around[..]].concat(), 0);
    let told: Vec<&str> = found.iter().filter_map(|finding| finding["sentence"].as_str()).collect();
    let wanted = "in the 20.0 s before 2022-04-21T22:35:47.000000Z: 5 records, 1 events, 0 polls of sources; the \
                  last record came 19.6 s before the end";
    assert!(told.contains(&wanted), "{told:?}");
    let shown = stdout([&["show", &*seed("lookup.log")], &around[..]].concat());
    assert_eq!(shown.lines().count(), 5, "{shown}");
    let earlier = ["show", &seed("lookup.log"), "--all", "--around", "2022-04-21T22:35:00Z"]
        .map(str::to_owned);
    assert!(stdout(earlier).contains("Swarm<TBehavior>"));
}

#[test]
fn lines_keep_their_clock_their_numbers_and_their_place() {
    let log = seed("relay.debug.log");
    let original = fs::read_to_string(&log).expect("the log");
    let shown = stdout(["show", "--all", &log]);
    assert_eq!(shown.lines().count(), original.lines().count(), "{shown}");
    for (shown, original) in shown.lines().zip(original.lines()) {
        let head = |line: &str| {
            let (head, _) = line.split_once(']').expect("a head");
            let words: Vec<&str> = head.split_whitespace().collect();
            let [time, level, _, line, thread] = words[..] else { panic!("{head}") };
            [time, level, line, thread].map(str::to_owned)
        };
        assert_eq!(head(shown), head(original));
    }
    let output = ticks(["show", &log]);
    let said = stderr(&output);
    assert!(said.contains("10 lines of logs are no records; --all shows them"), "{said}");
    let records = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(records.lines().count(), 12, "{records}");
    let event = "[2022-05-03T18:39:43.243529Z TRACE async_io::poller::epoll 256 1] ctl:+ MOD epoll_fd=5, fd=4 \
                 event_fd=6 { events: 4000201b u64: 0 } events: 4000201b (IN|PRI|ERR|HUP|RDHUP|ONESHOT)";
    assert!(records.lines().any(|line| line == event), "{records}");
}

#[test]
fn the_other_commands_take_a_log_too() {
    let log = seed("relay.debug.log");
    let who: Json = serde_json::from_str(&stdout(["who", "--json", &log])).expect("JSON");
    assert!(text(&who).contains("\"fd\":4"), "{who}");
    assert!(stdout(["stat", &log]).contains("POLLS"));
    let dir = tempfile::tempdir().expect("a directory");
    let out = dir.path().join("log.json");
    stdout(["export", "--chrome", &log, "-o", path(&out)]);
    assert!(fs::metadata(&out).expect("a file").len() > 0);
}

/// A log of ours has all that a recording has.
#[test]
fn a_log_of_ours_is_read_as_it_was_written() {
    let sample = util::Sample::new(&util::accept());
    let is_ours = |line: &&str| line.contains(" TRACE async_io::");
    let shown = stdout(["show", path(&sample.path)]);
    let lines: Vec<&str> = shown.lines().filter(is_ours).collect();
    let file = sample.dir.path().join("ours.log");
    fs::write(&file, lines.join("\n")).expect("the file can be written");
    let again = stdout(["show", path(&file)]);
    let again: Vec<&str> = again.lines().collect();
    assert!(lines.len() > 5, "{shown}");
    assert_eq!(again, lines);
}

/// Nothing is invented where a head has no line and no thread, and short lines of others lose nothing.
#[test]
fn short_lines_and_short_heads_are_kept() {
    let log = seed("lookup.log");
    let original = fs::read_to_string(&log).expect("the log");
    let first = original.lines().next().expect("a line");
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("short.log");
    let count = 20_000;
    let long = "x".repeat(300);
    fs::write(&file, format!("{first}\n{}{long}\n", "}\n".repeat(count))).expect("written");
    let shown = stdout(["show", "--all", path(&file)]);
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), count + 2);
    assert_eq!(lines[0], first);
    assert!(lines[1..=count].iter().all(|line| *line == "}"));
    // Longer than a record: cut, and it shows.
    assert!(lines[count + 1].starts_with("xxx") && lines[count + 1].ends_with('…'));
}

/// Cut at each byte, and with other text in between, a log is read or refused, and nothing panics.
#[test]
fn a_damaged_log_is_read_as_far_as_it_goes() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("cut.log");
    let whole = fs::read(seed("relay.debug.log")).expect("the log");
    for end in (1..whole.len()).step_by(503) {
        let mut bytes = whole[..end].to_vec();
        bytes.extend(b"\xff\xfe\0 Hello, world!\n");
        bytes.extend(&whole[end..]);
        fs::write(&file, bytes).expect("the file can be written");
        let output = ticks(["show", path(&file)]);
        assert_eq!(output.status.code(), Some(0), "cut at {end}: {}", stderr(&output));
    }
}

/// A program that has run for weeks has had millions of connections, and its log, of a fork's kind, tells the end of none.
/// What is kept of it is as much as there are descriptors: of each the source that it was watched for last.
#[test]
fn of_a_long_log_only_what_lives_is_kept() {
    const CONNECTIONS: usize = 5_000;
    const FDS: usize = 40;
    let mut log = String::new();
    for number in 0..CONNECTIONS {
        let (fd, at) = (10 + number % FDS, 100_000 + number);
        let mut line = |target: &str, line: u32, message: String| {
            let head = format!("[2022-05-03T18:39:43.{at}Z TRACE {target} {line}  1]");
            writeln!(log, "{head} {message}").expect("a String takes all");
        };
        let watched = format!("epoll_fd=5, fd={fd} event_fd=6");
        let events = format!("{{ events: 4000201b u64: {number} }}");
        line("polling::epoll", 256, format!("ctl:+ ADD {watched} {events}"));
        line("polling::epoll", 260, format!("ctl:- ADD {watched} res=0"));
        line(
            "async_io::reactor",
            475,
            "Source::poll_ready:+ dir=0 tick=2 ticks=Some((2, 0))".into(),
        );
        line(
            "async_io::reactor",
            508,
            "Source::poll_ready: dir=0 tick=2 ticks=Some((3, 2))".into(),
        );
        line("polling::epoll", 256, format!("ctl:+ MOD {watched} {events}"));
        line("polling::epoll", 260, format!("ctl:- MOD {watched} res=0"));
        line("async_io::reactor", 527, "Source::poll_ready:- dir=0 Poll::Pending at bottom".into());
    }
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("long.log");
    fs::write(&file, log).expect("written");
    assert_eq!(stdout(["who", "--json", path(&file)]).lines().count(), FDS);
    let polls = stdout(["show", "--kind", "PollEnd", path(&file)]);
    assert_eq!(polls.lines().count(), CONNECTIONS);
}
