//! The sources of a process, whether anybody waits for them or not.

use std::io::{self, Write};

use serde_json::{json, Value as Json};
use ticks_format::{Direction, Source};

use super::json::process;
use super::view::{View, Wait};
use crate::input::addresses;
use crate::plain::plain;
use crate::table::{Column, Table};
use crate::units;

/// A direction of a source.
struct Side<'v> {
    /// The round of its last event, and whether that came while nobody waited and nobody has asked since; `None`: that
    /// is in no table of a recording.
    seen: Option<(u64, bool)>,
    waits: Vec<&'v Wait>,
}

impl<'v> Side<'v> {
    fn of(view: &'v View<'_>, source: &Source, dir: Direction) -> Side<'v> {
        let snapshot = view.input.snapshot.as_ref();
        let seen = snapshot.and_then(|snapshot| snapshot.seen.get(&(source.key, dir)));
        let is_of = |wait: &&Wait| {
            let id = wait.waiter.waiter_id();
            id.is_some_and(|id| id.direction() == (source.key, dir))
        };
        Side {
            seen: seen.map(|seen| (seen.tick, seen.unasked)),
            waits: view.waits.iter().filter(is_of).collect(),
        }
    }

    fn wakers(&self) -> u64 {
        self.waits.iter().map(|wait| wait.waiter.awaited.wakers()).sum()
    }

    fn text(&self) -> String {
        let mut parts = Vec::new();
        match self.waits.len() {
            0 => {}
            1 => parts.push("1 waits".into()),
            more => parts.push(format!("{} wait", units::count(more as u64))),
        }
        match self.seen {
            Some((0, _)) | None => {}
            Some((tick, unasked)) => {
                parts.push(format!("last event in round {}", units::count(tick)));
                parts.extend(unasked.then(|| "nobody has asked since".to_owned()));
            }
        }
        parts.join(", ")
    }

    fn json(&self) -> Json {
        json!({
            "tick": self.seen.map(|(tick, _)| tick),
            "unasked": self.seen.map(|(_, unasked)| unasked),
            "waiters": self.waits.len(),
            "wakers": self.wakers(),
        })
    }
}

/// The registered ones, by their descriptors.
fn of<'v>(view: &'v View<'_>) -> impl Iterator<Item = (&'v Source, [Side<'v>; 2])> + 'v {
    let registered = view.sources.values().filter(|source| source.registered);
    let mut sources: Vec<&Source> = registered.collect();
    sources.sort_by_key(|source| (source.fd, source.key));
    sources.into_iter().map(|source| {
        let side = |dir| Side::of(view, source, dir);
        (source, [side(Direction::Read), side(Direction::Write)])
    })
}

/// A table of them.
pub fn write(out: &mut dyn Write, view: &View<'_>) -> io::Result<()> {
    let columns = ["FD", "KIND", "ADDRESS", "TO READ", "TO WRITE"].map(Column::new);
    let mut table = Table::new(columns.map(Column::wraps));
    for (source, [read, write]) in of(view) {
        let about = plain(&addresses(&source.local, &source.peer)).into_owned();
        let kind = source.kind.to_string();
        table.add([source.fd.to_string(), kind, about, read.text(), write.text()]);
    }
    match table.is_empty() {
        true => writeln!(out, "\nno source is registered"),
        false => write!(out, "\nregistered sources:\n{}", table.text()),
    }
}

/// An object each.
pub fn json<'v>(view: &'v View<'_>) -> impl Iterator<Item = Json> + 'v {
    of(view).map(|(source, [read, write])| {
        let mut object = process(view);
        object["kind"] = "source".into();
        object["key"] = source.key.0.into();
        object["fd"] = source.fd.into();
        object["source_kind"] = source.kind.name().into();
        object["local"] = source.local.to_string().into();
        object["peer"] = source.peer.to_string().into();
        object["inode"] = source.inode.into();
        object["read"] = read.json();
        object["write"] = write.json();
        object
    })
}
