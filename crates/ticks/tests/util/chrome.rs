//! The rules of Chrome's trace event format.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value as Json;

/// The rules: each track's times never fall, each begin has its end and nothing ends that did not
/// begin, each arrow has one beginning and one end, not earlier, both inside a slice.
pub fn check(events: &[Json]) {
    let mut open: BTreeMap<(u64, u64), Vec<f64>> = BTreeMap::new();
    let mut last: HashMap<(u64, u64), f64> = HashMap::new();
    let mut arrows: HashMap<u64, f64> = HashMap::new();
    let mut ended = HashSet::new();
    for event in events {
        let number = |name: &str| event[name].as_u64().unwrap_or_else(|| panic!("{name}: {event}"));
        let phase = event["ph"].as_str().expect("a phase");
        let track = (number("pid"), number("tid"));
        // Perfetto keeps both in 32 bits. Numbers above had it show all sources and tasks as one
        // process 0, and their slices on top of each other.
        assert!(track.0 < 1 << 31 && track.1 < 1 << 31, "too large: {event}");
        if phase == "M" {
            assert!(event["args"].is_object());
            continue;
        }
        let ts = event["ts"].as_f64().expect("a time");
        let before = last.insert(track, ts).unwrap_or(0.0);
        assert!(before <= ts, "time goes back: {event}");
        let open = open.entry(track).or_default();
        match phase {
            "B" => {
                assert!(event["name"].is_string() && event["cat"].is_string());
                open.push(ts);
            }
            "E" => assert!(open.pop().is_some(), "nothing to end: {event}"),
            "s" => {
                assert!(!open.is_empty(), "outside: {event}");
                assert!(arrows.insert(number("id"), ts).is_none(), "twice: {event}");
            }
            "f" => {
                assert!(!open.is_empty() && event["bp"] == "e", "outside: {event}");
                let begin = arrows.get(&number("id"));
                assert!(begin.is_some_and(|begin| *begin <= ts), "no beginning: {event}");
                assert!(ended.insert(number("id")), "twice: {event}");
            }
            other => panic!("unknown phase {other}"),
        }
    }
    assert!(open.values().all(Vec::is_empty), "not ended: {open:?}");
    assert_eq!(arrows.len(), ended.len(), "arrows without end");
}
