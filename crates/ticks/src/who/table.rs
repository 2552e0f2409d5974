//! Who waits, for people.

use std::io::{self, Write};

use ticks_format::Awaited;

use super::account::due;
use super::view::{View, Wait};
use crate::input::addresses;
use crate::plain::plain;
use crate::process::State;
use crate::symbols::short;
use crate::table::{paragraph, Column, Table};
use crate::units;

/// What is shown besides.
pub struct Options {
    /// What each waiter remembers.
    pub ticks: bool,
    /// The waits of tasks, which are told there.
    pub waits: bool,
}

/// The process.
pub fn write_head(out: &mut dyn Write, view: &View<'_>) -> io::Result<()> {
    write!(out, "{}", paragraph(&head(view)))
}

/// The waits, and what is to be said of them and of the tasks.
pub fn write(out: &mut dyn Write, view: &View<'_>, options: &Options) -> io::Result<()> {
    let table = rows(view, options);
    if !table.is_empty() {
        if !view.tasks.is_empty() {
            let of = if options.waits { "all waits for" } else { "waits in no recorded task, for" };
            write!(out, "\n{}", paragraph(&format!("{of} sources and timers:")))?;
        }
        write!(out, "{}", table.text())?;
    }
    for note in notes(view) {
        write!(out, "{}", paragraph(&note))?;
    }
    Ok(())
}

/// What is to be said of the tables.
pub fn notes(view: &View<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    notes.extend(is_owed(view).then(|| why_owed(view)).flatten());
    if view.torn > 0 {
        let or = if view.state.is_live() { "" } else { ", or are damaged" };
        notes.push(format!("{} entries were being written{or}", view.torn));
    }
    if view.left_out > 0 {
        let left_out = units::count(view.left_out);
        notes.push(format!(
            "{left_out} waits found no place in the table, of whom some may be over"
        ));
    }
    if view.tasks_left_out > 0 {
        let left_out = units::count(view.tasks_left_out);
        notes.push(format!(
            "{left_out} tasks found no place in the table, of whom some may be done; ASYNC_IO_TRACE_MIB \
             makes room for more"
        ));
    }
    notes
}

/// The process, what it is doing, how many wait, and how old all this is.
pub fn head(view: &View<'_>) -> String {
    let (process, at) = (view.input.process_name(), units::time(view.at_ns));
    let state = match view.state {
        state if state.is_live() => state.to_string(),
        State::Ended | State::Dumped => format!("{}; as it was", view.state),
        // How long it went on, nobody has written down.
        state => format!("{state}; as of its last record"),
    };
    let count = units::count(view.waits.len() as u64);
    let tasks = units::count(view.tasks.len() as u64);
    let waiting = match (view.is_whole, view.tasks.len()) {
        (true, 0) => format!("{count} waiting"),
        (true, 1) => format!("1 task, {count} waits for sources and timers"),
        (true, _) => format!("{tasks} tasks, {count} waits for sources and timers"),
        (false, _) => format!("the table of who waits is cut off, of {count} it is known"),
    };
    let last = match view.last_ago_ns {
        _ if !view.has_times() => {
            return format!("{process} {state}, {at}: {waiting}; {}", of_memory(view))
        }
        Some(ns) => format!("the last record is {} old", units::duration(ns)),
        None => "there is no record".into(),
    };
    format!("{process} {state}, {at}: {waiting}; {last}")
}

/// Where it is from, of a process that was not recorded.
fn of_memory(view: &View<'_>) -> String {
    let tick = view.input.snapshot.as_ref().map_or(0, |snapshot| snapshot.tick);
    format!("it is not recorded, and this is read from its memory, in round {}", units::count(tick))
}

/// The columns that not every table has.
struct Shown {
    woken: bool,
    socket: bool,
    ticks: bool,
}

fn rows(view: &View<'_>, options: &Options) -> Table {
    let shown = Shown {
        // In most tables it would be empty.
        woken: view.waits.iter().any(|wait| wait.woken_ns.is_some()),
        socket: view.waits.iter().any(|wait| wait.socket.is_some()),
        ticks: options.ticks,
    };
    let columns = [
        Some(Column::new("FD")),
        Some(Column::new("KIND").rank(3)),
        Some(Column::new("ADDRESS").wraps()),
        Some(Column::new("DIR")),
        Some(Column::new(if view.has_times() { "SINCE" } else { "SINCE ROUND" })),
        shown.woken.then_some(Column::new("WOKEN")),
        view.has_times().then_some(Column::number("EVENTS").rank(2)),
        Some(Column::new("LAST EVENT").rank(5)),
        shown.socket.then_some(Column::new("SOCKET").wraps().rank(4)),
        Some(Column::new("TASK").rank(1)),
        shown.ticks.then_some(Column::new("TICKS")),
        Some(Column::new("PLACE").wraps()),
    ];
    let mut table = Table::new(columns.into_iter().flatten());
    for wait in view.waits.iter().filter(|wait| options.waits || wait.of_task.is_none()) {
        table.add(row(view, wait, &shown));
    }
    table
}

fn row(view: &View<'_>, wait: &Wait, shown: &Shown) -> Vec<String> {
    let ago = |then_ns| match view.has_times() {
        true => format!("{} ago", view.length(then_ns)),
        false => "yes".into(),
    };
    let [fd, kind, address, dir] = what(view, wait);
    let since = match wait.waiter.awaited {
        _ if view.has_times() => view.length(wait.since_ns),
        Awaited::Source { ticks: Some(ticks), .. } => ticks.a.to_string(),
        Awaited::Source { .. } | Awaited::Timer { .. } => String::new(),
    };
    let mut row = vec![fd, kind, address, dir, since];
    row.extend(shown.woken.then(|| wait.woken_ns.map(ago).unwrap_or_default()));
    let (count, last) = match wait.events {
        _ if !view.has_times() => (String::new(), last_round(view, wait)),
        None => Default::default(),
        Some(events) => {
            let least = if events.is_at_least { "≥ " } else { "" };
            let last = match wait.last_event_ns {
                Some(last_ns) => ago(last_ns),
                None if events.count == 0 && !events.is_at_least => "never".into(),
                None => "not known".into(),
            };
            (format!("{least}{}", units::count(events.count)), last)
        }
    };
    row.extend(view.has_times().then_some(count));
    row.push(last);
    let socket = || wait.socket.as_ref().map(|socket| socket.text()).unwrap_or_default();
    row.extend(shown.socket.then(socket));
    row.push(format!("{:#x}", wait.waiter.task));
    let ticks = match wait.waiter.awaited {
        Awaited::Source { ticks, .. } => ticks.map(|ticks| ticks.to_string()).unwrap_or_default(),
        Awaited::Timer { .. } => String::new(),
    };
    row.extend(shown.ticks.then_some(ticks));
    row.push(wait.place.as_deref().map_or("", short).to_owned());
    row
}

/// In which round the last event of the direction was delivered, as the memory has it.
fn last_round(view: &View<'_>, wait: &Wait) -> String {
    let direction = wait.waiter.waiter_id().map(|id| id.direction());
    let seen = view.input.snapshot.as_ref().zip(direction);
    match seen.and_then(|(snapshot, direction)| snapshot.seen.get(&direction)) {
        Some(seen) if seen.tick == 0 => "never".into(),
        Some(seen) => format!("round {}", seen.tick),
        None => String::new(),
    }
}

/// Descriptor, kind, address and direction of a source; a timer, and when it is due.
pub fn what(view: &View<'_>, wait: &Wait) -> [String; 4] {
    match wait.waiter.awaited {
        Awaited::Source { fd, dir, key, .. } => {
            let source = wait.source.as_ref();
            let kind = source.map_or_else(|| format!("source {key}"), |s| s.kind.to_string());
            let address = source.map(|source| addresses(&source.local, &source.peer));
            [fd.to_string(), kind, address.unwrap_or_default(), dir.to_string()]
        }
        Awaited::Timer { id, .. } => {
            let due = due(view, wait);
            [String::new(), format!("timer {id}"), due, String::new()]
        }
    }
}

/// Time enough for an executor that is not held up.
const PATIENCE_NS: u64 = 100_000_000;

/// Whether a task was woken that ought to have asked by now.
fn is_owed(view: &View<'_>) -> bool {
    let patience_ns = if view.state.is_live() && view.has_times() { PATIENCE_NS } else { 0 };
    let mut woken_ns = view.waits.iter().filter_map(|wait| wait.woken_ns);
    woken_ns.any(|woken_ns| view.ago_ns(woken_ns) >= patience_ns)
}

/// Why a task that was woken has not asked, as far as its threads' last records tell.
fn why_owed(view: &View<'_>) -> Option<String> {
    if view.state.is_held() {
        return Some("WOKEN: the process is stopped, and polls nothing.".into());
    }
    if !view.has_times() {
        return Some(
            "WOKEN: it was woken and has not asked since. Its task was not polled, as a thread of its executor \
             computes or is blocked; or it was, and did not poll this future."
                .into(),
        );
    }
    let Some(last) = view.history.busiest() else {
        return Some(
            "WOKEN: no thread is busy, each one's last record is a park or a wait. So the task was polled, \
             and the future that waits was not, as inside select!, FuturesUnordered and buffered; or its \
             executor is one that has recorded nothing."
                .into(),
        );
    };
    let ago_ns = view.ago_ns(view.input.recording.clock().utc_ns(last.time));
    // How long it went on like that, nobody has written down.
    let least = if view.state.has_end() { "" } else { "≥ " };
    (ago_ns >= PATIENCE_NS).then(|| {
        let (tid, name, ago) =
            (last.thread.tid, plain(&last.thread.name), units::duration(ago_ns));
        format!(
            "WOKEN: thread {tid} ({name}) has recorded nothing for {least}{ago}, and its last record is \
             neither a park nor a wait. It computes, is blocked, or sleeps in an executor of its own."
        )
    })
}
