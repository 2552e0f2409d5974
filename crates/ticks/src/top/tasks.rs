//! The rows of the tasks.

use ticks_format::{Awaited, TaskState};

use super::shown::{lines, Cell, Row, Tone};
use crate::units;
use crate::who::account::{due, state_name, Account, WaitFor};
use crate::who::calls::Frames;
use crate::who::task_stacks;
use crate::who::view::{View, Wait};

/// How long a task may be polled, or wait to be polled, before it is worth a look.
pub const LONG_NS: u64 = 100_000_000;

/// A row for each task, the worst first, and of these the longest.
pub fn rows(view: &View<'_>, accounts: &[Account<'_>], place: usize) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::with_capacity(accounts.len());
    for account in accounts {
        rows.push(row(view, account, place)?);
    }
    let state = |row: &Row| row.cells[2].key.clone();
    rows.sort_by_key(|row| std::cmp::Reverse(state(row)));
    Ok(rows)
}

/// How many tasks there are in each state, the worst first.
pub fn states(view: &View<'_>) -> Vec<(&'static str, usize, Tone)> {
    let order = [
        ("forgotten", Tone::Wrong),
        ("lost", Tone::Wrong),
        ("running", Tone::Busy),
        ("scheduled", Tone::Busy),
        ("waiting", Tone::Normal),
    ];
    let count = |name| {
        let states = view.tasks.iter().map(|live| state_name(live.task.state));
        states.filter(|state| *state == name).count()
    };
    let all = order.map(|(name, tone)| (name, count(name), tone));
    all.into_iter().filter(|(_, count, _)| *count > 0).collect()
}

fn row(view: &View<'_>, account: &Account<'_>, place: usize) -> anyhow::Result<Row> {
    let live = account.live;
    // Where it is not known since when, nothing is known to be long.
    let ago_ns = if view.has_times() { view.ago_ns(live.since_ns) } else { 0 };
    let (severity, tone) = severity(account, ago_ns);
    let cells = vec![
        Cell::number(live.task.id, live.task.id.to_string()),
        Cell::text(&account.title),
        // Of one state those that have been in it for longest come first.
        Cell::number(severity << 58 | ago_ns.min((1 << 58) - 1), state_name(live.task.state)),
        since(view, live.since_ns),
        Cell::text(&what(view, account)),
        Cell::text(account.waits.first().map_or("", |wait| wait.own_text())),
        Cell::maybe(view.has_times().then_some(live.task.polls), units::count),
    ];
    let mut text = Vec::new();
    task_stacks::write_one(&mut text, view, account, Frames { all: false })?;
    let mut details = lines(&text);
    if view.has_times() {
        details.insert(1.min(details.len()), about(view, account));
    }
    Ok(Row { id: (place, live.task.id), cells, tone, details })
}

fn severity(account: &Account<'_>, ago_ns: u64) -> (u64, Tone) {
    let is_long = ago_ns >= LONG_NS;
    match account.live.task.state {
        TaskState::Forgotten | TaskState::Lost => (6, Tone::Wrong),
        TaskState::Running { .. } if is_long && !account.polls_another => (5, Tone::Doubtful),
        TaskState::Scheduled if is_long => (4, Tone::Doubtful),
        // What waits for other tasks, as an executor does, says less than what those wait for.
        TaskState::Waiting if account.waits.iter().any(is_own) => (3, Tone::Normal),
        TaskState::Waiting => (2, Tone::Normal),
        TaskState::Running { .. } | TaskState::Scheduled => (1, Tone::Busy),
    }
}

/// What it waits for, or what else is to be said of it.
fn what(view: &View<'_>, account: &Account<'_>) -> String {
    if !account.note.is_empty() {
        return account.note.clone();
    }
    let more = account.waits.len().saturating_sub(1) as u64 + account.unknown;
    let text = |wait: &WaitFor| match wait.wait.map(|at| &view.waits[at]) {
        // Its number says nothing here, and would take the room of what does.
        Some(wait) if wait.woken_ns.is_none() && is_timer(wait) => {
            format!("timer {}", due(view, wait))
        }
        _ => wait.text.clone(),
    };
    match account.waits.first() {
        Some(wait) if more > 0 => format!("{} and {} more", text(wait), units::count(more)),
        Some(wait) => text(wait),
        None => "something that is not recorded".into(),
    }
}

/// Whether it is a wait for the reactor, or one of the program's own.
fn is_own(wait: &WaitFor) -> bool {
    wait.wait.is_some() || !wait.own_text().is_empty()
}

fn is_timer(wait: &Wait) -> bool {
    matches!(wait.waiter.awaited, Awaited::Timer { .. })
}

/// How long something has gone on, if it is known.
pub fn since(view: &View<'_>, since_ns: u64) -> Cell {
    let ago_ns = view.has_times().then(|| view.ago_ns(since_ns));
    Cell::maybe(ago_ns, |_| view.length(since_ns))
}

/// How often it was polled and woken.
fn about(view: &View<'_>, account: &Account<'_>) -> String {
    let (clock, task) = (view.input.recording.clock(), &account.live.task);
    let [polled, longest] =
        [task.polled, task.longest].map(|it| units::duration(clock.duration_ns(it)));
    format!(
        "  {} in {polled}, the longest in {longest}; woken {}; begun {} ago",
        units::things(task.polls, "poll"),
        units::things(task.wakes, "time"),
        view.length(account.live.begun_ns)
    )
}
