//! The rules: what a program can hang in, a file each.

use super::facts::Facts;
use super::finding::Finding;

mod always_ready;
mod busy_loop;
mod deadlock;
mod far_timer;
mod forgotten;
mod late;
mod leak;
mod long_poll;
mod network;
mod never_polled;
mod not_running;
mod quiet;
mod reactor_fault;
mod replaced;
mod same_error;
mod silent_peer;
mod two_tasks;
mod unasked_data;
mod would_hang_upstream;

/// One kind of hang.
pub trait Rule: Sync {
    /// Its name: in JSON, and for people.
    fn kind(&self) -> &'static str;

    /// What it looks for: `nothing wrong found; looked for: …`.
    fn looks_for(&self) -> &'static str;

    /// Whether the tables are enough for it, so that no record need be read.
    fn reads_tables_only(&self) -> bool {
        false
    }

    /// Whether it is there.
    fn judge(&self, facts: &Facts<'_>) -> anyhow::Result<Verdict>;
}

/// What a rule says.
pub enum Verdict {
    /// It is not there.
    Nothing,
    /// It is there.
    Found(Vec<Finding>),
    /// That cannot be told: why, and what would let it.
    CannotTell(String),
    /// It was not looked for, because what would show it was not given: what that is, and how to give it.
    NotGiven(&'static str),
}

impl Verdict {
    /// What was found, if anything was.
    pub fn of(findings: Vec<Finding>) -> Verdict {
        match findings.is_empty() {
            true => Verdict::Nothing,
            false => Verdict::Found(findings),
        }
    }
}

/// All of them. Those that explain the most come first.
pub const RULES: &[&dyn Rule] = &[
    &not_running::NotRunning,
    &reactor_fault::ReactorFault,
    &forgotten::Forgotten,
    &never_polled::NeverPolled,
    &deadlock::Deadlock,
    &long_poll::LongPolls,
    &always_ready::AlwaysReady,
    &busy_loop::BusyLoop,
    &silent_peer::SilentPeer,
    &network::Network,
    &same_error::SameError,
    &unasked_data::UnaskedData,
    &two_tasks::TwoTasks,
    &far_timer::FarTimer,
    &late::Late,
    &replaced::Replaced,
    &leak::Leak,
    &would_hang_upstream::WouldHangUpstream,
    &quiet::QuietTimes,
];
