//! The tables of all processes.

use std::collections::BTreeSet;

use serde_json::{json, Value as Json};
use ticks_format::layout::counter;

use super::calls::Calls;
use super::{rows, tasks};
use crate::explain::facts::Process;
use crate::input::Input;
use crate::stat;
use crate::symbols::{Book, Options};
use crate::units;
use crate::who::{account, table};

/// How many rows of a table there are at most: beyond that a browser is slow, and nobody reads.
pub const ROWS_MAX: usize = 20_000;

/// The tables. Rows of all processes are together, and say of which each is.
#[derive(Default)]
pub struct Tables {
    processes: Vec<Json>,
    /// Tasks of which the same is told.
    groups: Vec<Json>,
    tasks: Rows,
    waits: Rows,
    timers: Rows,
    sources: Rows,
    threads: Rows,
    /// The addresses of all sources, those without a row too.
    addresses: BTreeSet<String>,
}

/// Rows, and how many found no room.
#[derive(Default)]
struct Rows {
    all: Vec<Json>,
    left_out: u64,
}

impl Rows {
    fn add(&mut self, rows: Vec<Json>) {
        let room = ROWS_MAX.saturating_sub(self.all.len());
        self.left_out += rows.len().saturating_sub(room) as u64;
        self.all.extend(rows.into_iter().take(room));
    }

    fn into_json(self) -> Json {
        json!({ "rows": self.all, "left_out": self.left_out })
    }
}

impl Tables {
    /// Adds those of a process. Returns whether part of its recording could not be read.
    pub fn add(
        &mut self,
        index: usize,
        known: &Process<'_>,
        options: &Options,
        calls: &mut Calls,
    ) -> anyhow::Result<bool> {
        let (input, view) = (known.input, &known.view);
        let mut book = Book::new(options);
        let accounts = account::of(view, &mut book, false)?;
        self.groups.extend(tasks::groups(index, view, &accounts, calls));
        self.tasks.add(tasks::rows(index, view, &accounts, calls));
        self.waits.add(rows::waits(index, view, &mut book, calls)?);
        self.timers.add(rows::timers(index, view, &mut book, calls)?);
        let (sums, is_damaged) = stat::as_json(input, options)?;
        self.sources.add(rows::sources(index, view, &sums));
        let sources = sums["sources"].as_array().into_iter().flatten();
        let addresses = sources.flat_map(|source| [&source["local"], &source["peer"]]);
        self.addresses.extend(addresses.filter_map(|it| it.as_str().map(str::to_owned)));
        self.threads.add(rows::threads(index, view, &sums));
        let mut notes = table::notes(view);
        notes.extend(input.recording.problems().iter().cloned());
        notes.extend(input.snapshot.iter().flat_map(|snapshot| snapshot.problems.iter().cloned()));
        self.processes.push(json!({
            "name": name(input),
            "has_records": input.snapshot.is_none(),
            "head": table::head(view),
            "about": about(input, &sums)?,
            "timers": sums["timers"],
            "rings": sums["rings"],
            // What is missing to name calls and lines.
            "symbol_notes": book.notes().collect::<Vec<_>>(),
            "notes": notes,
        }));
        Ok(is_damaged)
    }

    /// How many tasks there are.
    pub fn tasks_count(&self) -> u64 {
        self.tasks.all.len() as u64 + self.tasks.left_out
    }

    /// The addresses of all sources that the records or the tables name.
    pub fn take_addresses(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.addresses)
    }

    /// All of them.
    pub fn into_json(self) -> Json {
        let room = tasks::GROUPS_MAX;
        let groups_left_out = self.groups.len().saturating_sub(room);
        json!({
            "processes": self.processes,
            "groups": self.groups.into_iter().take(room).collect::<Json>(),
            "groups_left_out": groups_left_out,
            "tasks": self.tasks.into_json(),
            "waits": self.waits.into_json(),
            "timers": self.timers.into_json(),
            "sources": self.sources.into_json(),
            "threads": self.threads.into_json(),
        })
    }
}

/// What a process is called in the page. A log does not say of which it is.
pub fn name(input: &Input) -> String {
    let file = input.path.file_name().filter(|_| input.log.is_some());
    file.map_or_else(|| input.process_name(), |file| file.to_string_lossy().into_owned())
}

/// What the recording says of itself: a name and a text each.
fn about(input: &Input, sums: &Json) -> anyhow::Result<Vec<[String; 2]>> {
    let recording = &input.recording;
    let mut about: Vec<[String; 2]> = Vec::new();
    let mut say = |name: &str, text: String| about.push([name.to_owned(), text]);
    let kind = match (&input.log, &input.snapshot) {
        (Some(_), _) => "text log",
        (None, Some(_)) => "read from the memory of",
        (None, None) => "recording",
    };
    say(kind, input.path.display().to_string());
    say("process", format!("{}, {}", recording.header().pid, input.state()));
    for (name, text) in recording.about() {
        say(name, text.clone());
    }
    for (name, field) in [("first record", "begin"), ("last record", "end")] {
        if let Some(time) = sums[field].as_str() {
            say(name, time.to_owned());
        }
    }
    say("records", units::count(sums["records"].as_u64().unwrap_or(0)));
    let rings = recording.rings()?;
    if input.log.is_none() && input.snapshot.is_none() {
        let slots = rings.iter().map(|ring| ring.slots).max().unwrap_or(0);
        let bytes = slots * ticks_format::slot::SLOT_BYTES as u64;
        let rings = units::things(rings.len() as u64, "ring");
        say("rings in use", format!("{rings} of {} KiB", units::count(bytes / 1024)));
    }
    say("slots overwritten", units::count(sums["overwritten"].as_u64().unwrap_or(0)));
    let left_out = [
        ("records without a ring", counter::UNRECORDED),
        ("sources left out of the table", counter::SOURCES_LEFT_OUT),
        ("waits left out of the table", counter::WAITERS_LEFT_OUT),
        ("tasks left out of the table", counter::TASKS_LEFT_OUT),
        ("stacks without room", counter::STACKS_LEFT_OUT),
        ("stacks not a thread's own", counter::STACKS_ELSEWHERE),
    ];
    for (name, word) in left_out {
        match recording.counter(word)? {
            0 => {}
            count => say(name, units::count(count)),
        }
    }
    Ok(about)
}
