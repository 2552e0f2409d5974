//! The sums of tasks as tables for people.

use std::io::{self, Write};

use super::tasks::{Counts, Places};
use crate::plain::plain;
use crate::table::{paragraph, Column, Table};
use crate::units;

/// How many places are told: beyond that are those with the fewest polls.
const PLACES_MAX: usize = 40;

/// Tasks and places, if there are tasks.
pub fn write(out: &mut dyn Write, tasks: &Places) -> io::Result<()> {
    let names = tasks.names();
    if names.is_empty() {
        return Ok(());
    }
    let begin = [Column::new("TASKS").wraps(), Column::number("COUNT").rank(7)];
    let end = [Column::new("LONGEST IN").wraps().rank(9)];
    let mut rows = Table::new(begin.into_iter().chain(columns()).chain(end));
    for (name, of_name) in names {
        let longest = of_name.counts.longest.as_ref().map(|longest| {
            let place = tasks.of_longest(longest).unwrap_or_default();
            format!("task {} {place}", longest.task).trim_end().to_owned()
        });
        let begin = [name.clone(), units::count(of_name.tasks)];
        rows.add(begin.into_iter().chain(counts(&of_name.counts)).chain(longest));
    }
    writeln!(out, "{}", rows.text())?;
    if tasks.places.is_empty() {
        return Ok(());
    }
    let begin = [Column::new("PLACE").wraps(), Column::new("WAITS FOR").wraps().rank(7)];
    let mut rows = Table::new(begin.into_iter().chain(columns()));
    for of_place in tasks.places.iter().take(PLACES_MAX) {
        let begin = [of_place.place.clone(), of_place.what.clone()];
        rows.add(begin.into_iter().chain(counts(&of_place.counts)));
    }
    write!(out, "{}", rows.text())?;
    if let Some(more) = tasks.places.len().checked_sub(PLACES_MAX).filter(|more| *more > 0) {
        let more = units::count(more as u64);
        write!(
            out,
            "{}",
            paragraph(&format!("and {more} places with fewer polls; --json has all"))
        )?;
    }
    for note in &tasks.notes {
        write!(out, "{}", paragraph(&plain(note)))?;
    }
    writeln!(out)
}

fn columns() -> [Column; 9] {
    [
        Column::number("POLLS"),
        Column::number("POLL P50").rank(4),
        Column::number("POLL P99").rank(3),
        Column::number("POLL MAX").rank(10),
        Column::number("SCHED P50").rank(5),
        Column::number("SCHED P99").rank(2),
        Column::number("SCHED MAX").rank(8),
        Column::number("WAKES").rank(6),
        Column::number("SELF").rank(1),
    ]
}

fn counts(counts: &Counts) -> Vec<String> {
    let mut row = vec![units::count(counts.polls.count())];
    row.extend(counts.polls.texts());
    // The table of tasks may know of a longer one than the records that are left.
    if let Some(longest) = &counts.longest {
        row[3] = units::duration(longest.ns);
    }
    row.extend(counts.scheduled.texts());
    row.extend([counts.wakes, counts.self_wakes].map(units::count));
    row
}
