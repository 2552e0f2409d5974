//! What came of a comparison, for programs.

use serde_json::{json, Value as Json};

use super::poll::{Grounds, Poll};
use super::{text, Comparison};

/// One object.
pub fn of(comparison: &Comparison<'_>) -> Json {
    let Comparison { inputs, matching, places, figures, sureness, .. } = comparison;
    let first = matching.first.as_ref().map(|first| {
        let poll = |side: usize| {
            first.polls[side].as_ref().map(|poll| of_poll(poll, places[side].as_deref()))
        };
        json!({
            "sentence": text::sentence(first),
            "who": first.who.to_string(),
            "alike_before": first.alike,
            "a": poll(0),
            "b": poll(1),
        })
    });
    let figures = figures.iter().map(|figure| {
        let [a, b] = figure.values.map(|value| value.json());
        json!({ "topic": figure.topic.name(), "who": figure.who, "what": figure.what, "a": a, "b": b })
    });
    let [a, b] = sureness.members();
    let unmatched = sureness.unmatched();
    let unmatched =
        unmatched.map(|(class, [a, b])| json!({ "who": class.to_string(), "a": a, "b": b }));
    json!({
        "a": inputs[0].place(),
        "b": inputs[1].place(),
        "differs": comparison.differs(),
        "first": first,
        "figures": figures.collect::<Json>(),
        "match": {
            "sure": sureness.degree().name(),
            "matched": sureness.matched(),
            "a": a,
            "b": b,
            "compared": sureness.compared,
            "parted": sureness.parted,
            "unmatched": unmatched.collect::<Json>(),
            "reasons": sureness.reasons(),
        },
    })
}

fn of_poll(poll: &Poll, place: Option<&str>) -> Json {
    if let Grounds::Timer { in_ns, late_ns, .. } = &poll.grounds {
        return json!({
            "since_begin_ns": poll.at_ns,
            "fired": late_ns.is_some(),
            "armed_for_ns": in_ns,
            "late_ns": late_ns,
            "place": place,
        });
    }
    let mut object = json!({
        "since_begin_ns": poll.at_ns,
        "took_ns": poll.took_ns,
        "wait": poll.wait,
        "poll": poll.nth,
        "result": poll.result.name(),
    });
    match &poll.grounds {
        Grounds::Source { reason, round, ticks, into_task_ns } => {
            object["reason"] = json!(reason.name());
            object["round"] = json!(round);
            object["ticks"] = json!(ticks.map(|ticks| [ticks.a, ticks.b]));
            object["into_task_ns"] = json!(into_task_ns);
        }
        Grounds::Task { woken, .. } => {
            object["woken_by"] = json!(woken.map(|woken| woken.name()));
            object["place"] = json!(place);
        }
        Grounds::Timer { .. } => {}
    }
    object
}
