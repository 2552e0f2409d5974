//! A snapshot as a recording: tables, a clock, and no records.

use std::fs::File;
use std::path::Path;

use ticks_format::image::Image;
use ticks_format::layout::{Layout, SectionKind, FILE_BYTES_MIN, PAGE_BYTES};
use ticks_format::published::reactor as word;
use ticks_format::tables::string_bytes;
use ticks_format::{Anchor, Header, Recording, Source, Task};

use super::earlier::Earlier;
use super::tables::Table;
use super::tasks::Tasks;
use super::{Look, Origin};
use crate::process;
use crate::temporary::Temporary;

/// The moment of a snapshot by each clock.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub utc_ns: u64,
    /// The counter of a snapshot's times.
    pub monotonic_ns: u64,
    reactor_ns: u64,
}

impl Moment {
    /// The table has a moment by each clock; a live process is of the system whose monotonic clock is at hand, a core
    /// dump was written at some time by UTC.
    pub fn of(table: &Table, utc_ns: u64, origin: &Origin) -> Moment {
        let [then_utc, then_monotonic, then_reactor] =
            [word::UTC_NS, word::MONOTONIC_NS, word::REACTOR_NS].map(|word| table.get(word));
        let since_ns = match (origin, monotonic_ns()) {
            (Origin::Process(_), Some(now)) => now.saturating_sub(then_monotonic),
            _ => utc_ns.saturating_sub(then_utc),
        };
        Moment {
            utc_ns,
            monotonic_ns: then_monotonic.saturating_add(since_ns),
            reactor_ns: then_reactor.saturating_add(since_ns),
        }
    }
}

#[cfg(target_os = "linux")]
fn monotonic_ns() -> Option<u64> {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).ok()?;
    Some(seconds * 1_000_000_000 + u64::try_from(now.tv_nsec).ok()?)
}

#[cfg(not(target_os = "linux"))]
fn monotonic_ns() -> Option<u64> {
    None
}

/// Writes it into a file that nobody else sees, and opens that.
pub fn recording(
    pid: u32,
    program: Option<&Path>,
    moment: &Moment,
    sources: &[Source],
    look: &Look,
    earlier: &Earlier,
) -> anyhow::Result<Recording<File>> {
    let tasks = &look.tasks;
    let layout = layout(sources, tasks);
    let mut header = Header::new(&layout, pid.into(), process::start(pid).unwrap_or(0));
    header.units_per_second = 1_000_000_000;
    let mut about = format!("os=linux\nsnapshot=round {}\n", look.reactor.tick);
    if let Some(program) = program {
        about += &format!("program={}\n", program.display());
    }
    let mut image = Image::new(layout, &header, &about);
    image.anchor(&Anchor {
        counter: moment.monotonic_ns,
        utc_ns: moment.utc_ns,
        monotonic_ns: moment.monotonic_ns,
        reactor_ns: Some(moment.reactor_ns),
    });
    sources.iter().for_each(|source| image.source(source));
    let mut places = std::collections::HashMap::new();
    let ages = earlier.since_of_all(look, moment.monotonic_ns);
    for ((named, since), index) in tasks.tasks.iter().zip(ages).zip(0..) {
        let name = *places.entry(&named.name).or_insert_with(|| image.place(&named.name));
        image.task(index, &Task { name, since, begun: since, ..named.task.clone() });
    }
    for (waiter, index) in tasks.waiters.iter().zip(0..) {
        let mut waiter = *waiter;
        waiter.since = earlier.since_waits(&waiter).unwrap_or(moment.monotonic_ns);
        image.waiter(index, &waiter);
    }
    Ok(Recording::open(file(&image)?)?)
}

/// Room for exactly these, and no rings.
fn layout(sources: &[Source], tasks: &Tasks) -> Layout {
    let mut layout = Layout::new(FILE_BYTES_MIN);
    layout.rings.clear();
    let strings: u64 = tasks.tasks.iter().map(|named| string_bytes(&named.name)).sum();
    let indices = sources.iter().map(|source| u64::from(source.key.index()) + 1);
    let mut offset = PAGE_BYTES;
    for section in &mut layout.sections {
        let entries = match section.kind {
            kind if kind == SectionKind::Sources as u64 => indices.clone().max().unwrap_or(0),
            kind if kind == SectionKind::Waiters as u64 => tasks.waiters.len() as u64,
            kind if kind == SectionKind::Tasks as u64 => tasks.tasks.len() as u64,
            kind if kind == SectionKind::Strings as u64 => strings + 64,
            _ => 0,
        };
        let len = section.len.max(entries * section.entry_bytes);
        section.len = len.div_ceil(PAGE_BYTES) * PAGE_BYTES;
        section.offset = offset;
        offset += section.len;
    }
    layout.file_bytes = offset;
    layout
}

fn file(image: &Image) -> anyhow::Result<File> {
    let mut file = Temporary::new()?;
    image.write_to(&mut file)?;
    file.set_len(image.layout().file_bytes)?;
    Ok(file.into_file())
}
