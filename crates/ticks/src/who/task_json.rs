//! A task, for scripts. `JSON.md` says what each name means.

use serde_json::{json, Value as Json};
use ticks_format::{Direction, Key, Task, WokenBy};

use super::account::{state_name, Account, WaitFor};
use super::calls::{add_json, call_json};
use super::json::process;
use super::view::View;
use crate::symbols::Book;
use crate::units;

/// The task as an object.
pub fn of(
    view: &View<'_>,
    account: &Account<'_>,
    book: &mut Book,
    with_stacks: bool,
) -> anyhow::Result<Json> {
    let (live, task) = (account.live, &account.live.task);
    let duration = |units| view.input.recording.clock().duration_ns(units);
    let mut waits = Vec::new();
    for wait in &account.waits {
        waits.push(wait_json(view, wait, book, with_stacks)?);
    }
    let spawned = account.spawned.as_ref().and_then(|place| place.own());
    let about = json!({
        "kind": "task",
        "task_id": task.id,
        "task": task.waker,
        "name": live.name.as_ref().map(|_| &account.name),
        "full_name": live.name,
        "task_kind": task.kind.name(),
        "task_state": state_name(task.state),
        "note": Some(&account.note).filter(|note| !note.is_empty()),
        "since": view.has_times().then(|| units::time(live.since_ns)),
        "since_ns": view.has_times().then(|| view.ago_ns(live.since_ns)),
        "since_is_least": !view.state.has_end(),
        "begun": view.has_times().then(|| units::time(live.begun_ns)),
        "parent": Some(task.parent).filter(|parent| *parent != 0),
        "spawned": spawned.map(call_json),
        "thread": Some(task.thread).filter(|thread| *thread != 0),
        "polls": task.polls,
        "polled_ns": duration(task.polled),
        "longest_ns": duration(task.longest),
        "wakes": task.wakes,
        "last_wake": last_wake(task),
        "wakers": task.wakers,
        "asked": task.asked_count,
        "waits_for": waits,
        "waits_unknown": account.unknown,
    });
    let mut object = process(view);
    if let (Json::Object(object), Json::Object(about)) = (&mut object, about) {
        object.extend(about);
    }
    Ok(object)
}

fn wait_json(
    view: &View<'_>,
    wait: &WaitFor,
    book: &mut Book,
    with_stacks: bool,
) -> anyhow::Result<Json> {
    let own = wait.place.as_ref().and_then(|place| place.own());
    let mut object = json!({ "what": wait.text, "in": own.map(call_json) });
    if with_stacks {
        add_json(book, view.input, wait.stack, &mut object)?;
    }
    Ok(object)
}

fn last_wake(task: &Task) -> Option<Json> {
    let wake = task.last_wake?;
    let mut object = json!({ "by": wake.by.name() });
    match wake.by {
        WokenBy::Source => {
            object["key"] = Key(wake.from).0.into();
            object["dir"] = wake.dir.map(Direction::name).into();
        }
        WokenBy::Timer => object["timer"] = wake.from.into(),
        WokenBy::Task => object["task_id"] = wake.from.into(),
        WokenBy::Thread => object["thread"] = wake.from.into(),
        WokenBy::Itself | WokenBy::Reactor => {}
    }
    Some(object)
}
