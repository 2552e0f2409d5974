//! Who waits, for scripts. `JSON.md` says what each name means.

use serde_json::{json, Map, Value as Json};
use ticks_format::Awaited;

use super::view::{View, Wait};
use crate::units;

/// Each wait as an object.
pub fn of<'a>(view: &'a View<'_>) -> impl Iterator<Item = Json> + 'a {
    view.waits.iter().map(|wait| {
        let mut object = Map::new();
        for part in [process(view), about(view, wait), awaited(wait)] {
            if let Json::Object(part) = part {
                object.extend(part);
            }
        }
        Json::Object(object)
    })
}

pub(super) fn process(view: &View<'_>) -> Json {
    json!({
        "time": units::time(view.at_ns),
        "file": view.input.path.to_string_lossy(),
        "pid": view.input.recording.header().pid,
        "program": view.input.program(),
        "state": view.state.name(),
        "last_ago_ns": view.last_ago_ns,
        "round": view.input.snapshot.as_ref().map(|snapshot| snapshot.tick),
    })
}

fn about(view: &View<'_>, wait: &Wait) -> Json {
    json!({
        "since": view.has_times().then(|| units::time(wait.since_ns)),
        "waited_ns": view.has_times().then(|| view.ago_ns(wait.since_ns)),
        "waited_is_least": !view.state.has_end(),
        "woken": wait.woken_ns.filter(|_| view.has_times()).map(units::time),
        "is_woken": wait.woken_ns.is_some(),
        "task": wait.waiter.task,
        "task_id": Some(wait.waiter.task_id).filter(|id| *id != 0),
        "thread": wait.waiter.tid,
        "place": wait.place,
    })
}

fn awaited(wait: &Wait) -> Json {
    match wait.waiter.awaited {
        Awaited::Source { key, fd, dir, waiter, ticks } => {
            let source = wait.source.as_ref();
            json!({
                "key": key.0,
                "fd": fd,
                "dir": dir.name(),
                "waiter": waiter,
                "ticks": ticks.map(|ticks| [ticks.a, ticks.b]),
                "events": wait.events.map(|events| events.count),
                "events_are_least": wait.events.map(|events| events.is_at_least),
                "last_event": wait.last_event_ns.map(units::time),
                "kind": source.map(|source| source.kind.name()),
                "local": source.map(|source| source.local.to_string()),
                "peer": source.map(|source| source.peer.to_string()),
                "inode": source.map(|source| source.inode),
                "socket": wait.socket.as_ref().map(|socket| socket.json()),
            })
        }
        Awaited::Timer { id, deadline_ns } => json!({
            "timer": id,
            "deadline_ns": deadline_ns,
            "due": wait.due_ns.map(units::time),
        }),
    }
}
