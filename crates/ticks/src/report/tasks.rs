//! The tasks: each as a row, and those of which the same is told as a group with its stacks.

use serde_json::{json, Value as Json};
use ticks_format::TaskState;

use super::calls::Calls;
use super::process::ROWS_MAX;
use crate::symbols::Place;
use crate::units;
use crate::who::account::{state_name, Account, WaitFor};
use crate::who::calls::Frames;
use crate::who::task_stacks;
use crate::who::task_table;
use crate::who::view::View;

/// How many groups there are at most.
pub const GROUPS_MAX: usize = 2_000;

/// How many of a group's tasks are named.
const NAMED: usize = 40;

/// How many waits of a task are told.
const WAITS_MAX: usize = 100;

/// How many of them are named in a row.
const WAITS_NAMED: usize = 4;

/// What only passes polls on does not make two tasks differ.
const OWN: Frames = Frames { all: false };

/// A group for all tasks of which the same is told.
pub fn groups(
    process: usize,
    view: &View<'_>,
    accounts: &[Account<'_>],
    calls: &mut Calls,
) -> Vec<Json> {
    let groups = task_stacks::groups(accounts, OWN);
    let json = |group: &Vec<&Account<'_>>| {
        let first = group[0];
        let ids = group.iter().take(NAMED).map(|account| account.live.task.id);
        let waits = first.waits.iter().take(WAITS_MAX).map(|wait| {
            let what = if group.len() == 1 { &wait.text } else { &wait.kind.0 };
            wait_json(what, wait, calls)
        });
        json!({
            "process": process,
            "title": first.title,
            "heading": task_stacks::heading(view, group),
            "state": state_name(first.live.task.state),
            "count": group.len(),
            "tasks": ids.collect::<Vec<_>>(),
            "waits": waits.collect::<Vec<_>>(),
            "more": more_than(first, WAITS_MAX),
            "unknown": unknown(view, first),
            "spawned": stack(first.spawned.as_deref(), calls),
        })
    };
    groups.iter().take(GROUPS_MAX + 1).map(json).collect()
}

/// A row for each task.
pub fn rows(
    process: usize,
    view: &View<'_>,
    accounts: &[Account<'_>],
    calls: &mut Calls,
) -> Vec<Json> {
    // Only counted beyond that.
    let json = |(at, account): (usize, &Account<'_>)| match at {
        0..ROWS_MAX => row(process, view, account, calls),
        _ => Json::Null,
    };
    accounts.iter().enumerate().map(json).collect()
}

fn row(process: usize, view: &View<'_>, account: &Account<'_>, calls: &mut Calls) -> Json {
    let (live, task) = (account.live, &account.live.task);
    let duration = |units| view.input.recording.clock().duration_ns(units);
    let waits = account.waits.iter().take(WAITS_MAX);
    let waits: Vec<_> = waits.map(|wait| wait_json(&wait.text, wait, calls)).collect();
    let unknown = unknown(view, account);
    let what = match account.note.is_empty() {
        false => account.note.clone(),
        true => several(account, unknown.as_deref()),
    };
    // What a memory does not have is not 0.
    let counted = |count: u64| view.has_times().then_some(count);
    json!({
        "process": process,
        "id": task.id,
        "name": account.title,
        "state": state_name(task.state),
        "since_ns": view.has_times().then(|| view.ago_ns(live.since_ns)),
        "least": !view.state.has_end(),
        "for": what,
        "in": account.waits.first().map_or("", WaitFor::own_text),
        "polls": counted(task.polls),
        "polled_ns": counted(duration(task.polled)),
        "longest_ns": counted(duration(task.longest)),
        "wakes": counted(task.wakes),
        "parent": Some(task.parent).filter(|parent| *parent != 0),
        "waits": waits,
        "more": more_than(account, WAITS_MAX),
        "unknown": unknown,
        "spawned": stack(account.spawned.as_deref(), calls),
    })
}

/// What a task waits for, in a line.
fn several(account: &Account<'_>, unknown: Option<&str>) -> String {
    let mut texts: Vec<&str> =
        account.waits.iter().take(WAITS_NAMED).map(|wait| &*wait.text).collect();
    let more = more_than(account, WAITS_NAMED);
    texts.extend(more.as_deref().into_iter().chain(unknown));
    texts.join("; ")
}

/// How many waits a task has beyond so many, if it has.
fn more_than(account: &Account<'_>, told: usize) -> Option<String> {
    let more = account.waits.len().saturating_sub(told);
    (more > 0).then(|| format!("and {} more", units::count(more as u64)))
}

/// What is said of waits of which nothing is kept, if there are any.
fn unknown(view: &View<'_>, account: &Account<'_>) -> Option<String> {
    let is_waiting = account.live.task.state == TaskState::Waiting;
    let is_all = account.waits.is_empty();
    let says = is_waiting && (account.unknown > 0 || is_all);
    says.then(|| task_table::unknown(view, account.unknown, is_all))
}

/// What is waited for, with the number of its stack.
fn wait_json(what: &str, wait: &WaitFor, calls: &mut Calls) -> Json {
    json!([what, stack(wait.place.as_deref(), calls)])
}

fn stack(place: Option<&Place>, calls: &mut Calls) -> Option<usize> {
    place.map(|place| calls.stack(&place.calls))
}
