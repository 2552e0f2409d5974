//! Text logs of the reactor, ours and those of 2022, read where a recording is.
//!
//! A log is read once, line by line, and written as a recording into a file that nobody else sees, which the commands
//! then read as any other.

use std::collections::BTreeMap;
use std::fs::File;

use ticks_format::{Direction, Key, ReadAt, Ticks};

mod head;
mod import;
mod lines;
mod ours;
mod parse;
mod write;

pub use import::{import, NOTIFICATION};
pub use lines::{line_of, LogLines};

/// How many of each are kept.
pub const KEPT_MAX: usize = 64;

/// How far a first line of the kind is looked for.
const LOOK_BYTES: usize = 64 << 10;

/// What was seen while the log was read.
#[derive(Debug, Default)]
pub struct Log {
    /// All lines.
    pub lines: u64,
    /// Those that are records.
    pub records: u64,
    /// Whether its polls are written as the forks of 2.6.0's kind do: by its rule.
    pub of_upstream: bool,
    /// Events that were taken for old: the first ones.
    pub olds: Vec<Old>,
    /// How many of these there were.
    pub olds_count: u64,
    /// Polls that were Ready by an event the waiter had not seen, by direction: the first one.
    pub escapes: BTreeMap<(Option<Key>, Direction), Escape>,
    /// When nothing was logged: the longest.
    pub quiets: Vec<Quiet>,
    /// When its last line was written.
    pub end_ns: u64,
}

/// An event whose tick is one that its waiter remembers, though it came while the waiter waited.
#[derive(Clone, Debug)]
pub struct Old {
    pub key: Key,
    pub fd: Option<i64>,
    pub dir: Direction,
    /// The event's tick.
    pub tick: u64,
    /// What the waiter had remembered.
    pub ticks: Ticks,
    /// When and on which thread it remembered that.
    pub asked_ns: u64,
    pub asked_tid: u64,
    /// When and on which thread the event was delivered.
    pub event_ns: u64,
    pub event_tid: u64,
    /// Whether a poll after it was told Pending.
    pub refused: bool,
}

/// A poll that was Ready, as its direction's tick is neither of the waiter's.
#[derive(Clone, Copy, Debug)]
pub struct Escape {
    pub utc_ns: u64,
    pub tick: u64,
    pub ticks: Ticks,
}

/// A time without a line, and what the poller brought after it.
#[derive(Clone, Debug)]
pub struct Quiet {
    pub from_ns: u64,
    pub to_ns: u64,
    /// Flags and user data of what the kernel handed over next.
    pub entries: Vec<(u32, u64)>,
    /// Descriptor, flags and user data of what was armed after that.
    pub armed: Vec<(Option<i64>, u32, u64)>,
    /// Whether anything was polled after that.
    pub polled: bool,
}

/// Whether the file begins like a log: a line of its first ones has the head of one.
pub fn is_log(file: &File) -> std::io::Result<bool> {
    let mut begin = vec![0; LOOK_BYTES];
    let got = file.read_up_to(0, &mut begin)?;
    let text = String::from_utf8_lossy(&begin[..got]);
    Ok(text.lines().any(|line| head::Line::of(&head::plain(line)).is_some()))
}
