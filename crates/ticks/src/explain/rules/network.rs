//! The network between two ends: one has sent, and it does not arrive; or it has arrived, and caused nothing.

use std::net::SocketAddr;

use ticks_format::{Address, Awaited, Direction, Key, Source, SourceKind};

use super::{Rule, Verdict};
use crate::explain::facts::{Facts, Process};
use crate::explain::finding::{Finding, Sure};
use crate::units;
use crate::who::view::Wait;

pub struct Network;

/// What takes longer than this in the network is worth a word.
const LONG_NS: u64 = 800_000_000;

/// From when on a packet that was seen should have caused its event. A thread that computes keeps the reactor from
/// looking for longer than that only if it is a finding of its own.
const EVENT_LATE_NS: u64 = 200_000_000;

impl Rule for Network {
    fn kind(&self) -> &'static str {
        "network"
    }

    fn looks_for(&self) -> &'static str {
        "a network that loses what is sent, and bytes that arrived and caused no event"
    }

    fn judge(&self, facts: &Facts<'_>) -> anyhow::Result<Verdict> {
        let mut findings = Vec::new();
        for (index, process) in facts.processes.iter().enumerate() {
            for wait in &process.view.waits {
                let Some(source) = wait.source.as_ref().filter(|it| it.kind == SourceKind::Tcp)
                else {
                    continue;
                };
                findings.extend(self.in_the_queue(facts, process, wait, source));
                findings.extend(self.no_event(facts, process, wait, source));
            }
            if facts.outside.has_pcap {
                for (key, source) in &process.view.sources {
                    findings.extend(self.end_unread(facts, index, *key, source));
                }
            }
        }
        findings.extend(self.on_the_wire(facts));
        findings.sort_by(|one, other| one.sentence.cmp(&other.sentence));
        findings.dedup_by(|one, other| one.sentence == other.sentence);
        let kernel_knows = facts.processes.iter().all(|process| process.is_live());
        let mut waits = facts.processes.iter().flat_map(|process| &process.view.waits);
        let is_tcp =
            |wait: &Wait| wait.source.as_ref().is_some_and(|it| it.kind == SourceKind::Tcp);
        if findings.is_empty() && !kernel_knows && !facts.outside.has_pcap && waits.any(is_tcp) {
            let why = "a program that has ended has no queues to look at; give what tcpdump -w wrote with --pcap";
            return Ok(Verdict::CannotTell(why.into()));
        }
        Ok(Verdict::of(findings))
    }
}

/// Its own address and its peer's.
fn pair(source: &Source) -> Option<(SocketAddr, SocketAddr)> {
    match (&source.local, &source.peer) {
        (Address::Ip(local), Address::Ip(peer)) => Some((*local, *peer)),
        _ => None,
    }
}

/// Who waits, as the first words of a sentence.
fn who(process: &Process<'_>, wait: &Wait) -> String {
    let told = process.tasks.iter().find_map(|task| {
        let told = task.waits.iter().find(|told| {
            told.wait
                .and_then(|at| process.view.waits.get(at))
                .is_some_and(|it| std::ptr::eq(it, wait))
        });
        Some((task, told?))
    });
    let how_long = process.for_how_long(wait.since_ns);
    match told {
        Some((task, told)) if !told.own.is_empty() => {
            format!("{} waits {how_long} in {}", task.title(), told.own)
        }
        Some((task, _)) => format!("{} waits {how_long}", task.title()),
        None => match &wait.place {
            Some(place) => {
                format!("a task of {} waits {how_long} at {place}", process.input.process_name())
            }
            None => format!("a task of {} waits {how_long}", process.input.process_name()),
        },
    }
}

impl Network {
    /// Live: the kernel sends the same again and again, and nobody confirms it.
    fn in_the_queue(
        &self,
        facts: &Facts<'_>,
        process: &Process<'_>,
        wait: &Wait,
        source: &Source,
    ) -> Option<Finding> {
        let socket = wait.socket.as_ref().filter(|socket| socket.is_sent_again())?;
        if socket.is_connecting() {
            return None;
        }
        let what = format!(
            "{}: the peer {} does not confirm what it was sent",
            who(process, wait),
            source.peer
        );
        let mut finding = Finding::new(self.kind(), Sure::Proven, what)
            .shows(format!("its socket: {}", socket.text()));
        let other = facts.processes.iter().find(|other| {
            let mut sources = other.view.sources.values();
            sources
                .any(|end| end.registered && end.local == source.peer && end.peer == source.local)
        });
        finding = match other {
            Some(other) => finding.shows(format!(
                "the other end is recorded, {}, and registered there: it is the network between them",
                other.input.process_name()
            )),
            None => finding.shows("the peer is gone, or the network between loses what is sent"),
        };
        Some(
            finding
                .proof(process.show(&format!("--fd {}", source.fd)))
                .advice("look at the path: ping, a firewall's rules and its table of connections, the MTU")
                .advice("set keep-alive or a timeout, so that a dead connection ends"),
        )
    }

    /// The capture has bytes for who waits, and the kernel has told nothing of them.
    fn no_event(
        &self,
        facts: &Facts<'_>,
        process: &Process<'_>,
        wait: &Wait,
        source: &Source,
    ) -> Option<Finding> {
        let Awaited::Source { key, dir: Direction::Read, fd, .. } = wait.waiter.awaited else {
            return None;
        };
        let (local, peer) = pair(source)?;
        let flow = facts.outside.flows.of(peer, local)?;
        let arrived_ns = flow.data_ns.max(flow.fin_ns)?;
        let what =
            if flow.data_ns == Some(arrived_ns) { "bytes" } else { "the end of the connection" };
        let direction = process.walk.directions.all.get(&(key, Direction::Read));
        let told_ns =
            direction.and_then(|direction| direction.last_event).map(|event| event.utc_ns);
        let told_ns = told_ns.max(wait.last_event_ns);
        let is_told = told_ns.is_some_and(|told_ns| told_ns >= arrived_ns);
        let had_time =
            process.view.ago_ns(arrived_ns) >= EVENT_LATE_NS && process.view.at_ns > arrived_ns;
        if is_told || wait.since_ns > arrived_ns || !had_time {
            return None;
        }
        let sentence = format!(
            "{}: {what} from {peer} went by {} before the end of the recording, and caused no event",
            who(process, wait),
            units::duration(process.view.ago_ns(arrived_ns))
        );
        let told = match told_ns {
            Some(told_ns) => format!("the last event of fd {fd} came at {}", units::time(told_ns)),
            None => format!("fd {fd} never had an event"),
        };
        Some(
            Finding::new(self.kind(), Sure::Likely, sentence)
                .shows(format!("the capture has it at {}", units::time(arrived_ns)))
                .shows(told)
                .proof(process.show(&format!("--fd {fd} --pcap …")))
                .advice("if the capture was made elsewhere: it was lost between there and the program's host")
                .advice("if it was made on the program's host: see whether a thread drives the reactor, else report it"),
        )
    }

    /// The peer has ended the connection, and nobody has read that.
    fn end_unread(
        &self,
        facts: &Facts<'_>,
        index: usize,
        key: Key,
        source: &Source,
    ) -> Option<Finding> {
        let process = &facts.processes[index];
        let (local, peer) = pair(source).filter(|_| source.registered)?;
        let fin_ns = facts.outside.flows.of(peer, local)?.fin_ns?;
        let is_waited_for = process.view.waits.iter().any(|wait| {
            wait.waiter.waiter_id().is_some_and(|id| id.direction() == (key, Direction::Read))
        });
        // Who waits is told by the event, or is the case above.
        if is_waited_for || process.view.ago_ns(fin_ns) < LONG_NS || process.view.at_ns <= fin_ns {
            return None;
        }
        let read_ns =
            facts.outside.ends_read.get(&(index, source.fd)).filter(|read_ns| **read_ns >= fin_ns);
        if read_ns.is_some() {
            return None;
        }
        let (sure, how) = match facts.outside.has_strace {
            true => (Sure::Likely, "no call has read the end since, in the listing of strace"),
            false => (
                Sure::Possible,
                "no task waits to read from it; whether one has read the end, strace would tell",
            ),
        };
        let sentence = format!(
            "{peer} has ended its connection to fd {} of {}, {} before the end of the recording, and nobody has read that",
            source.fd,
            process.input.process_name(),
            units::duration(process.view.ago_ns(fin_ns))
        );
        Some(
            Finding::new(self.kind(), sure, sentence)
                .shows(format!("FIN at {}", units::time(fin_ns)))
                .shows(how)
                .proof(process.show(&format!("--fd {} --pcap …", source.fd)))
                .advice(
                    "read on to the end, or drop the connection: until then it stays in CLOSE_WAIT",
                ),
        )
    }

    /// The capture has what was sent again and again and never confirmed.
    fn on_the_wire(&self, facts: &Facts<'_>) -> Vec<Finding> {
        let flows = &facts.outside.flows;
        let mut findings = Vec::new();
        for ((from, to), flow) in flows.all() {
            let Some(waits) = &flow.unconfirmed else { continue };
            let age_ns = flows.end_ns.saturating_sub(waits.since_ns);
            if waits.times < 3 || age_ns < LONG_NS || !is_recorded(facts, *from, *to) {
                continue;
            }
            let (times, age) = (units::count(waits.times), units::duration(age_ns));
            let sentence = match waits.connects {
                true => format!("{from} tries to connect to {to}, and nobody answers: {times} attempts in {age}"),
                false => format!("{to} does not confirm what {from} sends: it was sent {times} times in {age}"),
            };
            findings.push(
                Finding::new(self.kind(), Sure::Proven, sentence)
                    .shows(format!("the first time at {}, to the end of the capture", units::time(waits.since_ns)))
                    .advice("look at the path: ping, a firewall's rules and its table of connections, the MTU"),
            );
        }
        findings
    }
}

/// Whether one of the ends is of a process that is asked about. Without recordings, all are.
fn is_recorded(facts: &Facts<'_>, from: SocketAddr, to: SocketAddr) -> bool {
    let is_end = |source: &Source| matches!(&source.local, Address::Ip(local) if *local == from || *local == to);
    facts.processes.is_empty()
        || facts.processes.iter().any(|process| process.view.sources.values().any(is_end))
}
