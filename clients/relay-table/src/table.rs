//! The table, in Markdown.

use std::fmt::Write;
use std::time::Duration;

use crate::experiment::Outcomes;

const SLOW: Duration = Duration::from_secs(1);

/// One relay's line.
pub struct Row {
    name: String,
    lookups: usize,
    /// Of the lookups that succeeded, in ascending order.
    latencies: Vec<Duration>,
    /// Lookups that took more than a second, those that failed among them.
    slow: usize,
    relay_cpu: Option<Duration>,
    first_polls: usize,
}

impl Row {
    /// Sums the outcomes up.
    pub fn new(name: &str, outcomes: &Outcomes) -> Row {
        let mut latencies: Vec<_> = outcomes
            .lookups
            .iter()
            .filter(|outcome| outcome.succeeded)
            .map(|outcome| outcome.took)
            .collect();
        latencies.sort_unstable();
        Row {
            name: name.to_owned(),
            lookups: outcomes.lookups.len(),
            latencies,
            slow: outcomes.lookups.iter().filter(|outcome| outcome.took > SLOW).count(),
            relay_cpu: outcomes.relay_cpu,
            first_polls: outcomes.first_polls,
        }
    }
}

/// Latencies are those of the lookups that succeeded, process start included.
pub fn print(rows: &[Row]) -> String {
    let mut text = String::from(
        "| relay | succeeded | fastest, ms | median, ms | slowest, ms | over 1 s | relay's CPU, ms | polls to the first accept |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for row in rows {
        let ms = |latency: Option<&Duration>| match latency {
            Some(latency) => format!("{:.1}", latency.as_secs_f64() * 1e3),
            None => "-".to_owned(),
        };
        let _ = writeln!(
            text,
            "| {} | {} of {} | {} | {} | {} | {} | {} | {} |",
            row.name,
            row.latencies.len(),
            row.lookups,
            ms(row.latencies.first()),
            ms(row.latencies.get(row.latencies.len().saturating_sub(1) / 2)),
            ms(row.latencies.last()),
            row.slow,
            ms(row.relay_cpu.as_ref()),
            row.first_polls,
        );
    }
    text
}

/// A line for each lookup, in their order.
pub fn every_lookup(outcomes: &Outcomes) -> String {
    let mut text = String::new();
    for (number, lookup) in outcomes.lookups.iter().enumerate() {
        let result = if lookup.succeeded { "succeeded" } else { "failed" };
        let ms = lookup.took.as_secs_f64() * 1e3;
        let _ = writeln!(text, "{:3} {result:9} {ms:9.1} ms", number + 1);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Outcome;

    #[test]
    fn only_successes_have_a_latency() {
        let outcome = |ms, succeeded| Outcome { took: Duration::from_millis(ms), succeeded };
        let some = Outcomes {
            lookups: vec![outcome(30, true), outcome(20_000, false), outcome(10, true)],
            first_polls: 3,
            relay_cpu: Some(Duration::from_millis(70)),
        };
        let none =
            Outcomes { lookups: vec![outcome(20_000, false)], first_polls: 0, relay_cpu: None };
        let text = print(&[Row::new("some", &some), Row::new("none", &none)]);
        assert!(text.contains("| some | 2 of 3 | 10.0 | 10.0 | 30.0 | 1 | 70.0 | 3 |"), "{text}");
        assert!(text.contains("| none | 0 of 1 | - | - | - | 1 | - | 0 |"), "{text}");
    }
}
