//! What a process's memory says at one moment, written as a recording that has tables and no records.
//!
//! The reactor and the executor publish where their parts are ([`ticks_format::published`]). So a process that nobody
//! has recorded can be looked at, and its core dump. The commands then read what is found as any other
//! recording.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{bail, Context};
use ticks_format::{Direction, Key, Recording};

use crate::input::open_file;
use crate::memory::{Core, Live, Memory};
use crate::symbols::Told;
use crate::units;

mod absent;
mod descriptors;
mod earlier;
mod executor;
mod futures;
mod reactor;
mod read;
mod stacks;
mod tables;
mod tasks;
mod turns;
mod write;

pub use reactor::Seen;

use earlier::Earlier;
use executor::Executors;
use futures::Futures;
use reactor::Reactor;
use stacks::Leaves;
use tables::{Table, Tables};
use tasks::Tasks;
use turns::Turns;

/// How often a program that goes on is looked at, to see where its tasks wait.
const LOOKS_MAX: usize = 3;

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
    /// Which of the process's reactors it is of.
    pub place: usize,
    /// The reactor's round at that moment.
    pub tick: u64,
    /// What the directions of sources have seen.
    pub seen: HashMap<(Key, Direction), Seen>,
    /// Since when nobody has asked for what has come, by the counter: since it was seen first.
    pub unasked: HashMap<(Key, Direction), u64>,
    /// How far the threads of each executor have come, by its state.
    turns: HashMap<u64, Turns>,
    /// By which async functions tasks wait; the first has number 1.
    stacks: Vec<Told>,
    /// What could not be read, or is not to be believed, in words.
    pub problems: Vec<String>,
}

impl Snapshot {
    /// The stack of this number.
    pub fn stack(&self, number: u64) -> Option<Told> {
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        self.stacks.get(place).cloned()
    }
}

/// The snapshots of a live process: one for each reactor in it. What is as it was in an earlier one is known to have
/// been so since. `with_stacks`: with the async functions by which tasks wait, which takes longer.
pub fn of_process(
    pid: u32,
    earlier: Option<(&Recording<File>, &Snapshot)>,
    with_stacks: bool,
) -> anyhow::Result<Vec<(Recording<File>, Snapshot)>> {
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
        earlier: earlier
            .map(|(recording, snapshot)| Earlier::of(recording, snapshot))
            .unwrap_or_default(),
        with_stacks,
    };
    let root = PathBuf::from(format!("/proc/{pid}/root"));
    subject.snapshots(|path| {
        // In a container the path is that of its own root directory.
        let inside = root.join(path.strip_prefix("/").unwrap_or(path));
        open_file(&inside).or_else(|_| open_file(path)).ok()
    })
}

/// The snapshots of a core dump.
pub fn of_core(
    path: &Path,
    core: &Core,
    exe: Option<&Path>,
) -> anyhow::Result<Vec<(Recording<File>, Snapshot)>> {
    let written = fs::metadata(path)?.modified().ok();
    let program = exe.or(core.program()).map(Path::to_owned);
    let subject = Subject {
        memory: core,
        origin: Origin::Core,
        pid: core.pid().or_else(|| core.threads().first().map(|tid| *tid as u32)).unwrap_or(0),
        utc_ns: written.map_or(0, units::since_1970_ns),
        problems: core.problems().to_vec(),
        earlier: Earlier::default(),
        with_stacks: true,
        program,
    };
    subject.snapshots(|path| match exe.filter(|_| core.program() == Some(path)) {
        Some(exe) => open_file(exe).ok(),
        None => open_file(path).ok(),
    })
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
    earlier: Earlier,
    with_stacks: bool,
}

impl Subject<'_> {
    fn snapshots(
        &self,
        open: impl Fn(&Path) -> Option<File>,
    ) -> anyhow::Result<Vec<(Recording<File>, Snapshot)>> {
        let tables = Tables::find(self.memory);
        if tables.reactors.is_empty() {
            bail!(absent::why(self.memory, &tables, open));
        }
        let mut snapshots = Vec::new();
        for table in &tables.reactors {
            // Tasks belong to no reactor. They are told once.
            let executors: &[Table] = if snapshots.is_empty() { &tables.executors } else { &[] };
            let look = || Look::at(self.memory, table, executors, &self.origin);
            let Some(mut now) = look()? else { continue };
            let mut stacks = Vec::new();
            if self.with_stacks {
                // Tasks go on meanwhile. What is the same before and after a look is of its moment.
                let modules = stacks::Modules::open(self.memory, &open);
                let sections = modules.sections();
                let futures = Futures::new(self.memory, &sections);
                let (mut before, mut leaves) = (Leaves::new(), stacks::leaves(&futures, &now));
                for _ in 0..LOOKS_MAX {
                    before = leaves;
                    now = look()?.unwrap_or(now);
                    leaves = stacks::leaves(&futures, &now);
                    if leaves == before {
                        break;
                    }
                }
                let program = self.program.as_deref().map(Path::to_string_lossy);
                let program = program.unwrap_or_default();
                stacks = stacks::add(&futures, &mut now, &before, leaves, &program);
            }
            snapshots.push(self.snapshot(table, now, stacks, snapshots.len())?);
        }
        if snapshots.is_empty() {
            bail!(absent::UNUSED);
        }
        Ok(snapshots)
    }

    fn snapshot(
        &self,
        table: &Table,
        look: Look,
        stacks: Vec<Told>,
        place: usize,
    ) -> anyhow::Result<(Recording<File>, Snapshot)> {
        let mut problems = self.problems.clone();
        problems.extend(torn(look.reactor.torn, "waits or timers"));
        problems.extend(torn(look.executors.iter().map(|it| it.torn).sum(), "tasks"));
        let unlisted: u64 = look.executors.iter().map(Executors::never_waited).sum();
        if unlisted > 0 {
            problems.push(format!(
                "{} tasks are not listed: they are new and have never waited, or run for the first time",
                units::count(unlisted)
            ));
        }
        let sources = descriptors::sources(&look.reactor, &self.origin);
        let clock = write::Moment::of(table, self.utc_ns, &self.origin);
        let program = self.program.as_deref();
        let recording =
            write::recording(self.pid, program, &clock, &sources, &look, &self.earlier)?;
        let seen = seen(&look.reactor);
        let since = |(direction, seen): (&(Key, Direction), &Seen)| {
            let since = self.earlier.since_unasked(*direction, *seen);
            (*direction, since.unwrap_or(clock.monotonic_ns))
        };
        let snapshot = Snapshot {
            origin: self.origin.clone(),
            place,
            tick: look.reactor.tick,
            unasked: seen.iter().filter(|(_, seen)| seen.unasked).map(since).collect(),
            seen,
            turns: look.turns,
            stacks,
            problems,
        };
        Ok((recording, snapshot))
    }
}

/// A reactor and the tasks, at one moment.
struct Look {
    reactor: Reactor,
    executors: Vec<Executors>,
    turns: HashMap<u64, Turns>,
    tasks: Tasks,
}

impl Look {
    /// `None`: there is no reactor yet.
    fn at(
        memory: &dyn Memory,
        table: &Table,
        executors: &[Table],
        origin: &Origin,
    ) -> anyhow::Result<Option<Look>> {
        let reactor = reactor::read(memory, table)
            .context("what the process publishes about its reactor cannot be followed")?;
        let Some(reactor) = reactor else { return Ok(None) };
        let executors: Vec<_> =
            executors.iter().map(|table| executor::read(memory, table)).collect();
        let tasks = tasks::of(memory, &reactor, &executors, origin);
        let turns = executors.iter().flat_map(|it| it.turns.clone()).collect();
        Ok(Some(Look { reactor, executors, turns, tasks }))
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
    File::open(format!("/proc/{pid}/exe")).is_ok_and(is_32_bit_program)
}

fn is_32_bit_program(mut program: impl Read) -> bool {
    let mut begin = [0; 5];
    program.read_exact(&mut begin).is_ok() && begin == *b"\x7fELF\x01"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_of_32_bits_are_told_by_their_heads() {
        assert!(is_32_bit_program(&b"\x7fELF\x01\x01\x01\0"[..]));
        for other in [&b"\x7fELF\x02\x01\x01\0"[..], b"\x7fELF", b"#!/bin/sh\n"] {
            assert!(!is_32_bit_program(other), "{other:?}");
        }
    }
}
