//! Sources that had an event to read while nobody waited, and for which nobody has asked since.

use std::io::{self, Write};

use serde_json::{json, Value as Json};
use ticks_format::{Direction, Source};

use super::json::process;
use super::view::View;
use crate::input::addresses;
use crate::table::paragraph;
use crate::units;

/// So many have a line each.
const LINES_MAX: usize = 10;

/// A program that works leaves an event for a moment.
const MOMENT_NS: u64 = 500_000_000;

/// One of them.
pub struct Unasked<'v> {
    source: &'v Source,
    /// When the last event came.
    event_ns: u64,
}

/// Those of the view, the longest first.
pub fn of<'v>(view: &'v View<'_>) -> Vec<Unasked<'v>> {
    let clock = view.input.recording.clock();
    let mut all: Vec<Unasked<'v>> = Vec::new();
    for source in view.sources.values().filter(|source| source.registered) {
        let Some(event) = view.history.unasked(source.key, Direction::Read) else { continue };
        let event_ns = clock.utc_ns(event);
        let is_waited_for = view.waits.iter().any(|wait| {
            let id = wait.waiter.waiter_id();
            id.is_some_and(|id| id.direction() == (source.key, Direction::Read))
        });
        let is_old = !view.state.has_end() || view.ago_ns(event_ns) >= MOMENT_NS;
        if is_old && !is_waited_for {
            all.push(Unasked { source, event_ns });
        }
    }
    all.sort_by_key(|unasked| (unasked.event_ns, unasked.source.fd));
    all
}

/// A line each.
pub fn write(out: &mut dyn Write, view: &View<'_>) -> io::Result<()> {
    let all = of(view);
    let at_least = if view.state.has_end() { "" } else { "≥ " };
    for Unasked { source, event_ns } in all.iter().take(LINES_MAX) {
        let ago = units::duration(view.ago_ns(*event_ns));
        let about = addresses(&source.local, &source.peer);
        let text = format!(
            "fd {} ({} {about}): an event to read {at_least}{ago} ago, and nobody has asked since",
            source.fd, source.kind
        );
        write!(out, "{}", paragraph(&text))?;
    }
    match all.len().saturating_sub(LINES_MAX) {
        0 => Ok(()),
        more => writeln!(out, "and {} more like these", units::count(more as u64)),
    }
}

/// An object each.
pub fn json<'v>(view: &'v View<'_>) -> impl Iterator<Item = Json> + 'v {
    of(view).into_iter().map(|Unasked { source, event_ns }| {
        let mut object = process(view);
        object["kind"] = "unasked".into();
        object["key"] = source.key.0.into();
        object["fd"] = source.fd.into();
        object["dir"] = Direction::Read.name().into();
        object["source_kind"] = source.kind.name().into();
        object["local"] = source.local.to_string().into();
        object["peer"] = source.peer.to_string().into();
        object["last_event"] = units::time(event_ns).into();
        object["unasked_ns"] = json!(view.ago_ns(event_ns));
        object
    })
}
