//! `ticks who`: who waits now, or waited when the program ended.

use std::collections::HashMap;
use std::io::{BufWriter, Write};
use std::thread::sleep;
use std::time::Duration;

use serde_json::{json, Value as Json};
use ticks_format::layout::counter;
use ticks_format::{Awaited, Entry, Key, Source, Waiter};

use crate::input::{self, Input};
use crate::outcome::Outcome;
use crate::{table, units};

/// Show who waits now, or waited when the program ended
///
/// Nothing runs in the program: its recording is read.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A recording, or the number of a process that records
    #[arg(value_name = "FILE|PID")]
    target: String,
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
  ticks who --json /tmp/t/4711.ticks | jq 'select(.fd == 9)'";

/// Shows who waits.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let path = input::find(&args.target)?;
    let mut input = Input::open(&path)?;
    let mut out = BufWriter::new(anstream::stdout().lock());
    loop {
        let view = View::of(&input)?;
        if args.json {
            view.write_json(&mut out)?;
        } else {
            view.write_table(&mut out, &input)?;
        }
        out.flush()?;
        match args.every {
            Some(pause) if view.live => sleep(pause),
            _ => break,
        }
        input.recording.refresh_clock()?;
    }
    let damaged = input.report_problems();
    Ok(if damaged { Outcome::Partly } else { Outcome::Done })
}

/// Everybody who waits, at one moment.
struct View {
    live: bool,
    at_ns: u64,
    waits: Vec<Wait>,
    torn: u64,
    left_out: u64,
}

/// One who waits.
struct Wait {
    waiter: Waiter,
    since_ns: u64,
    /// When the timer is due.
    due_ns: Option<u64>,
    place: Option<String>,
    source: Option<Source>,
}

impl View {
    fn of(input: &Input) -> anyhow::Result<View> {
        let recording = &input.recording;
        let sources: HashMap<Key, Source> = input.sources()?;
        let live = input.is_live();
        let (mut waits, mut torn) = (Vec::new(), 0);
        for entry in recording.waiters() {
            let Entry::Whole(waiter) = entry? else {
                torn += 1;
                continue;
            };
            let clock = recording.clock();
            let (source, due_ns) = match waiter.awaited {
                Awaited::Source { key, .. } => (sources.get(&key).cloned(), None),
                Awaited::Timer { deadline_ns, .. } => (None, clock.reactor_to_utc_ns(deadline_ns)),
            };
            waits.push(Wait {
                waiter,
                since_ns: clock.utc_ns(waiter.since),
                due_ns,
                place: recording.place(waiter.place)?,
                source,
            });
        }
        waits.sort_by_key(|wait| wait.since_ns);
        let at_ns = match live {
            true => units::now_ns(),
            false => last_ns(input, &waits)?,
        };
        let left_out = recording.counter(counter::WAITERS_LEFT_OUT)?;
        Ok(View { live, at_ns, waits, torn, left_out })
    }

    fn write_table(&self, out: &mut dyn Write, input: &Input) -> anyhow::Result<()> {
        let process = input.process_name();
        let at = units::time(self.at_ns);
        let state = match self.live {
            true => "runs",
            false => "has ended; as it was",
        };
        let count = self.waits.len();
        writeln!(out, "{process} {state}, {at}: {count} waiting")?;
        let columns = ["FD", "KIND", "ADDRESS", "DIR", "SINCE", "TASK", "TICKS", "PLACE"];
        let mut rows = table::new(&columns);
        for wait in &self.waits {
            table::add(&mut rows, wait.row(self.at_ns));
        }
        if count > 0 {
            out.write_all(table::text(&rows).as_bytes())?;
        }
        if self.torn > 0 {
            writeln!(out, "{} entries were being written", self.torn)?;
        }
        if self.left_out > 0 {
            writeln!(out, "{} more found no place in the table", self.left_out)?;
        }
        Ok(())
    }

    fn write_json(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        for wait in &self.waits {
            writeln!(out, "{}", wait.json(self.at_ns))?;
        }
        Ok(())
    }
}

impl Wait {
    fn row(&self, at_ns: u64) -> [String; 8] {
        let since = units::duration(at_ns.saturating_sub(self.since_ns));
        let task = format!("{:#x}", self.waiter.task);
        let place = self.place.clone().unwrap_or_default();
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
            "time": units::time(at_ns),
            "since": units::time(self.since_ns),
            "waited_ns": at_ns.saturating_sub(self.since_ns),
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

/// The time of the last thing that a program now ended recorded.
fn last_ns(input: &Input, waits: &[Wait]) -> anyhow::Result<u64> {
    /// Enough slots to hold a whole record.
    const TAIL_SLOTS: u64 = 64;
    let recording = &input.recording;
    let mut last = waits.iter().map(|wait| wait.since_ns).max().unwrap_or(0);
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
