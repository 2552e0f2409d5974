//! Connections of which both ends are known: what each end waits for, in one row.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::net::SocketAddr;

use ticks_format::{Address, Direction, Key, Source};

use super::view::View;
use crate::table::{Column, Table};

/// An end of a connection: which view, and the source in it.
type End = (usize, Key);

/// Whether an end is waited for, to read and to write.
type Waits = [bool; 2];

/// A table of the connections that are waited for at one end or both.
pub fn write(out: &mut dyn Write, views: &[View<'_>]) -> io::Result<()> {
    let columns = [
        Column::new("CONNECTION").wraps(),
        Column::new("ONE END").wraps(),
        Column::new("THE OTHER").wraps(),
        Column::new("WAITS").wraps(),
    ];
    let mut table = Table::new(columns);
    for ((local, peer), (one, other)) in connections(views) {
        let [one_waits, other_waits] = [one, other].map(|end| waits(views, end));
        if let Some(text) = describe(one_waits, other_waits) {
            let ends = [one, other].map(|end| name(views, end));
            let [one, other] = ends;
            table.add([format!("{local} → {peer}"), one, other, text]);
        }
    }
    match table.is_empty() {
        true => Ok(()),
        false => write!(out, "\nboth ends are known:\n{}", table.text()),
    }
}

/// Local and peer's address of a connection's end.
fn addresses(source: &Source) -> Option<(SocketAddr, SocketAddr)> {
    let ip = |address: &Address| match address {
        // An IPv4 address has two forms where a socket is for both versions.
        Address::Ip(address) => Some(SocketAddr::new(address.ip().to_canonical(), address.port())),
        _ => None,
    };
    Some((ip(&source.local)?, ip(&source.peer)?)).filter(|(local, peer)| local != peer)
}

/// The connections of which both ends are registered sources.
fn connections(views: &[View<'_>]) -> BTreeMap<(SocketAddr, SocketAddr), (End, End)> {
    let mut ends = HashMap::new();
    for (index, view) in views.iter().enumerate() {
        for source in view.sources.values().filter(|source| source.registered) {
            if let Some(addresses) = addresses(source) {
                ends.insert(addresses, (index, source.key));
            }
        }
    }
    let pair = |((local, peer), end): (&(SocketAddr, SocketAddr), &End)| {
        let other = ends.get(&(*peer, *local))?;
        // Once.
        (end < other).then_some(((*local, *peer), (*end, *other)))
    };
    ends.iter().filter_map(pair).collect()
}

fn waits(views: &[View<'_>], (view, key): End) -> Waits {
    let ids = views[view].waits.iter().filter_map(|wait| wait.waiter.waiter_id());
    let mut waits = [false; 2];
    for id in ids.filter(|id| id.key == key) {
        waits[usize::from(id.dir == Direction::Write)] = true;
    }
    waits
}

fn name(views: &[View<'_>], (view, key): End) -> String {
    let view = &views[view];
    let fd = view.sources.get(&key).map_or(-1, |source| source.fd);
    format!("{} fd {fd}", view.input.process_name())
}

/// What the two do. `None`: nobody waits for either.
fn describe(one: Waits, other: Waits) -> Option<String> {
    const NONE: Waits = [false, false];
    let does = |waits: Waits| match waits {
        NONE => "is not waited for",
        [true, false] => "reads",
        [false, true] => "writes",
        [true, true] => "reads and writes",
    };
    Some(match (one, other) {
        (NONE, NONE) => return None,
        ([true, false], [true, false]) => "both ends read, neither writes".into(),
        ([false, true], [false, true]) => "both ends write, neither reads".into(),
        (one, other) if one == other => format!("each end {}", does(one)),
        // The one that does more comes first.
        (one, other) => {
            let [first, second] = if one < other { [other, one] } else { [one, other] };
            let [first, second] = match (first, second) {
                ([true, false], [false, true]) => [second, first],
                _ => [first, second],
            };
            format!("one end {}, the other {}", does(first), does(second))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_ends_do() {
        let (none, read, write) = ([false, false], [true, false], [false, true]);
        let both = [true, true];
        for (one, other, expected) in [
            (read, write, "one end writes, the other reads"),
            (write, read, "one end writes, the other reads"),
            (read, read, "both ends read, neither writes"),
            (write, write, "both ends write, neither reads"),
            (none, read, "one end reads, the other is not waited for"),
            (write, none, "one end writes, the other is not waited for"),
            (read, both, "one end reads and writes, the other reads"),
            (both, both, "each end reads and writes"),
        ] {
            assert_eq!(describe(one, other).as_deref(), Some(expected), "{one:?} {other:?}");
        }
        assert_eq!(describe(none, none), None);
    }
}
