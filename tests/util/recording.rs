//! Recordings of child processes: where they are and what is in them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use ticks_format::{
    Awaited, Direction, Entry, Loss, Record, Recording, Source, Stamped, Waiter, What,
};

/// Has the command record into `dir`.
pub fn into(command: &mut Command, dir: &Path) {
    command.env("ASYNC_IO_TRACE", dir).env_remove("ASYNC_IO_TRACE_MIB");
}

/// The first file of process `pid`.
pub fn path(dir: &Path, pid: u32) -> PathBuf {
    dir.join(format!("{pid}.ticks"))
}

/// Opens a recording that must be there and undamaged.
#[track_caller]
pub fn open(path: &Path) -> Recording<File> {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let recording =
        Recording::open(file).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(recording.problems(), [""; 0], "{}", path.display());
    recording
}

/// What a thread's ring holds.
pub struct Thread {
    pub tid: u64,
    pub name: String,
    pub records: Vec<Stamped>,
    pub loss: Loss,
    /// How many slots were ever written to the ring.
    pub head: u64,
}

/// All rings with their records, which must all be readable.
#[track_caller]
pub fn rings(recording: &Recording<File>) -> Vec<Thread> {
    let mut rings = Vec::new();
    for ring in recording.rings().expect("the table of rings") {
        let mut reading = recording.records(&ring).expect("a ring");
        let records: Result<Vec<Stamped>, _> = reading.by_ref().collect();
        let (records, loss) = (records.expect("records"), reading.loss());
        assert_eq!((loss.unreadable, loss.unknown), (0, 0), "ring {}", ring.index);
        let name = ring.owner.name.to_string();
        rings.push(Thread { tid: ring.owner.tid, name, records, loss, head: ring.head });
    }
    rings
}

/// The records of a ring without the marks.
pub fn records(ring: &Thread) -> impl Iterator<Item = &Record> {
    ring.records.iter().filter_map(|stamped| match &stamped.what {
        What::Record(record) => Some(record),
        _ => None,
    })
}

/// All records as text, thread after thread.
pub fn lines(recording: &Recording<File>) -> Vec<String> {
    rings(recording).iter().flat_map(|ring| records(ring).map(Record::to_string)).collect()
}

/// How many entries of the tables a writer was at when the process ended.
pub fn torn(recording: &Recording<File>) -> usize {
    let torn_waiters = recording.waiters().filter(|entry| matches!(entry, Ok(Entry::Torn)));
    let torn_sources = recording.sources().filter(|entry| matches!(entry, Ok(Entry::Torn)));
    torn_waiters.count() + torn_sources.count()
}

/// Who waits.
pub fn waiters(recording: &Recording<File>) -> Vec<Waiter> {
    let whole = recording.waiters().filter_map(|entry| match entry.expect("a readable table") {
        Entry::Whole(waiter) => Some(waiter),
        Entry::Torn => None,
    });
    whole.collect()
}

/// What is known of the sources.
pub fn sources(recording: &Recording<File>) -> Vec<Source> {
    let whole = recording.sources().filter_map(|entry| match entry.expect("a readable table") {
        Entry::Whole(source) => Some(source),
        Entry::Torn => None,
    });
    whole.collect()
}

/// The peers of the connections that somebody waits to read from.
pub fn awaited_peers(recording: &Recording<File>) -> Vec<String> {
    let sources = sources(recording);
    let peer = |waiter: Waiter| match waiter.awaited {
        Awaited::Source { key, dir: Direction::Read, .. } => {
            let source = sources.iter().find(|source| source.key == key && source.registered)?;
            Some(source.peer.to_string())
        }
        _ => None,
    };
    waiters(recording).into_iter().filter_map(peer).collect()
}
