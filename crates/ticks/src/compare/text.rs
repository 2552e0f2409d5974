//! What came of a comparison, for people.

use std::io::{self, Write};

use anstyle::Style;
use ticks_format::Verdict;

use super::counts::{Figure, Topic};
use super::matching::{Difference, SIDES};
use super::poll::{Grounds, Poll};
use super::role::Part;
use super::{Comparison, Sureness};
use crate::input::Input;
use crate::plain::plain;
use crate::table::{Column, Table};
use crate::units;

const WIDTH: usize = 80;
const STRONG: Style = Style::new().bold();
const NAMES: [&str; 2] = ["A", "B"];

/// All of it.
pub fn write(out: &mut dyn Write, comparison: &Comparison<'_>) -> io::Result<()> {
    for (name, input) in NAMES.iter().zip(comparison.inputs) {
        item(out, &format!("{name}  "), &about(input))?;
    }
    writeln!(out)?;
    match &comparison.matching.first {
        Some(first) => write_first(out, comparison, first)?,
        None if comparison.differs() => {
            item(
                out,
                "",
                "Every poll and timer that both have was decided alike. Their numbers differ.",
            )?;
        }
        None => {
            let compared = units::count(comparison.sureness.compared);
            let text = format!(
                "No difference: the {compared} polls and timers of both were decided alike."
            );
            writeln!(out, "{STRONG}{text}{STRONG:#}")?;
        }
    }
    for topic in Topic::ALL {
        let figures: Vec<&Figure> =
            comparison.figures.iter().filter(|figure| figure.topic == topic).collect();
        write_table(out, topic, &figures)?;
    }
    write_sureness(out, &comparison.sureness)?;
    for note in &comparison.notes {
        item(out, "- ", note)?;
    }
    Ok(())
}

fn about(input: &Input) -> String {
    // A log does not say which process's it is.
    let name = match (input.recording.header().pid, input.program_name()) {
        (0, Some(name)) => name.to_owned(),
        _ => input.process_name(),
    };
    format!("{name}, {}", input.place())
}

fn write_first(
    out: &mut dyn Write,
    comparison: &Comparison<'_>,
    first: &Difference,
) -> io::Result<()> {
    writeln!(out, "{STRONG}The first decision that differs{STRONG:#}")?;
    item(out, "", &sentence(first))?;
    for side in SIDES {
        let place = comparison.places[side].as_deref();
        let text = match &first.polls[side] {
            Some(poll) => told(poll, place),
            None => "there is no such poll; what was before is its last.".into(),
        };
        item(out, &format!("  {}  ", NAMES[side]), &text)?;
    }
    match first.alike {
        _ if matches!(first.who.part, Part::Timer(_)) => Ok(()),
        0 => Ok(()),
        1 => item(out, "", "The poll before was decided alike in both."),
        alike => {
            let alike = units::count(alike);
            item(out, "", &format!("The {alike} polls before were decided alike in both."))
        }
    }
}

/// What differs, in one sentence.
pub fn sentence(first: &Difference) -> String {
    let who = &first.who;
    let Some(poll) = first.polls.iter().flatten().next() else { return who.to_string() };
    let which = match poll.grounds {
        Grounds::Source { .. } => format!("poll {} of wait {}", poll.nth, poll.wait),
        Grounds::Task { .. } => format!("poll {}", poll.nth),
        Grounds::Timer { .. } => {
            let [a, b] = first.polls.each_ref().map(|poll| match poll {
                Some(Poll { grounds: Grounds::Timer { late_ns: Some(_), .. }, .. }) => "fired",
                Some(_) => "was disarmed before it was due",
                None => "did neither",
            });
            return format!("{who} {a} in A and {b} in B.");
        }
    };
    let answers = match &first.polls {
        [Some(a), Some(b)] if a.result != b.result => {
            format!("is {} in A and {} in B", a.result, b.result)
        }
        [Some(a), Some(_)] => match a.grounds {
            Grounds::Source { .. } => format!("is {} in both, for other reasons", a.result),
            _ => format!("is {} in both, woken by something else", a.result),
        },
        [Some(_), None] => "is in A alone".into(),
        _ => "is in B alone".into(),
    };
    format!("{who}: {which} {answers}.")
}

/// A poll in words.
fn told(poll: &Poll, place: Option<&str>) -> String {
    let mut text = match (&poll.grounds, poll.result) {
        (Grounds::Source { reason, .. }, result) => format!("{result} ({reason})"),
        (Grounds::Task { .. }, Verdict::Failed) => "it panicked".into(),
        (Grounds::Timer { late_ns: Some(_), .. }, _) => "it fired".into(),
        (Grounds::Timer { late_ns: None, .. }, _) => "it was disarmed before it was due".into(),
        (Grounds::Task { .. }, result) => result.to_string(),
    };
    match &poll.grounds {
        Grounds::Source { round, ticks, into_task_ns, .. } => {
            text += &match ticks {
                Some(ticks) => format!("; its waiter held the ticks {ticks}"),
                None => "; it did not wait yet".into(),
            };
            text += &match round {
                0 => ", no event had come".into(),
                round => format!(", the last event was harvested in round {round}"),
            };
            if let Some(took_ns) = poll.took_ns {
                text += &format!("; asking took {}", units::duration(took_ns));
            }
            if let Some(into_ns) = into_task_ns {
                text += &format!(", {} into the poll of its task", units::duration(*into_ns));
            }
        }
        Grounds::Timer { in_ns, late_ns, .. } => {
            if let Some(late_ns) = late_ns {
                text += &format!(", {} late", units::duration(*late_ns));
            }
            text += &format!("; it was armed for {}", units::duration(*in_ns));
            if let Some(place) = place {
                text += &format!(", by a poll that asked last in {place}");
            }
        }
        Grounds::Task { woken, .. } => {
            if let Some(woken) = woken {
                text += &format!(", woken by: {woken}");
            }
            if let Some(took_ns) = poll.took_ns {
                text += &format!("; the poll took {}", units::duration(took_ns));
            }
            if let Some(place) = place {
                text += &format!("; it asked last in {place}");
            }
        }
    }
    text + &format!("; {} after the beginning.", units::duration(poll.at_ns))
}

fn write_table(out: &mut dyn Write, topic: Topic, figures: &[&Figure]) -> io::Result<()> {
    if figures.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{STRONG}What differs: {}{STRONG:#}", topic.name())?;
    let columns =
        [Column::new("WHO").wraps(), Column::new("WHAT"), Column::number("A"), Column::number("B")];
    let mut table = Table::new(columns);
    for figure in figures {
        let [a, b] = figure.values.map(|value| value.text());
        table.add([figure.who.clone(), figure.what.clone(), a, b]);
    }
    write!(out, "{}", table.text())
}

fn write_sureness(out: &mut dyn Write, sureness: &Sureness) -> io::Result<()> {
    writeln!(out, "\n{STRONG}How sure the match is: {}{STRONG:#}", sureness.degree().name())?;
    let matched = units::count(sureness.matched());
    let [a, b] = sureness.members().map(units::count);
    let [compared, parted] = [sureness.compared, sureness.parted].map(units::count);
    let text = format!(
        "{matched} sources and tasks were matched, of {a} in A and {b} in B; {compared} polls and timers \
         were compared, and {parted} of the matched parted."
    );
    item(out, "", &text)?;
    for reason in sureness.reasons() {
        item(out, "- ", &reason)?;
    }
    Ok(())
}

fn item(out: &mut dyn Write, bullet: &str, text: &str) -> io::Result<()> {
    let rest = " ".repeat(bullet.chars().count());
    let options = textwrap::Options::new(WIDTH).initial_indent(bullet).subsequent_indent(&rest);
    let options = options.word_splitter(textwrap::WordSplitter::NoHyphenation);
    writeln!(out, "{}", textwrap::fill(&plain(text), options.break_words(false)))
}
