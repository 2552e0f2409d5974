//! `ticks who`: who waits now, or waited when the program ended.

use std::collections::HashMap;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Context;
use serde_json::{json, Value as Json};
use ticks_format::layout::counter;
use ticks_format::{Awaited, Entry, Key, Source, Waiter};

use crate::history::History;
use crate::input::{self, Input, Inputs};
use crate::outcome::Outcome;
use crate::plain::plain;
use crate::process::State;
use crate::{table, units};

/// Show who waits now, or waited when the program ended
///
/// Nothing runs in the program: its recording is read.
///
/// WOKEN is set where a task was woken and the future that waits has not asked since. Either the task was not
/// polled, because a thread of its executor computes or is blocked, or it was polled and did not poll this
/// future, as inside `select!`, `FuturesUnordered` and `buffered`. Where each thread's last record is a park or
/// a wait, no thread is busy, and a line below the table says so; else it names the thread that has recorded
/// nothing for longest.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The recordings, or the numbers of processes that record
    #[arg(required = true, value_name = "FILE|PID")]
    files: Vec<PathBuf>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// Look again each time this long has passed, until the program has ended
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    every: Option<Duration>,
}

const EXAMPLES: &str = "\
Examples:
  ticks who 4711
  ticks who --every 10s 4711
  ticks who /tmp/t/*.ticks
  ticks who --json /tmp/t/4711.ticks | jq 'select(.fd == 9)'";

/// Shows who waits.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let mut inputs = Inputs::open(&args.files)?;
    let mut out = BufWriter::new(anstream::stdout().lock());
    let mut is_first = true;
    let mut damaged = false;
    loop {
        let (views, failed) = inputs.each(|input| View::of(input).with_context(|| input.place()));
        // Entries that nobody will finish writing, among others.
        damaged |= failed || views.iter().any(|view| view.torn > 0 && view.state != State::Runs);
        for view in &views {
            if args.json {
                view.write_json(&mut out)?;
                continue;
            }
            // Those for whom nobody waits have a line each.
            if !std::mem::take(&mut is_first) && !view.waits.is_empty() {
                writeln!(out)?;
            }
            view.write_table(&mut out)?;
        }
        if views.len() > 1 && !args.json {
            let waiting = views.iter().map(|view| view.waits.len()).sum::<usize>();
            let waiting = units::count(waiting as u64);
            writeln!(out, "\n{} recordings, {waiting} waiting", views.len())?;
        }
        out.flush()?;
        match args.every {
            Some(pause) if views.iter().any(|view| view.state == State::Runs) => sleep(pause),
            _ => break,
        }
        for input in &mut inputs.all {
            input.recording.refresh_clock()?;
        }
    }
    for input in &inputs.all {
        damaged |= input.report_problems();
    }
    Ok(if damaged { Outcome::Partly } else { Outcome::Done })
}

/// Everybody who waits, at one moment.
struct View<'a> {
    input: &'a Input,
    state: State,
    at_ns: u64,
    waits: Vec<Wait>,
    history: History,
    /// Whether the table was not cut off.
    is_whole: bool,
    torn: u64,
    left_out: u64,
}

/// One who waits.
struct Wait {
    waiter: Waiter,
    since_ns: u64,
    /// When its task was woken, if it has not asked since.
    woken_ns: Option<u64>,
    /// When the timer is due.
    due_ns: Option<u64>,
    place: Option<String>,
    source: Option<Source>,
}

impl<'a> View<'a> {
    fn of(input: &'a Input) -> anyhow::Result<View<'a>> {
        let recording = &input.recording;
        let sources: HashMap<Key, Source> = input.sources()?;
        let state = input.state();
        // Before the table is read: reading it takes a while.
        let now_ns = units::now_ns();
        let (mut waiters, mut torn) = (Vec::new(), 0);
        for entry in recording.waiters() {
            match entry? {
                Entry::Whole(waiter) => waiters.push(waiter),
                Entry::Torn => torn += 1,
            }
        }
        // After the table: whoever has asked since it was read is owed nothing.
        let history = History::of(input)?;
        let mut waits = Vec::with_capacity(waiters.len());
        for waiter in waiters {
            let clock = recording.clock();
            let (source, due_ns) = match waiter.awaited {
                Awaited::Source { key, .. } => (sources.get(&key).cloned(), None),
                Awaited::Timer { deadline_ns, .. } => (None, clock.reactor_to_utc_ns(deadline_ns)),
            };
            waits.push(Wait {
                waiter,
                since_ns: clock.utc_ns(waiter.since),
                woken_ns: history.owed(&waiter).map(|woken| clock.utc_ns(woken)),
                due_ns,
                place: recording.place(waiter.place)?,
                source,
            });
        }
        waits.sort_by_key(|wait| wait.since_ns);
        let at_ns = match state {
            State::Runs => now_ns,
            _ => last_ns(input, &waits)?,
        };
        let left_out = recording.counter(counter::WAITERS_LEFT_OUT)?;
        let is_whole = recording.has_waiters()?;
        Ok(View { input, state, at_ns, waits, history, is_whole, torn, left_out })
    }

    fn write_table(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let process = self.input.process_name();
        let at = units::time(self.at_ns);
        let state = match self.state {
            State::Runs => self.state.to_string(),
            State::Ended => format!("{}; as it was", self.state),
            // How long it went on, nobody has written down.
            state => format!("{state}; as of its last record"),
        };
        let count = self.waits.len();
        match self.is_whole {
            true => writeln!(out, "{process} {state}, {at}: {count} waiting")?,
            false => writeln!(
                out,
                "{process} {state}, {at}: the table of who waits is cut off, of {count} it is known"
            )?,
        }
        let mut columns = vec!["FD", "KIND", "ADDRESS", "DIR", "SINCE", "TASK", "TICKS", "PLACE"];
        // In most tables it would be empty.
        let woken = self.waits.iter().any(|wait| wait.woken_ns.is_some());
        if woken {
            columns.insert(WOKEN, "WOKEN");
        }
        let mut rows = table::new(&columns);
        for wait in &self.waits {
            let mut row = wait.row(self.at_ns).to_vec();
            if woken {
                row.insert(WOKEN, wait.woken(self.at_ns));
            }
            table::add(&mut rows, row);
        }
        if count > 0 {
            out.write_all(table::text(&rows).as_bytes())?;
        }
        if self.is_owed() {
            writeln!(out, "{}", self.why_owed())?;
        }
        if self.torn > 0 {
            let or = if self.state == State::Runs { "" } else { ", or are damaged" };
            writeln!(out, "{} entries were being written{or}", self.torn)?;
        }
        if self.left_out > 0 {
            writeln!(
                out,
                "{} waits found no place in the table, of whom some may be over",
                self.left_out
            )?;
        }
        Ok(())
    }

    /// Whether a task was woken that ought to have asked by now.
    fn is_owed(&self) -> bool {
        /// Time enough for an executor that is not held up.
        const PATIENCE_NS: u64 = 100_000_000;
        let patience_ns = if self.state == State::Runs { PATIENCE_NS } else { 0 };
        let mut woken_ns = self.waits.iter().filter_map(|wait| wait.woken_ns);
        woken_ns.any(|woken_ns| self.at_ns.saturating_sub(woken_ns) >= patience_ns)
    }

    /// Why a task that was woken has not asked, as far as its threads' last records tell.
    fn why_owed(&self) -> String {
        match self.history.busiest() {
            None => "WOKEN: no thread is busy, each one's last record is a park or a wait. So the task was \
                     polled, and the future that waits was not, as inside select!, FuturesUnordered and \
                     buffered; or its executor is one that has recorded nothing."
                .to_owned(),
            Some(last) => {
                let last_ns = self.input.recording.clock().utc_ns(last.time);
                let ago = units::duration(self.at_ns.saturating_sub(last_ns));
                let (tid, name) = (last.thread.tid, plain(&last.thread.name));
                format!(
                    "WOKEN: thread {tid} ({name}) has recorded nothing for {ago}, and its last record is \
                     neither a park nor a wait. It computes, is blocked, or sleeps in an executor of its own."
                )
            }
        }
    }

    fn write_json(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let pid = self.input.recording.header().pid;
        for wait in &self.waits {
            let mut object = json!({
                "time": units::time(self.at_ns),
                "file": self.input.path.to_string_lossy(),
                "pid": pid,
                "program": self.input.program(),
                "state": self.state.name(),
            });
            if let (Some(object), Json::Object(more)) =
                (object.as_object_mut(), wait.json(self.at_ns))
            {
                object.extend(more);
            }
            writeln!(out, "{object}")?;
        }
        Ok(())
    }
}

/// The column that tells who was woken, if it is there.
const WOKEN: usize = 5;

impl Wait {
    fn woken(&self, at_ns: u64) -> String {
        let ago = |woken_ns| format!("{} ago", units::duration(at_ns.saturating_sub(woken_ns)));
        self.woken_ns.map(ago).unwrap_or_default()
    }

    fn row(&self, at_ns: u64) -> [String; 8] {
        let since = units::duration(at_ns.saturating_sub(self.since_ns));
        let task = format!("{:#x}", self.waiter.task);
        let place = self.place.as_deref().map_or("", short).to_owned();
        match self.waiter.awaited {
            Awaited::Source { fd, dir, ticks, key, .. } => {
                let source = self.source.as_ref();
                let kind = source.map_or_else(|| format!("source {key}"), |s| s.kind.to_string());
                let address = source.map(|source| input::addresses(&source.local, &source.peer));
                let ticks = ticks.map(|ticks| ticks.to_string()).unwrap_or_default();
                let (fd, address) = (fd.to_string(), address.unwrap_or_default());
                [fd, kind, address, dir.to_string(), since, task, ticks, place]
            }
            Awaited::Timer { id, .. } => {
                let due = match self.due_ns {
                    Some(due) if due >= at_ns => format!("due in {}", units::duration(due - at_ns)),
                    Some(due) => format!("overdue by {}", units::duration(at_ns - due)),
                    None => "due at an unknown time".into(),
                };
                let (none, kind) = (String::new, format!("timer {id}"));
                [none(), kind, due, none(), since, task, none(), place]
            }
        }
    }

    fn json(&self, at_ns: u64) -> Json {
        let mut object = json!({
            "since": units::time(self.since_ns),
            "waited_ns": at_ns.saturating_sub(self.since_ns),
            "woken": self.woken_ns.map(units::time),
            "task": self.waiter.task,
            "thread": self.waiter.tid,
            "place": self.place,
        });
        let more = match self.waiter.awaited {
            Awaited::Source { key, fd, dir, waiter, ticks } => json!({
                "key": key.0,
                "fd": fd,
                "dir": dir.name(),
                "waiter": waiter,
                "ticks": ticks.map(|ticks| [ticks.a, ticks.b]),
                "kind": self.source.as_ref().map(|source| source.kind.name()),
                "local": self.source.as_ref().map(|source| source.local.to_string()),
                "peer": self.source.as_ref().map(|source| source.peer.to_string()),
                "inode": self.source.as_ref().map(|source| source.inode),
            }),
            Awaited::Timer { id, deadline_ns } => json!({
                "timer": id,
                "deadline_ns": deadline_ns,
                "due": self.due_ns.map(units::time),
            }),
        };
        if let (Some(object), Json::Object(more)) = (object.as_object_mut(), more) {
            object.extend(more);
        }
        object
    }
}

/// A place without the machine's part: a dependency's begins with the package's name and version, the
/// standard library's with the crate's.
fn short(place: &str) -> &str {
    // `/home/x/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/smol-2.0.2/src/lib.rs:1:1`.
    let dependency = || Some(place.split_once("/registry/src/")?.1.split_once('/')?.1);
    // `/home/x/.cargo/git/checkouts/smol-0123456789abcdef/0123456/src/lib.rs:1:1`.
    let checkout = || Some(place.split_once("/git/checkouts/")?.1);
    let std = || Some(place.strip_prefix("/rustc/")?.split_once("/library/")?.1);
    dependency().or_else(checkout).or_else(std).unwrap_or(place)
}

/// The time of the last thing that a program now ended recorded.
fn last_ns(input: &Input, waits: &[Wait]) -> anyhow::Result<u64> {
    /// Enough slots to hold a whole record.
    const TAIL_SLOTS: u64 = 64;
    let recording = &input.recording;
    let mut last = waits.iter().map(|wait| wait.since_ns).max().unwrap_or(0);
    last = last.max(input.ended_ns().unwrap_or(0));
    let anchors = recording.clock().anchors();
    last = last.max(anchors.last().map_or(0, |anchor| anchor.utc_ns));
    for ring in recording.rings()? {
        let from = ring.head.saturating_sub(TAIL_SLOTS);
        for record in recording.records_from(&ring, from).into_iter().flatten() {
            last = last.max(recording.clock().utc_ns(record?.time));
        }
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_dependencies_are_short() {
        let registry = "/home/x/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f";
        let place = format!("{registry}/smol-2.0.2/src/lib.rs:1:1");
        assert_eq!(short(&place), "smol-2.0.2/src/lib.rs:1:1");
        let hash = "59807616e1ab0ed5d0d5e1d5d29a0d4d6e3a9e1b";
        assert_eq!(short(&format!("/rustc/{hash}/library/core/src/a.rs:1:1")), "core/src/a.rs:1:1");
        assert_eq!(short("src/main.rs:12:5"), "src/main.rs:12:5");
    }
}
