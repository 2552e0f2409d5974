//! Files that are cut off, overwritten, or made to harm: no panic, no endless reading, and an error
//! that says where.

mod common;

use common::{samples, Random};
use ticks_format::image::Image;
use ticks_format::layout::{Layout, FILE_BYTES_MIN};
use ticks_format::*;

fn image() -> Image {
    let layout = Layout::new(FILE_BYTES_MIN);
    let header = Header::new(&layout, 1, 1);
    let mut image = Image::new(layout, &header, "program=test\n");
    image.anchor(&Anchor::default());
    for tid in 1..4 {
        let ring = image.claim(tid, "thread", tid).expect("a ring");
        for round in 0..20 {
            for (record, _) in samples() {
                image.record(ring, &record, round);
            }
        }
    }
    let place = image.place("src/lib.rs:1:1");
    let awaited = Awaited::Timer { id: 1, deadline_ns: 2 };
    for index in 0..50 {
        image.waiter(
            index,
            &Waiter { awaited, task: 1, since: 1, place, tid: 1, stack: 0, task_id: 0 },
        );
    }
    let stack = image.stack(&[Frame { module: 1, address: 2 }], StackEnd::Whole);
    for id in 1..50 {
        let asked = vec![Asked { stack, poll: 1 }];
        image.task(
            id,
            &Task {
                id,
                state: TaskState::Waiting,
                since: 3,
                waker: 0x70,
                name: place,
                begun: 1,
                kind: TaskKind::Spawned,
                parent: id - 1,
                stack,
                thread: 1,
                polls: 1,
                polled: 2,
                longest: 2,
                longest_stack: stack,
                wakes: 0,
                last_wake: None,
                wakers: 1,
                asked_count: 1,
                asked,
            },
        );
    }
    image
}

/// Reads everything there is, and says how many records that were.
fn read_all(bytes: &[u8]) -> Result<usize, Error> {
    let recording = Recording::open(bytes)?;
    let mut count = 0;
    for ring in recording.rings()? {
        let Ok(records) = recording.records(&ring) else {
            continue;
        };
        for record in records {
            record?;
            count += 1;
        }
    }
    for waiter in recording.waiters() {
        if let Entry::Whole(waiter) = waiter? {
            recording.place(waiter.place)?;
        }
    }
    for task in recording.tasks() {
        if let Entry::Whole(task) = task? {
            recording.place(task.name)?;
            for asked in task.asked {
                recording.stack(asked.stack)?;
            }
        }
    }
    recording.sources().try_for_each(|source| source.map(|_| ()))?;
    Ok(count)
}

/// As many records as there are slots can be read, and no more.
fn bound(bytes: &[u8]) -> usize {
    bytes.len() / 32
}

#[test]
fn cut_off_anywhere() {
    let image = image();
    let bytes = image.to_bytes();
    let whole = read_all(&bytes).expect("a whole file");
    for len in [0, 1, 7, 16, 1023] {
        let error = read_all(&bytes[..len]).expect_err("there is no header");
        let expected =
            format!("at byte {len}: expected a header of 1024 bytes, found the file's end");
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.offset(), Some(len as u64));
    }
    let slots = image.layout().rings[0].offset as usize;
    for len in [1024, 4096, 5000, slots, slots + 100, slots + 3_200, bytes.len() - 1] {
        let found = read_all(&bytes[..len]).unwrap_or_else(|error| panic!("{len}: {error}"));
        assert!(found <= whole);
        let recording = Recording::open(&bytes[..len]).expect("the header is there");
        let problem = &recording.problems()[0];
        assert!(problem.contains(&format!("expected {} bytes, found {len}", bytes.len())));
    }
    assert!(read_all(&bytes[..slots + 3_200]).expect("readable") >= 50);
    assert_eq!(read_all(&bytes[..slots]).expect("readable"), 0);
}

#[test]
fn what_is_not_a_recording_is_refused() {
    let error = read_all(&[b'x'; 4096]).expect_err("it is no recording");
    let text = error.to_string();
    assert!(text.starts_with("at byte 0: expected a recording, which begins with"), "{text}");
    assert!(text.ends_with("found \"xxxxxxxxxxxxxxxx\""), "{text}");

    let mut image = image();
    image.words_mut()[2] += 1;
    let error = read_all(&image.to_bytes()).expect_err("it is of tomorrow");
    assert_eq!(error.to_string(), "at byte 16: expected version 1, found version 2");
    image.words_mut()[2] -= 1;
    image.words_mut()[5] ^= 1;
    let error = read_all(&image.to_bytes()).expect_err("the checksum differs");
    assert!(error.to_string().starts_with("at byte 120: expected checksum 0x"));
}

/// Whole words of the tables and rings become anything.
#[test]
fn words_that_lie() {
    let mut random = Random::new(1);
    let image = image();
    for _ in 0..40 {
        let mut image = image.clone();
        let count = image.words_mut().len();
        for _ in 0..200 {
            let at = match random.below(3) {
                0 => 128 + random.below(12_000),
                1 => 5_000 + random.below(1_500),
                _ => 128 + random.below(count - 128),
            };
            image.words_mut()[at] = random.number();
        }
        let bytes = image.to_bytes();
        let found = read_all(&bytes).expect("the header still stands");
        assert!(found <= bound(&bytes));
    }
}

/// The header lies, and its checksum with it.
#[test]
fn a_header_that_lies() {
    let mut random = Random::new(2);
    let image = image();
    let bytes = image.to_bytes();
    let layout = image.layout().clone();
    for _ in 0..40 {
        let mut header = Header::new(&layout, 1, 1);
        header.file_bytes = random.number();
        header.units_per_second = random.number();
        for section in &mut header.sections {
            match random.below(6) {
                0 => section.offset = random.number(),
                1 => section.len = random.number(),
                2 => section.entry_bytes = random.number(),
                3 => section.kind = random.number() % 10,
                _ => {}
            }
        }
        let mut bytes = bytes.clone();
        for (at, word) in header.words().into_iter().enumerate() {
            bytes[8 * at..8 * at + 8].copy_from_slice(&word.to_le_bytes());
        }
        let found = read_all(&bytes).expect("the header stands");
        assert!(found <= bound(&bytes));
    }
}

/// One bad record costs itself, not its neighbours.
#[test]
fn damage_is_local_and_counted() {
    let mut image = image();
    let whole = read_all(&image.to_bytes()).expect("a whole file");
    let slots = image.layout().rings[0].offset as usize / 8;
    // The kind is described, its value not: Reason 15, in a PollEnd. And a slot of nothing.
    let poll_end = (0..100).find(|slot| image.words_mut()[slots + 4 * slot] as u8 == 10);
    let poll_end = slots + 4 * poll_end.expect("a PollEnd");
    image.words_mut()[poll_end + 3] = u64::MAX;
    image.words_mut()[poll_end + 4] = 0;
    let bytes = image.to_bytes();
    let recording = Recording::open(bytes.as_slice()).expect("a recording");
    let ring = &recording.rings().expect("rings")[0];
    let mut records = recording.records(ring).expect("records");
    let foreign = (&mut records)
        .filter(|record| matches!(record, Ok(Stamped { what: What::Foreign(_), .. })))
        .count();
    assert_eq!((foreign, records.loss().unreadable), (1, 1));
    assert_eq!(read_all(&bytes).expect("readable"), whole - 1);
}
