//! The trace that this project began from was made by hand, in copies of async-io and polling with log
//! lines written into them, and read by hand: `tick=2 ticks=Some((2, 0))`, line by line, debug beside
//! release. What it took to find the hang was in those lines, so ours begin with the same words, and a
//! reader or a script that knows the old log knows the new one. The same fields go out as key-values,
//! numbers as numbers, so that a logger which writes JSON need not take text apart; and a record bears
//! the line of its own hook, as a log line bears that of its own macro.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::OnceLock;

use ticks_format::records::Kind;

use crate::util::child::own_process;
use crate::util::exercise::{exercise, kind_of, KINDS, OPERATIONS};
use crate::util::records::{Field, Keeper, Line};

/// What a run through the reactor leaves, the same for all tests.
fn lines() -> &'static [(Kind, Line)] {
    static KEEPER: Keeper = Keeper::new();
    static LINES: OnceLock<Vec<(Kind, Line)>> = OnceLock::new();
    LINES.get_or_init(|| {
        log::set_logger(&KEEPER).expect("no other logger");
        log::set_max_level(log::LevelFilter::Trace);
        let mut lines = Vec::new();
        // Which thread parks and which drives is a matter of luck.
        for _ in 0..50 {
            assert_eq!(exercise().expect("the reactor works"), OPERATIONS);
            lines.extend(KEEPER.take().into_iter().map(|line| (kind(&line), line)));
            let seen: BTreeSet<Kind> = lines.iter().map(|(kind, _)| *kind).collect();
            if KINDS.iter().all(|kind| seen.contains(kind)) {
                return lines;
            }
        }
        panic!("not all kinds of records were seen");
    })
}

fn kind(line: &Line) -> Kind {
    kind_of(&line.text).unwrap_or_else(|| panic!("not a record's text: {line:?}"))
}

/// Lines of the log of 2022, as they stand there but for `OK(()`, which it misprints.
const OF_2022: [(Kind, &str); 13] = [
    (Kind::PollBegin, "Source::poll_ready:+ dir=0 tick=3 ticks=Some((2, 2))"),
    (Kind::PollBegin, "Source::poll_ready:+ dir=0 tick=2 ticks=Some((2, 0))"),
    (Kind::PollEnd, "Source::poll_ready:- dir=0 tick=3 ticks=None Poll::Ready(Ok(()))"),
    (Kind::PollEnd, "Source::poll_ready:- dir=0 Poll::Pending at bottom"),
    (Kind::Ticker, "Reactor::ticker:+- val=3"),
    (Kind::CtlBegin, "ctl:+ MOD epoll_fd=5, fd=4 event_fd=6 { events: 4000201b u64: 0 }"),
    (Kind::CtlEnd, "ctl:- MOD epoll_fd=5, fd=6 event_fd=6 res=Ok(0)"),
    (Kind::WaitReturn, "wait: running epoll_fd=5, events.len=1 events.list:"),
    (Kind::WaitEntry, "wait: list[0] { events: 1 u64: 0 }"),
    (Kind::WaitEnd, "wait:- epoll_fd=5, res=1"),
    (Kind::ReactEvents, "ReactorLock::react: tick=3 1 I/O events+"),
    (
        Kind::ReactEvent,
        "ReactorLock::react: tick=3 ev=Event { key: 0, readable: true, writable: false }",
    ),
    (Kind::PollBegin, "Source::poll_ready:+ dir=0 tick=2 ticks=None"),
];

/// A text with what differs from run to run replaced: numbers, ticks, yes and no, the operation.
fn shape(text: &str) -> String {
    let ticks = |text: String| match text.split_once("ticks=Some((") {
        Some((before, rest)) => {
            let (_, after) = rest.split_once("))").expect("ticks end in two brackets");
            format!("{before}ticks=?{after}")
        }
        None => text.replace("ticks=None", "ticks=?"),
    };
    let mut shape = String::new();
    let mut hex = false;
    for word in ticks(text.to_owned()).split_inclusive(&[' ', '=', ',', '[', ']', '{', '}']) {
        let (bare, end) =
            word.split_at(word.trim_end_matches([' ', '=', ',', '[', ']', '{', '}']).len());
        let digits = bare.trim_start_matches('-').replace('#', "");
        let number = !digits.is_empty()
            && digits.chars().all(|c| if hex { c.is_ascii_hexdigit() } else { c.is_ascii_digit() });
        shape += match bare {
            _ if number => "N",
            "true" | "false" => "BOOL",
            "ADD" | "MOD" | "DEL" => "OP",
            other => other,
        };
        shape += end;
        // The flags and the user data are in hexadecimal.
        hex = matches!(bare, "events:" | "u64:");
    }
    shape
}

#[test]
fn shapes_tell_texts_apart() {
    let wait = shape("wait: list[0] { events: 1 u64: 0 }");
    assert_eq!(wait, "wait: list[N] { events: N u64: N }");
    assert_eq!(shape("wait: list[12] { events: 2019 u64: 30000000a }"), wait);
    assert_ne!(shape("wait: list[0] { events: x u64: 0 }"), wait);
    assert_eq!(
        shape("poll dir=0 ticks=Some((12, 0)) key=3#2"),
        shape("poll dir=1 ticks=None key=7")
    );
    assert_eq!(shape("ctl:+ ADD fd=-1 res"), "ctl:+ OP fd=N res");
}

#[test]
fn the_text_begins_as_in_2022() {
    let Some(_watchdog) = own_process("the_text_begins_as_in_2022") else {
        return;
    };
    let known: BTreeSet<Kind> = OF_2022.iter().map(|(kind, _)| *kind).collect();
    let mut met = BTreeSet::new();
    for (kind, line) in lines().iter().filter(|(kind, _)| known.contains(kind)) {
        if line.text.contains("res=Err(") {
            continue;
        }
        let ours = shape(&line.text);
        let olds = OF_2022.iter().filter(|(old, _)| old == kind).map(|(_, text)| shape(text));
        let old = olds.into_iter().find(|old| {
            ours.strip_prefix(old.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        });
        met.insert(old.unwrap_or_else(|| panic!("does not begin as in 2022: {}", line.text)));
    }
    let all: BTreeSet<_> = OF_2022.iter().map(|(_, text)| shape(text)).collect();
    assert_eq!(met, all, "each text of 2022 is met");
}

/// The key-values of each kind: a number, a yes or no (`b`) or a text (`t`); `?` where it may be absent.
fn documented(kind: Kind) -> &'static str {
    match kind {
        Kind::Ticker => "tick",
        Kind::ReactBegin => "tick timeout_ns? next_timer_ns?",
        Kind::ReactEvents => "tick events",
        Kind::ReactEvent => "tick key readable:b writable:b fd flags wakers",
        Kind::ReactStale => "tick key readable:b writable:b flags",
        Kind::ReactEnd => "tick events wakers duration_ns",
        Kind::SourceNew | Kind::SourceDrop => "key fd kind:t local:t? peer:t? inode",
        Kind::PollBegin => "dir tick ticks_a? ticks_b? key fd waiter",
        Kind::PollEnd => "dir tick ticks_a? ticks_b? result:t key fd waiter reason:t upstream:t?",
        Kind::SourceWaker => "change:t dir key fd waiter task",
        Kind::Wake => "task by:t key? dir? tick? timer?",
        Kind::TimerInsert => "id deadline_ns in_ns",
        Kind::TimerRemove => "id deadline_ns",
        Kind::TimerFire => "id deadline_ns late_ns",
        Kind::WaitBegin => "epoll_fd timeout_ns?",
        Kind::WaitReturn => "epoll_fd count",
        Kind::WaitEntry => "index flags data",
        Kind::WaitEnd => "epoll_fd res",
        Kind::CtlBegin => "op:t epoll_fd fd event_fd flags data",
        Kind::CtlEnd => "op:t epoll_fd fd event_fd res",
        Kind::Notify => "epoll_fd event_fd thread",
        Kind::BlockOnBegin | Kind::ParkBegin | Kind::DriveBegin => "thread",
        Kind::BlockOnEnd | Kind::ParkEnd | Kind::DriveEnd => "thread duration_ns",
        Kind::Unpark | Kind::Handover => "thread target",
        Kind::TaskSpawn
        | Kind::TaskPollBegin
        | Kind::TaskPollEnd
        | Kind::TaskWait
        | Kind::TaskWake
        | Kind::TaskForgotten
        | Kind::TaskDone
        | Kind::TaskCancelled
        | Kind::TaskPanicked => panic!("{kind:?} is for the flight recorder alone"),
    }
}

#[test]
fn fields_have_the_documented_names_and_types() {
    let Some(_watchdog) = own_process("fields_have_the_documented_names_and_types") else {
        return;
    };
    let mut present = BTreeSet::new();
    for (kind, line) in lines() {
        let mut rest = line.fields.clone();
        for word in documented(*kind).split(' ') {
            let name = word.trim_end_matches('?').trim_end_matches(":b").trim_end_matches(":t");
            let Some(field) = rest.remove(name) else {
                assert!(word.ends_with('?'), "{name} is missing: {line:?}");
                continue;
            };
            present.insert((*kind, name));
            let right = match word.trim_end_matches('?').split_once(':') {
                None => matches!(field, Field::Number(_)),
                Some((_, "b")) => matches!(field, Field::Bool(_)),
                Some(_) => matches!(field, Field::Text(_)),
            };
            assert!(right, "{name} has another type: {line:?}");
        }
        assert!(rest.is_empty(), "not documented: {rest:?} in {line:?}");
    }
    // Those that may be absent are not always absent.
    for (kind, name) in [
        (Kind::PollBegin, "ticks_a"),
        (Kind::PollBegin, "ticks_b"),
        (Kind::PollEnd, "ticks_a"),
        (Kind::ReactBegin, "next_timer_ns"),
        (Kind::SourceNew, "peer"),
        (Kind::WaitBegin, "timeout_ns"),
        (Kind::Wake, "timer"),
        (Kind::Wake, "dir"),
    ] {
        assert!(present.contains(&(kind, name)), "{kind:?} never had {name}");
    }
}

/// What stands in the text as `name=value` is the same in the key-values.
#[test]
fn text_and_fields_agree() {
    let Some(_watchdog) = own_process("text_and_fields_agree") else {
        return;
    };
    let mut compared: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, line) in lines() {
        for name in
            ["tick", "dir", "fd", "epoll_fd", "event_fd", "waiter", "thread", "target", "id"]
        {
            let words = line.text.split([' ', ',']);
            let mut values = words.filter_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            let (Some(value), field) = (values.next(), line.fields.get(name)) else { continue };
            // A waiter that has no number yet has this one.
            let value = if (name, value) == ("waiter", "new") { "65535" } else { value };
            let number = value.parse().unwrap_or_else(|_| panic!("{name} is no number: {line:?}"));
            assert_eq!(field, Some(&Field::Number(number)), "{name} differs: {line:?}");
            *compared.entry(name).or_insert(0) += 1;
        }
        if let Some(Field::Number(a)) = line.fields.get("ticks_a") {
            let Some(Field::Number(b)) = line.fields.get("ticks_b") else {
                panic!("one of the ticks is missing: {line:?}");
            };
            assert!(line.text.contains(&format!("ticks=Some(({a}, {b}))")), "{line:?}");
            *compared.entry("ticks").or_insert(0) += 1;
        }
    }
    for name in ["tick", "dir", "fd", "epoll_fd", "waiter", "thread", "id", "ticks"] {
        assert!(compared.contains_key(name), "{name} was never compared");
    }
}

#[test]
fn targets_are_the_modules() {
    let Some(_watchdog) = own_process("targets_are_the_modules") else {
        return;
    };
    let mut targets = BTreeSet::new();
    for (_, line) in lines() {
        assert_eq!(line.level, "TRACE", "{line:?}");
        assert_eq!(line.module.as_ref(), Some(&line.target), "{line:?}");
        targets.insert(line.target.as_str());
    }
    let expected = ["async_io::driver", "async_io::poller::epoll", "async_io::reactor"];
    assert_eq!(targets, expected.into());

    let target = |wanted: Kind| {
        let (_, line) = lines().iter().find(|(kind, _)| *kind == wanted).expect("it was seen");
        line.target.as_str()
    };
    assert_eq!(target(Kind::PollBegin), "async_io::reactor");
    assert_eq!(target(Kind::TimerFire), "async_io::reactor");
    assert_eq!(target(Kind::WaitEntry), "async_io::poller::epoll");
    assert_eq!(target(Kind::Notify), "async_io::poller::epoll");
    assert_eq!(target(Kind::ParkBegin), "async_io::driver");
}

/// Two calls of the same hook are told apart by their lines, and at each line stands a hook's call.
#[test]
fn each_call_site_has_its_own_line() {
    let Some(_watchdog) = own_process("each_call_site_has_its_own_line") else {
        return;
    };
    let mut sites: BTreeMap<(&str, u32), BTreeSet<Kind>> = BTreeMap::new();
    for (kind, line) in lines() {
        let (file, number) = line.place.as_ref().expect("a record has a file and a line");
        sites.entry((file.as_str(), *number)).or_default().insert(*kind);
    }
    for ((file, number), kinds) in &sites {
        assert_eq!(kinds.len(), 1, "{file}:{number} makes records of several kinds: {kinds:?}");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let source = std::fs::read_to_string(&path).expect("the named file is there");
        let called = source.lines().nth(*number as usize - 1).unwrap_or_default();
        assert!(called.contains("trace::"), "{file}:{number} calls no hook: {called}");
    }
    // A wait that begins, goes on, is ready when asked, after an event: several places each.
    for (several, count) in [(Kind::PollBegin, 2), (Kind::PollEnd, 2), (Kind::SourceWaker, 2)] {
        let places = sites.values().filter(|kinds| kinds.contains(&several)).count();
        assert!(places >= count, "{several:?} comes from {places} places");
    }
}
