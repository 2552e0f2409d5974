//! What the hooks cost: compiled out, compiled in with nobody listening, and with a logger at
//! TRACE that writes to a file.

use std::sync::OnceLock;

use anyhow::{Context, Result};
use log::LevelFilter;

use crate::peer::{no_hooks, ours};
use crate::row::{Body, Figure, Peer, Row, Sample, Target, Work};
use crate::rows::{echo, pingpong};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row(
            "hooks-pingpong",
            "pingpong: hooks compiled out, in with nobody listening, log at TRACE to a file",
            20_000,
            [pingpong::tcp::<no_hooks::OneThread>, pingpong::tcp::<ours::OneThread>, |work| {
                logged(pingpong::tcp::<ours::OneThread>, work)
            }],
        ),
        row(
            "hooks-echo-100",
            "echo-100, the same",
            20_000,
            [
                echo::server::<no_hooks::OneThread, 100>,
                echo::server::<ours::OneThread, 100>,
                |work| logged(echo::server::<ours::OneThread, 100>, work),
            ],
        ),
    ]
}

fn row(name: &'static str, about: &'static str, ops: u64, bodies: [Body; 3]) -> Row {
    let peers = [Peer::NoHooks, Peer::Ours, Peer::OursLog];
    Row {
        name,
        about,
        ops,
        quick_ops: ops / 5,
        counted_ops: 500,
        starts: None,
        figures: vec![Figure::time("an operation").and(Target::Of(Peer::NoHooks, 1.01))],
        cases: peers.into_iter().zip(bodies).collect(),
    }
}

/// Runs `body` while the process's logger takes every record.
fn logged(body: Body, work: &Work) -> Result<Sample> {
    static LOGGER: OnceLock<Result<(), String>> = OnceLock::new();
    LOGGER
        .get_or_init(|| install().map_err(|error| format!("{error:#}")))
        .clone()
        .map_err(anyhow::Error::msg)?;
    log::set_max_level(LevelFilter::Trace);
    let sample = body(work);
    log::set_max_level(LevelFilter::Off);
    sample
}

/// A logger into an unnamed file, which the system removes with the process.
fn install() -> Result<()> {
    let file = tempfile::tempfile().context("a file for the log")?;
    env_logger::Builder::new()
        .filter_module("async_io", LevelFilter::Trace)
        .target(env_logger::Target::Pipe(Box::new(file)))
        .try_init()
        .context("the process has a logger already")?;
    log::set_max_level(LevelFilter::Off);
    Ok(())
}
