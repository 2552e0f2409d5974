//! System calls per operation: this program runs itself under `strace -c -f`, a row and a peer at
//! a time, for N and for 2 N operations. The difference belongs to N operations; what it takes
//! to start and to end is in both.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{bail, ensure, Context, Result};
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::Table;

use crate::load;
use crate::row::{Peer, Row, Work};
use crate::run::Watchdog;

/// Calls by name.
type Calls = BTreeMap<String, f64>;

/// A figure of a row, with each peer's calls per operation.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Counted {
    row: &'static str,
    figure: &'static str,
    peers: BTreeMap<Peer, Calls>,
}

/// Below this, a call belongs to the runtime's housekeeping and not to the operation.
const RARE: f64 = 0.02;

/// What a child writes that has no such figure for its peer.
const DOES_NOT_APPLY: &str = "does not apply";

/// What strace watches: one figure of a row, for its only peer.
pub(crate) fn child(row: &Row, figure: usize, ops: u64) -> Result<()> {
    let [(peer, body)] = row.cases[..] else {
        bail!("a child runs one peer, found {}", row.cases.len());
    };
    let watchdog = Watchdog::start();
    watchdog.next(format!("row {}, peer {}", row.name, peer.name()));
    load::run_in_parent();
    let sample = body(&Work { warm_up: 0, ops, only: Some(figure) })?;
    if sample[figure].is_nan() {
        println!("{DOES_NOT_APPLY}");
    }
    Ok(())
}

pub(crate) fn count(rows: &[Row]) -> Result<Vec<Counted>> {
    let mut counted = Vec::new();
    for row in rows {
        for (index, figure) in row.figures.iter().enumerate() {
            if !figure.counted {
                continue;
            }
            let mut peers = BTreeMap::new();
            for (peer, _) in &row.cases {
                let calls = per_operation(row, *peer, index)
                    .with_context(|| format!("row {}, peer {}", row.name, peer.name()))?;
                peers.extend(calls.map(|calls| (*peer, calls)));
            }
            eprintln!("{} ({})", row.name, figure.name);
            counted.push(Counted { row: row.name, figure: figure.name, peers });
        }
    }
    Ok(counted)
}

fn per_operation(row: &Row, peer: Peer, figure: usize) -> Result<Option<Calls>> {
    let ops = row.counted_ops;
    let Some(once) = watched(row, peer, figure, ops)? else {
        return Ok(None);
    };
    let twice = watched(row, peer, figure, 2 * ops)?.unwrap_or_default();
    let names: BTreeSet<_> = once.keys().chain(twice.keys()).collect();
    let calls_of = |calls: &Calls, name| calls.get(name).copied().unwrap_or(0.0);
    let per_operation = names.into_iter().map(|name| {
        let calls = calls_of(&twice, name) - calls_of(&once, name);
        (name.clone(), calls / ops as f64)
    });
    Ok(Some(per_operation.filter(|(_, calls)| *calls >= RARE).collect()))
}

/// All calls of a child that does `ops` operations; none if the figure does not apply.
fn watched(row: &Row, peer: Peer, figure: usize, ops: u64) -> Result<Option<Calls>> {
    let summary = tempfile::NamedTempFile::new().context("a file for strace's summary")?;
    let mut strace = Command::new("strace")
        .args(["-f", "-c", "--summary-columns=calls,name", "-o"])
        .arg(summary.path())
        .arg(std::env::current_exe().context("finding this program")?)
        .args([row.name, "--peers", peer.name()])
        .args(["--child", &figure.to_string(), &ops.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .context("running strace; is it installed, and may it trace?")?;
    let stdout = strace.stdout.take().expect("the output is piped");
    let mut applies = true;
    for line in BufReader::new(stdout).lines() {
        match &*line? {
            DOES_NOT_APPLY => applies = false,
            line => load::serve_request(line)?,
        }
    }
    let status = strace.wait()?;
    ensure!(status.success(), "the child under strace ended with {status}");
    let calls = parse(&fs::read_to_string(summary.path())?)?;
    Ok(applies.then_some(calls))
}

/// Reads strace's table: a line a call with the count and the name, between two rules.
fn parse(summary: &str) -> Result<Calls> {
    let mut calls = Calls::new();
    let body = summary.lines().skip_while(|line| !line.starts_with("--"));
    for line in body.skip(1).take_while(|line| !line.starts_with("--")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [count, name] = words[..] else {
            bail!("strace's summary: expected a count and a name, found {line:?}");
        };
        let count = count
            .parse()
            .with_context(|| format!("strace's summary: expected a count, found {count:?}"))?;
        calls.insert(name.to_owned(), count);
    }
    ensure!(!calls.is_empty(), "strace's summary is empty");
    Ok(calls)
}

/// The totals of every row side by side, then what they consist of, a line a row and peer.
pub(crate) fn tables(counted: &[Counted]) -> String {
    let peers: BTreeSet<Peer> =
        counted.iter().flat_map(|line| line.peers.keys().copied()).collect();
    let (mut totals, mut calls) = (Table::new(), Table::new());
    totals.load_preset(UTF8_FULL_CONDENSED);
    calls.load_preset(UTF8_FULL_CONDENSED);
    let mut header = vec!["row", "system calls of"];
    header.extend(peers.iter().map(|peer| peer.name()));
    totals.set_header(header);
    calls.set_header(["row", "system calls of", "peer", "total", "call by call"]);
    for line in counted {
        let name = [line.row.to_owned(), line.figure.to_owned()];
        let total = |peer| line.peers.get(peer).map_or("–".to_owned(), total);
        totals.add_row(name.iter().cloned().chain(peers.iter().map(total)));
        for (peer, of_peer) in &line.peers {
            let detail = [peer.name().to_owned(), total(peer), breakdown(of_peer)];
            calls.add_row(name.iter().cloned().chain(detail));
        }
    }
    format!("{totals}\n{calls}")
}

fn total(calls: &Calls) -> String {
    // Not `sum`, which is -0 without calls.
    format!("{:.2}", calls.values().fold(0.0, |sum, calls| sum + calls))
}

/// The calls, the most frequent first.
fn breakdown(calls: &Calls) -> String {
    let mut by_count: Vec<_> = calls.iter().collect();
    by_count.sort_by(|a, b| b.1.total_cmp(a.1));
    let calls: Vec<_> =
        by_count.into_iter().map(|(name, count)| format!("{count:.2} {name}")).collect();
    calls.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_read_without_its_total() {
        let summary = "    calls syscall\n--------- ----------------\n     4000 recvfrom\n        \
            12 epoll_wait\n--------- ----------------\n     4012 total\n";
        let calls = parse(summary).unwrap();
        assert_eq!(calls.len(), 2);
        assert_eq!(calls["recvfrom"], 4000.0);
    }

    #[test]
    fn a_summary_without_calls_is_an_error() {
        assert!(parse("strace: attach: Operation not permitted\n").is_err());
    }
}
