//! Starting the recorder: once, when the process first uses its reactor.

use std::io;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use ticks_format::layout::{counter, Layout, SectionKind, HEADER_WORDS};
use ticks_format::tables::{ring_word, text_words};
use ticks_format::{schema_text, Header};

use super::anchors::Anchors;
use super::current::{self, Recorder, OFF, ON, STARTING, STATE, UNTRIED};
use super::file::{cannot_fill, make_dir, Unnamed};
use super::map::Map;
use super::names::Names;
use super::places::Places;
use super::settings::{self, Settings};
use super::stacks::{self, Stacks};
use super::vacancies::Vacancies;
use super::{about, admission, stamp, system};
use crate::client::Client;
use crate::forks;
use crate::warn::{warn_once, Warning};

/// Whether what the client does is recorded. The first call in a process finds out, and starts the
/// recorder.
#[inline]
pub fn listens(client: &'static Client) -> bool {
    match STATE.load(Ordering::Relaxed) {
        ON => admission::admits(client),
        OFF => false,
        _ => start(client) && admission::admits(client),
    }
}

#[cold]
fn start(client: &Client) -> bool {
    let (from, to) = (UNTRIED, STARTING);
    if STATE.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).is_err() {
        return wait_for_start();
    }
    let started = settings::get().map(|settings| make(settings, client));
    if let Some(Err(why)) = &started {
        warn_once(Warning::Off, format_args!("ASYNC_IO_TRACE: {why}; nothing is recorded"));
    }
    let is_on = matches!(started, Some(Ok(())));
    STATE.store(if is_on { ON } else { OFF }, Ordering::Relaxed);
    is_on
}

/// How long a thread waits for another one to start the recorder: far longer than that takes, but not
/// for ever. In a child that was forked at that moment, the other thread does not exist.
const START_LIMIT: Duration = Duration::from_secs(5);

/// Another thread is starting the recorder. Wait for it: a wait that began unrecorded would never get
/// into the table, and it may last for ever.
#[cold]
fn wait_for_start() -> bool {
    let begun = Instant::now();
    loop {
        match STATE.load(Ordering::Relaxed) {
            STARTING if begun.elapsed() < START_LIMIT => thread::sleep(Duration::from_micros(100)),
            STARTING => {
                // Give up for good, because each round would wait as long. If the other thread finishes
                // after all, it stores `ON`.
                let (from, to) = (STARTING, OFF);
                let _ = STATE.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed);
                return false;
            }
            state => return state == ON,
        }
    }
}

/// Makes the file and the recorder that writes to it.
fn make(settings: &Settings, client: &Client) -> Result<(), String> {
    if !forks::watch() {
        return Err("no memory to watch for forks".to_owned());
    }
    let first = stamp::begin();
    let layout = Layout::new(settings.file_bytes);
    let (dir, len) = (&settings.dir, layout.file_bytes);
    make_dir(dir)?;
    let unnamed = Unnamed::create(dir, len)?;
    let filled = |error| cannot_fill(dir, len, &error);
    let map = Map::new(&unnamed.file, len as usize).map_err(filled)?;
    let fixed = layout.section(SectionKind::Sources).offset;
    if !map.reserve_all(0, fixed as usize) {
        return Err(filled(io::Error::from_raw_os_error(system::NO_ROOM)));
    }
    fill(&map, &layout, &about::text(client.version, settings.stacks));
    let (counter, units_per_second, second) = stamp::calibrate(&first);
    let anchors = layout.section(SectionKind::Anchors);
    let anchors = Anchors::new(&map, anchors, &first, &second, units_per_second);
    let process_start = system::process_start();
    let mut header = Header::new(&layout, std::process::id().into(), process_start);
    (header.counter, header.units_per_second) = (counter, units_per_second);
    seal(&map, &header);
    unnamed.publish(dir, process_start)?;
    let places = Places::new(layout.section(SectionKind::Strings));
    let section = |kind| layout.section(kind);
    let recorder = Box::new(Recorder {
        stacks: Stacks::new(&layout, settings.stacks, units_per_second),
        map,
        rings: section(SectionKind::Rings),
        sources: section(SectionKind::Sources),
        waiters: section(SectionKind::Waiters),
        vacancies: Vacancies::new(section(SectionKind::Tasks).entries() as usize),
        tasks: section(SectionKind::Tasks),
        names: Names::default(),
        anchors,
        places,
    });
    stacks::begin(&recorder);
    current::set(recorder);
    current::watch_end();
    Ok(())
}

/// The texts and the places of the rings.
fn fill(map: &Map, layout: &Layout, about: &str) {
    for (kind, text) in [(SectionKind::About, about), (SectionKind::Schema, &schema_text())] {
        let section = layout.section(kind);
        let words = map.words(section.offset as usize, section.len as usize);
        for (word, value) in words.iter().zip(text_words(text, section.len)) {
            word.store(value, Ordering::Relaxed);
        }
    }
    let section = layout.section(SectionKind::Rings);
    for (index, place) in layout.rings.iter().enumerate() {
        let offset = section.offset + index as u64 * section.entry_bytes;
        let entry = map.words(offset as usize, section.entry_bytes as usize);
        entry[ring_word::OFFSET].store(place.offset, Ordering::Relaxed);
        entry[ring_word::SLOTS].store(place.slots, Ordering::Relaxed);
    }
    // The first string's place must not be 0, which says that there is none; nor the first stack's.
    map.header(counter::STRINGS_TAKEN).store(8, Ordering::Relaxed);
    map.header(counter::STACKS_TAKEN).store(8, Ordering::Relaxed);
}

/// The header, and the magic when all else is in place.
fn seal(map: &Map, header: &Header) {
    let words = header.words();
    for (word, value) in words.iter().enumerate().take(HEADER_WORDS).skip(2) {
        map.header(word).store(*value, Ordering::Relaxed);
    }
    map.header(1).store(words[1], Ordering::Release);
    map.header(0).store(words[0], Ordering::Release);
}
