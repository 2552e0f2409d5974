//! The sums as tables for people.

use std::io::{self, Write};

use super::sums::SourceSums;
use super::Summary;
use crate::process::State;
use crate::table::{paragraph, Column, Table};
use crate::units;

/// One line a recording, for those who look at many.
pub fn write_overview(out: &mut dyn Write, summaries: &[Summary<'_>]) -> io::Result<()> {
    let columns = [
        Column::new("PROCESS").wraps(),
        Column::new("STATE").wraps().rank(5),
        Column::number("THREADS").rank(1),
        Column::number("RECORDS"),
        Column::number("ROUNDS").rank(3),
        Column::number("EVENTS").rank(4),
        Column::number("WAKES").rank(2),
        Column::number("LAST"),
    ];
    let mut rows = Table::new(columns);
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
        rows.add(row);
    }
    writeln!(out, "{}", rows.text())
}

/// One recording.
pub fn write(out: &mut dyn Write, summary: &Summary<'_>) -> io::Result<()> {
    write_head(out, summary)?;
    super::task_table::write(out, &summary.tasks)?;
    write_threads(out, summary)?;
    write_sources(out, summary)?;
    let timers = &summary.sums.timers;
    let [p50, p99, max] = timers.late.texts();
    let [inserted, removed, fired] =
        [timers.inserted, timers.removed, timers.fired].map(units::count);
    let text = format!(
        "timers: {inserted} armed, {removed} disarmed, {fired} fired; late by p50 {p50}, p99 {p99}, max \
         {max}"
    );
    writeln!(out, "{}", paragraph(&text))?;
    write_rings(out, summary)?;
    if summary.unrecorded > 0 {
        writeln!(out, "{} records found no ring", units::count(summary.unrecorded))?;
    }
    Ok(())
}

/// When a thread made its last record: by now, or by the end of a recording to which nothing more comes.
fn last(summary: &Summary<'_>, last_ns: u64) -> String {
    let (_, end_ns) = summary.sums.span_ns.unwrap_or_default();
    match summary.state.is_live() {
        true => ago(summary.now_ns.saturating_sub(last_ns)),
        false if last_ns >= end_ns => "at the end".into(),
        false => format!("{} before end", units::duration(end_ns - last_ns)),
    }
}

fn ago(ns: u64) -> String {
    format!("{} ago", units::duration(ns))
}

fn write_head(out: &mut dyn Write, summary: &Summary<'_>) -> io::Result<()> {
    let (name, state) = (summary.input.process_name(), summary.state);
    let Some((begin, end)) = summary.sums.span_ns else {
        return writeln!(out, "{}", paragraph(&format!("{name} {state}: there is no record")));
    };
    let (span, begin) = (units::duration(end - begin), units::time(begin));
    let mut head = format!("{name} {state}: its records span {span}, from {begin}");
    if let Some(ns) = summary.last_ago_ns() {
        head += &format!("; the last is {} old", units::duration(ns));
    }
    writeln!(out, "{}", paragraph(&head))
}

fn write_threads(out: &mut dyn Write, summary: &Summary<'_>) -> io::Result<()> {
    // Of one that ended in order, that means nothing.
    let tells_last = summary.state != State::Ended;
    let columns = [
        Column::new("THREAD"),
        Column::new("NAME").wraps(),
        Column::number("RECORDS"),
        Column::number("ROUNDS").rank(3),
        Column::number("EVENTS").rank(4),
        Column::number("WAKES").rank(2),
        Column::number("PARKS").rank(1),
    ];
    let column = tells_last.then_some(Column::number("LAST"));
    let mut rows = Table::new(columns.into_iter().chain(column));
    for (tid, sums) in &summary.sums.threads {
        let counts = [sums.records, sums.rounds, sums.events, sums.wakes, sums.parks];
        let begin = [tid.to_string(), sums.name.clone()];
        let last = tells_last.then(|| last(summary, sums.last_ns));
        let row = begin.into_iter().chain(counts.map(units::count)).chain(last);
        rows.add(row);
    }
    writeln!(out, "{}", rows.text())
}

fn write_sources(out: &mut dyn Write, summary: &Summary<'_>) -> io::Result<()> {
    let columns = [
        Column::new("FD"),
        Column::new("SOURCE").rank(6),
        Column::new("WHAT").wraps(),
        Column::number("EVENTS").rank(10),
        Column::number("WAKES").rank(7),
        Column::number("SPURIOUS").rank(3),
        Column::number("POLLS").rank(9),
        Column::number("POLLS/WAKE").rank(1),
        Column::number("UP≠").rank(5),
        Column::number("WAIT P50").rank(4),
        Column::number("P99").rank(2),
        Column::number("MAX").rank(8),
    ];
    let (_, end_ns) = summary.sums.span_ns.unwrap_or_default();
    let now_ns = if summary.state.is_live() { summary.now_ns } else { end_ns };
    let has_unasked = summary.sums.sources.values().any(|sums| sums.unasked_ns.is_some());
    let column = has_unasked.then_some(Column::number("UNASKED"));
    let mut rows = Table::new(columns.into_iter().chain(column));
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
        if has_unasked {
            let since = sums.unasked_ns.map(|ns| ago(now_ns.saturating_sub(ns)));
            row.push(since.unwrap_or_default());
        }
        rows.add(row);
    }
    writeln!(out, "{}", rows.text())
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
    let columns = [
        Column::new("RING").rank(1),
        Column::new("LAST OWNER").wraps(),
        Column::number("WRITTEN").rank(2),
        Column::number("KEPT"),
        Column::number("OVERWRITTEN"),
        Column::number("UNREADABLE").rank(3),
    ];
    let mut rows = Table::new(columns);
    for (ring, loss) in &summary.rings {
        let kept = super::kept(ring, loss);
        let begin = [ring.index.to_string(), format!("{} {}", ring.owner.tid, ring.owner.name)];
        let counts = [ring.head, kept, loss.overwritten, loss.unreadable].map(units::count);
        rows.add(begin.into_iter().chain(counts));
    }
    writeln!(out, "slots of {} bytes, one a record or more:", ticks_format::slot::SLOT_BYTES)?;
    writeln!(out, "{}", rows.text())
}
