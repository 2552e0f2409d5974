//! The tasks, for people: a row each, or one for all of which the same is told.

use std::collections::HashMap;
use std::io::{self, Write};

use ticks_format::TaskState;

use super::account::{state_name, Account};
use super::view::View;
use crate::table::{paragraph, Column, Table};
use crate::units;

/// How many descriptors of a crowd are named.
const NAMED: usize = 3;

/// How long a poll may take before a line says so.
const LONG_NS: u64 = 100_000_000;

/// Tasks of which the same is told, with their places among the accounts.
pub struct Crowd(pub Vec<usize>);

/// What makes two tasks equal.
type Shape<'a> = (&'a str, TaskState, Vec<&'a (String, Option<String>)>, &'a str, u64);

/// The crowds, those whose first task began first before others.
pub fn crowds(accounts: &[Account<'_>], all: bool) -> Vec<Crowd> {
    if all {
        return (0..accounts.len()).map(|at| Crowd(vec![at])).collect();
    }
    let mut crowds: Vec<Crowd> = Vec::new();
    let mut places: HashMap<Shape<'_>, usize> = HashMap::new();
    for (at, account) in accounts.iter().enumerate() {
        let state = account.live.task.state;
        let mut waits: Vec<_> = account.waits.iter().map(|wait| &wait.kind).collect();
        waits.dedup();
        let shape =
            (account.title.as_str(), state, waits, account.note_kind.as_str(), account.unknown);
        let place = *places.entry(shape).or_insert_with(|| {
            crowds.push(Crowd(Vec::new()));
            crowds.len() - 1
        });
        crowds[place].0.push(at);
    }
    crowds
}

/// The table, and what is to be said of it.
pub fn write(
    out: &mut dyn Write,
    view: &View<'_>,
    accounts: &[Account<'_>],
    all: bool,
) -> io::Result<()> {
    let columns = [
        Some(Column::new("TASK")),
        Some(Column::new("NAME").wraps().rank(1)),
        Some(Column::new("STATE")),
        has_since(view).then_some(Column::new("SINCE")),
        Some(Column::new("FOR").wraps()),
        Some(Column::new("IN").wraps()),
    ];
    let mut table = Table::new(columns.into_iter().flatten());
    for crowd in crowds(accounts, all) {
        add_rows(&mut table, view, accounts, &crowd);
    }
    if !table.is_empty() {
        write!(out, "{}", table.text())?;
    }
    for account in accounts {
        if let Some(text) = long_poll(view, account) {
            write!(out, "{}", paragraph(&text))?;
        }
    }
    Ok(())
}

/// A row for each of the different things that the crowd waits for.
fn add_rows(table: &mut Table, view: &View<'_>, accounts: &[Account<'_>], crowd: &Crowd) {
    let first = &accounts[crowd.0[0]];
    let id = match crowd.0.len() {
        1 => first.live.task.id.to_string(),
        count => format!("{} ×", units::count(count as u64)),
    };
    let state = first.live.task.state;
    let mut begin = vec![id, first.title.clone(), state_name(state).to_owned()];
    begin.extend(has_since(view).then(|| since(view, accounts, crowd)));
    for (index, (what, own)) in whats(view, accounts, crowd).into_iter().enumerate() {
        let begin = match index {
            0 => begin.clone(),
            _ => vec![String::new(); begin.len()],
        };
        table.add(begin.into_iter().chain([what, own]));
    }
}

/// How long the crowd's tasks have been at it: of several, at most.
fn since(view: &View<'_>, accounts: &[Account<'_>], crowd: &Crowd) -> String {
    let longest = crowd.0.iter().map(|at| view.ago_ns(accounts[*at].live.since_ns)).max();
    let longest = longest.unwrap_or(0);
    match (view.has_times() && view.state.has_end(), crowd.0.len()) {
        (true, 2..) => format!("≤ {}", units::duration(longest)),
        _ => view.length(view.at_ns - longest),
    }
}

/// Whether it is known of any task since when.
fn has_since(view: &View<'_>) -> bool {
    view.has_times() || view.tasks.iter().any(|live| view.ago_ns(live.since_ns) > 1)
}

/// What the crowd waits for, and where in the program.
fn whats(view: &View<'_>, accounts: &[Account<'_>], crowd: &Crowd) -> Vec<(String, String)> {
    let first = &accounts[crowd.0[0]];
    if !first.note.is_empty() {
        let own = first.waits.first().map_or("", |wait| wait.own_text());
        let note = match crowd.0.len() {
            1 => &first.note,
            _ if first.note_kind.is_empty() => &first.note,
            _ => &first.note_kind,
        };
        return vec![(note.clone(), own.to_owned())];
    }
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut from = 0;
    while let Some(wait) = first.waits.get(from) {
        let equal = first.waits[from..].iter().take_while(|other| other.kind == wait.kind).count();
        let of_crowd = |at: &usize| accounts[*at].waits.iter().filter(|it| it.kind == wait.kind);
        let waits: Vec<_> = crowd.0.iter().flat_map(of_crowd).collect();
        let text = match (waits.len(), &waits[..]) {
            (1, _) => wait.text.clone(),
            (count, [one, ..]) if one.wait.is_some() => {
                let about = several(view, &waits);
                format!("{}{about}", times(count, equal, crowd) + &wait.kind.0)
            }
            (count, _) => times(count, equal, crowd) + &wait.kind.0,
        };
        rows.push((text, wait.own_text().to_owned()));
        from += equal;
    }
    if first.unknown > 0 || rows.is_empty() {
        rows.push((unknown(view, first.unknown, rows.is_empty()), String::new()));
    }
    rows
}

/// What is said of so many waits of which nothing is kept, beside others or as all that there is.
pub fn unknown(view: &View<'_>, count: u64, is_all: bool) -> String {
    let count = units::count(count);
    match (is_all, view.has_times()) {
        (true, true) => "something that is not recorded".to_owned(),
        (false, true) => format!("and {count} more that are not recorded"),
        // The memory shows all that is the reactor's.
        (true, false) => "no socket and no timer: a lock, a channel or another task".to_owned(),
        (false, false) => format!("and {count} more that are no sockets and no timers"),
    }
}

/// How often a task of the crowd waits for the same, if that is more than once.
fn times(count: usize, equal: usize, crowd: &Crowd) -> String {
    match equal {
        1 if count == crowd.0.len() => String::new(),
        _ => format!("{} × ", units::count(count as u64)),
    }
}

/// Descriptors, or when the first of several timers is due.
fn several(view: &View<'_>, waits: &[&super::account::WaitFor]) -> String {
    let waits = || waits.iter().filter_map(|it| it.wait).map(|at| &view.waits[at]);
    let fds: Vec<_> = waits()
        .filter_map(|wait| match wait.waiter.awaited {
            ticks_format::Awaited::Source { fd, .. } => Some(fd),
            ticks_format::Awaited::Timer { .. } => None,
        })
        .collect();
    if fds.is_empty() {
        let next = waits().filter(|wait| wait.due_ns.is_some()).min_by_key(|wait| wait.due_ns);
        return next.map_or(String::new(), |next| {
            format!(", the next {}", super::account::due(view, next))
        });
    }
    let named: Vec<_> = fds.iter().take(NAMED).map(|fd| fd.to_string()).collect();
    let more = match fds.len() - named.len() {
        0 => String::new(),
        more => format!(" and {} more", units::count(more as u64)),
    };
    format!(", fd {}{more}", named.join(", "))
}

/// What is to be said of a task whose poll takes long.
pub fn long_poll(view: &View<'_>, account: &Account<'_>) -> Option<String> {
    let live = account.live;
    let is_running = matches!(live.task.state, TaskState::Running { .. });
    let ago_ns = view.ago_ns(live.since_ns);
    (is_running && !account.polls_another && ago_ns >= LONG_NS).then(|| {
        let least = if view.state.has_end() { "" } else { "≥ " };
        format!(
            "task {} ({}) has been polled for {least}{} {}: it computes, or it blocks its thread, and \
             nothing else runs on that",
            live.task.id,
            account.title,
            units::duration(ago_ns),
            account.note,
        )
    })
}
