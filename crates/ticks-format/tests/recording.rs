//! Recordings as a recorder leaves them: rings that overwrite, threads that come and go, tables.

mod common;

use common::samples;
use ticks_format::image::Image;
use ticks_format::layout::{counter, Layout, SectionKind, FILE_BYTES_MIN, MAGIC};
use ticks_format::records::*;
use ticks_format::slot::RECORD_SLOTS_MAX;
use ticks_format::tables::ring_word;
use ticks_format::*;

fn image() -> Image {
    let layout = Layout::new(FILE_BYTES_MIN);
    let header = Header::new(&layout, 4711, 99);
    let mut image = Image::new(layout, &header, "program=test\nhost=here\n");
    image.anchor(&Anchor {
        counter: 1_000,
        utc_ns: 1_651_603_072_000_000_000,
        monotonic_ns: 1_000,
        reactor_ns: Some(500),
    });
    image
}

fn tick(tick: u64) -> Record {
    Ticker { tick }.into()
}

/// What a ring holds: the thread's name and the tick, or the mark.
fn content(image: &Image, ring: usize) -> (Vec<(String, String)>, Loss) {
    let recording = Recording::open(image).expect("a recording");
    let ring = recording.ring(ring as u64).expect("readable").expect("used");
    let mut records = recording.records(&ring).expect("records");
    let mut content = Vec::new();
    for record in &mut records {
        let Stamped { thread, what, .. } = record.expect("a record");
        let thread = thread.map_or("?".into(), |thread| thread.name.to_string());
        let text = match what {
            What::Record(Record::Ticker(ticker)) => ticker.tick.to_string(),
            What::Record(record) => record.to_string(),
            What::Foreign(record) => record.to_string(),
            What::ThreadBegin(thread) => format!("+{}", thread.tid),
            What::ThreadEnd(thread) => format!("-{}", thread.tid),
        };
        content.push((thread, text));
    }
    (content, records.loss())
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(thread, text): &(&str, &str)| (thread.to_string(), text.to_string());
    expected.iter().map(owned).collect()
}

#[test]
fn records_come_out_as_they_went_in() {
    let mut image = image();
    let ring = image.claim(4711, "main", 1_000).expect("a ring");
    for (index, (record, _)) in samples().iter().enumerate() {
        image.record(ring, record, 2_000 + index as u64);
    }
    let bytes = image.to_bytes();
    let recording = Recording::open(bytes.as_slice()).expect("a recording");
    assert_eq!(recording.problems(), [""; 0]);
    assert_eq!(recording.header().pid, 4711);
    let about = [("program", "test"), ("host", "here")].map(|(n, v)| (n.into(), v.into()));
    assert_eq!(recording.about(), about);
    let rings = recording.rings().expect("rings");
    assert_eq!(rings.len(), 1);
    let records = recording.records(&rings[0]).expect("records");
    let records: Vec<Stamped> = records.map(|record| record.expect("a record")).collect();
    assert!(matches!(&records[0].what, What::ThreadBegin(thread) if thread.tid == 4711));
    for (index, (record, _)) in samples().into_iter().enumerate() {
        let read = &records[index + 1];
        assert_eq!(read.what, What::Record(record));
        assert_eq!(read.time, 2_000 + index as u64);
        assert_eq!(read.thread.as_ref().map(|thread| thread.tid), Some(4711));
    }
    let utc_ns = recording.clock().utc_ns(records[1].time);
    assert_eq!(utc_ns, 1_651_603_072_000_001_000);
}

#[test]
fn the_oldest_is_overwritten_and_the_loss_is_seen() {
    let mut image = image();
    let ring = image.claim(1, "main", 0).expect("a ring");
    let slots = image.layout().rings[ring].slots;
    for number in 1..=3 * slots {
        image.record(ring, &tick(number), number);
    }
    let (content, loss) = content(&image, ring);
    let kept = slots - RECORD_SLOTS_MAX as u64;
    let first = 3 * slots - kept + 1;
    let expected: Vec<_> = (first..=3 * slots).map(|n| ("main".into(), n.to_string())).collect();
    assert_eq!(content, expected);
    // The claim's mark takes one slot too.
    let overwritten = 3 * slots + 1 - kept;
    assert_eq!(loss, Loss { overwritten, ..Loss::default() });
}

/// The process dies with a record half written: the head has not moved, so it is not there.
#[test]
fn a_torn_record_is_not_there() {
    for torn_slots in 1..=RECORD_SLOTS_MAX as u64 {
        let mut image = image();
        let ring = image.claim(1, "main", 0).expect("a ring");
        let place = image.layout().rings[ring];
        for number in 1..=place.slots + 100 {
            image.record(ring, &tick(number), number);
        }
        let head = place.slots + 101;
        for slot in head..head + torn_slots {
            let at = (place.offset / 8 + slot % place.slots * 4) as usize;
            image.words_mut()[at..at + 3].copy_from_slice(&[u64::MAX, 7, 0x8181_8181]);
        }
        let (content, loss) = content(&image, ring);
        assert_eq!(loss.unreadable, 0);
        let last = (place.slots + 100).to_string();
        assert_eq!(content.last(), Some(&("main".into(), last)));
        assert_eq!(content.len() as u64, place.slots - RECORD_SLOTS_MAX as u64);
    }
}

/// Wide records everywhere, at every alignment to the ring's end.
#[test]
fn wide_records_go_around_the_end() {
    for shift in 0..13 {
        let mut image = image();
        let ring = image.claim(1, "main", 0).expect("a ring");
        for number in 0..shift {
            image.record(ring, &tick(number), number);
        }
        let source = samples().into_iter().find(|(r, _)| r.kind() == Kind::SourceNew);
        let (source, _) = source.expect("a SourceNew");
        let slots = image.layout().rings[ring].slots;
        for number in 0..slots {
            image.record(ring, &source, number);
        }
        let (content, loss) = content(&image, ring);
        assert_eq!(loss.unreadable, 0, "shifted by {shift}");
        assert!(content.len() as u64 > slots / 4);
        assert!(content.iter().all(|(_, text)| *text == source.to_string()));
    }
}

#[test]
fn a_returned_ring_keeps_its_records_and_their_threads() {
    let mut image = image();
    let rings: Vec<_> = std::iter::from_fn(|| image.claim(1, "first", 0)).collect();
    assert_eq!(rings.len(), image.layout().rings.len());
    image.record(rings[3], &tick(10), 10);
    image.give_back(rings[5], 1, "first", 20);
    image.give_back(rings[3], 1, "first", 10);
    assert_eq!(image.claim(2, "second", 30), Some(rings[3]), "returned longest ago");
    image.record(rings[3], &tick(31), 31);
    let (found, _) = content(&image, rings[3]);
    let expected =
        [("first", "+1"), ("first", "10"), ("first", "-1"), ("second", "+2"), ("second", "31")];
    assert_eq!(found, pairs(&expected));
    let bytes = image.to_bytes();
    let recording = Recording::open(bytes.as_slice()).expect("a recording");
    assert_eq!(recording.counter(counter::UNRECORDED).expect("readable"), 1);
}

/// The first thread's own mark is overwritten: its end still names it.
#[test]
fn a_thread_is_known_by_its_end() {
    let mut image = image();
    let rings: Vec<_> = std::iter::from_fn(|| image.claim(1, "first", 0)).collect();
    let ring = *rings.last().expect("many rings");
    let slots = image.layout().rings[ring].slots;
    for number in 0..slots {
        image.record(ring, &tick(number), number);
    }
    image.give_back(ring, 1, "first", slots);
    image.claim(2, "second", slots).expect("the returned one");
    image.record(ring, &tick(7), slots);
    let (found, _) = content(&image, ring);
    let tail = [("first", "-1"), ("second", "+2"), ("second", "7")];
    assert_eq!(found[found.len() - 3..], pairs(&tail));
    assert!(found[..found.len() - 3].iter().all(|(thread, _)| thread == "first"));
    // Once that end is overwritten too, all is the second's.
    for number in 0..slots {
        image.record(ring, &tick(number), number);
    }
    let (found, _) = content(&image, ring);
    assert!(found.iter().all(|(thread, _)| thread == "second"));
}

/// A thread that was killed left no end; the next one's mark says nothing of it.
#[test]
fn a_thread_without_marks_is_unknown() {
    let mut image = image();
    let ring = image.claim(1, "first", 0).expect("a ring");
    let slots = image.layout().rings[ring].slots;
    for number in 0..slots {
        image.record(ring, &tick(number), number);
    }
    let section = image.layout().section(SectionKind::Rings);
    let rings = image.layout().rings.len();
    for other in 0..rings {
        // Everyone else's ring is taken, this one free.
        let state = if other == ring { ring_word::FREE } else { ring_word::OWNED };
        let entry = (section.offset / 8) as usize + other * 16;
        image.words_mut()[entry + ring_word::STATE] = state;
    }
    image.claim(2, "second", 1).expect("the freed one");
    let (found, _) = content(&image, ring);
    assert_eq!(found[0].0, "?");
    assert_eq!(found.last(), Some(&("second".into(), "+2".into())));
}

#[test]
fn tables_say_who_waits() {
    let mut image = image();
    let source = Source {
        key: Key::new(3, 1),
        registered: true,
        fd: 9,
        kind: SourceKind::Tcp,
        local: Address::Ip("127.0.0.1:4001".parse().expect("an address")),
        peer: Address::Unix("/run/".to_string().repeat(21).as_str().into()),
        inode: 88,
        since: 1_000,
    };
    image.source(&source);
    let place = image.place("src/main.rs:12:5");
    assert_eq!(image.place(&"x".repeat(100_000)), 0, "no room");
    assert_eq!(image.place("lost"), 0, "no room any more");
    let awaited = Awaited::Source {
        key: source.key,
        fd: 9,
        dir: Direction::Read,
        waiter: 0,
        ticks: Some(Ticks { a: 2, b: 0 }),
    };
    let waiter = Waiter { awaited, task: 1, since: 2, place, tid: 3, stack: 0, task_id: 0 };
    let awaited = Awaited::Timer { id: 4, deadline_ns: 700 };
    let timer = Waiter { awaited, place: 0, ..waiter };
    image.waiter(0, &timer);
    image.waiter(0, &waiter);
    image.waiter(200, &timer);
    image.waiter(201, &timer);
    image.waiter_gone(201);
    image.waiter(1_000_000, &timer);
    let bytes = image.to_bytes();
    let recording = Recording::open(bytes.as_slice()).expect("a recording");
    let sources: Vec<_> = recording.sources().map(|entry| entry.expect("readable")).collect();
    assert_eq!(sources, [Entry::Whole(source)]);
    let waiters: Vec<_> = recording.waiters().map(|entry| entry.expect("readable")).collect();
    assert_eq!(waiters, [Entry::Whole(waiter), Entry::Whole(timer)]);
    let text = recording.place(place).expect("readable");
    assert_eq!(text.as_deref(), Some("src/main.rs:12:5"));
    let left_out = recording.counter(counter::WAITERS_LEFT_OUT);
    assert_eq!(left_out.expect("readable"), 1);
    assert_eq!(recording.place(0).expect("readable"), None);
    assert_eq!(recording.place(u64::MAX).expect("readable"), None);
    let due = recording.clock().reactor_to_utc_ns(700);
    assert_eq!(due, Some(1_651_603_072_000_000_200));
}

/// The process died while writing an entry: its sequence is odd for ever.
#[test]
fn a_torn_entry_is_recognised() {
    let mut image = image();
    let awaited = Awaited::Timer { id: 4, deadline_ns: 700 };
    let waiter = Waiter { awaited, task: 1, since: 2, place: 0, tid: 3, stack: 0, task_id: 0 };
    image.waiter(0, &waiter);
    image.waiter(1, &waiter);
    let entry = image.layout().section(SectionKind::Waiters).offset as usize / 8;
    image.words_mut()[entry] += 1;
    let bytes = image.to_bytes();
    let recording = Recording::open(bytes.as_slice()).expect("a recording");
    let waiters: Vec<_> = recording.waiters().map(|entry| entry.expect("readable")).collect();
    assert_eq!(waiters, [Entry::Torn, Entry::Whole(waiter)]);
}

#[test]
fn clocks_drift_and_wrap() {
    let anchor = |counter, utc_ns| Anchor { counter, utc_ns, ..Anchor::default() };
    // 3 GHz by the header, but 2 % slow between the anchors.
    let clock = Clock::new(vec![anchor(6_060, 3_000), anchor(3_000, 2_000)], 3_000_000_000);
    assert_eq!(clock.utc_ns(3_000), 2_000);
    assert_eq!(clock.utc_ns(3_000 + 306), 2_100);
    assert_eq!(clock.utc_ns(6_060 + 300), 3_100);
    assert_eq!(clock.utc_ns(2_700), 1_900);
    assert_eq!(clock.utc_ns(0), 1_000);
    assert_eq!(clock.duration_ns(300), 100);

    let span = 1 << 56;
    let clock = Clock::new(vec![anchor(5 * span + 10, 0)], 1);
    assert_eq!(clock.whole(11), 5 * span + 11);
    assert_eq!(clock.whole(span - 1), 5 * span - 1, "before the last wrap");
    let clock = Clock::new(vec![anchor(6 * span - 10, 0)], 1);
    assert_eq!(clock.whole(3), 6 * span + 3, "after the next wrap");
    let clock = Clock::new(vec![anchor(u64::MAX, u64::MAX)], 1);
    assert_eq!(clock.utc_ns(u64::MAX), u64::MAX);
    assert_eq!(clock.utc_ns(0), 0);
}

/// A ring that is read while its writer overtakes the reader.
#[test]
fn a_live_ring_loses_what_was_overwritten_meanwhile() {
    use std::cell::RefCell;
    use std::io;

    struct Live(RefCell<(Image, usize, u32)>);
    impl ReadAt for Live {
        fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
            let (image, ring, reads) = &mut *self.0.borrow_mut();
            let place = image.layout().rings[*ring];
            if offset >= place.offset {
                *reads += 1;
                // The writer runs on by half the ring at the first reading of slots.
                if *reads == 1 {
                    for number in 0..place.slots / 2 {
                        image.record(*ring, &tick(1_000_000 + number), number);
                    }
                }
            }
            image.read_at(offset, into)
        }

        fn len_bytes(&self) -> io::Result<u64> {
            Ok(self.0.borrow().0.layout().file_bytes)
        }
    }

    let mut image = image();
    let rings: Vec<_> = std::iter::from_fn(|| image.claim(1, "main", 0)).take(5).collect();
    let ring = rings[4];
    let slots = image.layout().rings[ring].slots;
    for number in 0..2 * slots {
        image.record(ring, &tick(number), number);
    }
    let live = Live(RefCell::new((image, ring, 0)));
    let recording = Recording::open(live).expect("a recording");
    let ring = recording.ring(ring as u64).expect("readable").expect("used");
    let mut records = recording.records(&ring).expect("records");
    let ticks: Vec<u64> = (&mut records)
        .map(|record| match record.expect("a record").what {
            What::Record(Record::Ticker(ticker)) => ticker.tick,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ticks.last(), Some(&(2 * slots - 1)));
    assert!(ticks.windows(2).all(|pair| pair[1] == pair[0] + 1), "{ticks:?}");
    assert_eq!(records.loss().overwritten + ticks.len() as u64, 2 * slots + 1);
    // And what was added is what follows.
    let position = records.position();
    let ring = recording.ring(ring.index).expect("readable").expect("used");
    let more = recording.records_from(&ring, position).expect("records");
    assert_eq!(more.count() as u64, slots / 2);
}

#[test]
fn a_recording_is_found_within_other_bytes() {
    let image = image();
    let mut bytes = vec![0xaa; 4096];
    bytes.extend(image.to_bytes());
    let magic = MAGIC[0].to_le_bytes();
    let at = bytes.windows(8).position(|window| window == magic).expect("the magic");
    let recording = Recording::open_at(bytes.as_slice(), at as u64).expect("a recording");
    assert_eq!(recording.about().len(), 2);
}

#[test]
fn the_other_byte_order_is_read_too() {
    let mut image = image();
    let ring = image.claim(1, "main", 0).expect("a ring");
    image.record(ring, &tick(8), 1);
    let swapped: Vec<u8> = image.words_mut().iter().flat_map(|word| word.to_be_bytes()).collect();
    let recording = Recording::open(swapped).expect("a recording");
    assert_eq!(recording.about()[0].1, "test");
    let ring = recording.ring(ring as u64).expect("readable").expect("used");
    let records: Vec<_> = recording.records(&ring).expect("records").collect();
    assert_eq!(records.len(), 2);
}

/// A kind of a later version: shown if the file describes it, passed over and counted if not.
#[test]
fn kinds_of_tomorrow() {
    let mut image = image();
    let ring = image.claim(1, "main", 0).expect("a ring");
    image.push(ring, &[[5 << 8 | 100, 0x7b << 1 | 1, 0, 0]]);
    image.push(ring, &[[6 << 8 | 101, 1, 2, 3]]);
    let wide = [[7 << 8 | 0x80 | 101, 30, 0, 0], [1 << 8 | 0xff, 0, 0, 0]];
    image.push(ring, &wide);
    image.record(ring, &tick(9), 8);
    let section = image.layout().section(SectionKind::Schema);
    let text = schema_text()
        + "record\t100\tSleep\tsleep:+-\tasync_io::tomorrow\nfield\tdepth\tu64?\t63\tm\n\
           quark\tup\tdown\n";
    let words = ticks_format::tables::text_words(&text, section.len);
    image.words_mut()[section.offset as usize / 8..][..words.len()].copy_from_slice(&words);
    let (content, loss) = content(&image, ring);
    let texts: Vec<_> = content.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, ["+1", "sleep:+- depth=123", "9"]);
    assert_eq!(loss.unknown, 2);
    assert_eq!(loss.unreadable, 0);
}

/// Of the longest recording `ticks who` took minutes: each of its tables was of 32 GiB, and had to be read.
#[test]
fn tables_of_long_files_are_read_at_once() {
    use ticks_format::layout::FILE_BYTES_MAX;
    let layout = Layout::new(FILE_BYTES_MAX);
    for kind in [SectionKind::Sources, SectionKind::Waiters] {
        let section = layout.section(kind);
        assert!((100_000..=1 << 28).contains(&section.len), "{section:?}");
    }
    let rings: u64 = layout.rings.iter().map(|ring| ring.slots * 32).sum();
    assert!(rings > FILE_BYTES_MAX / 100 * 99);

    /// As long as it says, and nothing in it but the header.
    struct Hole(Vec<u8>, std::cell::Cell<u64>);
    impl ReadAt for Hole {
        fn read_at(&self, offset: u64, into: &mut [u8]) -> std::io::Result<usize> {
            self.1.set(self.1.get() + 1);
            into.fill(0);
            let there = self.0.get(offset as usize..).unwrap_or_default();
            into.iter_mut().zip(there).for_each(|(to, from)| *to = *from);
            Ok(into.len())
        }

        fn len_bytes(&self) -> std::io::Result<u64> {
            Ok(u64::MAX)
        }
    }
    let mut header = Header::new(&layout, 1, 1);
    header.file_bytes = u64::MAX;
    for section in &mut header.sections {
        if section.kind == SectionKind::Waiters as u64 {
            section.len = u64::MAX - section.offset;
        }
    }
    let bytes = header.words().iter().flat_map(|word| word.to_le_bytes()).collect();
    let recording = Recording::open(Hole(bytes, Default::default())).expect("a recording");
    assert_eq!(recording.waiters().count(), 0);
    assert!(recording.file().1.get() < 1 << 15, "{}", recording.file().1.get());
}

/// A machine started with a clock that was an hour ahead, and set it right while the program ran: what came
/// later was shown as earlier, between records of before, and a wait across it took no time or for ever.
#[test]
fn time_goes_on_where_utc_was_set_back() {
    const S: u64 = 1_000_000_000;
    let anchor = |s: u64, utc_s: u64| Anchor {
        counter: s * S,
        utc_ns: utc_s * S,
        monotonic_ns: s * S,
        reactor_ns: None,
    };
    let clock = |anchors: &[Anchor]| Clock::new(anchors.to_vec(), S);
    let anchors = [anchor(0, 9_600), anchor(10, 9_610), anchor(20, 6_020), anchor(30, 6_030)];
    let times = |clock: &Clock| [0, 5, 10, 15, 20, 25, 35].map(|s| clock.utc_ns(s * S) / S);
    assert_eq!(times(&clock(&anchors)), [6_000, 6_005, 6_010, 6_015, 6_020, 6_025, 6_035]);
    let twice = [anchor(0, 9_000), anchor(10, 8_010), anchor(20, 6_020)];
    assert_eq!(times(&clock(&twice))[..5], [6_000, 6_005, 6_010, 6_015, 6_020]);
    // It slept for an hour, or was slewed: both as they were said.
    let slept = [anchor(0, 6_000), anchor(10, 9_610)];
    assert_eq!(clock(&slept).anchors(), slept);
    let slewed = [anchor(0, 6_000), Anchor { utc_ns: 6_009_500_000_000, ..anchor(10, 0) }];
    assert_eq!(clock(&slewed).anchors(), slewed);
}
