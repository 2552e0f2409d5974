//! The words of a file, number by number: they must never change within a version.

use ticks_format::image::Image;
use ticks_format::layout::{Layout, SectionKind, FILE_BYTES_MIN, VERSION};
use ticks_format::marks::thread_begin;
use ticks_format::records::*;
use ticks_format::slot::{narrow, wide};
use ticks_format::*;

const TIME: u64 = 0x0012_3456_789a_bcde;

#[test]
fn a_tick() {
    let slot = narrow(&Ticker { tick: 3 }.into(), TIME).expect("it is narrow");
    assert_eq!(slot, [0x1234_5678_9abc_de01, 3, 0, 0]);
}

/// The seed's `Source::poll_ready:+ dir=0 tick=3 ticks=Some((2, 2))`, with key 5#1, fd 4, waiter 6.
#[test]
fn a_poll() {
    let poll = PollBegin {
        dir: Direction::Read,
        tick: 3,
        ticks: Some(Ticks { a: 2, b: 2 }),
        key: Key::new(5, 1),
        fd: 4,
        waiter: 6,
    };
    // From bit 0: dir 1, tick 40, present 1, a - t 29, b - t 29, index 20, generation 27, fd 20,
    // waiter 16. The differences of -1 are 1, the fd of 4 is 8.
    let bits: u128 = 3 << 1 | 1 << 41 | 1 << 42 | 1 << 71 | 5 << 100 | 1 << 120;
    let slot = narrow(&poll.clone().into(), TIME).expect("it is narrow");
    let third = 8 << (147 - 128) | 6 << (167 - 128);
    let head = TIME << 8 | 9;
    assert_eq!(slot, [head, bits as u64, (bits >> 64) as u64, third]);

    let tick = u64::MAX;
    let slots = wide(&PollBegin { tick, ..poll }.into(), TIME);
    // dir 0, tick of all ones, present, a = 2, b = 2, key, fd, waiter: 1 + 8 + 1 + 16 + 24 bytes.
    assert_eq!(slots[0][0], TIME << 8 | 0x89);
    assert_eq!(slots[0][1], 0xffff_ffff_ff00_0032);
    assert_eq!(slots[0][2], 0x0000_0002_01ff_ffff);
    assert_eq!(slots[0][3], 0x0000_0002_0000_0000);
    assert_eq!(slots[1], [0x1ff, 0x0000_0005_0000_0000, 0x0000_0004_0000_0001, 0x6_0000_0000]);
    assert_eq!(slots[2], [0x2ff, 0, 0, 0]);
    assert_eq!(slots.len(), 3);
}

#[test]
fn a_mark() {
    let slots = thread_begin(4711, "main", TIME);
    assert_eq!(slots[0], [TIME << 8 | 0xf0, 4711 << 16 | 13, 0x006e_6961_6d04 << 16, 0]);
    assert_eq!(slots.len(), 1);
}

#[test]
fn a_header() {
    let layout = Layout::new(FILE_BYTES_MIN);
    let header = Header::new(&layout, 4711, 99);
    let words = header.words();
    assert_eq!(words[..2], [0x0a0d_534b_4349_5489, 0x7265_6472_6f63_6572]);
    assert_eq!(words[2], u64::from(VERSION) | 128 << 32);
    assert_eq!(words[3..9], [1 << 20, 4711, 99, 0, 1_000_000_000, 10]);
    assert_eq!(words[16..20], [1, 4096, 4096, 1]);
    assert_eq!(words[20..24], [2, 8192, 32768, 1]);
    assert_eq!(words[15], 0x44cf_87e0_298d_d7a3);
}

#[test]
fn entries() {
    let anchor = Anchor { counter: 1, utc_ns: 2, monotonic_ns: 3, reactor_ns: None };
    assert_eq!(anchor.words(), [0, 1, 2, 3, u64::MAX, 0, 0, 0]);
    let source = Source {
        key: Key::new(2, 1),
        registered: true,
        fd: 7,
        kind: SourceKind::Tcp,
        local: Address::Ip("1.2.3.4:258".parse().expect("an address")),
        peer: Address::None,
        inode: 88,
        since: 9,
    };
    let words = source.words();
    assert_eq!(words[..7], [0, 0x201, 1 << 32 | 2, 7, 88, 9, 0x01_0204_0302_0101]);
    assert!(words[7..].iter().all(|word| *word == 0));
    let awaited = Awaited::Source {
        key: Key(2),
        fd: 7,
        dir: Direction::Write,
        waiter: 3,
        ticks: Some(Ticks { a: 5, b: 4 }),
    };
    let waiter =
        Waiter { awaited, task: 0xabc, since: 10, place: 8, tid: 11, stack: 12, task_id: 13 };
    let expected = [0, 0x1_0101, 2, 3, 5, 4, 0xabc, 10, 8, 11, 7, 0, 12, 13, 0, 0];
    assert_eq!(waiter.words(), expected);
    let awaited = Awaited::Timer { id: 6, deadline_ns: 12 };
    let timer = Waiter { awaited, ..waiter };
    let expected = [0, 2, 6, 0, 0, 0, 0xabc, 10, 8, 11, 0, 12, 12, 13, 0, 0];
    assert_eq!(timer.words(), expected);
}

#[test]
fn a_task() {
    let task = Task {
        id: 17,
        state: TaskState::Waiting,
        since: 9,
        waker: 0xabc,
        name: 8,
        begun: 5,
        kind: TaskKind::Named,
        parent: 2,
        stack: 33,
        thread: 4711,
        polls: 6,
        polled: 70,
        longest: 40,
        longest_stack: 34,
        wakes: 5,
        last_wake: Some(LastWake {
            by: WokenBy::Source,
            from: 1 << 32 | 4,
            dir: Some(Direction::Write),
            stack: 35,
        }),
        wakers: 2,
        asked_count: 7,
        asked: vec![Asked { stack: 36, poll: 6 }, Asked { stack: 37, poll: 1 }],
    };
    let words = task.words();
    let by = 35 << 32 | 0x201;
    let expected = [0, 0x904, 17, 0xabc, 8, 5, 2, 2, 33, 4711, 6, 70, 40, 34, 5, by];
    assert_eq!(words[..16], expected);
    assert_eq!(words[16..22], [1 << 32 | 4, 2, 7, 6 << 32 | 36, 1 << 32 | 37, 0]);
    assert_eq!(words[22..], [0; 10]);

    let layout = Layout::new(FILE_BYTES_MIN);
    let header = Header::new(&layout, 1, 1);
    let mut image = Image::new(layout, &header, "");
    image.task(3, &task);
    let lost = Task { id: 18, state: TaskState::Lost, wakes: 0, last_wake: None, ..task.clone() };
    image.task(4, &lost);
    image.task(5, &task);
    image.task_gone(5);
    let recording = Recording::open(image).expect("a recording");
    let tasks: Vec<_> = recording.tasks().map(|task| task.expect("readable")).collect();
    assert_eq!(tasks, [Entry::Whole(task), Entry::Whole(lost)]);
}

#[test]
fn a_ring() {
    let layout = Layout::new(FILE_BYTES_MIN);
    let header = Header::new(&layout, 1, 1);
    let section = layout.section(SectionKind::Rings);
    let place = layout.rings[0];
    let mut image = Image::new(layout, &header, "");
    let ring = image.claim(4711, "main", 5).expect("a free ring");
    image.record(ring, &Ticker { tick: 1 }.into(), 6);
    let entry = section.offset as usize / 8;
    let slots = place.offset as usize / 8;
    let words = image.words_mut();
    let expected = [0x101, place.offset, place.slots, 2, 4711, 0, 0, 0, 0x6e69_616d, 0, 0, 0];
    assert_eq!(words[entry..entry + 12], expected);
    assert_eq!(words[slots + 4..slots + 8], [0x601, 1, 0, 0]);
}

#[test]
fn a_stack() {
    let layout = Layout::new(FILE_BYTES_MIN);
    let header = Header::new(&layout, 1, 1);
    let section = layout.section(SectionKind::Stacks);
    let mut image = Image::new(layout, &header, "");
    let outer = Frame { module: 0, address: 0x7fff_0000_1234 };
    let frames = [Frame { module: 0x102, address: 0x1_2345 }, outer];
    assert_eq!(image.stack(&frames, StackEnd::Unknown), 1);
    let at = section.offset as usize / 8;
    let expected = [0, 2 << 32 | 2, 0x0102_0000_0001_2345, 0x7fff_0000_1234, 0];
    assert_eq!(image.words_mut()[at..at + 5], expected);
}

#[test]
fn a_module() {
    let module = Module {
        start: 1,
        end: 2,
        bias: 3,
        path: 4,
        build_id: vec![0xab; 9],
        file_bytes: 5,
        file_mtime_ns: 6,
        since: 7,
    };
    let id = 0xabab_abab_abab_abab;
    assert_eq!(module.words(), [0, 1, 2, 3, 4, 9, id, 0xab, 0, 5, 6, 7, 0, 0, 0, 0]);
}
