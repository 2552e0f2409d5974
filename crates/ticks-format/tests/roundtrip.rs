//! Every record comes back as it was, in either form, by the declarations and by the schema.

mod common;

use common::{samples, Random};
use ticks_format::image::Image;
use ticks_format::layout::{Layout, FILE_BYTES_MIN};
use ticks_format::records::*;
use ticks_format::slot::{decode_narrow, decode_wide, narrow, wide};
use ticks_format::*;

#[test]
fn every_kind_in_the_wide_form() {
    for (record, _) in samples() {
        let slots = wide(&record, 77);
        assert_eq!(decode_wide(&slots).as_ref(), Some(&record));
    }
}

#[test]
fn every_kind_in_the_narrow_form_where_it_fits() {
    let mut wide_only = Vec::new();
    for (record, _) in samples() {
        match narrow(&record, 77) {
            Some(slot) => assert_eq!(decode_narrow(&slot).as_ref(), Some(&record)),
            None => wide_only.push(record.kind()),
        }
    }
    assert_eq!(wide_only, [Kind::SourceNew, Kind::SourceDrop]);
}

/// What a program of a million sources does after a day still takes one slot.
#[test]
fn the_hot_path_is_narrow_with_large_numbers() {
    let tick = 900_000_000_000;
    let (key, fd) = (Key::new(999_999, 100_000_000), 500_000);
    let ticks = Some(Ticks { a: tick - 200_000_000, b: tick - 200_000_001 });
    let (dir, waiter, task) = (Direction::Write, 65_535, 0x7fff_ffff_ffff);
    let hot: [Record; 4] = [
        PollBegin { dir, tick, ticks, key, fd, waiter }.into(),
        PollEnd {
            dir,
            tick,
            ticks,
            result: Verdict::Failed,
            key,
            fd,
            waiter,
            reason: Reason::Error,
            upstream: Some(Verdict::Failed),
        }
        .into(),
        SourceWaker { change: WakerChange::Dropped, dir, key, fd, waiter, task: u64::MAX }.into(),
        Wake {
            task,
            by: WakeCause::Notify,
            key: Some(key),
            dir: Some(dir),
            tick: Some(tick),
            timer: Some(tick),
        }
        .into(),
    ];
    for record in hot {
        let slot = narrow(&record, 1).unwrap_or_else(|| panic!("{record} is wide"));
        assert_eq!(decode_narrow(&slot), Some(record));
    }
}

/// Whatever the values, one of the two forms holds them.
#[test]
fn any_values_come_back() {
    let mut random = Random::new(4);
    for _ in 0..20_000 {
        let (dir, waiter) = (Direction::Write, random.number());
        let (tick, key, fd) = (random.number(), Key(random.number()), random.number() as i64);
        let ticks = random.maybe().map(|a| Ticks { a, b: random.number() });
        let (flags, task) = (random.number() as u32, random.number());
        let (thread, duration_ns) = (random.number(), random.number());
        let records: [Record; 6] = [
            PollBegin { dir, tick, ticks, key, fd, waiter }.into(),
            ReactBegin { tick, timeout_ns: random.maybe(), next_timer_ns: random.maybe() }.into(),
            ReactEvent { tick, key, readable: true, writable: false, fd, flags, wakers: waiter }
                .into(),
            Wake {
                task,
                by: WakeCause::Timer,
                key: random.maybe().map(Key),
                dir: random.maybe().map(|_| dir),
                tick: random.maybe(),
                timer: random.maybe(),
            }
            .into(),
            CtlEnd { op: Op::Del, epoll_fd: fd, fd: -fd.max(-9), event_fd: fd, res: -9 }.into(),
            ParkEnd { thread, duration_ns }.into(),
        ];
        for record in records {
            let back = match narrow(&record, tick) {
                Some(slot) => decode_narrow(&slot),
                None => decode_wide(&wide(&record, tick)),
            };
            assert_eq!(back.as_ref(), Some(&record));
            assert_eq!(decode_wide(&wide(&record, tick)), Some(record));
        }
    }
}

#[test]
fn long_paths_are_cut_at_a_character() {
    let path = format!("/{}", "ü".repeat(200));
    let record = Record::from(SourceNew {
        key: Key(1),
        fd: 1,
        kind: SourceKind::Unix,
        local: Address::Unix(path.as_str().into()),
        peer: Address::Unix(path.as_str().into()),
        inode: u64::MAX,
    });
    let Some(Record::SourceNew(back)) = decode_wide(&wide(&record, 0)) else {
        panic!("the record comes back");
    };
    assert_eq!(back.local, Address::Unix(path[..107].into()));
    assert_eq!(back.local, back.peer);
    assert_eq!(back.inode, u64::MAX);
}

/// The schema alone, without the declarations, gives the same values.
#[test]
fn the_schema_describes_every_record() {
    let layout = Layout::new(FILE_BYTES_MIN);
    let header = Header::new(&layout, 1, 1);
    let mut image = Image::new(layout, &header, "");
    let ring = image.claim(1, "main", 0).expect("a free ring");
    for (time, (record, _)) in samples().iter().enumerate() {
        image.record(ring, record, time as u64);
        image.push(ring, &wide(record, time as u64));
    }
    rename_kinds(&mut image);
    let bytes = image.to_bytes();
    let recording = Recording::open(bytes.as_slice()).expect("a recording");
    let ring = &recording.rings().expect("rings")[0];
    let mut foreign = Vec::new();
    for record in recording.records(ring).expect("records") {
        match record.expect("a record").what {
            What::Foreign(record) => foreign.push(record),
            What::ThreadBegin(_) | What::ThreadEnd(_) => {}
            What::Record(record) => panic!("{record} was read by the declarations"),
        }
    }
    let twice = samples().into_iter().flat_map(|(record, _)| [record.clone(), record]);
    let expected: Vec<_> = twice.map(|record| as_text(&record)).collect();
    let found: Vec<_> = foreign.iter().map(foreign_text).collect();
    assert_eq!(found, expected);
}

/// Gives every kind another id, so that the reader must go by what the file says.
fn rename_kinds(image: &mut Image) {
    let section = image.layout().section(ticks_format::layout::SectionKind::Schema);
    let text = schema_text();
    let text: String = text
        .lines()
        .map(|line| match line.split('\t').collect::<Vec<_>>().as_slice() {
            ["record", code, id, name, target] if !id.starts_with("Thread") => {
                format!("record\t{code}\tTomorrow{id}\t{name}\t{target}\n")
            }
            _ => format!("{line}\textra column\n"),
        })
        .collect();
    let words = ticks_format::tables::text_words(&text, section.len);
    image.words_mut()[section.offset as usize / 8..][..words.len()].copy_from_slice(&words);
}

fn as_text(record: &Record) -> String {
    let mut text = record.kind().name().to_string();
    record.visit(&mut |name, value| {
        let value = match value {
            FieldValue::Unsigned(value) if name == "dir" => {
                Direction::ALL[value as usize].name().to_string()
            }
            FieldValue::Unsigned(value) if name == "key" => Key(value).to_string(),
            FieldValue::Unsigned(value) => value.to_string(),
            FieldValue::Signed(value) => value.to_string(),
            FieldValue::Bool(value) => value.to_string(),
            FieldValue::Name(value) => value.to_string(),
            FieldValue::Text(value) => value.to_string(),
        };
        text += &format!(" {name}={value}");
    });
    text
}

fn foreign_text(record: &Foreign) -> String {
    let mut text = record.name.to_string();
    for (name, value) in &record.fields {
        text += &match value {
            Value::Ticks(ticks) => format!(" ticks_a={} ticks_b={}", ticks.a, ticks.b),
            Value::Address(Address::None) => String::new(),
            Value::Name(value) => format!(" {name}={value}"),
            value => format!(" {name}={value}"),
        };
    }
    text
}
