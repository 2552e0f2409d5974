//! Counts instructions with valgrind's callgrind: this program runs itself under it, for one row and peer,
//! with few operations and with many. The difference, by the difference of operations, is an operation's.

use std::collections::BTreeMap;
use std::env;
use std::process::Command;

use anyhow::{bail, Context, Result};

use crate::peer::Peer;
use crate::row::Row;

/// Operations of the two runs. Both are multiples of the largest batch.
const OPS: [u64; 2] = [20_000, 60_000];

/// Instructions an operation, by row and peer. Rows of several threads have none.
pub(crate) fn count(rows: &[Row]) -> Result<Vec<BTreeMap<Peer, f64>>> {
    let mut all = Vec::new();
    for row in rows {
        let mut counts = BTreeMap::new();
        if !row.name.contains("2t") {
            for (peer, _) in &row.cases {
                let [few, many] = [child(row, *peer, OPS[0])?, child(row, *peer, OPS[1])?];
                counts.insert(*peer, (many - few) / (OPS[1] - OPS[0]) as f64);
            }
            eprintln!("{:14} counted", row.name);
        }
        all.push(counts);
    }
    Ok(all)
}

/// All instructions of a process that does the row.
fn child(row: &Row, peer: Peer, ops: u64) -> Result<f64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe()?)
        .args([row.name, "--peers", peer.name(), "--child", &ops.to_string()])
        .output()
        .context("running valgrind, which counts instructions")?;
    let text = String::from_utf8_lossy(&output.stderr);
    // "==123== Collected : 12345"
    let collected = text.lines().find_map(|line| line.split_once("Collected : "));
    match collected.and_then(|(_, count)| count.trim().parse().ok()) {
        Some(count) if output.status.success() => Ok(count),
        _ => bail!("valgrind, row {}, peer {}: {}\n{text}", row.name, peer.name(), output.status),
    }
}
