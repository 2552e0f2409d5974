//! The other end of a connection does not answer, does not read, or does not even accept the connection.

use std::collections::{HashMap, HashSet};

use ticks_format::{Address, Awaited, Direction, Source, SourceKind};

use super::{Rule, Verdict};
use crate::explain::facts::{live, Facts, Process, Told, ToldWait};
use crate::explain::finding::{Finding, Sure};
use crate::units;
use crate::who::view::Wait;

pub struct SilentPeer;

/// From when on somebody who waits for an answer may be worried.
const LONG_NS: u64 = 800_000_000;
/// As long as no answer of a program that is well takes.
const VERY_LONG_NS: u64 = 10_000_000_000;

impl Rule for SilentPeer {
    fn kind(&self) -> &'static str {
        "silent_peer"
    }

    fn looks_for(&self) -> &'static str {
        "a peer that does not answer, does not read, or does not accept"
    }

    fn judge(&self, facts: &Facts<'_>) -> anyhow::Result<Verdict> {
        let mut findings = Vec::new();
        for process in &facts.processes {
            let served = served_ports(process);
            for (task, told, wait) in waits(process) {
                findings.extend(self.of(facts, process, &served, (task, told), wait));
            }
        }
        Ok(match both_read(facts).filter(|_| findings.is_empty()) {
            Some(why) => Verdict::CannotTell(why),
            None => Verdict::of(findings),
        })
    }
}

/// Who waits for the reactor, for what, in which place.
fn waits<'p>(
    process: &'p Process<'_>,
) -> impl Iterator<Item = (&'p Told, &'p ToldWait, &'p Wait)> + 'p {
    process.tasks.iter().flat_map(move |task| {
        let of_reactor = task.waits.iter().filter_map(|wait| Some((wait, wait.wait?)));
        of_reactor.map(move |(told, at)| (task, told, &process.view.waits[at]))
    })
}

/// Connections of which both ends are known, and both have read for very long: nobody writes. They may be kept open on
/// purpose, or each waits for the other.
fn both_read(facts: &Facts<'_>) -> Option<String> {
    let mut ends = Vec::new();
    for process in &facts.processes {
        for (task, told, wait) in waits(process) {
            let Awaited::Source { dir: Direction::Read, .. } = wait.waiter.awaited else {
                continue;
            };
            let age_ns = process.age_ns(wait.since_ns).filter(|age_ns| *age_ns >= VERY_LONG_NS);
            let source = wait.source.as_ref().filter(|source| source.kind == SourceKind::Tcp);
            if let (Some(source), Some(age_ns)) = (source, age_ns) {
                ends.push((source, task, told, age_ns));
            }
        }
    }
    let by_addresses: HashMap<_, _> =
        ends.iter().map(|end| ((&end.0.local, &end.0.peer), end)).collect();
    let other = |one: &Source| by_addresses.get(&(&one.peer, &one.local)).copied();
    let both: Vec<_> = ends.iter().filter_map(|end| Some((end, other(end.0)?))).collect();
    let ((_, one, at, age_ns), (_, another, there, _)) =
        both.iter().max_by_key(|((.., age_ns), (.., other_ns))| age_ns.min(other_ns))?;
    let count = units::count(both.len() as u64 / 2);
    Some(format!(
        "both ends of {count} connection{} wait to read, for 10 s or more, and neither writes: it is kept open, or each \
         waits for the other; the longest, for {}: {}{} and {}{}",
        if count == "1" { "" } else { "s" },
        units::duration(*age_ns),
        one.title(),
        at.in_place(),
        another.title(),
        there.in_place(),
    ))
}

/// The ports on which the process is asked, not asks.
fn served_ports(process: &Process<'_>) -> HashSet<u16> {
    let listeners = process.view.sources.values();
    let listeners = listeners.filter(|source| source.kind == SourceKind::TcpListener);
    let mut ports: HashSet<u16> = listeners.filter_map(|source| port(&source.local)).collect();
    if process.is_live() {
        ports.extend(live::listening_ports(process.input.pid()));
    }
    ports
}

fn port(address: &Address) -> Option<u16> {
    address.to_string().rsplit_once(':')?.1.parse().ok()
}

impl SilentPeer {
    fn of(
        &self,
        facts: &Facts<'_>,
        process: &Process<'_>,
        served: &HashSet<u16>,
        (task, told): (&Told, &ToldWait),
        wait: &Wait,
    ) -> Option<Finding> {
        let Awaited::Source { fd, dir, .. } = wait.waiter.awaited else { return None };
        let source = wait.source.as_ref().filter(|source| source.kind == SourceKind::Tcp)?;
        if !process.is_old(wait.since_ns, LONG_NS) {
            return None;
        }
        let how_long = process.for_how_long(wait.since_ns);
        let who = format!("{} waits {how_long}{}", task.title(), told.in_place());
        let peer = &source.peer;
        let events = wait.events.as_ref().map_or(0, |events| events.count);
        let socket = wait.socket.as_ref();
        let finding =
            |sure, what: String| Finding::new(self.kind(), sure, format!("{who}: {what}"));
        let found = match dir {
            Direction::Write => match socket {
                Some(socket) if socket.is_connecting() => {
                    let whom = if *peer == Address::None { "the server" } else { "its peer" };
                    finding(Sure::Proven, format!("{whom} does not answer the attempt to connect"))
                        .advice("look whether the server accepts: its queue of callers may be full")
                        .advice("give connect a timeout")
                }
                // It reads, though slowly.
                Some(socket)
                    if socket.peer_has_no_room()
                        && process.queues().confirmed.contains(&source.inode) =>
                {
                    return None;
                }
                Some(socket) if socket.peer_has_no_room() => {
                    finding(Sure::Proven, format!("the peer {peer} does not read what it is sent"))
                        .advice(format!("look what {peer} does: ticks explain of that process"))
                        .advice("give the write a timeout")
                }
                // What is lost on the way is another rule's.
                Some(_) => return None,
                // Of a program that is gone the kernel knows nothing more.
                None if process.is_live() || !process.is_quiet() => return None,
                None if *peer == Address::None => {
                    finding(Sure::Possible, "the server had not accepted the connection".into())
                        .advice("ask while it hangs, if you can: ticks explain PID")
                }
                None => finding(
                    Sure::Possible,
                    format!("the peer {peer} had not read what it was sent"),
                )
                .advice("ask while it hangs, if you can: ticks explain PID"),
            },
            Direction::Read => {
                let is_asked = port(&source.local).is_none_or(|port| served.contains(&port));
                let is_sent_again = socket.is_some_and(|socket| socket.is_sent_again());
                // Both ends are known: what is between them is another rule's.
                let other_end_is_known = facts.processes.iter().any(|other| {
                    let mut sources = other.view.sources.values();
                    sources
                        .any(|end| end.registered && end.local == *peer && end.peer == source.local)
                });
                let unread = socket.is_some_and(|socket| socket.unread() > 0);
                if is_asked || is_sent_again || other_end_is_known || unread {
                    return None;
                }
                let has_spoken = events > 0 || process.walk.is_partial;
                match (has_spoken, process.has_end()) {
                    (false, true) => {
                        finding(Sure::Likely, format!("the peer {peer} has never said anything"))
                    }
                    (false, false) if process.is_quiet() => {
                        finding(Sure::Possible, format!("the peer {peer} had never said anything"))
                    }
                    _ => return None,
                }
                .advice(format!("look what {peer} does: ticks explain of that process"))
                .advice("give the read a timeout")
            }
        };
        let mut found = found.shows(told.text.clone());
        found = match wait.last_event_ns {
            Some(last_ns) if last_ns >= wait.since_ns => found,
            _ => found.shows("no event of the socket since the wait began"),
        };
        Some(found.proof(process.show(&format!("--fd {fd}"))))
    }
}
