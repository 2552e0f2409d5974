//! `ticks show`: lines, filters, JSON, several files, a live file.

mod util;

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value as Json;
use ticks_format::layout::SectionKind;
use ticks_format::records::{SourceNew, Ticker, Wake};
use ticks_format::tables::text_words;
use ticks_format::{schema_text, Address, Direction, Key, Source, SourceKind, WakeCause};
use util::{accept, empty, path, record, stderr, stdout, ticks, Sample};

#[test]
fn lines_read_like_those_of_2022() {
    let sample = Sample::new(&accept());
    let shown = stdout(["show", path(&sample.path)]);
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 20, "{shown}");
    let polled = "[2022-05-03T18:37:52.140518Z TRACE async_io::reactor 0 4711] \
                  Source::poll_ready:+ dir=0 tick=2 ticks=Some((1, 0)) key=3 fd=4 waiter=0";
    assert!(lines.contains(&polled), "{shown}");
    let waited = "[2022-05-03T18:37:52.139518Z TRACE async_io::poller::epoll 0 4714] \
                  wait:- epoll_fd=5, res=1";
    assert!(lines.contains(&waited), "{shown}");
    assert!(lines.is_sorted_by_key(|line| &line[..28]), "{shown}");
}

fn kinds(args: &[&str]) -> Vec<String> {
    let sample = Sample::new(&accept());
    let shown = stdout([&["show", "--json", path(&sample.path)], args].concat());
    let objects = shown.lines().map(|line| serde_json::from_str::<Json>(line).expect("JSON"));
    objects.map(|object| object["record"].as_str().expect("a kind").to_owned()).collect()
}

#[test]
fn filters_choose() {
    assert_eq!(kinds(&["--kind", "tick"]), ["Ticker"]);
    assert_eq!(kinds(&["--kind", "TimerFire", "--kind", "Wake"]), ["Wake", "TimerFire"]);
    assert_eq!(kinds(&["--fd", "4", "--thread", "async"]), ["ReactEvent", "Wake"]);
    assert_eq!(kinds(&["--task", "0x55a8a668d970", "--thread", "4714"]), ["Wake"]);
    // Polls name no task: they are the one's whose waker is stored.
    let polls = ["SourceWaker", "PollEnd", "PollBegin", "PollEnd", "SourceWaker", "PollEnd"];
    assert_eq!(kinds(&["--task", "0x55a8a668d970", "--thread", "4711"]), polls);
    assert_eq!(kinds(&["--source", "3", "--kind", "PollEnd"]).len(), 3);
    assert_eq!(kinds(&["--source", "3#1"]), [""; 0]);
    assert_eq!(kinds(&["--dir", "write"]), [""; 0]);
    assert_eq!(kinds(&["--dir", "read", "--tick", "1", "--kind", "+"]), ["PollBegin"]);
    assert_eq!(kinds(&["--until", "0.9ms"]), ["ThreadBegin", "ThreadBegin"]);
    let since = "2022-05-03T18:37:52.142Z";
    assert_eq!(kinds(&["--since", since, "--kind", "poll_ready:-"]), ["PollEnd"]);
    assert_eq!(kinds(&["--peer", "127"]), [""; 0]);
    // Of the last record's day, as the program has ended.
    assert_eq!(kinds(&["--since", "18:37:52.142", "--kind", "poll_ready:-"]), ["PollEnd"]);
    assert_eq!(kinds(&["--since", "18:37", "--until", "18:37:51.14Z"]).len(), 2);
}

/// Whoever asked for all of a descriptor missed the one record that the hang was about: a wake names its
/// source by the key alone. And a client's connections were not found by their peers, because a socket has
/// none yet when it is registered.
#[test]
fn what_has_a_key_alone_is_found_by_descriptor_and_peer() {
    let mut image = empty(4711, 1);
    let ring = image.claim(1, "main", 0).expect("a ring");
    let peer = |port: u16| Address::Ip(([127, 0, 0, 1], port).into());
    let keys = [Key::new(3, 0), Key::new(3, 1), Key::new(4, 0)];
    // The same index twice, then the number of the first again for another.
    let lives = [(keys[0], 9, peer(1)), (keys[1], 8, peer(2)), (keys[2], 9, Address::None)];
    for (at, (key, fd, peer)) in (1..).zip(lives) {
        let (kind, local, inode) = (SourceKind::Tcp, Address::None, at);
        let new = SourceNew { key, fd, kind, local: local.clone(), peer, inode };
        record(&mut image, ring, at, new);
        let (by, dir, tick) = (WakeCause::Source, Some(Direction::Read), Some(at));
        let wake = Wake { task: at, by, key: Some(key), dir, tick, timer: None };
        record(&mut image, ring, at, wake);
    }
    // The table has the last of each index, and the peer with which that was connected later.
    let gone = |key, fd, peer| Source {
        key,
        registered: false,
        fd,
        kind: SourceKind::Tcp,
        local: Address::None,
        peer,
        inode: 0,
        since: 0,
    };
    image.source(&gone(keys[1], 8, peer(2)));
    image.source(&gone(keys[2], 9, peer(3)));
    let sample = Sample::new(&image);
    let woken = |args: [&str; 2]| {
        let shown =
            stdout([&["show", "--json", "--kind", "Wake", path(&sample.path)], &args[..]].concat());
        let objects = shown.lines().map(|line| serde_json::from_str::<Json>(line).expect("JSON"));
        objects.map(|object| object["fields"]["task"].as_u64().expect("a task")).collect::<Vec<_>>()
    };
    assert_eq!(woken(["--fd", "9"]), [1, 3]);
    assert_eq!(woken(["--fd", "8"]), [2]);
    assert_eq!(woken(["--peer", "127.0.0.1:1"]), [1]);
    assert_eq!(woken(["--peer", "127.0.0.1:2"]), [2]);
    assert_eq!(woken(["--peer", "127.0.0.1:3"]), [3]);
    assert_eq!(woken(["--peer", "127.0.0.1"]), [1, 2, 3]);
    assert_eq!(woken(["--source", "3"]), [1, 2]);
    // As JSON has it.
    assert_eq!(woken(["--source", &keys[1].0.to_string()]), [2]);
}

/// A filter with a slip in it showed nothing and said nothing, as if nothing had happened.
#[test]
fn filters_that_nothing_passes_are_told() {
    let sample = Sample::new(&accept());
    let output = ticks(["show", path(&sample.path), "--kind", "CtlEnd"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout.is_empty());
    assert_eq!(stderr(&output), "ticks: none of 20 records passes the filters\n");
    let output = ticks(["show", path(&sample.path), "--kind", "Wake"]);
    assert_eq!(stderr(&output), "");
}

/// A kind that there is not, and a time that begins after its end, were taken for filters that happen to let
/// nothing pass: exit code 0, and a sentence on stderr that a script does not read.
#[test]
fn filters_that_nothing_can_pass_are_refused() {
    let mut image = accept();
    let schema = image.layout().section(SectionKind::Schema).offset as usize;
    let described = format!("{}record\t99\tNap\tnap:+\tlater\n", schema_text());
    let words = text_words(&described, 1 << 14);
    image.words_mut()[schema / 8..][..words.len()].copy_from_slice(&words);
    image.push(0, &[[99, 0, 0, 0]]);
    let sample = Sample::new(&image);
    let file = path(&sample.path);
    let output = ticks(["show", file, "--kind", "Wake", "--kind", "Wak3"]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(said.contains("found \"Wak3\""), "{said}");
    let (_, kinds) = said.split_once("one of ").expect("the kinds there are");
    for kind in ["PollEnd, ", "Wake, ", "ThreadBegin, ", "Nap"] {
        assert_eq!(kinds.matches(&format!(" {kind}")).count(), 1, "{kind}: {said}");
    }
    assert!(output.stdout.is_empty());

    // What only the file knows, by the name that JSON has, and by its text.
    for nap in ["nap", "ap:"] {
        let shown = stdout(["show", "--json", file, "--kind", nap]);
        assert!(shown.contains("\"record\":\"Nap\",\"name\":\"nap:+\""), "{shown}");
        assert_eq!(shown.lines().count(), 1);
    }

    let output = ticks(["show", file, "--since", "2s", "--until", "1s"]);
    assert_eq!(output.status.code(), Some(2));
    let wanted =
        "--since: expected a time that is not after --until's, 2022-05-03T18:37:52.139518Z, found \
                  2022-05-03T18:37:53.139518Z";
    assert!(stderr(&output).contains(wanted), "{}", stderr(&output));
    stdout(["show", file, "--since", "1s", "--until", "1s"]);
}

/// A long recording of many threads began with hundreds of lines that each said that it was long.
#[test]
fn what_was_overwritten_is_said_in_one_line() {
    let mut image = empty(4711, 1);
    for tid in 1..20 {
        let ring = image.claim(tid, "worker", 0).expect("a ring");
        let slots = image.layout().rings[ring].slots;
        // One is not full, and the reader keeps clear of what the writer may be at.
        for tick in 0..if tid == 19 { 1 } else { slots } {
            record(&mut image, ring, tick, Ticker { tick });
        }
    }
    let sample = Sample::new(&image);
    let output = ticks(["show", "--kind", "Wake", path(&sample.path)]);
    assert_eq!(output.status.code(), Some(0));
    // The mark that begins each took one, and twelve are kept clear of.
    let wanted = format!("{}: 18 rings: 234 older slots were overwritten\n", path(&sample.path));
    let said = stderr(&output);
    assert!(said.starts_with(&format!("ticks: {wanted}")), "{said}");
    // And that no record is of such a kind.
    assert_eq!(said.lines().count(), 2, "{said}");
}

#[test]
fn json_has_numbers_as_numbers() {
    let sample = Sample::new(&accept());
    let shown = stdout(["show", "--json", "--kind", "PollEnd", path(&sample.path)]);
    let second = shown.lines().nth(1).expect("a second poll");
    let object: Json = serde_json::from_str(second).expect("JSON");
    assert_eq!(object["time"], "2022-05-03T18:37:52.140518Z");
    assert_eq!(object["utc_ns"], 1_651_603_072_140_518_200_u64);
    assert_eq!(object["thread"], 4711);
    assert_eq!(object["thread_name"], "main");
    assert_eq!(object["fields"]["fd"], 4);
    assert_eq!(object["fields"]["result"], "Ready");
    assert_eq!(object["fields"]["upstream"], "Pending");
    assert_eq!(object["fields"]["ticks_a"], Json::Null);
}

#[test]
fn several_files_on_one_clock() {
    let (first, second) = (Sample::new(&accept()), Sample::new(&accept()));
    let shown = stdout(["show", "--kind", "ticker", path(&first.path), path(&second.path)]);
    assert_eq!(shown.lines().count(), 2);
    assert!(shown.lines().all(|line| line.contains(" 4711/4714] ")), "{shown}");
}

#[test]
fn a_bad_filter_says_what_is_expected() {
    let sample = Sample::new(&accept());
    for (args, expected) in [
        (["--source", "x"], "expected a key as 3 or 3#2, found \"x\""),
        (
            ["--since", "x"],
            "--since: expected a time as 2022-05-03T18:37:52Z, as 18:37:52, or 1.5s",
        ),
        (["--since", "25:00:00"], "--since: expected a time as 2022-05-03T18:37:52Z, as 18:37:52"),
        (["--dir", "x"], "expected read or write, found \"x\""),
        (["--task", "x"], "expected a number as 4711 or 0x55bf232f6f70, found \"x\""),
        (["--tick", "x"], "expected a number as 4711 or 0x55bf232f6f70, found \"x\""),
        (["--fd", "x"], "expected a descriptor's number as 9, found \"x\""),
    ] {
        let output = ticks([&["show", path(&sample.path)], &args[..]].concat());
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    }
}

#[test]
fn a_file_that_is_cut_off_is_shown_as_far_as_it_goes() {
    let image = accept();
    let sample = Sample::new(&image);
    let whole = fs::read(&sample.path).expect("readable");
    let helper = image.layout().rings[1].offset as usize;
    fs::write(&sample.path, &whole[..helper + 32]).expect("writable");
    let output = ticks(["show", path(&sample.path)]);
    assert_eq!(output.status.code(), Some(1));
    let lines = String::from_utf8_lossy(&output.stdout).lines().count();
    // The main thread's eleven and the helper's mark.
    assert_eq!(lines, 12);
    let said = stderr(&output);
    assert!(said.contains("4711.ticks: the file is cut off: expected 1048576 bytes"), "{said}");
    assert!(said.contains("thread 4714 async-io: 8 slots cannot be read"), "{said}");
}

/// A record of a kind that its own file does not describe was no reason for exit status 1: every writer
/// describes what it writes, so that such a record is a damaged one.
#[test]
fn a_record_of_no_kind_is_damage() {
    let image = accept();
    let sample = Sample::new(&image);
    let mut bytes = fs::read(&sample.path).expect("readable");
    // The code is a slot's lowest byte, and the last record, of a poll, takes one slot.
    let ring = image.layout().rings[0].offset as usize;
    let used = bytes[ring..].chunks(32).take_while(|slot| slot.iter().any(|&byte| byte != 0));
    let last = ring + (used.count() - 1) * 32;
    bytes[if cfg!(target_endian = "little") { last } else { last + 7 }] = 0x3e;
    fs::write(&sample.path, bytes).expect("writable");
    let output = ticks(["show", path(&sample.path)]);
    let said = stderr(&output);
    assert!(said.contains("1 records are of kinds that the file does not describe"), "{said}");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.len() > 500, "the others are shown");
}

#[test]
fn what_is_not_a_recording_is_refused() {
    let sample = Sample::new(&accept());
    fs::write(&sample.path, vec![b'x'; 5_000]).expect("writable");
    let output = ticks(["show", path(&sample.path)]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(said.contains("4711.ticks: is not a recording; that of a program"), "{said}");
    for (text, wanted) in
        [("", "4711.ticks: is empty; "), ("a line\n", "4711.ticks: is not a recording; ")]
    {
        fs::write(&sample.path, text).expect("writable");
        for command in ["show", "stat", "who"] {
            let output = ticks([command, path(&sample.path)]);
            assert_eq!(output.status.code(), Some(2));
            assert!(stderr(&output).contains(wanted), "{command}: {}", stderr(&output));
        }
    }
    // What is at hand after a crash.
    for core in [
        &b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x04\0"[..],
        &[b"\x7fELF", &[0; 5_000][..]].concat(),
    ] {
        fs::write(&sample.path, core).expect("writable");
        let output = ticks(["show", path(&sample.path)]);
        assert_eq!(output.status.code(), Some(2));
        let wanted = "4711.ticks: is an ELF file that is damaged at its beginning";
        assert!(stderr(&output).contains(wanted), "{}", stderr(&output));
    }
    let output = ticks(["show", "/nonexistent/1.ticks"]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    // Each system has its own words.
    let wanted = if cfg!(windows) { "" } else { "No such file" };
    assert!(said.starts_with(&format!("ticks: /nonexistent/1.ticks: {wanted}")), "{said}");
    assert!(said.contains("(os error"), "{said}");
}

/// `ticks record -o /tmp` waited for ever for whoever would write to a pipe that somebody had put there.
#[test]
#[cfg(unix)]
fn a_pipe_is_no_recording() {
    let sample = Sample::new(&accept());
    let pipe = sample.dir.path().join("1.ticks");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("it runs").success());
    let output = ticks(["show", path(&pipe)]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(said.contains("1.ticks: expected a file that can be read at any place"), "{said}");
    let script = "mkfifo \"$ASYNC_IO_TRACE/2.ticks\"";
    let output = ticks(["record", "-o", path(sample.dir.path()), "sh", "-c", script]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("2.ticks: expected a file"), "{}", stderr(&output));
}

#[test]
fn nobody_reads_to_the_end() {
    let mut image = empty(4711, 1);
    let ring = image.claim(1, "main", 0).expect("a ring");
    for tick in 0..3_000 {
        record(&mut image, ring, tick, Ticker { tick });
    }
    let sample = Sample::new(&image);
    let mut child = Command::new(env!("CARGO_BIN_EXE_ticks"))
        .args(["show", path(&sample.path)])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ticks runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
}
