//! By which calls each task waits, and where it was spawned.

use std::collections::HashMap;
use std::io::Write;

use ticks_format::TaskKind;

use super::account::{state_name, Account};
use super::calls::{write_lines, Frames};
use super::view::View;
use crate::symbols::{Call, Place, Shown};
use crate::table::paragraph;
use crate::units;

/// How many of the tasks of which the same is told are named.
const NAMED: usize = 3;

/// How far what a task waits for is from the edge, and its calls.
const INDENT: usize = 4;

/// What is told of a task: what it waits for, and the calls of each wait.
type Shape<'a> = (&'a str, &'static str, Vec<(&'a str, Vec<Shown<'a>>)>, Vec<Shown<'a>>);

/// Tells them, equal ones once. Returns whether calls are left out.
pub fn write(
    out: &mut dyn Write,
    view: &View<'_>,
    accounts: &[Account<'_>],
    frames: Frames,
    all: bool,
) -> anyhow::Result<bool> {
    let calls = |place: &Place| frames.leave_out_some(&place.calls);
    let has_folded = accounts.iter().any(|account| {
        let stacks = account.waits.iter().filter_map(|wait| wait.place.as_deref());
        stacks.chain(account.spawned.as_deref()).any(calls)
    });
    let groups = match all {
        true => accounts.iter().map(|account| vec![account]).collect(),
        false => groups(accounts, frames),
    };
    for group in &groups {
        writeln!(out)?;
        write_group(out, view, group, frames)?;
    }
    Ok(has_folded)
}

/// Those of which the same is told together, each group where its first one is.
pub fn groups<'a, 'v>(accounts: &'a [Account<'v>], frames: Frames) -> Vec<Vec<&'a Account<'v>>> {
    let mut groups: Vec<Vec<&Account<'_>>> = Vec::new();
    let mut places: HashMap<Shape<'_>, usize> = HashMap::new();
    for account in accounts {
        let place = *places.entry(shape(account, frames)).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.push(account),
            None => groups.push(vec![account]),
        }
    }
    groups
}

/// Tells them of one.
pub fn write_one(
    out: &mut dyn Write,
    view: &View<'_>,
    account: &Account<'_>,
    frames: Frames,
) -> anyhow::Result<()> {
    write_group(out, view, &[account], frames)
}

fn shape<'a>(account: &'a Account<'_>, frames: Frames) -> Shape<'a> {
    let calls = |place: &'a Option<std::rc::Rc<Place>>| match place {
        Some(place) => frames.of(&place.calls).map(Call::shown).collect(),
        None => Vec::new(),
    };
    let waits = account.waits.iter().map(|wait| (wait.kind.0.as_str(), calls(&wait.place)));
    let state = state_name(account.live.task.state);
    (&account.title, state, waits.collect(), calls(&account.spawned))
}

fn write_group(
    out: &mut dyn Write,
    view: &View<'_>,
    group: &[&Account<'_>],
    frames: Frames,
) -> anyhow::Result<()> {
    let first = group[0];
    write!(out, "{}", paragraph(&heading(view, group)))?;
    let edge = " ".repeat(INDENT);
    let line = |text: &str| crate::table::pair(text, "", INDENT / 2, 0);
    let stacks: Vec<Vec<&Call>> = first
        .waits
        .iter()
        .map(|wait| match &wait.place {
            Some(place) => frames.of(&place.calls).collect(),
            None => Vec::new(),
        })
        .collect();
    // Branches of one future have their outer calls in common.
    let common = match stacks.len() {
        0 | 1 => 0,
        _ => common_end(&stacks),
    };
    for (wait, calls) in first.waits.iter().zip(&stacks) {
        let text = if group.len() == 1 { &wait.text } else { &wait.kind.0 };
        write!(out, "{}", line(text))?;
        match &wait.place {
            None => writeln!(out, "{edge}by calls that are not known")?,
            Some(_) if calls.len() == common && common > 0 => {}
            Some(_) => write_lines(out, &calls[..calls.len() - common], INDENT)?,
        }
    }
    if common > 0 {
        let of = if stacks.len() == 2 { "both" } else { "all of them" };
        write!(out, "{}", line(&format!("{of} in")))?;
        let calls = &stacks[0];
        write_lines(out, &calls[calls.len() - common..], INDENT)?;
    }
    if first.unknown > 0 {
        let unknown = units::count(first.unknown);
        let more = match view.has_times() {
            true => format!("and {unknown} more that are not recorded"),
            false => format!("and {unknown} more that are no sockets and no timers"),
        };
        write!(out, "{}", line(&more))?;
    }
    if let Some(spawned) = &first.spawned {
        let calls: Vec<&Call> = frames.of(&spawned.calls).collect();
        if !calls.is_empty() {
            let task = &first.live.task;
            let verb = if task.kind == TaskKind::Spawned { "spawned" } else { "begun" };
            let begun = match task.parent {
                parent if parent > 0 && group.len() == 1 => format!("{verb} by task {parent} in"),
                _ => format!("{verb} in"),
            };
            write!(out, "{}", line(&begun))?;
            write_lines(out, &calls, INDENT)?;
        }
    }
    Ok(())
}

/// Which tasks they are, and what they do.
pub fn heading(view: &View<'_>, group: &[&Account<'_>]) -> String {
    let first = group[0];
    let ids: Vec<_> = group.iter().take(NAMED).map(|it| it.live.task.id.to_string()).collect();
    let (count, named) = (group.len(), ids.join(", "));
    let who = match count - ids.len() {
        0 if count == 1 => format!("task {named} ({})", first.title),
        0 => format!("{count} × {}: tasks {named}", first.title),
        more => {
            let [count, more] = [count as u64, more as u64].map(units::count);
            format!("{count} × {}: tasks {named} and {more} more", first.title)
        }
    };
    let longest = group.iter().map(|account| view.ago_ns(account.live.since_ns)).max();
    let length = match (view.has_times(), view.state.has_end(), count) {
        (true, true, 2..) => format!("≤ {}", units::duration(longest.unwrap_or(0))),
        _ => view.length(view.at_ns - longest.unwrap_or(0)),
    };
    let length = if length.is_empty() { length } else { format!(" for {length}") };
    let state = state_name(first.live.task.state);
    let note = match first.note.is_empty() {
        true => String::new(),
        false if count == 1 => format!(", {}", first.note),
        false => format!(", {}", first.note_kind),
    };
    format!("{who}, {state}{length}{note}").trim_end_matches(", ").to_owned()
}

/// How many calls at their outer ends all stacks have in common.
fn common_end(stacks: &[Vec<&Call>]) -> usize {
    let Some((first, others)) = stacks.split_first() else { return 0 };
    let equal = |at: usize| {
        let call = &first[first.len() - at];
        others
            .iter()
            .all(|other| at <= other.len() && other[other.len() - at].shown() == call.shown())
    };
    (1..=first.len()).take_while(|at| equal(*at)).count()
}
