//! What the tables show, in three sentences. Each is put together from the results and says no more
//! than they do: a run in which the fault did not show is told as that.

use std::fmt::Write;

use crate::case::{Build, Reactor, COSTS_US};
use crate::report::{Grouped, Report};
use crate::run::Run;
use crate::story::{Decision, Poll, Story};

/// A wait that takes so many times the polls of ours is no matter of timing any more.
pub const MANY_TIMES: usize = 10;

/// Where upstream's fault is looked for.
const COST_MAX_US: u64 = COSTS_US[COSTS_US.len() - 1];

impl Report {
    /// Ours, upstream, and debug beside release.
    pub fn sentences(&self) -> [String; 3] {
        [self.ours(), self.upstream(), self.builds()]
    }

    /// Upstream's fault showed: on the dearest polls, a wait took many times the polls of ours.
    pub fn fault_shows(&self) -> bool {
        let [upstream, ours] = Reactor::ALL.map(|reactor| self.polls_per_wait_max(reactor));
        upstream >= MANY_TIMES * ours
    }

    /// The most polls that a wait took on the dearest polls, in either build.
    pub fn polls_per_wait_max(&self, reactor: Reactor) -> usize {
        let polls = |build| self.story(reactor, build, COST_MAX_US).polls_per_wait_max();
        Build::ALL.into_iter().map(polls).max().unwrap_or(0)
    }

    fn ours(&self) -> String {
        let runs: Vec<_> = self.on(Reactor::Ours).collect();
        let count = count_of(&runs);
        let polls = polls_max(&runs);
        let costs = costs();
        match worst(&runs) {
            None => format!(
                "The async-io of this repository accepted {count} connections, in debug and in \
                 release, at {costs} a poll, and asked `poll_readable` {polls} for any of them."
            ),
            Some(worst) => format!(
                "The async-io of this repository accepted only {count} connections; worst was \
                 {worst}; it asked `poll_readable` {polls} for one of them."
            ),
        }
    }

    fn upstream(&self) -> String {
        let runs: Vec<_> = self.on(Reactor::Upstream).collect();
        let count = count_of(&runs);
        let late: usize = runs.iter().map(|run| run.story.late()).sum();
        let [upstream, ours] = Reactor::ALL.map(|reactor| self.polls_per_wait_max(reactor));
        let mut text = format!(
            "The same program on async-io 2.6.0 accepted {count} connections, and {} waited for more \
             than a second or in vain",
            Grouped(late as u64)
        );
        if let Some(worst) = worst(&runs) {
            let _ = write!(text, " (worst: {worst})");
        }
        let _ = write!(
            text,
            "; at {} µs a poll, one wait took {} polls where ours took {ours} at most",
            Grouped(COST_MAX_US),
            Grouped(upstream as u64)
        );
        text + match self.fault_shows() {
            true => ".",
            false => ", so this run did not show the fault.",
        }
    }

    fn builds(&self) -> String {
        let mut text = match self.alike() {
            Some(decisions) => format!(
                "On ours, debug and release decided alike in the first accept at every cost ({})",
                decisions.join(", then ")
            ),
            None => {
                "On ours, debug and release did not decide alike in the first accept".to_owned()
            }
        };
        let accepted = |build, cost_us| self.story(Reactor::Upstream, build, cost_us).accepted();
        let widest = COSTS_US
            .map(|cost_us| (cost_us, Build::ALL.map(|build| accepted(build, cost_us))))
            .into_iter()
            .max_by_key(|(_, [debug, release])| debug.abs_diff(*release));
        if let Some((cost_us, [debug, release])) = widest {
            let _ = match debug == release {
                true => write!(text, "; upstream accepted as many in debug as in release."),
                false => write!(
                    text,
                    "; upstream accepted {debug} in debug and {release} in release at {} µs a poll.",
                    Grouped(cost_us)
                ),
            };
        }
        text
    }

    /// The decisions of the first accept on ours, in words, if they are the same in debug and release
    /// at each cost and the logs tell them.
    pub fn alike(&self) -> Option<Vec<String>> {
        let mut all = Vec::new();
        for cost_us in COSTS_US {
            for build in Build::ALL {
                all.push(decisions(self.story(Reactor::Ours, build, cost_us))?);
            }
        }
        let first = all.first().filter(|first| !first.is_empty())?;
        let same = all.iter().all(|decisions| decisions == first);
        same.then(|| first.iter().map(|decision| in_words(*decision)).collect())
    }
}

/// None: the log does not tell.
fn decisions(story: &Story) -> Option<Vec<Decision>> {
    story.first_accept().iter().map(Poll::decision).collect()
}

fn in_words(decision: Decision) -> String {
    let answer = if decision.ready { "Ready" } else { "Pending" };
    let grounds = match decision.met {
        None => "not waiting yet",
        Some((false, false)) => "the tick is neither of the waiter's",
        Some((true, _)) => "the tick is the waiter's first",
        Some((false, true)) => "the tick is the waiter's second",
    };
    format!("{answer}: {grounds}")
}

fn count_of(runs: &[&Run]) -> String {
    let accepted: usize = runs.iter().map(|run| run.story.accepted()).sum();
    let clients: usize = runs.iter().map(|run| run.story.clients()).sum();
    format!("{} of {}", Grouped(accepted as u64), Grouped(clients as u64))
}

/// The run that accepted least, if any accepted less than all.
fn worst(runs: &[&Run]) -> Option<String> {
    let left = |run: &&&Run| run.story.clients() - run.story.accepted().min(run.story.clients());
    let run = runs.iter().max_by_key(left).filter(|run| left(run) > 0)?;
    let (accepted, clients) = (run.story.accepted(), run.story.clients());
    let (build, cost) = (run.case.build, Grouped(run.case.cost_us));
    Some(format!("{accepted} of {clients} in {build} at {cost} µs a poll"))
}

/// `at most 2 times`.
fn polls_max(runs: &[&Run]) -> String {
    let max = runs.iter().filter_map(|run| run.story.polls_per_accept()).map(|polls| polls.max);
    match max.max_by_key(|figure| figure.value) {
        Some(max) if max.at_least => format!("{} or more", times(max.value)),
        Some(max) => format!("at most {}", times(max.value)),
        None => "an unknown number of times".into(),
    }
}

fn times(n: u64) -> String {
    match n {
        1 => "once".into(),
        n => format!("{} times", Grouped(n)),
    }
}

/// `0, 100 and 1,000 µs`.
fn costs() -> String {
    let costs = COSTS_US.map(|cost_us| Grouped(cost_us).to_string());
    let (last, first) = costs.split_last().expect("there are costs");
    format!("{} and {last} µs", first.join(", "))
}
