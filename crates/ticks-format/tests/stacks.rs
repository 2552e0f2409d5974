//! Stacks and modules as a recorder leaves them, damaged ones, and recordings from before there were any.

use ticks_format::image::Image;
use ticks_format::layout::{counter, Layout, SectionKind, FILE_BYTES_MIN};
use ticks_format::stacks::FRAMES_MAX;
use ticks_format::*;

fn image() -> Image {
    let layout = Layout::new(FILE_BYTES_MIN);
    let header = Header::new(&layout, 4711, 99);
    Image::new(layout, &header, "program=test\n")
}

fn frames(count: u64) -> Vec<Frame> {
    (0..count).map(|at| Frame { module: 1, address: 0x1000 + at }).collect()
}

fn module(path: u64) -> Module {
    Module {
        start: 0x5555_0000_0000,
        end: 0x5555_0001_0000,
        bias: 0x5555_0000_0000,
        path,
        build_id: (1..=20).collect(),
        file_bytes: 99,
        file_mtime_ns: 7,
        since: 3,
    }
}

#[test]
fn stacks_come_out_as_they_went_in() {
    let mut image = image();
    let whole = image.stack(&frames(3), StackEnd::Whole);
    let deep = image.stack(&frames(FRAMES_MAX as u64), StackEnd::TooDeep);
    let elsewhere = [Frame { module: 0, address: 0xffff_ffff_ffff }];
    let unknown = image.stack(&elsewhere, StackEnd::Unknown);
    assert_eq!([whole, deep, unknown], [1, 5, 134]);
    let bytes = image.to_bytes();
    let recording = Recording::open(bytes.as_slice()).expect("a recording");
    let stack = |number| recording.stack(number).expect("readable");
    assert_eq!(stack(whole), Some(Stack { frames: frames(3), end: StackEnd::Whole }));
    let expected = Stack { frames: frames(FRAMES_MAX as u64), end: StackEnd::TooDeep };
    assert_eq!(stack(deep), Some(expected));
    let expected = Stack { frames: elsewhere.into(), end: StackEnd::Unknown };
    assert_eq!(stack(unknown), Some(expected));
    for none in [0, 135, 1 << 20, u64::MAX / 8, u64::MAX] {
        assert_eq!(stack(none), None, "{none}");
    }
}

#[test]
fn stacks_without_room_are_counted() {
    let mut image = image();
    let room = image.layout().section(SectionKind::Stacks).len;
    let mut kept = Vec::new();
    loop {
        match image.stack(&frames(100), StackEnd::Whole) {
            0 => break,
            number => kept.push(number),
        }
    }
    assert_eq!(kept.len() as u64, (room - 8) / (8 * 101));
    assert_eq!(image.stack(&frames(1), StackEnd::Whole), 0, "there is none any more");
    let bytes = image.to_bytes();
    let recording = Recording::open(bytes.as_slice()).expect("a recording");
    assert_eq!(recording.counter(counter::STACKS_LEFT_OUT).expect("readable"), 2);
    let all = |number: &u64| recording.stack(*number).expect("readable").is_some();
    assert!(kept.iter().all(all));
}

#[test]
fn modules_come_out_as_they_went_in() {
    let mut image = image();
    let path = image.place("/usr/bin/program");
    image.module(0, &module(path));
    let plain = Module { build_id: Vec::new(), start: 0x7f00_0000_0000, ..module(0) };
    image.module(1, &plain);
    image.module(1 << 20, &plain);
    let bytes = image.to_bytes();
    let recording = Recording::open(bytes.as_slice()).expect("a recording");
    let found = |number| recording.module(number).expect("readable");
    assert_eq!(found(1), Some(module(path)));
    assert_eq!(recording.place(path).expect("readable").as_deref(), Some("/usr/bin/program"));
    assert_eq!(found(2), Some(plain));
    for none in [0, 3, u16::MAX] {
        assert_eq!(found(none), None, "{none}");
    }
    assert_eq!(recording.counter(counter::MODULES_LEFT_OUT).expect("readable"), 1);
}

/// A length that runs out of the section, or is longer than any stack, is none; so is an entry that a
/// writer was at when its process was killed.
#[test]
fn damaged_ones_are_none() {
    let mut image = image();
    let stack = image.stack(&frames(3), StackEnd::Whole);
    image.module(0, &module(0));
    let section = |kind| image.layout().section(kind);
    let (stacks, modules) = (section(SectionKind::Stacks), section(SectionKind::Modules));
    let last = stacks.len / 8 - 1;
    let at = |number: u64| (stacks.offset / 8 + number) as usize;
    for (place, value, number) in [
        (at(stack), 0, stack),
        (at(stack), FRAMES_MAX as u64 + 1, stack),
        (at(stack), u64::MAX, stack),
        (at(last), 1, last),
    ] {
        let mut image = image.clone();
        image.words_mut()[place] = value;
        let recording = Recording::open(image).expect("a recording");
        assert_eq!(recording.stack(number).expect("readable"), None, "{value:#x}");
    }
    let entry = modules.offset as usize / 8;
    let mut torn = image.clone();
    torn.words_mut()[entry] += 1;
    let recording = Recording::open(torn).expect("a recording");
    assert_eq!(recording.module(1).expect("readable"), None);
    let mut long = image;
    long.words_mut()[entry + 5] = u64::MAX;
    let recording = Recording::open(long).expect("a recording");
    let build_id = recording.module(1).expect("readable").expect("a module").build_id;
    assert_eq!(build_id.len(), 24);
}

/// The words of a file as `tests/data` lists them.
fn listed(text: &str, file_words: usize) -> Vec<u8> {
    let number = |text: &str| u64::from_str_radix(text, 16).expect("a number");
    let mut words = vec![0; file_words];
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (place, values) = line.split_once(':').expect("a place and words");
        let place = number(place) as usize;
        for (at, value) in values.split_whitespace().enumerate() {
            words[place + at] = number(value);
        }
    }
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn waits(recording: &Recording<&[u8]>) -> Vec<Waiter> {
    recording
        .waiters()
        .map(|entry| match entry.expect("readable") {
            Entry::Whole(waiter) => waiter,
            Entry::Torn => panic!("nobody was at it"),
        })
        .collect()
}

/// A program is not restarted because somebody has a new tool: what the recorder wrote before there were
/// stacks is still read, and says that there are none.
#[test]
fn recordings_from_before_stacks_are_read() {
    let bytes = listed(include_str!("data/before_stacks.words"), 1 << 17);
    let recording = Recording::open(bytes.as_slice()).expect("a recording");
    assert_eq!(recording.problems(), [""; 0]);
    let version = recording.about().iter().find(|(name, _)| name == "version");
    assert_eq!(version.map(|(_, value)| value.as_str()), Some("async-io 2.6.0"));

    let mut fired = 0;
    for ring in recording.rings().expect("rings") {
        for record in recording.records(&ring).expect("records") {
            let record = record.expect("a record");
            fired += u32::from(matches!(record.what, What::Record(Record::TimerFire(_))));
        }
    }
    assert_eq!(fired, 3);

    let waits = waits(&recording);
    assert_eq!(waits.len(), 3);
    let places = waits.iter().filter(|wait| recording.place(wait.place).unwrap().is_some());
    assert_eq!(places.count(), 1, "the timer's");
    for wait in waits {
        assert_eq!(wait.stack, 0);
        assert_eq!(recording.stack(wait.stack).expect("readable"), None);
    }
    assert_eq!(recording.stack(1).expect("readable"), None);
    assert_eq!(recording.module(1).expect("readable"), None);
}

/// As above: what the recorder wrote when there were stacks and no tasks.
#[test]
fn recordings_from_before_tasks_are_read() {
    let bytes = listed(include_str!("data/before_tasks.words"), 1 << 17);
    let recording = Recording::open(bytes.as_slice()).expect("a recording");
    assert_eq!(recording.problems(), [""; 0]);
    assert_eq!(recording.tasks().count(), 0);
    let waits = waits(&recording);
    assert_eq!(waits.len(), 3);
    for wait in waits {
        assert_eq!(wait.task_id, 0);
        let stack = recording.stack(wait.stack).expect("readable").expect("a stack");
        assert!(stack.frames.len() > 5, "{stack:?}");
    }
}
