//! What a row is: a name, and one body of work for each peer.

use anyhow::Result;

use crate::peer::Peer;

/// How much to do in one sample.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    /// Operations before the clock starts.
    pub(crate) warm_up: u64,
    /// Operations timed.
    pub(crate) ops: u64,
}

impl Work {
    pub(crate) fn total(&self) -> u64 {
        self.warm_up + self.ops
    }
}

/// A peer's way of doing a row's work once. Returns nanoseconds an operation.
pub(crate) type Body = fn(&Work) -> Result<f64>;

/// A line of the table.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// What an operation is.
    pub(crate) about: &'static str,
    /// Operations of a full sample; the warm-up comes on top.
    pub(crate) ops: u64,
    pub(crate) cases: Vec<(Peer, Body)>,
}
