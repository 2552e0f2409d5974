//! The rows of the threads.

use std::collections::{BTreeSet, HashMap};

use ticks_format::TaskState;

use super::kernel::Thread;
use super::rings::Recorded;
use super::shown::{Cell, Row, Tone};
use super::tasks::LONG_NS;
use crate::plain::plain;
use crate::who::account::Account;
use crate::who::view::View;

/// A row for each thread that records or that the kernel knows, those first that poll a task, the longest before
/// others.
pub fn rows(
    view: &View<'_>,
    accounts: &[Account<'_>],
    recorded: &[Recorded],
    kernel: &HashMap<u64, Thread>,
    place: usize,
) -> Vec<Row> {
    let polled = polled(accounts);
    let tids: BTreeSet<u64> =
        recorded.iter().map(|it| it.tid).chain(kernel.keys().copied()).collect();
    let mut rows: Vec<Row> = Vec::with_capacity(tids.len());
    for tid in tids {
        let thread = recorded.iter().find(|it| it.tid == tid);
        let polls = polled.get(&tid).copied();
        rows.push(row(view, (place, tid), thread, kernel.get(&tid), polls));
    }
    rows.sort_by_key(|row| {
        let since = polled.get(&row.id.1).map_or(u64::MAX, |account| account.live.since_ns);
        (since, row.id.1)
    });
    rows
}

/// The task that each thread polls: the innermost of several.
fn polled<'a>(accounts: &'a [Account<'a>]) -> HashMap<u64, &'a Account<'a>> {
    let running = |account: &&Account<'_>| {
        matches!(account.live.task.state, TaskState::Running { .. }) && !account.polls_another
    };
    accounts.iter().filter(running).map(|account| (account.live.task.thread, account)).collect()
}

fn row(
    view: &View<'_>,
    id: super::shown::Id,
    recorded: Option<&Recorded>,
    kernel: Option<&Thread>,
    polls: Option<&Account<'_>>,
) -> Row {
    let kernel_name = kernel.map(|thread| thread.name.as_str()).filter(|name| !name.is_empty());
    let name = recorded.map(|it| it.name.as_str()).filter(|name| !name.is_empty());
    let name = name.or(kernel_name).unwrap_or_default();
    let last = recorded.and_then(|it| it.last.as_ref());
    let polls_ns = polls.map(|account| view.ago_ns(account.live.since_ns));
    let polls_text = polls.map_or(String::new(), |account| {
        let live = account.live;
        match view.has_times() {
            true => format!(
                "task {} for {}: {}",
                live.task.id,
                view.length(live.since_ns),
                account.title
            ),
            false => format!("task {}: {}", live.task.id, account.title),
        }
    });
    let kernel_text = kernel.map_or("", |thread| &thread.state);
    let last_ago_ns = last.map(|last| view.ago_ns(last.utc_ns));
    let last_ago = last.map(|last| view.length(last.utc_ns) + " ago").unwrap_or_default();
    let cpu = kernel.and_then(|thread| thread.cpu);
    let cells = vec![
        Cell::number(id.1, id.1.to_string()),
        Cell::text(name),
        Cell::maybe(cpu, |cpu| format!("{cpu} %")),
        Cell::text(kernel_text),
        Cell::maybe(polls_ns, |_| polls_text.clone()),
        Cell::maybe(last_ago_ns, |_| last_ago.clone()),
        Cell::text(last.map_or("", |last| &last.text)),
    ];
    let mut details = vec![format!("thread {}, {}", id.1, plain(name))];
    let mut add = |text: String| details.push(format!("  {}", plain(&text)));
    match (kernel, cpu) {
        (Some(_), Some(cpu)) => add(format!("the kernel: {kernel_text}, {cpu} % of a processor")),
        (Some(_), None) => add(format!("the kernel: {kernel_text}")),
        (None, _) => {}
    }
    match polls_text.is_empty() {
        true => add("it polls no recorded task".into()),
        false => add(format!("it polls {polls_text}")),
    }
    match last {
        Some(last) => {
            add(format!("its last record, {last_ago}:"));
            add(format!("  {}", last.text));
        }
        None if view.has_times() => add("it has recorded nothing".into()),
        None => {}
    }
    let tone = match (polls_ns, kernel) {
        (Some(polls_ns), _) if polls_ns >= LONG_NS && view.has_times() => Tone::Doubtful,
        (Some(_), _) => Tone::Busy,
        (None, Some(thread)) if thread.runs => Tone::Busy,
        (None, _) if recorded.is_none() => Tone::Quiet,
        (None, _) => Tone::Normal,
    };
    Row { id, cells, tone, details }
}
