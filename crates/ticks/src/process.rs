//! Processes that record: what they are doing, and where their recordings are.
//!
//! All of it is read from `/proc`; elsewhere than on Linux recordings are found by their names alone.

use std::fmt;
use std::fs::{self, File};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use ticks_format::Header;

mod cgroup;
mod find;

pub use cgroup::Cgroups;
use find::mappings;
pub use find::{has_proc, recordings, Found};

/// What a recording's process is doing, as far as one can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It runs and records.
    Runs,
    /// It was stopped by a signal, and is there until it is told to go on.
    Stopped,
    /// It was stopped by a debugger.
    Traced,
    /// Its cgroup is frozen.
    Frozen,
    /// This thread of it sits in the kernel, in a wait that no signal ends.
    Uninterruptible(u64),
    /// It ended by `exit`, or returned from `main`.
    Ended,
    /// It was killed or ended without `exit`, and its parent has not asked for it.
    Zombie,
    /// It is gone, and did not say so.
    Gone,
    /// It is there, and does not have this file: it called `exec`, or the file is a copy.
    Left,
    /// It ended, and what is looked at is its core dump.
    Dumped,
    /// This system does not tell.
    Unknown,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Runs => "runs",
            State::Stopped => "is stopped by a signal (state T)",
            State::Traced => "is stopped by a debugger (state t)",
            State::Frozen => "is frozen by its cgroup",
            State::Uninterruptible(tid) => {
                return write!(f, "has thread {tid} in an uninterruptible wait (state D)");
            }
            State::Ended => "has ended",
            State::Zombie => "is a zombie (state Z), killed or ended without exit",
            State::Gone => "was killed or ended without exit",
            State::Left => "goes on without this file",
            State::Dumped => "has left a core dump",
            State::Unknown => "may have ended",
        })
    }
}

impl State {
    /// One word for programs.
    pub fn name(self) -> &'static str {
        match self {
            State::Runs => "runs",
            State::Stopped => "stopped",
            State::Traced => "traced",
            State::Frozen => "frozen",
            State::Uninterruptible(_) => "uninterruptible",
            State::Ended => "ended",
            State::Zombie => "zombie",
            State::Gone => "gone",
            State::Left => "left",
            State::Dumped => "dumped",
            State::Unknown => "unknown",
        }
    }

    /// Whether the process is there and has this file, so that it may record more.
    pub fn is_live(self) -> bool {
        match self {
            State::Runs
            | State::Stopped
            | State::Traced
            | State::Frozen
            | State::Uninterruptible(_) => true,
            State::Ended
            | State::Zombie
            | State::Gone
            | State::Left
            | State::Dumped
            | State::Unknown => false,
        }
    }

    /// Whether somebody holds the whole process, so that nothing in it can run.
    pub fn is_held(self) -> bool {
        matches!(self, State::Stopped | State::Traced | State::Frozen)
    }

    /// Whether the recording goes on to the moment at which it is looked at, or to the process's end. If
    /// not, nobody has written down how long it went on after its last record.
    pub fn has_end(self) -> bool {
        self.is_live() || matches!(self, State::Ended | State::Dumped)
    }

    /// The state of the process that wrote the file, which has not said that it ended.
    /// Its number here is `pid`.
    pub fn of(pid: u64, header: &Header, boot_id: Option<&str>, file: &File, path: &Path) -> State {
        let is_told = header.process_start != 0 && has_proc();
        if !is_told {
            return State::Unknown;
        }
        let this_boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
        if boot_id.zip(this_boot).is_some_and(|(then, now)| then != now.trim()) {
            return State::Gone;
        }
        match Stat::of(&format!("/proc/{pid}")) {
            Some(stat) if stat.start == header.process_start => {}
            _ => return State::Gone,
        }
        if is_zombie(pid) {
            return State::Zombie;
        }
        match mappings(pid) {
            Ok(all) if !all.iter().any(|mapping| mapping.is_of(file, path)) => State::Left,
            // Another user's process does not show what it has mapped.
            _ => State::of_live(pid),
        }
    }

    /// The state of a process that is there, or was a moment ago.
    pub fn of_process(pid: u64) -> State {
        match Stat::of(&format!("/proc/{pid}")) {
            None => State::Gone,
            Some(_) if is_zombie(pid) => State::Zombie,
            Some(_) => State::of_live(pid),
        }
    }

    fn of_live(pid: u64) -> State {
        /// A thread that reads from a disk is in such a wait for a moment.
        const MOMENT: Duration = Duration::from_millis(100);
        if Stat::of(&format!("/proc/{pid}")).is_some_and(|stat| stat.state == 'T') {
            return State::Stopped;
        }
        // A frozen thread is in an uninterruptible wait, or seems to sleep.
        if Cgroups::of_system().is_frozen(pid) {
            return State::Frozen;
        }
        let held = held(pid);
        if !held.is_empty() {
            sleep(MOMENT);
            // Whoever is traced is held for an instant at each system call.
            return match held == self::held(pid) {
                true => State::Traced,
                false => State::Runs,
            };
        }
        stuck_for(pid, MOMENT).map_or(State::Runs, State::Uninterruptible)
    }
}

/// What `/proc/<pid>/stat`, or a thread's, says.
struct Stat {
    /// Field 3.
    state: char,
    /// Field 22.
    start: u64,
}

impl Stat {
    fn of(dir: &str) -> Option<Stat> {
        let stat = fs::read_to_string(format!("{dir}/stat")).ok()?;
        // Counted behind the name, which may hold anything.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_whitespace();
        let state = fields.next()?.chars().next()?;
        Some(Stat { state, start: fields.nth(18)?.parse().ok()? })
    }
}

/// When a process began, in a unit of the system's: with its number it names the process.
pub fn start(pid: u32) -> Option<u64> {
    Some(Stat::of(&format!("/proc/{pid}"))?.start)
}

/// The threads of a process, with the state of each: the letter that `ps` shows.
pub fn thread_states(pid: u64) -> Vec<(u64, char)> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let tids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u64>().ok());
    tids.filter_map(|tid| Some((tid, Stat::of(&format!("/proc/{pid}/task/{tid}"))?.state)))
        .collect()
}

/// The threads of a process, if a debugger holds all of them: how often each has given up its processor so far. One
/// that stands still does so no more.
fn held(pid: u64) -> Vec<(u64, String)> {
    let threads = thread_states(pid);
    let live = threads.into_iter().filter(|(_, state)| !is_dead(*state));
    let held: Option<Vec<(u64, String)>> =
        live.map(|(tid, state)| (state == 't').then(|| (tid, switches(pid, tid)))).collect();
    held.unwrap_or_default()
}

fn switches(pid: u64, tid: u64) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{tid}/status")).unwrap_or_default();
    text.lines().filter(|line| line.contains("ctxt_switches")).collect()
}

/// The number by which the system knows a file, a socket or what else is open; none where it has no such numbers.
pub fn inode(metadata: &fs::Metadata) -> Option<u64> {
    #[cfg(unix)]
    return Some(std::os::unix::fs::MetadataExt::ino(metadata));
    #[cfg(not(unix))]
    {
        let _ = metadata;
        None
    }
}

/// Whether it has ended and its parent has not asked for it yet. A first thread that has ended is a zombie
/// too, while others may go on.
fn is_zombie(pid: u64) -> bool {
    let threads = thread_states(pid);
    !threads.is_empty() && threads.iter().all(|(_, state)| is_dead(*state))
}

fn is_dead(state: char) -> bool {
    matches!(state, 'Z' | 'X')
}

/// The threads that are in an uninterruptible wait: how often each has given up its processor so far. One that is in the
/// same wait later has done so no more.
fn uninterruptible(pid: u64) -> Vec<(u64, String)> {
    let threads = thread_states(pid).into_iter();
    threads.filter(|(_, state)| *state == 'D').map(|(tid, _)| (tid, switches(pid, tid))).collect()
}

/// A thread that sits in one uninterruptible wait for all of a moment, which begins now.
pub fn stuck_for(pid: u64, moment: Duration) -> Option<u64> {
    let before = uninterruptible(pid);
    if before.is_empty() {
        return None;
    }
    sleep(moment);
    let still = uninterruptible(pid).into_iter().find(|thread| before.contains(thread));
    still.map(|(tid, _)| tid)
}
