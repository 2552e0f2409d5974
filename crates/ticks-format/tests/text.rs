//! The exact text of every kind of record.
//!
//! Where the logs of 2022 contain the message too, ours begins exactly as theirs: the lines below
//! were copied from them.

mod common;

use common::samples;
use ticks_format::records::{CtlEnd, SourceNew, TimerFire};
use ticks_format::{flag_names, Address, FieldValue, Key, Kind, Op, Record, SourceKind};

#[test]
fn every_kind_has_its_line() {
    for (record, line) in samples() {
        assert_eq!(record.to_string(), line);
    }
    for kind in Kind::ALL {
        let sampled = samples().iter().any(|(record, _)| record.kind() == *kind);
        assert!(sampled, "no sample of {kind:?}");
    }
}

#[test]
fn messages_of_2022_begin_as_they_did() {
    let lines: Vec<_> = samples().into_iter().map(|(_, line)| line).collect();
    for old in [
        "Reactor::ticker:+- val=3",
        "ReactorLock::react: tick=3 1 I/O events+",
        "ReactorLock::react: tick=3 ev=Event { key: 0, readable: true, writable: false }",
        "Source::poll_ready:+ dir=0 tick=3 ticks=Some((2, 2))",
        "Source::poll_ready:- dir=0 tick=3 ticks=None Poll::Ready(Ok(()))",
        "Source::poll_ready:- dir=0 Poll::Pending at bottom",
        "wait: running epoll_fd=5, events.len=1 events.list:",
        "wait: list[0] { events: 1 u64: 0 }",
        "wait:- epoll_fd=5, res=1",
        "ctl:+ MOD epoll_fd=5, fd=4 event_fd=6 { events: 4000201b u64: 0 }",
        "ctl:- MOD epoll_fd=5, fd=4 event_fd=6 res=Ok(0)",
    ] {
        assert!(lines.iter().any(|line| line.starts_with(old)), "no line begins with {old:?}");
    }
}

#[test]
fn a_name_begins_its_line() {
    for (record, line) in samples() {
        let name = record.kind().name();
        // The event's name ends in `ev`, which its line has only after the tick.
        let begins = line.starts_with(name.trim_end_matches(" ev"));
        assert!(begins, "{line:?} does not begin with {name:?}");
    }
}

/// Those that the shadow of 2.6.0 goes by, out of a log.
#[test]
fn a_line_is_read_as_the_record_that_it_was() {
    let mut read = Vec::new();
    for (record, line) in samples() {
        if let Some(again) = Record::from_text(line) {
            assert_eq!(again, record, "{line}");
            read.push(record.kind());
        }
    }
    read.dedup();
    let kinds = [
        Kind::Ticker,
        Kind::ReactBegin,
        Kind::ReactEnd,
        Kind::SourceNew,
        Kind::SourceDrop,
        Kind::PollBegin,
        Kind::PollEnd,
        Kind::SourceWaker,
        Kind::WaitBegin,
    ];
    assert_eq!(read, kinds);
    let (local, peer) = (Address::Unix("/a b peer=c".into()), Address::None);
    let (key, fd, kind, inode) = (Key(1), -1, SourceKind::Unix, 3);
    let new: Record = SourceNew { key, fd, kind, local, peer, inode }.into();
    assert_eq!(Record::from_text(&new.to_string()), Some(new));
}

#[test]
fn key_values_are_numbers_where_they_are_numbers() {
    let (record, _) = samples()
        .into_iter()
        .find(|(record, _)| record.kind() == Kind::PollBegin)
        .expect("a PollBegin");
    let mut seen = Vec::new();
    record.visit(&mut |name, value| match value {
        FieldValue::Unsigned(value) => seen.push((name, value as i64)),
        FieldValue::Signed(value) => seen.push((name, value)),
        _ => panic!("{name} is not a number"),
    });
    let expected = [
        ("dir", 0),
        ("tick", 3),
        ("ticks_a", 2),
        ("ticks_b", 2),
        ("key", 0),
        ("fd", 4),
        ("waiter", 0),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn flags_without_a_name_are_hex() {
    assert_eq!(flag_names(0).to_string(), "");
    assert_eq!(flag_names(0x1000_0000 | 1).to_string(), "IN|EXCLUSIVE");
    assert_eq!(flag_names(0x0001_0001).to_string(), "IN|0x10000");
}

#[test]
fn keys_show_their_generation_when_reused() {
    assert_eq!(Key::new(3, 0).to_string(), "3");
    assert_eq!(Key::new(3, 2).to_string(), "3#2");
    assert_eq!(Key(u64::MAX).to_string(), "notify");
}

/// Found by fuzzing: a file may hold any number where an error's is expected.
#[test]
fn no_number_makes_the_text_panic() {
    for res in [i64::MIN, i64::MAX, -1] {
        let end = CtlEnd { op: Op::Add, epoll_fd: res, fd: res, event_fd: res, res };
        assert!(Record::from(end).to_string().contains("res=Err(os error "));
    }
    let late = TimerFire { id: u64::MAX, deadline_ns: u64::MAX, late_ns: u64::MAX };
    assert!(Record::from(late).to_string().contains("late=18446744073"));
}

/// Whoever connects to a Unix socket chooses the address that is logged, and with a line's end in it made up
/// lines of the log.
#[test]
fn an_address_ends_no_line() {
    let plain = Address::Unix("/run/x y".into());
    assert_eq!(plain.to_string(), "/run/x y");
    let evil = Address::Unix("@a\nTRACE\u{1b}[2J\0".into());
    assert_eq!(evil.to_string(), "@a\\nTRACE\\u{1b}[2J\\0");
}
