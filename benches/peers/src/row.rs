//! What a row is: a name, the figures it yields, and one body of work for each peer.

use std::time::Duration;

use anyhow::Result;

/// A column of the table.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Peer {
    /// A raw epoll loop on libc, edge-triggered: the limit.
    Raw,
    /// This repository's async-io.
    Ours,
    /// async-io 2.6.0 of crates.io.
    Upstream,
    /// tokio's current-thread runtime.
    Tokio,
    /// tokio's multi-thread runtime with two workers.
    #[value(name = "tokio-2w")]
    #[serde(rename = "tokio-2w")]
    Tokio2w,
    /// Ours with the hooks compiled out.
    NoHooks,
    /// Ours with a logger at TRACE that writes to a file.
    OursLog,
}

impl Peer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Peer::Raw => "raw",
            Peer::Ours => "ours",
            Peer::Upstream => "upstream",
            Peer::Tokio => "tokio",
            Peer::Tokio2w => "tokio-2w",
            Peer::NoHooks => "no-hooks",
            Peer::OursLog => "ours-log",
        }
    }
}

/// How much to do in one sample.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    /// Operations before the clock starts.
    pub(crate) warm_up: u64,
    /// Operations timed.
    pub(crate) ops: u64,
    /// The only figure wanted; all of them when `None`.
    pub(crate) only: Option<usize>,
}

impl Work {
    pub(crate) fn total(&self) -> u64 {
        self.warm_up + self.ops
    }

    pub(crate) fn wants(&self, figure: usize) -> bool {
        self.only.is_none_or(|only| only == figure)
    }

    /// Nanoseconds an operation, when all of them took `elapsed`.
    pub(crate) fn per_op(&self, elapsed: Duration) -> f64 {
        elapsed.as_nanos() as f64 / self.ops as f64
    }
}

/// One value for each of the row's figures; NaN where a peer has none.
pub(crate) type Sample = Vec<f64>;

/// A peer's way of doing a row's work once.
pub(crate) type Body = fn(&Work) -> Result<Sample>;

/// What a figure counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Unit {
    /// Nanoseconds; printed in the unit that fits.
    Nanos,
    /// Bytes of the heap.
    Bytes,
    /// Operations a second: the only unit of which more is better.
    PerSecond,
}

/// What ours has to reach.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// As good as upstream and as tokio: what every figure has to be, as far as they do its work.
    Level,
    /// At most this many times the peer's figure.
    Of(Peer, f64),
    /// At most this many times another figure (by index) of its own row.
    OfFigure(usize, f64),
    /// At most this much, in the figure's unit.
    AtMost(f64),
}

/// A line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    /// What the line shows; the row's name is printed before it.
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    /// Whether system calls per operation mean something for it.
    pub(crate) counted: bool,
    pub(crate) targets: Vec<Target>,
}

impl Figure {
    fn level(name: &'static str, unit: Unit, counted: bool) -> Figure {
        Figure { name, unit, counted, targets: vec![Target::Level] }
    }

    pub(crate) fn time(name: &'static str) -> Figure {
        Figure::level(name, Unit::Nanos, true)
    }

    pub(crate) fn bytes(name: &'static str) -> Figure {
        Figure::level(name, Unit::Bytes, false)
    }

    pub(crate) fn per_second(name: &'static str) -> Figure {
        Figure::level(name, Unit::PerSecond, false)
    }

    /// With one more target.
    pub(crate) fn and(mut self, target: Target) -> Figure {
        self.targets.push(target);
        self
    }

    /// With this target and no other.
    pub(crate) fn only(mut self, target: Target) -> Figure {
        self.targets = vec![target];
        self
    }

    /// With no target: it is told, and chance decides it.
    pub(crate) fn told(mut self) -> Figure {
        self.targets.clear();
        self
    }

    pub(crate) fn uncounted(mut self) -> Figure {
        self.counted = false;
        self
    }
}

/// A row: the same work for every peer to which it applies.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Operations of a full sample; the warm-up comes on top.
    pub(crate) ops: u64,
    /// Operations of a quick sample.
    pub(crate) quick_ops: u64,
    /// Operations when system calls are counted.
    pub(crate) counted_ops: u64,
    /// How many processes a full run starts for each peer, one a sample. `None`: all samples are taken in
    /// this process. For a row whose figure is decided when its threads are started, by chance.
    pub(crate) starts: Option<u32>,
    pub(crate) figures: Vec<Figure>,
    pub(crate) cases: Vec<(Peer, Body)>,
}
