//! A time in which a log says nothing, and what was before and after it.

use std::collections::BTreeMap;

use ticks_format::{flag_names, Record, What};

use super::{Rule, Verdict};
use crate::around::Window;
use crate::explain::facts::{Facts, Process};
use crate::explain::finding::{Finding, Sure};
use crate::logs::{Quiet, NOTIFICATION};
use crate::merge::Merge;
use crate::units;

pub struct QuietTimes;

/// How many of them are told of one log.
const TOLD_MAX: usize = 3;

impl Rule for QuietTimes {
    fn kind(&self) -> &'static str {
        "quiet"
    }

    fn looks_for(&self) -> &'static str {
        "times in which a log says nothing"
    }

    fn judge(&self, facts: &Facts<'_>) -> anyhow::Result<Verdict> {
        let mut findings = Vec::new();
        for process in &facts.processes {
            if let Some(window) = facts.around {
                findings.push(in_window(self.kind(), process, window)?);
            }
            let Some(log) = &process.input.log else { continue };
            let is_meant = |quiet: &&Quiet| {
                facts.around.is_none_or(|it| quiet.from_ns <= it.to_ns && quiet.to_ns >= it.from_ns)
            };
            let mut quiets: Vec<&Quiet> = log.quiets.iter().filter(is_meant).collect();
            quiets.sort_by_key(|quiet| std::cmp::Reverse(quiet.to_ns - quiet.from_ns));
            for quiet in quiets.into_iter().take(TOLD_MAX) {
                findings.push(of_quiet(self.kind(), process, quiet, log.end_ns));
            }
        }
        Ok(Verdict::of(findings))
    }
}

/// Whose event or registration it is.
fn owner(data: u64) -> String {
    match data {
        NOTIFICATION => "the poller's own notification (key ffffffffffffffff)".into(),
        key => format!("the source with key {key}"),
    }
}

fn flags(flags: u32) -> String {
    format!("{flags:x}, {}", flag_names(flags))
}

fn of_quiet(kind: &'static str, process: &Process<'_>, quiet: &Quiet, end_ns: u64) -> Finding {
    let length = units::duration(quiet.to_ns - quiet.from_ns);
    let (from, to) = (units::time(quiet.from_ns), units::time(quiet.to_ns));
    let sentence = format!("nothing was logged for {length}, from {from} until {to}");
    let mut finding = Finding::new(kind, Sure::Possible, sentence);
    for (events, data) in &quiet.entries {
        finding = finding.shows(format!(
            "then the kernel told of {}: events {}",
            owner(*data),
            flags(*events)
        ));
    }
    for (fd, interest, data) in &quiet.armed {
        let fd = fd.map_or_else(String::new, |fd| format!("fd {fd}, "));
        finding =
            finding.shows(format!("{fd}{}, was armed for {}", owner(*data), flags(*interest)));
    }
    let has_event = quiet.entries.iter().any(|(_, data)| *data != NOTIFICATION);
    if has_event && !quiet.polled {
        let rest = units::duration(end_ns.saturating_sub(quiet.to_ns));
        finding = finding.shows(format!(
            "in the {rest} from there to the log's end, or to the next such time, no poll of a source is logged"
        ));
    }
    finding.proof(process.show(&format!("--all --since {from}")))
}

/// What happened in the time that is asked for.
fn in_window(kind: &'static str, process: &Process<'_>, window: Window) -> anyhow::Result<Finding> {
    let mut merge = Merge::new(std::slice::from_ref(process.input))?;
    let (mut events, mut polls, mut last_ns) = (BTreeMap::new(), 0u64, None);
    let mut count = 0u64;
    while let Some(moment) = merge.advance()? {
        if !(window.from_ns..=window.to_ns).contains(&moment.utc_ns) {
            continue;
        }
        let What::Record(record) = &moment.stamped.what else { continue };
        (count, last_ns) = (count + 1, Some(moment.utc_ns));
        match record {
            Record::WaitEntry(entry) => {
                let first = (moment.utc_ns, entry.flags, 0u64);
                events.entry(entry.data).or_insert(first).2 += 1;
            }
            Record::PollEnd(_) => polls += 1,
            _ => {}
        }
    }
    let length = units::duration(window.to_ns - window.from_ns);
    let from_events: u64 = events.values().map(|(_, _, count)| count).sum();
    let after = match last_ns {
        Some(last) => {
            format!("the last record came {} before the end", units::duration(window.to_ns - last))
        }
        None => "no record".to_owned(),
    };
    let sentence = format!(
        "in the {length} before {}: {} records, {} events, {} polls of sources; {after}",
        units::time(window.to_ns),
        units::count(count),
        units::count(from_events),
        units::count(polls)
    );
    let mut finding = Finding::new(kind, Sure::Possible, sentence);
    /// More would be a list, not an answer.
    const EVENTS_MAX: usize = 8;
    for (data, (first_ns, events, count)) in events.into_iter().take(EVENTS_MAX) {
        finding = finding.shows(format!(
            "{}: {} events, the first at {}: {}",
            owner(data),
            units::count(count),
            units::time(first_ns),
            flags(events)
        ));
    }
    let (from, to) = (units::time(window.from_ns), units::time(window.to_ns));
    Ok(finding.proof(process.show(&format!("--since {from} --until {to}"))))
}
