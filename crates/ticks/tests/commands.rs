//! `ticks who`, `stat`, completions and man page.

mod util;

use std::fs;

use serde_json::Value as Json;
use ticks_format::image::Image;
use ticks_format::layout::{Layout, SectionKind, FILE_BYTES_MIN};
use ticks_format::records::{BlockOnBegin, ReactEnd, SourceNew, SourceWaker, Ticker};
use ticks_format::tables::{ring_word, text_words};
use ticks_format::{
    Address, Anchor, Awaited, Direction, Header, Source, SourceKind, Ticks, Verdict, Waiter,
    WakerChange,
};
use util::{accept, empty, path, stderr, stdout, ticks, Sample, KEY};

/// What is said of the sample's process. Only on Linux, where the sample is from, can it be looked for.
const ENDED: &str =
    if cfg!(target_os = "linux") { "was killed or ended without exit" } else { "may have ended" };

#[test]
fn who_names_who_waits_and_where() {
    let sample = Sample::new(&accept());
    let shown = stdout(["who", path(&sample.path)]);
    let lines: Vec<&str> = shown.lines().collect();
    let first = format!(
        "relay (4711) {ENDED}; as of its last record, 2022-05-03T18:37:52.142518Z: 2 waiting; the last record is "
    );
    assert!(lines[0].starts_with(&first) && lines[0].ends_with(" old"), "{shown}");
    let columns = |line: &str| {
        line.split("  ")
            .map(str::trim)
            .filter(|c| !c.is_empty())
            .map(String::from)
            .collect::<Vec<_>>()
    };
    // Of a process that was killed nobody knows how long it waited on.
    let expected = ["timer 8", "due in 1.00 s", "≥ 103 ms", "0x10"];
    assert_eq!(columns(lines[2]), expected, "{shown}");
    let expected = [
        "4",
        "tcp-listener",
        "127.0.0.1:4001",
        "read",
        "≥ 200 ns",
        "1",
        "≥ 3.00 ms ago",
        "0x55a8a668d970",
        "src/main.rs:76:9",
    ];
    assert_eq!(columns(lines[3]), expected, "{shown}");
    let shown = stdout(["who", "--ticks", path(&sample.path)]);
    let row: Vec<String> = shown.lines().last().map(columns).expect("a row");
    assert_eq!(row[7..], ["0x55a8a668d970", "(2, 2)", "src/main.rs:76:9"], "{shown}");
}

#[test]
fn who_as_json() {
    let sample = Sample::new(&accept());
    let shown = stdout(["who", "--json", path(&sample.path)]);
    let objects: Vec<Json> =
        shown.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(objects[0]["timer"], 8);
    assert_eq!(objects[0]["due"], "2022-05-03T18:37:53.142518Z");
    assert_eq!(objects[1]["fd"], 4);
    assert_eq!(objects[1]["local"], "127.0.0.1:4001");
    assert_eq!(objects[1]["ticks"], serde_json::json!([2, 2]));
    assert_eq!(
        (&objects[1]["waited_ns"], &objects[1]["waited_is_least"]),
        (&200.into(), &true.into())
    );
    assert_eq!(
        (&objects[1]["events"], &objects[1]["events_are_least"]),
        (&1.into(), &false.into())
    );
    assert_eq!(objects[1]["last_event"], "2022-05-03T18:37:52.139518Z");
    assert_eq!(objects[1]["place"], "src/main.rs:76:9");
}

#[test]
fn who_of_what_does_not_record() {
    let own = std::process::id().to_string();
    let output = ticks(["who", &own]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    let why = match cfg!(target_os = "linux") {
        true => "it does not record; start it with",
        false => "a process can be found by its number on Linux only; name its recording",
    };
    assert!(said.contains(&format!("process {own}: {why}")), "{said}");
    let output = ticks(["who", "x"]);
    assert!(stderr(&output).contains("x: neither a file nor the number of a process"));
}

/// A recording of a Windows program that runs, copied to Linux: there is no process of that number here, and
/// the tool said that it was killed.
#[test]
fn of_another_systems_process_nothing_is_claimed() {
    let other = if cfg!(windows) { "linux" } else { "windows" };
    let layout = Layout::new(FILE_BYTES_MIN);
    let header = Header::new(&layout, 4711, u64::MAX);
    let program = if cfg!(windows) { "/usr/bin/relay" } else { r"C:\bin\relay" };
    let about = format!("program={program}\nos={other}\n");
    let mut image = Image::new(layout, &header, &about);
    image.anchor(&Anchor { counter: 0, utc_ns: 1, monotonic_ns: 0, reactor_ns: Some(0) });
    let sample = Sample::new(&image);
    let said = stdout(["who", path(&sample.path)]);
    assert!(said.starts_with("relay (4711) may have ended"), "{said}");
}

#[test]
fn stat_sums_up() {
    let sample = Sample::new(&accept());
    let shown = stdout(["stat", path(&sample.path)]);
    let words = |begin: &str| {
        let line = shown.lines().find(|line| line.trim_start().starts_with(begin));
        let line = line.unwrap_or_else(|| panic!("no {begin:?} in {shown}"));
        line.split_whitespace().map(String::from).collect::<Vec<_>>()
    };
    // Thread: records, rounds, events, wakes, parks.
    assert_eq!(words("4714")[..7], ["4714", "async-io", "8", "1", "1", "1", "0"]);
    // Its last record is a timer's, the main thread's last poll comes 1.0002 ms later.
    assert_eq!(words("4714")[7..].join(" "), "1.00 ms before end");
    assert_eq!(words("4711")[7..].join(" "), "at the end");
    let head = format!(
        "relay (4711) {ENDED}: its records span 1.00 s, from 2022-05-03T18:37:51.139518Z; the last is "
    );
    assert!(shown.starts_with(&head), "{shown}");
    // Source: events, wakes, spurious, polls, polls a wake, answered otherwise by 2.6.0; and one
    // wait of 991 ms.
    let expected = ["4", "3", "tcp-listener", "127.0.0.1:4001", "1", "1", "0", "3", "3.00", "1"];
    assert_eq!(words("4   3")[..10], expected);
    let waits = words("4   3")[10..].join(" ");
    assert_eq!(waits, "991 ms 991 ms 991 ms", "{shown}");
    assert_eq!(words("timers:")[..7], ["timers:", "0", "armed,", "0", "disarmed,", "1", "fired;"]);
    assert_eq!(words("0     4711")[3..], ["12", "12", "0", "0"]);
}

/// A read with a timeout around it is given up when its wake has come already. The next read begins a wait
/// under the same number, and its first poll was counted as a wake in vain, round after round.
#[test]
fn stat_tells_a_wait_that_was_given_up_from_the_next_one() {
    let mut image = empty(4711, u64::MAX);
    let ring = image.claim(4711, "main", 0).expect("a ring");
    util::poll(&mut image, ring, 10_000_000, None, Verdict::Pending);
    util::event(&mut image, ring, 1_000_000_000);
    util::poll(&mut image, ring, 1_001_000_000, None, Verdict::Pending);
    let sample = Sample::new(&image);
    let shown = stdout(["stat", path(&sample.path)]);
    let source = shown.lines().find(|line| line.trim_start().starts_with("4   3"));
    let source = source.unwrap_or_else(|| panic!("no source in {shown}"));
    // Events, wakes, wakes in vain, polls.
    let counts: Vec<_> = source.split_whitespace().skip(2).take(4).collect();
    assert_eq!(counts, ["1", "1", "0", "2"], "{shown}");
}

/// A task that was woken and is not polled, because a thread of its executor spins, looked as if it waited for
/// its peer like any other.
#[test]
fn who_tells_that_a_waiter_was_woken() {
    let mut image = empty(4711, u64::MAX);
    let ring = image.claim(4711, "main", 0).expect("a ring");
    util::poll(&mut image, ring, 10_000_000, None, Verdict::Pending);
    let ticks = Some(Ticks { a: 1, b: 0 });
    let (dir, fd, key) = (Direction::Read, 4, KEY);
    let awaited = Awaited::Source { key, fd, dir, waiter: 0, ticks };
    let since = 10_000_200;
    image.waiter(
        0,
        &Waiter { awaited, task: util::TASK, since, place: 0, tid: 4711, stack: 0, task_id: 0 },
    );
    let shown = |image: &Image| stdout(["who", path(&Sample::new(image).path)]);
    assert!(!shown(&image).contains("WOKEN"), "nobody was");

    util::event(&mut image, ring, 1_000_000_000);
    let late = BlockOnBegin { thread: 4711 };
    util::record(&mut image, ring, 3_000_000_000, late);
    let woken = shown(&image);
    assert!(woken.contains("  WOKEN         EVENTS"), "{woken}");
    assert!(woken.contains("  ≥ 2.99 s  ≥ 2.00 s ago       1"), "{woken}");

    let mut goes = image.clone();
    util::poll(&mut image, ring, 3_000_000_001, ticks, Verdict::Pending);
    assert!(!shown(&image).contains("WOKEN"), "it has asked since");
    let (change, waiter) = (WakerChange::Dropped, 0);
    let gone = SourceWaker { change, dir, key, fd, waiter, task: 0 };
    util::record(&mut goes, ring, 3_000_000_001, gone);
    assert!(!shown(&goes).contains("WOKEN"), "it goes after the table was read");
}

/// Of a file that was cut off, nobody was said to wait.
#[test]
fn who_says_that_its_table_is_cut_off() {
    let sample = Sample::new(&accept());
    let whole = fs::read(&sample.path).unwrap();
    fs::write(&sample.path, &whole[..4_096]).unwrap();
    let output = ticks(["who", path(&sample.path)]);
    assert_eq!(output.status.code(), Some(1));
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.contains("the table of who waits is cut off, of 0 it is known"), "{shown}");
}

/// smol's streams try to read before they ask, so a wait of theirs ends without a poll: its waiter goes. Each
/// of those waits went on for ever in the sums, and each of the wakes was one in vain.
#[test]
fn stat_ends_a_wait_with_its_waiter() {
    let mut image = empty(4711, u64::MAX);
    let ring = image.claim(4711, "main", 0).expect("a ring");
    util::poll(&mut image, ring, 10_000_000, None, Verdict::Pending);
    util::event(&mut image, ring, 1_000_000_000);
    let (change, dir, key) = (WakerChange::Dropped, Direction::Read, KEY);
    let gone = SourceWaker { change, dir, key, fd: 4, waiter: 0, task: 0 };
    util::record(&mut image, ring, 1_010_000_000, gone);
    let sample = Sample::new(&image);
    let shown = stdout(["stat", path(&sample.path)]);
    let source = shown.lines().find(|line| line.trim_start().starts_with("4   3"));
    let words: Vec<_> = source.expect("the source").split_whitespace().skip(2).collect();
    assert_eq!(words[..4], ["1", "1", "0", "1"], "{shown}");
    assert_eq!(words[6..8].join(" "), "1.00 s", "{shown}");
}

/// "No space left on device", said a script that called several tools, of it knew not what.
#[test]
#[cfg(target_os = "linux")]
fn standard_output_is_named_when_it_is_full() {
    let sample = Sample::new(&accept());
    let file = path(&sample.path);
    for args in [
        &["show", file][..],
        &["show", "--json", file],
        &["stat", file],
        &["who", file],
        &["export", "--chrome", file, "-o", "-"],
        &["export", "--perfetto", file, "-o", "-"],
        &["completions", "bash"],
        &["man"],
    ] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("a device");
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ticks"));
        let output = command.args(args).stdout(full).output().expect("it runs");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let said = stderr(&output);
        assert!(said.starts_with("ticks: standard output: No space left"), "{args:?}: {said}");
    }
}

/// Who may not be looked into is said with the place, and root is not told to be root.
#[test]
#[cfg(target_os = "linux")]
fn who_may_not_look() {
    let denied =
        fs::read("/proc/1/maps").is_err_and(|error| error.raw_os_error() == Some(libc::EACCES));
    if !denied {
        println!("skipped: this user may look into process 1");
        return;
    }
    let output = ticks(["who", "1"]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(said.starts_with("ticks: process 1: "), "{said}");
    assert!(said.contains("/proc/1/maps: Permission denied (os error 13)"), "{said}");
    assert_eq!(said.contains("sudo"), !rustix::process::geteuid().is_root(), "{said}");
}

/// What a damaged file still has is summed up, and that there was more is said.
#[test]
fn stat_of_a_damaged_file() {
    let sample = Sample::new(&accept());
    let bytes = fs::read(&sample.path).expect("readable");
    let layout = ticks_format::layout::Layout::new(ticks_format::layout::FILE_BYTES_MIN);
    fs::write(&sample.path, &bytes[..layout.rings[1].offset as usize]).expect("written");
    let output = ticks(["stat", path(&sample.path)]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains("the file is cut off"), "{said}");
    assert!(said.contains("thread 4714 async-io: 9 slots cannot be read"), "{said}");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.contains("tcp-listener 127.0.0.1:4001"), "{shown}");

    // A ring that claims more than there is.
    let mut bytes = bytes;
    let rings = layout.section(ticks_format::layout::SectionKind::Rings);
    let slots = (rings.offset + rings.entry_bytes) as usize + 16;
    bytes[slots..slots + 8].copy_from_slice(&u64::from(u32::MAX).to_ne_bytes());
    fs::write(&sample.path, &bytes).expect("written");
    for command in ["stat", "show"] {
        let output = ticks([command, path(&sample.path)]);
        assert_eq!(output.status.code(), Some(1));
        let said = stderr(&output);
        assert!(said.contains("expected the slots of ring 1 within the file, found"), "{said}");
    }
}

#[test]
fn shells_and_man_know_all_commands() {
    let script = stdout(["completions", "bash"]);
    let page = stdout(["man"]);
    for command in ["record", "show", "stat", "who", "export"] {
        assert!(script.contains(command));
        assert!(page.contains(&format!("ticks\\-{command}")), "{command}");
    }
    assert_eq!(ticks(["sing"]).status.code(), Some(2));
}

/// Whoever connects to a Unix socket chooses the address that is seen, a thread its name, and whoever sends
/// a recording all that is in it. What they chose moved the cursor, hid lines and made up new ones.
#[test]
fn no_text_of_a_recording_reaches_the_terminal_as_a_command() {
    let evil = "\u{1b}]0;gone\u{7}\r\u{9b}2J\nticks: all is well";
    let layout = Layout::new(FILE_BYTES_MIN);
    let program = evil.replace('\n', "");
    let about = format!("program=/bin/{program}\n");
    let mut image = Image::new(layout.clone(), &Header::new(&layout, 4711, 1), &about);
    image.anchor(&Anchor::default());
    let address = || Address::Unix(evil.into());
    for tid in 1..3 {
        let ring = image.claim(tid, evil, 0).expect("a ring");
        let (key, fd, kind, inode) = (KEY, 4, SourceKind::Unix, 1);
        let (local, peer) = (address(), address());
        image.record(ring, &SourceNew { key, fd, kind, local, peer, inode }.into(), 1);
        let slots = image.layout().rings[ring].slots;
        (0..slots - 1).for_each(|tick| image.record(ring, &Ticker { tick }.into(), tick));
        let (key, dir, waiter) = (KEY, Direction::Read, tid);
        let awaited = Awaited::Source { key, fd, dir, waiter, ticks: None };
        let place = image.place(evil);
        image.waiter(tid, &Waiter { awaited, task: 1, since: 1, place, tid, stack: 0, task_id: 0 });
    }
    let (registered, since) = (true, 1);
    let (key, fd, kind, inode) = (KEY, 4, SourceKind::Unix, 1);
    let (local, peer) = (address(), address());
    image.source(&Source { key, registered, fd, kind, local, peer, inode, since });
    // A record that only the file's own description knows, in evil words.
    let schema = layout.section(SectionKind::Schema).offset as usize;
    let described = format!("record\t99\tX\t{}\t{}\n", &evil[..9], &evil[..9]);
    let words = text_words(&described, 1 << 10);
    image.words_mut()[schema / 8..][..words.len()].copy_from_slice(&words);
    image.push(1, &[[99, 0, 0, 0]]);
    let sample = Sample::new(&image);
    let dir = path(sample.dir.path());
    let script = format!("cp {} \"$ASYNC_IO_TRACE\"/1.ticks", sample.path.display());
    let file = path(&sample.path);
    for args in [
        &["show", file][..],
        &["stat", file],
        &["who", file],
        &["export", "--chrome", file, "-o", "/dev/null"],
        &["record", "-o", dir, "sh", "-c", &script],
    ] {
        let output = ticks(args);
        for (out, text) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
            let text = String::from_utf8(text.clone()).expect("UTF-8");
            let command = text.find(|c: char| c.is_control() && c != '\n');
            assert_eq!(command, None, "{args:?}, {out}: {text:?}");
            assert!(!text.lines().any(|line| line == "ticks: all is well"), "{args:?}: {text}");
        }
        assert!(args[0] == "export" || !output.stdout.is_empty() || !output.stderr.is_empty());
    }
    let shown = stdout(["who", file]);
    assert!(shown.contains("\\u{1b}]0;gone\\u{7}\\r\\u{9b}2J\\nticks: all is well"), "{shown}");
}

/// Numbers that no recorder writes: `stat` of such a file, and `record` where one came about, ended in a
/// panic of their sums.
#[test]
#[cfg_attr(windows, ignore = "the program that is recorded is sh")]
fn sums_of_any_numbers() {
    let mut image = empty(4711, 1);
    let rings = image.layout().section(SectionKind::Rings);
    for tid in 0..3 {
        let ring = image.claim(tid, "t", 0).expect("a ring") as u64;
        for events in [u64::MAX, u64::MAX] {
            let end = ReactEnd { tick: 1, events, wakers: 0, duration_ns: 0 };
            image.record(ring as usize, &end.into(), 10 - tid);
        }
        if tid > 0 {
            let entry = (rings.offset + ring * rings.entry_bytes) as usize / 8;
            image.words_mut()[entry + ring_word::HEAD] = u64::MAX;
        }
    }
    let sample = Sample::new(&image);
    assert_eq!(ticks(["stat", path(&sample.path)]).status.code(), Some(1));
    let script = format!("cp {} \"$ASYNC_IO_TRACE\"/1.ticks", sample.path.display());
    let output = ticks(["record", "-o", path(sample.dir.path()), "sh", "-c", &script]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("3 rings of threads, 18,446,744,073,709,551,615 slots written")
    );
}
