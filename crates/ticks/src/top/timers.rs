//! The rows of the timers.

use ticks_format::Awaited;

use super::shown::{Cell, Row, Tone};
use super::sources::Parts;
use super::tasks::since;
use crate::symbols::{short, Book};
use crate::who::account::due;
use crate::who::view::Wait;

/// How late a timer may be before that is worth a look.
const LATE_NS: u64 = 100_000_000;

/// A row for each timer that somebody waits for, the first to be due before others.
pub fn rows(parts: &Parts<'_>, book: &mut Book) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for wait in &parts.view.waits {
        if let Awaited::Timer { id, .. } = wait.waiter.awaited {
            rows.push(row(parts, id, wait, book)?);
        }
    }
    rows.sort_by_key(|row| row.cells[1].key.clone());
    Ok(rows)
}

fn row(parts: &Parts<'_>, id: u64, wait: &Wait, book: &mut Book) -> anyhow::Result<Row> {
    let view = parts.view;
    let is_late = wait.due_ns.is_some_and(|due_ns| view.ago_ns(due_ns) >= LATE_NS);
    let due_text = due(view, wait);
    let task = match parts.task(wait) {
        Some(account) => {
            let id = account.live.task.id;
            Cell::number(id, format!("{id} {}", account.title))
        }
        None => Cell::text(""),
    };
    let place = match book.place(view.input, wait.waiter.stack)?.and_then(|place| place.own_text())
    {
        Some(own) => own,
        None => wait.place.as_deref().map_or("", short).to_owned(),
    };
    let cells = vec![
        Cell::number(id, id.to_string()),
        // One that is due at no known time comes last.
        Cell::number(wait.due_ns.unwrap_or(u64::MAX), due_text.trim_start_matches("due ")),
        since(view, wait.since_ns),
        task,
        Cell::text(&place),
    ];
    let mut details = vec![format!("timer {id}, {due_text}"), String::new()];
    details.extend(parts.wait("waited for", wait, book)?);
    let tone = if is_late { Tone::Doubtful } else { Tone::Normal };
    Ok(Row { id: (parts.place, id), cells, tone, details })
}
