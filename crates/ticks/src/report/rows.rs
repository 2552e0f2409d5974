//! Waits, timers, sources and threads: a row each.

use std::collections::HashMap;

use serde_json::{json, Value as Json};
use ticks_format::{Awaited, Key, SourceKind};

use super::calls::Calls;
use crate::symbols::{short, Book};
use crate::who::table;
use crate::who::unasked;
use crate::who::view::{View, Wait};

fn is_timer(wait: &Wait) -> bool {
    matches!(wait.waiter.awaited, Awaited::Timer { .. })
}

/// What all waits have: who waits, where, since when.
fn wait(
    process: usize,
    view: &View<'_>,
    wait: &Wait,
    book: &mut Book,
    calls: &mut Calls,
) -> anyhow::Result<Json> {
    let task_id = wait.of_task.map(|at| view.tasks[at].task.id);
    let place = book.place(view.input, wait.waiter.stack)?;
    let own = place.as_ref().and_then(|place| place.own_text());
    let own = own.or_else(|| wait.place.as_deref().map(|place| short(place).to_owned()));
    Ok(json!({
        "process": process,
        "since_ns": view.has_times().then(|| view.ago_ns(wait.since_ns)),
        "least": !view.state.has_end(),
        "task": task_id,
        "waker": format!("{:#x}", wait.waiter.task),
        "in": own,
        "stack": place.map(|place| calls.stack(&place.calls)),
    }))
}

/// The waits for sources, the longest first.
pub fn waits(
    process: usize,
    view: &View<'_>,
    book: &mut Book,
    calls: &mut Calls,
) -> anyhow::Result<Vec<Json>> {
    let mut rows = Vec::new();
    for of_source in view.waits.iter().filter(|wait| !is_timer(wait)) {
        let [fd, kind, address, dir] = table::what(view, of_source);
        let mut row = wait(process, view, of_source, book, calls)?;
        let events = of_source.events.filter(|_| view.has_times());
        row["fd"] = fd.parse::<i64>().ok().into();
        row["kind"] = kind.into();
        row["address"] = address.into();
        row["dir"] = dir.into();
        row["events"] = events.map(|events| events.count).into();
        row["events_least"] = events.is_some_and(|events| events.is_at_least).into();
        row["last_event_ns"] = of_source.last_event_ns.map(|last| view.ago_ns(last)).into();
        row["woken_ns"] =
            of_source.woken_ns.filter(|_| view.has_times()).map(|woken| view.ago_ns(woken)).into();
        row["is_woken"] = of_source.woken_ns.is_some().into();
        // A process's memory has rounds where a recording has times.
        row["round"] = match of_source.waiter.awaited {
            Awaited::Source { ticks: Some(ticks), .. } if !view.has_times() => ticks.a.into(),
            _ => Json::Null,
        };
        row["socket"] = of_source.socket.as_ref().map(|socket| socket.text()).into();
        rows.push(row);
    }
    Ok(rows)
}

/// The timers that are waited for, those that are due first.
pub fn timers(
    process: usize,
    view: &View<'_>,
    book: &mut Book,
    calls: &mut Calls,
) -> anyhow::Result<Vec<Json>> {
    let mut timers: Vec<_> = view.waits.iter().filter(|wait| is_timer(wait)).collect();
    timers.sort_by_key(|wait| wait.due_ns);
    let mut rows = Vec::new();
    for of_timer in timers {
        let Awaited::Timer { id, .. } = of_timer.waiter.awaited else { continue };
        let mut row = wait(process, view, of_timer, book, calls)?;
        row["timer"] = id.into();
        // Below 0: it is overdue.
        row["due_ns"] = of_timer
            .due_ns
            .map(|due_ns| i128::from(due_ns) - i128::from(view.at_ns))
            .map(|ns| ns as i64)
            .into();
        rows.push(row);
    }
    Ok(rows)
}

/// The sources, with what the records say of each.
pub fn sources(process: usize, view: &View<'_>, sums: &Json) -> Vec<Json> {
    let unasked: HashMap<u64, Json> = unasked::json(view)
        .filter_map(|one| Some((one["key"].as_u64()?, one["unasked_ns"].clone())))
        .collect();
    let mut waits: HashMap<u64, u64> = HashMap::new();
    for id in view.waits.iter().filter_map(|wait| wait.waiter.waiter_id()) {
        *waits.entry(id.key.0).or_default() += 1;
    }
    let rows = sums["sources"].as_array().map(Vec::as_slice).unwrap_or_default();
    let row = |of_source: &Json| {
        let key = Key(of_source["key"].as_u64().unwrap_or_default());
        let registered = view.sources.get(&key).is_some_and(|source| source.registered);
        // A memory does not count.
        let counted = |name: &str| Some(&of_source[name]).filter(|_| view.has_times());
        json!({
            "process": process,
            "fd": of_source["fd"],
            "source": key.to_string(),
            "kind": of_source["kind"].as_str().unwrap_or(SourceKind::Other.name()),
            "local": address(&of_source["local"]),
            "peer": address(&of_source["peer"]),
            "registered": registered,
            "waits": waits.get(&key.0).copied().unwrap_or(0),
            "events": counted("events"),
            "wakes": counted("wakes"),
            "spurious": counted("spurious"),
            "polls": counted("polls"),
            "wait_p50_ns": of_source["waits"]["p50_ns"],
            "wait_max_ns": of_source["waits"]["max_ns"],
            "unasked_ns": unasked.get(&key.0),
        })
    };
    rows.iter().map(row).collect()
}

/// An address; nothing if there is none.
fn address(value: &Json) -> &str {
    value.as_str().filter(|text| *text != "-").unwrap_or_default()
}

/// The threads, with what the records say of each.
pub fn threads(process: usize, view: &View<'_>, sums: &Json) -> Vec<Json> {
    let rows = sums["threads"].as_array().map(Vec::as_slice).unwrap_or_default();
    let row = |thread: &Json| {
        let last_ns = thread["last_utc_ns"].as_u64().map(|last_ns| view.ago_ns(last_ns));
        json!({
            "process": process,
            "thread": thread["thread"],
            "name": thread["thread_name"],
            "records": thread["records"],
            "rounds": thread["rounds"],
            "events": thread["events"],
            "wakes": thread["wakes"],
            "parks": thread["parks"],
            "last_ns": last_ns,
        })
    };
    rows.iter().map(row).collect()
}
