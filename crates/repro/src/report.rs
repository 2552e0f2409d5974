//! The results, and the two tables that show them. The tables are Markdown, so that they can be
//! pasted into an issue.

use std::fmt;

use comfy_table::{presets, CellAlignment, Table};

use crate::case::{Build, Case, Reactor, COSTS_US};
use crate::run::Run;
use crate::story::{Figure, Poll, Story};

/// Rows of the second table a cost: ours needs two.
const POLLS_SHOWN: usize = 8;

/// What all cases came to.
#[derive(Debug)]
pub struct Report {
    runs: Vec<Run>,
}

impl Report {
    /// One run for each of [`Case::all`].
    pub fn new(runs: Vec<Run>) -> Report {
        Report { runs }
    }

    /// All runs, in the table's order.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The runs on one reactor.
    pub fn on(&self, reactor: Reactor) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(move |run| run.case.reactor == reactor)
    }

    /// One run's story.
    ///
    /// # Panics
    /// When the case is not one of [`Case::all`].
    pub fn story(&self, reactor: Reactor, build: Build, cost_us: u64) -> &Story {
        let case = Case { build, reactor, cost_us };
        let run = self.runs.iter().find(|run| run.case == case);
        &run.unwrap_or_else(|| panic!("no such case: {case}")).story
    }

    /// A row a run.
    pub fn runs_table(&self) -> Table {
        let mut table = table(&[
            "reactor",
            "build",
            "cost per poll",
            "accepted",
            "not done after 1 s",
            "polls per accept: median",
            "max",
            "accept latency: median",
            "max",
        ]);
        for Run { case, story, .. } in &self.runs {
            let polls = story.polls_per_accept();
            let latency = story.latency_us();
            table.add_row([
                case.reactor.to_string(),
                case.build.to_string(),
                format!("{} µs", Grouped(case.cost_us)),
                format!("{} of {}", story.accepted(), story.clients()),
                story.late().to_string(),
                figure(polls.map(|polls| polls.median), |n| Grouped(n).to_string()),
                figure(polls.map(|polls| polls.max), |n| Grouped(n).to_string()),
                figure(latency.map(|latency| latency.median), time),
                figure(latency.map(|latency| latency.max), time),
            ]);
        }
        for column in table.column_iter_mut().skip(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }

    /// What the reactor looked at in each poll of the first accept on ours, debug beside release.
    pub fn ticks_table(&self) -> Table {
        let mut table = table(&["cost per poll", "poll", "debug", "release"]);
        for cost_us in COSTS_US {
            let [debug, release] =
                Build::ALL.map(|build| self.story(Reactor::Ours, build, cost_us).first_accept());
            let polls = debug.len().max(release.len());
            for n in 0..polls.min(POLLS_SHOWN) {
                table.add_row([
                    format!("{} µs", Grouped(cost_us)),
                    (n + 1).to_string(),
                    look(debug.get(n)),
                    look(release.get(n)),
                ]);
            }
            if polls > POLLS_SHOWN {
                let left = |polls: &[Poll]| polls.len().saturating_sub(POLLS_SHOWN);
                table.add_row([
                    format!("{} µs", Grouped(cost_us)),
                    "…".into(),
                    format!("{} more", left(debug)),
                    format!("{} more", left(release)),
                ]);
            }
        }
        for column in table.column_iter_mut().take(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }
}

/// Both tables, with what there is to know for reading them.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.runs_table())?;
        writeln!(
            f,
            "ours: this repository; upstream: async-io 2.6.0 from crates.io. \
             ≥: the run was cut off before more was known\n(upstream after {} s, ours after {} s). \
             All figures are from the logs.\n",
            Reactor::Upstream.deadline().as_secs(),
            Reactor::Ours.deadline().as_secs(),
        )?;
        writeln!(f, "The first accept on ours, poll by poll:\n")?;
        writeln!(f, "{}", self.ticks_table())
    }
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN).set_header(header);
    table
}

/// `tick=2 ticks=Some((1, 0)) → Ready (later tick)`
fn look(poll: Option<&Poll>) -> String {
    let Some(poll) = poll else {
        return "-".into();
    };
    let answer = if poll.ready { "Ready" } else { "Pending" };
    let Some(look) = &poll.look else {
        return format!("{answer} (no tick record in the log)");
    };
    let mut text = format!("tick={} ticks={:?} → {answer}", look.tick, look.ticks);
    if let Some(reason) = &look.reason {
        text += &format!(" ({reason})");
    }
    if let (false, Some(ticks)) = (poll.ready, look.ticks_after) {
        text += &format!(", remembers {ticks:?}");
    }
    text
}

fn figure(figure: Option<Figure>, show: impl Fn(u64) -> String) -> String {
    match figure {
        Some(figure) if figure.at_least => format!("≥ {}", show(figure.value)),
        Some(figure) => show(figure.value),
        None => "-".into(),
    }
}

/// Microseconds, in the unit that suits them.
fn time(us: u64) -> String {
    match us {
        0..=999 => format!("{us} µs"),
        1_000..=999_999 => format!("{:.1} ms", us as f64 / 1e3),
        _ => format!("{:.2} s", us as f64 / 1e6),
    }
}

/// A number with its thousands apart: `1,000`.
pub(crate) struct Grouped(pub(crate) u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (n, digit) in digits.chars().enumerate() {
            if n > 0 && (digits.len() - n).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::Look;

    #[test]
    fn numbers_and_times_are_readable() {
        let numbers = [0, 999, 1_000, 21_318, 1_000_000].map(|n| Grouped(n).to_string());
        assert_eq!(numbers, ["0", "999", "1,000", "21,318", "1,000,000"]);
        let times = [473, 1_000, 17_500, 2_912_126].map(time);
        assert_eq!(times, ["473 µs", "1.0 ms", "17.5 ms", "2.91 s"]);
    }

    #[test]
    fn a_bound_is_told_from_a_figure() {
        let show = |at_least| figure(Some(Figure { value: 7, at_least }), |n| n.to_string());
        assert_eq!([show(false), show(true)], ["7", "≥ 7"]);
    }

    #[test]
    fn a_poll_shows_what_the_reactor_looked_at() {
        let pending = Poll {
            ready: false,
            look: Some(Look {
                tick: 0,
                ticks: None,
                ticks_after: Some((1, 0)),
                reason: Some("no event".into()),
            }),
        };
        assert_eq!(
            look(Some(&pending)),
            "tick=0 ticks=None → Pending (no event), remembers (1, 0)"
        );
        let blind = Poll { ready: true, look: None };
        assert_eq!(look(Some(&blind)), "Ready (no tick record in the log)");
        assert_eq!(look(None), "-");
    }
}
