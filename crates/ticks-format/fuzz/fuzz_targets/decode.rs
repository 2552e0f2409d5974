//! No bytes make the reader panic, read for ever, or find more than the file has room for.
//!
//! The first byte chooses: the bytes as a file as they are, or written over a valid recording at
//! places that the bytes name, so that what lies behind the header's checksum is reached too.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ticks_format::image::Image;
use ticks_format::layout::{Layout, FILE_BYTES_MIN};
use ticks_format::stacks::{BUILD_ID_MAX, FRAMES_MAX};
use ticks_format::{Anchor, Entry, Header, Recording};

fuzz_target!(|data: &[u8]| {
    let Some((choice, data)) = data.split_first() else {
        return;
    };
    if choice % 2 == 0 {
        read_all(data);
    } else {
        read_all(&written_over(data));
    }
});

fn written_over(data: &[u8]) -> Vec<u8> {
    let layout = Layout::new(FILE_BYTES_MIN);
    let mut image = Image::new(layout.clone(), &Header::new(&layout, 1, 1), "");
    image.anchor(&Anchor::default());
    image.claim(1, "main", 0);
    let words = image.words_mut();
    for patch in data.chunks_exact(12) {
        let place = u32::from_le_bytes(patch[..4].try_into().expect("four bytes"));
        let value = u64::from_le_bytes(patch[4..].try_into().expect("eight bytes"));
        let at = 128 + place as usize % (words.len() - 128);
        words[at] = value;
    }
    image.to_bytes()
}

fn read_all(bytes: &[u8]) {
    let Ok(recording) = Recording::open(bytes) else {
        return;
    };
    let mut count = 0;
    for ring in recording.rings().expect("memory is readable") {
        let Ok(records) = recording.records(&ring) else {
            continue;
        };
        for record in records {
            let record = record.expect("memory is readable");
            recording.clock().utc_ns(record.time);
            count += 1;
        }
    }
    assert!(count <= bytes.len() / 32);
    for task in recording.tasks() {
        let Entry::Whole(task) = task.expect("memory is readable") else { continue };
        recording.place(task.name).expect("memory is readable");
        for asked in task.asked {
            recording.stack(asked.stack).expect("memory is readable");
        }
    }
    for waiter in recording.waiters() {
        waiter.expect("memory is readable");
    }
    for source in recording.sources() {
        source.expect("memory is readable");
    }
    for number in 0..64 {
        let module = recording.module(number).expect("memory is readable");
        assert!(module.map_or(0, |module| module.build_id.len()) <= BUILD_ID_MAX);
        let stack = recording.stack(u64::from(number)).expect("memory is readable");
        let frames = stack.map_or(0, |stack| stack.frames.len());
        assert!(frames <= FRAMES_MAX && 8 * frames <= bytes.len());
    }
}
