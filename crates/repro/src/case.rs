//! What is varied, and what is the same in every run.

use std::fmt;
use std::time::Duration;

/// What a poll of the server's task costs, in microseconds.
pub const COSTS_US: [u64; 3] = [0, 100, 1000];

/// Connections a run.
pub const CLIENTS: usize = 30;

/// From one client's start to the next's.
pub const SPACING: Duration = Duration::from_millis(5);

/// How cargo built the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// Cargo's `dev` profile.
    Debug,
    /// Cargo's `release` profile.
    Release,
}

/// Whose reactor the program runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reactor {
    /// async-io 2.6.0 from crates.io.
    Upstream,
    /// The one of this repository.
    Ours,
}

/// One run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// The build.
    pub build: Build,
    /// The reactor.
    pub reactor: Reactor,
    /// The cost per poll.
    pub cost_us: u64,
}

impl Build {
    /// Both.
    pub const ALL: [Build; 2] = [Build::Debug, Build::Release];
}

impl Reactor {
    /// Both.
    pub const ALL: [Reactor; 2] = [Reactor::Upstream, Reactor::Ours];

    /// When a run is cut off that has not accepted every connection.
    ///
    /// Upstream's time is how long its fault is watched. Ours needs a few hundred milliseconds; its
    /// time only bounds a hang, and must suffice on a machine that is busy with something else. What
    /// compares the two is the same for both: who was not done after one second.
    pub fn deadline(self) -> Duration {
        match self {
            Reactor::Upstream => Duration::from_secs(3),
            Reactor::Ours => Duration::from_secs(30),
        }
    }
}

impl Case {
    /// All of them, in the order in which they run and are shown.
    pub fn all() -> Vec<Case> {
        let mut cases = Vec::new();
        for reactor in Reactor::ALL {
            for cost_us in COSTS_US {
                for build in Build::ALL {
                    cases.push(Case { build, reactor, cost_us });
                }
            }
        }
        cases
    }

    /// The name of its files, without an ending.
    pub(crate) fn file_stem(&self) -> String {
        let Case { build, reactor, cost_us } = self;
        format!("{build}-{reactor}-{cost_us}us")
    }
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Build::Debug => "debug",
            Build::Release => "release",
        })
    }
}

impl fmt::Display for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Reactor::Upstream => "upstream",
            Reactor::Ours => "ours",
        })
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Case { build, reactor, cost_us } = self;
        write!(f, "{reactor}, {build}, {cost_us} µs a poll")
    }
}
