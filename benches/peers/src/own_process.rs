//! A sample taken in a process of its own: this program runs itself for one row and one peer.

use std::process::{Command, Stdio};

use anyhow::{bail, ensure, Context, Result};

use crate::row::{Peer, Row, Sample, Work};
use crate::run::Watchdog;

/// Starts the process and takes what it measures.
pub(crate) fn sample(row: &Row, peer: Peer, work: &Work) -> Result<Sample> {
    let child = Command::new(std::env::current_exe().context("finding this program")?)
        .args([row.name, "--peers", peer.name()])
        .args(["--sample", &work.warm_up.to_string(), &work.ops.to_string()])
        .stderr(Stdio::inherit())
        .output()
        .context("running this program")?;
    ensure!(child.status.success(), "the process of a sample ended with {}", child.status);
    // JSON has no NaN: a figure that the peer does not have is null.
    let figures: Vec<Option<f64>> =
        serde_json::from_slice(&child.stdout).context("reading a sample")?;
    ensure!(
        figures.len() == row.figures.len(),
        "a sample of {} figures, expected {}",
        figures.len(),
        row.figures.len()
    );
    Ok(figures.into_iter().map(|figure| figure.unwrap_or(f64::NAN)).collect())
}

/// What the process does: the row's work once, for its only peer.
pub(crate) fn child(row: &Row, warm_up: u64, ops: u64) -> Result<()> {
    let [(peer, body)] = row.cases[..] else {
        bail!("the process of a sample runs one peer, found {}", row.cases.len());
    };
    let watchdog = Watchdog::start();
    watchdog.next(format!("row {}, peer {}", row.name, peer.name()));
    let sample = body(&Work { warm_up, ops, only: None })?;
    println!("{}", serde_json::to_string(&sample)?);
    Ok(())
}
