//! What a process's memory says at one moment, written as a recording that has tables and no records.
//!
//! The reactor and the executor publish where their parts are ([`ticks_format::published`]). So a process that nobody
//! has recorded can be looked at, and its core dump. The commands then read what is found as any other
//! recording.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{bail, Context};
use ticks_format::{Direction, Key, Recording};

use crate::memory::{Core, Live, Memory};
use crate::units;

mod absent;
mod descriptors;
mod executor;
mod reactor;
mod read;
mod tables;
mod tasks;
mod write;

pub use reactor::Seen;

use reactor::Reactor;
use tables::Tables;

/// What a snapshot is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The memory of a process that is there.
    Process(u32),
    /// A core dump.
    Core,
}

/// What is known of a snapshot beside what its recording has.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Where it is from.
    pub origin: Origin,
    /// The reactor's round at that moment.
    pub tick: u64,
    /// What the directions of sources have seen.
    pub seen: HashMap<(Key, Direction), Seen>,
    /// What could not be read, or is not to be believed, in words.
    pub problems: Vec<String>,
}

/// The snapshots of a live process: one for each reactor in it.
pub fn of_process(pid: u32) -> anyhow::Result<Vec<(Recording<File>, Snapshot)>> {
    if is_32_bit(pid) {
        bail!("it is a 32-bit process; this build reads the memory of 64-bit ones");
    }
    let memory = Live::open(pid)?;
    let subject = Subject {
        memory: &memory,
        origin: Origin::Process(pid),
        pid,
        utc_ns: units::now_ns(),
        program: fs::read_link(format!("/proc/{pid}/exe")).ok(),
        problems: Vec::new(),
    };
    let root = PathBuf::from(format!("/proc/{pid}/root"));
    subject.snapshots(|path| {
        // In a container the path is that of its own root directory.
        let inside = root.join(path.strip_prefix("/").unwrap_or(path));
        fs::read(inside).or_else(|_| fs::read(path)).ok()
    })
}

/// The snapshots of a core dump.
pub fn of_core(
    path: &Path,
    exe: Option<&Path>,
) -> anyhow::Result<Vec<(Recording<File>, Snapshot)>> {
    let core = Core::open(path, exe)?;
    let written = fs::metadata(path)?.modified().ok();
    let first = core.mappings().iter().find(|mapping| mapping.executable && mapping.path.is_some());
    let program = exe.map(Path::to_owned).or_else(|| first.and_then(|it| it.path.clone()));
    let subject = Subject {
        memory: &core,
        origin: Origin::Core,
        pid: core.pid().or_else(|| core.threads().first().map(|tid| *tid as u32)).unwrap_or(0),
        utc_ns: written.map_or(0, units::since_1970_ns),
        problems: core.problems().to_vec(),
        program,
    };
    subject.snapshots(|path| fs::read(path).ok())
}

/// Whose memory is looked at.
struct Subject<'a> {
    memory: &'a dyn Memory,
    origin: Origin,
    pid: u32,
    /// When that is.
    utc_ns: u64,
    program: Option<PathBuf>,
    problems: Vec<String>,
}

impl Subject<'_> {
    fn snapshots(
        &self,
        open: impl Fn(&Path) -> Option<Vec<u8>>,
    ) -> anyhow::Result<Vec<(Recording<File>, Snapshot)>> {
        let tables = Tables::find(self.memory);
        if tables.reactors.is_empty() {
            bail!(absent::why(self.memory, &tables, open));
        }
        let tasks = tables.executors.iter().map(|table| executor::read(self.memory, table));
        let executors: Vec<executor::Executors> = tasks.collect();
        let mut snapshots = Vec::new();
        for table in &tables.reactors {
            let reactor = reactor::read(self.memory, table)
                .context("what the process publishes about its reactor cannot be followed")?;
            let Some(reactor) = reactor else { continue };
            snapshots.push(self.snapshot(table, &reactor, &executors, snapshots.is_empty())?);
        }
        if snapshots.is_empty() {
            bail!(
                "it has async-io with the clockwork visible, and has not used it yet: no socket and no timer \
                 was ever registered"
            );
        }
        Ok(snapshots)
    }

    fn snapshot(
        &self,
        table: &tables::Table,
        reactor: &Reactor,
        executors: &[executor::Executors],
        is_first: bool,
    ) -> anyhow::Result<(Recording<File>, Snapshot)> {
        let mut problems = self.problems.clone();
        // Tasks belong to no reactor. They are told once.
        let executors = if is_first { executors } else { &[] };
        let tasks = tasks::of(self.memory, reactor, executors, &self.origin);
        problems.extend(torn(reactor.torn, "waits or timers"));
        problems.extend(torn(executors.iter().map(|it| it.torn).sum(), "tasks"));
        let unlisted: u64 = executors.iter().map(executor::Executors::never_waited).sum();
        if unlisted > 0 {
            problems.push(format!(
                "{} tasks are not listed: they are new and have never waited, or run for the first time",
                units::count(unlisted)
            ));
        }
        let sources = descriptors::sources(reactor, &self.origin);
        let clock = write::Moment::of(table, self.utc_ns, &self.origin);
        let recording =
            write::recording(self.pid, self.program.as_deref(), &clock, &sources, reactor, &tasks)?;
        let snapshot = Snapshot {
            origin: self.origin.clone(),
            tick: reactor.tick,
            seen: seen(reactor),
            problems,
        };
        Ok((recording, snapshot))
    }
}

fn seen(reactor: &Reactor) -> HashMap<(Key, Direction), Seen> {
    let of_source = |source: &reactor::Source| {
        let [read, write] = source.directions;
        [((source.key, Direction::Read), read), ((source.key, Direction::Write), write)]
    };
    reactor.sources.iter().flat_map(of_source).collect()
}

fn torn(count: u64, what: &str) -> Option<String> {
    (count > 0).then(|| {
        format!(
            "{} {what} could not be read: the program was changing them each time; look again",
            units::count(count)
        )
    })
}

/// Whether the program is one of 32 bits.
fn is_32_bit(pid: u32) -> bool {
    use std::io::Read;
    let mut begin = [0; 5];
    let program = File::open(format!("/proc/{pid}/exe"));
    program.and_then(|mut file| file.read_exact(&mut begin)).is_ok() && begin == *b"\x7fELF\x01"
}
