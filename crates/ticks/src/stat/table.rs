//! The sums as tables for people.

use std::io::{self, Write};

use super::sums::SourceSums;
use super::Summary;
use crate::process::State;
use crate::{table, units};

/// One line a recording, for those who look at many.
pub fn write_overview(out: &mut dyn Write, summaries: &[Summary<'_>]) -> io::Result<()> {
    let columns =
        ["PROCESS", "STATE", "#THREADS", "#RECORDS", "#ROUNDS", "#EVENTS", "#WAKES", "#LAST"];
    let mut rows = table::new(&columns);
    for summary in summaries {
        let threads = &summary.sums.threads;
        let sum = |of: fn(&super::sums::ThreadSums) -> u64| {
            units::count(threads.values().map(of).fold(0, u64::saturating_add))
        };
        let row = [
            summary.input.process_name(),
            summary.state.to_string(),
            units::count(threads.len() as u64),
            sum(|thread| thread.records),
            sum(|thread| thread.rounds),
            sum(|thread| thread.events),
            sum(|thread| thread.wakes),
            summary.last_ago_ns().map_or_else(|| "-".into(), ago),
        ];
        table::add(&mut rows, row);
    }
    writeln!(out, "{}", table::text(&rows))
}

/// One recording.
pub fn write(out: &mut dyn Write, summary: &Summary<'_>) -> io::Result<()> {
    write_head(out, summary)?;
    write_threads(out, summary)?;
    write_sources(out, summary)?;
    let timers = &summary.sums.timers;
    let [p50, p99, max] = timers.late.texts();
    writeln!(
        out,
        "timers: {} armed, {} disarmed, {} fired; late by p50 {p50}, p99 {p99}, max {max}\n",
        units::count(timers.inserted),
        units::count(timers.removed),
        units::count(timers.fired)
    )?;
    write_rings(out, summary)?;
    if summary.unrecorded > 0 {
        writeln!(out, "{} records found no ring", units::count(summary.unrecorded))?;
    }
    Ok(())
}

fn ago(ns: u64) -> String {
    format!("{} ago", units::duration(ns))
}

fn write_head(out: &mut dyn Write, summary: &Summary<'_>) -> io::Result<()> {
    let (begin, end) = summary.sums.span_ns.unwrap_or_default();
    let span = units::duration(end - begin);
    let (name, begin) = (summary.input.process_name(), units::time(begin));
    write!(out, "{name}, which {}: {span} from {begin}", summary.state)?;
    if let (State::Runs, Some(ns)) = (summary.state, summary.last_ago_ns()) {
        write!(out, "; the last record is {} old", units::duration(ns))?;
    }
    writeln!(out, "\n")
}

fn write_threads(out: &mut dyn Write, summary: &Summary<'_>) -> io::Result<()> {
    let columns = ["THREAD", "NAME", "#RECORDS", "#ROUNDS", "#EVENTS", "#WAKES", "#PARKS"];
    // Of one that ended in order, that means nothing.
    let tells_last = summary.state != State::Ended;
    let mut rows = table::new(&[&columns[..], &["#LAST"][..usize::from(tells_last)]].concat());
    for (tid, sums) in &summary.sums.threads {
        let counts = [sums.records, sums.rounds, sums.events, sums.wakes, sums.parks];
        let begin = [tid.to_string(), sums.name.clone()];
        let last = tells_last.then(|| ago(summary.now_ns.saturating_sub(sums.last_ns)));
        let row = begin.into_iter().chain(counts.map(units::count)).chain(last);
        table::add(&mut rows, row);
    }
    writeln!(out, "{}", table::text(&rows))
}

fn write_sources(out: &mut dyn Write, summary: &Summary<'_>) -> io::Result<()> {
    let columns = [
        "FD",
        "SOURCE",
        "WHAT",
        "#EVENTS",
        "#WAKES",
        "#SPURIOUS",
        "#POLLS",
        "#POLLS/WAKE",
        "#UP≠",
        "#WAIT P50",
        "#P99",
        "#MAX",
    ];
    let mut rows = table::new(&columns);
    for (key, sums) in &summary.sums.sources {
        let about = summary.sums.abouts.get(key);
        let (fd, what) = match about {
            Some(about) => (about.fd.to_string(), about.text()),
            None => Default::default(),
        };
        let per_wake = match sums.wakes {
            0 => "-".into(),
            wakes => format!("{:.2}", sums.polls as f64 / wakes as f64),
        };
        let counts = [sums.events, sums.wakes, sums.spurious, sums.polls].map(units::count);
        let mut row = vec![fd, key.to_string(), what];
        row.extend(counts);
        row.extend([per_wake, upstream(sums)]);
        row.extend(sums.waits.texts());
        table::add(&mut rows, row);
    }
    writeln!(out, "{}", table::text(&rows))
}

/// How many polls 2.6.0 would have answered otherwise, as far as that is known.
fn upstream(sums: &SourceSums) -> String {
    match sums.judged {
        judged if judged == sums.polls => units::count(sums.differ),
        0 => "?".into(),
        _ => format!("≥ {}", units::count(sums.differ)),
    }
}

/// How much of each ring was kept.
fn write_rings(out: &mut dyn Write, summary: &Summary<'_>) -> io::Result<()> {
    let columns = ["RING", "LAST OWNER", "#WRITTEN", "#KEPT", "#OVERWRITTEN", "#UNREADABLE"];
    let mut rows = table::new(&columns);
    for (ring, loss) in &summary.rings {
        let kept = super::kept(ring, loss);
        let begin = [ring.index.to_string(), format!("{} {}", ring.owner.tid, ring.owner.name)];
        let counts = [ring.head, kept, loss.overwritten, loss.unreadable].map(units::count);
        table::add(&mut rows, begin.into_iter().chain(counts));
    }
    writeln!(out, "slots of {} bytes, one a record or more:", ticks_format::slot::SLOT_BYTES)?;
    writeln!(out, "{}", table::text(&rows))
}
