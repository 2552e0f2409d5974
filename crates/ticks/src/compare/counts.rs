//! What is summed up of each class, and which of it differs enough to be told.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{json, Value as Json};

use super::role::Class;
use crate::stat::durations::Durations;
use crate::units;

/// A time differs if it is so many times the other, and so far from it. Less is what the machine does.
const TIMES: u64 = 4;
const MEDIAN_APART_NS: u64 = 1_000_000;
const LONGEST_APART_NS: u64 = 100_000_000;
/// Each timer of a busy machine is some milliseconds late.
const LATE_APART_NS: u64 = 20_000_000;

/// Counts of wakes differ if one is so many times the other and so far from it: a few more or less come and go.
const WAKES_TIMES: u64 = 2;
const WAKES_APART: u64 = 8;

/// What is counted of a class in one recording.
#[derive(Default)]
pub struct Counts {
    /// How many appeared.
    pub members: u64,
    /// Polls, by how long they took.
    pub polls: Durations,
    /// Polls in all: of some it is not known how long they took.
    pub polled: u64,
    /// Waits that came to their end.
    pub waits: Durations,
    /// Waits that go on.
    pub open: u64,
    /// Timers that fired, by how late they did.
    pub late: Durations,
    /// Timers that were disarmed before they were due.
    pub disarmed: u64,
    /// How far away timers were when they were armed.
    pub asked: Durations,
    /// Wakes by cause.
    pub wakes: BTreeMap<&'static str, u64>,
}

/// What is counted of all classes in one recording.
pub type Classes = BTreeMap<Class, Counts>;

/// Which table a figure is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Polls per wait, and how many of each; how many timers.
    Polls,
    /// How long waits took.
    Waits,
    /// How long polls took.
    Lengths,
    /// How far away timers were when they were armed, and how late they fired.
    Timers,
    /// Wake causes.
    Wakes,
}

impl Topic {
    /// All, in the order of their tables.
    pub const ALL: [Topic; 5] =
        [Topic::Polls, Topic::Waits, Topic::Lengths, Topic::Timers, Topic::Wakes];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Topic::Polls => "polls and waits",
            Topic::Waits => "how long waits took",
            Topic::Lengths => "how long polls took",
            Topic::Timers => "how far away timers were, and how late",
            Topic::Wakes => "wake causes",
        }
    }
}

/// A value.
#[derive(Clone, Copy, Debug)]
pub enum Value {
    /// How many.
    Count(u64),
    /// How long.
    Ns(u64),
    /// How many of one for each of another.
    Ratio(f64),
    /// There is none.
    None,
}

impl Value {
    /// For people.
    pub fn text(self) -> String {
        match self {
            Value::Count(count) => units::count(count),
            Value::Ns(ns) => units::duration(ns),
            Value::Ratio(ratio) => format!("{ratio:.2}"),
            Value::None => "-".into(),
        }
    }

    /// For programs.
    pub fn json(self) -> Json {
        match self {
            Value::Count(count) => json!(count),
            Value::Ns(ns) => json!(ns),
            Value::Ratio(ratio) => json!(ratio),
            Value::None => Json::Null,
        }
    }
}

/// Something that differs.
pub struct Figure {
    /// Where it is told.
    pub topic: Topic,
    /// Of whom.
    pub who: String,
    /// What.
    pub what: String,
    /// In both recordings.
    pub values: [Value; 2],
}

/// What differs.
pub fn differing(sides: [&Classes; 2]) -> Vec<Figure> {
    let classes: BTreeSet<&Class> = sides.iter().flat_map(|classes| classes.keys()).collect();
    let none = Counts::default();
    let mut figures = Vec::new();
    for class in classes {
        let of = sides.map(|classes| classes.get(class).unwrap_or(&none));
        let mut add = |topic, what: &str, values| {
            let (who, what) = (class.to_string(), what.to_owned());
            figures.push(Figure { topic, who, what, values });
        };
        if of[0].polled != of[1].polled {
            add(Topic::Polls, "polls", of.map(|counts| Value::Count(counts.polled)));
            let is_source = matches!(class, Class::Sources { .. });
            if is_source {
                add(Topic::Polls, "polls per wait", of.map(Counts::polls_per_wait));
            }
        }
        for (what, count) in [
            ("waits", (|counts| counts.waits.count()) as fn(&Counts) -> u64),
            ("waits that go on", |counts| counts.open),
            ("fired", |counts| counts.late.count()),
            ("disarmed", |counts| counts.disarmed),
        ] {
            let counts = of.map(count);
            if counts[0] != counts[1] {
                add(Topic::Polls, what, counts.map(Value::Count));
            }
        }
        for (topic, prefix, median_apart_ns, durations) in [
            (
                Topic::Waits,
                "",
                MEDIAN_APART_NS,
                (|counts| &counts.waits) as fn(&Counts) -> &Durations,
            ),
            (Topic::Lengths, "", MEDIAN_APART_NS, |counts| &counts.polls),
            (Topic::Timers, "armed for, ", MEDIAN_APART_NS, |counts| &counts.asked),
            (Topic::Timers, "late by, ", LATE_APART_NS, |counts| &counts.late),
        ] {
            let [Some(a), Some(b)] = of.map(|counts| durations(counts).values()) else { continue };
            if is_apart(a[0], b[0], TIMES, median_apart_ns) {
                add(topic, &format!("{prefix}median"), [a[0], b[0]].map(Value::Ns));
            }
            if is_apart(a[2], b[2], TIMES, LONGEST_APART_NS) {
                add(topic, &format!("{prefix}longest"), [a[2], b[2]].map(Value::Ns));
            }
        }
        let causes: BTreeSet<&str> = of.iter().flat_map(|it| it.wakes.keys().copied()).collect();
        for cause in causes {
            let [a, b] = of.map(|counts| counts.wakes.get(cause).copied().unwrap_or(0));
            if is_apart(a, b, WAKES_TIMES, WAKES_APART) {
                add(Topic::Wakes, cause, [a, b].map(Value::Count));
            }
        }
    }
    figures
}

impl Counts {
    /// A wait that goes on counts too, as does a poll that needed none.
    fn polls_per_wait(&self) -> Value {
        match self.waits.count() + self.open {
            0 => Value::None,
            waits => Value::Ratio(self.polled as f64 / waits as f64),
        }
    }
}

fn is_apart(a: u64, b: u64, times: u64, apart: u64) -> bool {
    let (less, more) = (a.min(b), a.max(b));
    more >= less.saturating_mul(times) && more - less >= apart
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_loaded_machine_does_is_no_difference() {
        assert!(!is_apart(10_000, 900_000, TIMES, MEDIAN_APART_NS));
        assert!(!is_apart(300_000_000, 500_000_000, TIMES, MEDIAN_APART_NS));
        assert!(is_apart(20_000, 5_000_000, TIMES, MEDIAN_APART_NS));
        assert!(is_apart(5_000_000, 0, TIMES, MEDIAN_APART_NS));
    }
}
