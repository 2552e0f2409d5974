//! The same rule, of a log that 2.6.0 or a fork of it wrote: there it did hang, or escaped.

use crate::explain::facts::{Facts, Process};
use crate::explain::finding::{Finding, Sure};
use crate::logs::{Escape, Log, Old};
use crate::units;

/// What the logs say.
pub fn findings(facts: &Facts<'_>, kind: &'static str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for process in &facts.processes {
        let Some(log) = &process.input.log else { continue };
        let is_meant = |old: &&Old| {
            facts.around.is_none_or(|it| (it.from_ns..=it.to_ns).contains(&old.event_ns))
        };
        let mut told = Vec::new();
        for old in log.olds.iter().filter(is_meant) {
            // One for each direction: the others are the same again.
            if !told.contains(&(old.key, old.dir)) {
                told.push((old.key, old.dir));
                findings.push(finding(facts, process, log, old, kind));
            }
        }
    }
    findings
}

fn name(old: &Old) -> String {
    match old.fd {
        Some(fd) => format!("fd {fd}"),
        None => format!("the source with key {}", old.key),
    }
}

fn finding(
    facts: &Facts<'_>,
    process: &Process<'_>,
    log: &Log,
    old: &Old,
    kind: &'static str,
) -> Finding {
    let (name, tick, dir) = (name(old), old.tick, old.dir);
    let (a, b) = (old.ticks.a, old.ticks.b);
    // That it is taken for old is certain. A task that tries its operation before it asks may go on all the same, so
    // only the next poll proves the hang.
    let (sure, then) = match old.refused {
        true => (Sure::Proven, "its next poll was told Pending: async-io 2.6.0 hung here"),
        false => (Sure::Likely, "its next poll is told Pending: async-io 2.6.0 hangs here"),
    };
    let sentence = format!(
        "{name}'s event to {dir} was harvested in round {tick} while its waiter held ({a}, {b}), so the event is \
         taken for old and {then}"
    );
    let mut finding = Finding::new(kind, sure, sentence)
        .shows(format!(
            "{} thread {}: the poll remembers ({a}, {b}) and begins to wait",
            units::time(old.asked_ns),
            old.asked_tid
        ))
        .shows(format!(
            "{} thread {}: round {tick} delivers the event of key {}, {} later",
            units::time(old.event_ns),
            old.event_tid,
            old.key,
            units::duration(old.event_ns.saturating_sub(old.asked_ns))
        ))
        .shows(format!(
            "an event counts there only if its tick is neither of the two; {tick} is one of ({a}, {b}), because the \
             round had its number before the poll asked, and its wait was still under way"
        ));
    if old.refused {
        finding = finding.shows("the next poll was told Pending, and remembered anew".to_owned());
    }
    if log.olds_count > 1 {
        finding = finding
            .shows(format!("{} events went that way in this log", units::count(log.olds_count)));
    }
    let escapes = facts.processes.iter().filter_map(|other| {
        let log = other.input.log.as_ref()?;
        let all = log.escapes.iter().filter(|((_, dir), _)| *dir == old.dir);
        all.map(|(_, escape)| (other, *escape)).next()
    });
    for (other, Escape { utc_ns, tick, ticks }) in escapes {
        finding = finding.shows(format!(
            "{} escaped, {}: its waiter had remembered ({}, {}) before round {tick} began, and {tick} is neither, so \
             the poll was told Ready",
            other.input.path.display(),
            units::time(utc_ns),
            ticks.a,
            ticks.b
        ));
    }
    let fd = old.fd.map_or_else(|| format!("--source {}", old.key), |fd| format!("--fd {fd}"));
    finding
        .proof(process.show(&fd))
        .advice("a program's speed decides it: a slower build, as a debug build, polls within the round, a faster one before it")
        .advice("put this crate in place of async-io 2.6.0: a round gets its number when its wait returns (docs/the-ticks-rule.md)")
}
