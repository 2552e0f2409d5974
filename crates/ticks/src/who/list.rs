//! `ticks who` without an argument: the processes that record.

use std::io::Write;

use anyhow::Context;
use serde_json::json;

use crate::input::{Input, Inputs};
use crate::process::{Found, State};
use crate::table::{paragraph, Column, Table};
use crate::units;

/// One process that records.
struct Row<'a> {
    input: &'a Input,
    state: State,
    tasks: u64,
    waiting: u64,
    last_ago_ns: Option<u64>,
}

impl<'a> Row<'a> {
    fn of(input: &'a Input) -> anyhow::Result<Row<'a>> {
        let waiting = input.recording.waiters().count() as u64;
        let tasks = input.recording.tasks().count() as u64;
        let last_ns = input.last_record_ns()?;
        let last_ago_ns = last_ns.map(|last_ns| units::now_ns().saturating_sub(last_ns));
        Ok(Row { input, state: input.state(), tasks, waiting, last_ago_ns })
    }
}

/// Lists them. Returns how many there are, and whether one could not be read.
pub fn write(out: &mut dyn Write, as_json: bool) -> anyhow::Result<(usize, bool)> {
    let found = Found::all()?;
    let inputs = Inputs::of_processes(&found.pids);
    let (rows, failed) = inputs.each(|input| Row::of(input).with_context(|| input.place()));
    if as_json {
        for row in &rows {
            let object = json!({
                "file": row.input.path.to_string_lossy(),
                "pid": row.input.pid(),
                "program": row.input.program(),
                "state": row.state.name(),
                "tasks": row.tasks,
                "waiting": row.waiting,
                "last_ago_ns": row.last_ago_ns,
            });
            writeln!(out, "{object}")?;
        }
        return Ok((rows.len(), failed));
    }
    if !rows.is_empty() {
        write!(out, "{}", table(&rows).text())?;
    }
    let mut text = match rows.len() {
        0 => "no process records; start one with ASYNC_IO_TRACE=DIR in its environment, or by \
              `ticks record -- CMD`"
            .into(),
        1 => "1 process records".into(),
        count => format!("{} processes record", units::count(count as u64)),
    };
    if found.hidden > 0 {
        let hidden = units::count(found.hidden as u64);
        text += &format!("; {hidden} more, of other users, could not be looked into");
    }
    write!(out, "{}", paragraph(&text))?;
    Ok((rows.len(), failed))
}

fn table(rows: &[Row<'_>]) -> Table {
    let columns = [
        Column::number("PID"),
        Column::new("PROGRAM").wraps(),
        Column::new("STATE").wraps(),
        Column::number("TASKS"),
        Column::number("WAITS"),
        Column::number("LAST RECORD").rank(2),
        Column::new("RECORDING").wraps().rank(1),
    ];
    let mut table = Table::new(columns);
    for row in rows {
        let last = row.last_ago_ns.map_or_else(|| "-".into(), |ns| units::duration(ns) + " ago");
        table.add([
            row.input.pid().to_string(),
            row.input.program_name().unwrap_or_default().to_owned(),
            row.state.to_string(),
            units::count(row.tasks),
            units::count(row.waiting),
            last,
            row.input.place(),
        ]);
    }
    table
}
