//! The sums as JSON, for scripts. `JSON.md` says what each name means.

use serde_json::{json, Value as Json};
use ticks_format::{Loss, Ring};

use super::sums::{Sums, TimerSums};
use super::tasks::{Counts, NameCounts, PlaceCounts, Places};
use super::{kept, Summary};
use crate::units;

/// One recording as one object.
pub fn of(summary: &Summary<'_>) -> Json {
    let Summary { input, sums, state, .. } = summary;
    let (begin, end) = match sums.span_ns {
        Some((begin, end)) => (Some(begin), Some(end)),
        None => (None, None),
    };
    json!({
        "file": input.path.to_string_lossy(),
        "pid": input.recording.header().pid,
        "program": input.program(),
        "state": state.name(),
        "begin": begin.map(units::time),
        "begin_utc_ns": begin,
        "end": end.map(units::time),
        "end_utc_ns": end,
        "last_ago_ns": summary.last_ago_ns(),
        "records": sums.threads.values().map(|thread| thread.records).sum::<u64>(),
        "unrecorded": summary.unrecorded,
        "overwritten": overwritten(&summary.rings),
        "tasks": tasks(&summary.tasks),
        "places": places(&summary.tasks),
        "threads": threads(summary),
        "sources": sources(sums),
        "timers": timers(&sums.timers),
        "rings": rings(&summary.rings),
    })
}

/// Slots of all rings.
fn overwritten(rings: &[(Ring, Loss)]) -> u64 {
    rings.iter().map(|(_, loss)| loss.overwritten).fold(0, u64::saturating_add)
}

fn tasks(tasks: &Places) -> Vec<Json> {
    let json = |(name, of_name): (&String, &NameCounts)| {
        let mut object = json!({
            "name": name,
            "tasks": of_name.tasks,
            "done": of_name.done,
            "cut_short": of_name.cut_short,
            "forgotten": of_name.forgotten,
        });
        add_counts(&mut object, &of_name.counts);
        let longest = of_name.counts.longest.as_ref();
        object["longest_place"] = longest.and_then(|longest| tasks.of_longest(longest)).into();
        object
    };
    tasks.names().into_iter().map(json).collect()
}

fn places(tasks: &Places) -> Vec<Json> {
    let json = |of_place: &PlaceCounts| {
        let mut object = json!({
            "place": of_place.place,
            "what": Some(&of_place.what).filter(|what| !what.is_empty()),
        });
        add_counts(&mut object, &of_place.counts);
        object
    };
    tasks.places.iter().map(json).collect()
}

fn add_counts(object: &mut Json, counts: &Counts) {
    object["polls"] = counts.polls.json();
    object["scheduled"] = counts.scheduled.json();
    object["wakes"] = counts.wakes.into();
    object["self_wakes"] = counts.self_wakes.into();
    object["longest_ns"] = counts.longest.map(|longest| longest.ns).into();
    object["longest_task_id"] = counts.longest.map(|longest| longest.task).into();
}

fn threads(summary: &Summary<'_>) -> Vec<Json> {
    let threads = summary.sums.threads.iter();
    let json = |(tid, sums): (&u64, &super::sums::ThreadSums)| {
        json!({
            "thread": tid,
            "thread_name": sums.name,
            "records": sums.records,
            "rounds": sums.rounds,
            "events": sums.events,
            "wakes": sums.wakes,
            "parks": sums.parks,
            "last_utc_ns": sums.last_ns,
            "last_ago_ns": summary.now_ns.saturating_sub(sums.last_ns),
        })
    };
    threads.map(json).collect()
}

fn sources(sums: &Sums) -> Vec<Json> {
    let json = |(key, source): (&ticks_format::Key, &super::sums::SourceSums)| {
        let about = sums.abouts.get(key);
        let described = about.and_then(|about| about.described.as_ref());
        json!({
            "key": key.0,
            "fd": about.map(|about| about.fd),
            "kind": described.map(|(kind, ..)| kind.name()),
            "local": described.map(|(_, local, ..)| local.to_string()),
            "peer": described.map(|(_, _, peer, _)| peer.to_string()),
            "inode": described.map(|(.., inode)| inode),
            "events": source.events,
            "wakes": source.wakes,
            "spurious": source.spurious,
            "polls": source.polls,
            "upstream_known": source.judged,
            "upstream_differs": source.differ,
            "unasked_since": source.unasked_ns.map(units::time),
            "waits": source.waits.json(),
        })
    };
    sums.sources.iter().map(json).collect()
}

fn timers(timers: &TimerSums) -> Json {
    json!({
        "inserted": timers.inserted,
        "removed": timers.removed,
        "fired": timers.fired,
        "late": timers.late.json(),
    })
}

fn rings(rings: &[(Ring, Loss)]) -> Vec<Json> {
    let json = |(ring, loss): &(Ring, Loss)| {
        json!({
            "ring": ring.index,
            "thread": ring.owner.tid,
            "thread_name": ring.owner.name,
            "slots_written": ring.head,
            "slots_kept": kept(ring, loss),
            "slots_overwritten": loss.overwritten,
            "slots_unreadable": loss.unreadable,
        })
    };
    rings.iter().map(json).collect()
}
