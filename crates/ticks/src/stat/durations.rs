//! Durations, of which percentiles are asked.

use hdrhistogram::Histogram;
use serde_json::{json, Value as Json};

use crate::units;

/// Durations.
pub struct Durations {
    /// Of two digits: enough to compare by, and small, since there is one a source.
    histogram: Histogram<u32>,
    max_ns: u64,
}

impl Default for Durations {
    fn default() -> Durations {
        let histogram = Histogram::new(2).expect("two digits are allowed");
        Durations { histogram, max_ns: 0 }
    }
}

impl Durations {
    /// Adds one.
    pub fn add(&mut self, ns: u64) {
        // It grows as needed, and fails only beyond what 64 bits hold.
        self.histogram.record(ns).unwrap_or_default();
        self.max_ns = self.max_ns.max(ns);
    }

    /// Adds those of another.
    pub fn merge(&mut self, other: &Durations) {
        // It grows as needed.
        self.histogram.add(&other.histogram).unwrap_or_default();
        self.max_ns = self.max_ns.max(other.max_ns);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// Median, 99th percentile, most; nanoseconds.
    pub fn values(&self) -> Option<[u64; 3]> {
        let at = |quantile| self.histogram.value_at_quantile(quantile).min(self.max_ns);
        (!self.histogram.is_empty()).then(|| [at(0.5), at(0.99), self.max_ns])
    }

    /// The same as texts.
    pub fn texts(&self) -> [String; 3] {
        match self.values() {
            Some(values) => values.map(units::duration),
            None => ["-", "-", "-"].map(String::from),
        }
    }

    /// The same as numbers, and how many there were.
    pub fn json(&self) -> Json {
        let [p50_ns, p99_ns, max_ns] = match self.values() {
            Some(values) => values.map(Some),
            None => [None; 3],
        };
        let count = self.histogram.len();
        json!({ "count": count, "p50_ns": p50_ns, "p99_ns": p99_ns, "max_ns": max_ns })
    }
}
