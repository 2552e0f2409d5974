//! By which calls each wait began that belongs to no recorded task.

use std::collections::HashMap;
use std::io::Write;
use std::rc::Rc;

use ticks_format::layout::counter;
use ticks_format::Awaited;

use super::calls::{self, Frames};
use super::view::{View, Wait};
use crate::symbols::{Book, Call, Told};
use crate::table::paragraph;
use crate::units;

/// How many of the waits that have one stack are named.
const NAMED: usize = 3;

/// The stacks of waits.
pub struct Stacks<'b> {
    book: &'b mut Book,
    frames: Frames,
    /// Those of tasks too, which are told there.
    all: bool,
}

/// Waits of which the same is told.
struct Group<'v> {
    told: Rc<Told>,
    /// In the order of the table.
    waits: Vec<&'v Wait>,
}

impl<'b> Stacks<'b> {
    /// Those that the book has.
    pub fn new(book: &'b mut Book, frames: Frames, all: bool) -> Stacks<'b> {
        Stacks { book, frames, all }
    }

    /// Tells them, equal ones once. Returns whether calls are left out.
    pub fn write(&mut self, out: &mut dyn Write, view: &View<'_>) -> anyhow::Result<bool> {
        let mut groups: Vec<Group<'_>> = Vec::new();
        let mut places: HashMap<Vec<Call>, usize> = HashMap::new();
        for wait in of(view, self.all) {
            let Some(told) = self.book.stack(view.input, wait.waiter.stack)? else { continue };
            let shown = self.frames.of(&told.calls).cloned().collect();
            let place = *places.entry(shown).or_insert_with(|| {
                groups.push(Group { told, waits: Vec::new() });
                groups.len() - 1
            });
            groups[place].waits.push(wait);
        }
        let mut has_folded = false;
        for group in &groups {
            write!(out, "\n{}", paragraph(&heading(&group.waits)))?;
            self.frames.write(out, &group.told.calls, 4)?;
            calls::write_end(out, group.told.end, 4)?;
            has_folded |= self.frames.leave_out_some(&group.told.calls);
        }
        Ok(has_folded)
    }
}

fn of<'v>(view: &'v View<'_>, all: bool) -> impl Iterator<Item = &'v Wait> {
    view.waits.iter().filter(move |wait| all || wait.of_task.is_none())
}

/// Says how many waits have no stack, and why.
pub fn write_without(
    out: &mut dyn Write,
    view: &View<'_>,
    book: &mut Book,
    all: bool,
) -> anyhow::Result<()> {
    let mut without = 0;
    for wait in of(view, all) {
        without += u64::from(book.stack(view.input, wait.waiter.stack)?.is_none());
    }
    match without {
        0 => Ok(()),
        without => Ok(write!(out, "{}", paragraph(&why_without(view, without)?))?),
    }
}

/// Which waits they are.
fn heading(waits: &[&Wait]) -> String {
    let named: Vec<_> = waits.iter().take(NAMED).map(|wait| what(wait)).collect();
    let count = waits.len();
    let times = match count {
        1 => String::new(),
        count => format!("{} × ", units::count(count as u64)),
    };
    let more = match count - named.len() {
        0 => String::new(),
        more => format!(" and {} more", units::count(more as u64)),
    };
    format!("{times}{}{more}", named.join(", "))
}

/// What a wait is for, in a word or two.
fn what(wait: &Wait) -> String {
    match wait.waiter.awaited {
        Awaited::Source { fd, dir, .. } => format!("fd {fd} {dir}"),
        Awaited::Timer { id, .. } => format!("timer {id}"),
    }
}

/// Why some waits have no stack, as far as the recording tells.
fn why_without(view: &View<'_>, without: u64) -> anyhow::Result<String> {
    let recording = &view.input.recording;
    let count = |word| recording.counter(word).map(units::count);
    let waits = match without {
        1 => "1 wait has no stack".to_owned(),
        without => format!("{} waits have no stack", units::count(without)),
    };
    if recording.about().iter().any(|(name, value)| name == "stacks" && value == "off") {
        return Ok(format!("{waits}: ASYNC_IO_TRACE_STACKS=0 was set"));
    }
    let (left_out, elsewhere) = (
        recording.counter(counter::STACKS_LEFT_OUT)?,
        recording.counter(counter::STACKS_ELSEWHERE)?,
    );
    let mut reasons = Vec::new();
    if left_out > 0 {
        let left_out = count(counter::STACKS_LEFT_OUT)?;
        reasons.push(format!(
            "{left_out} so far found no room (ASYNC_IO_TRACE_MIB makes more) or came while libraries were \
             being unloaded"
        ));
    }
    if elsewhere > 0 {
        let elsewhere = count(counter::STACKS_ELSEWHERE)?;
        reasons.push(format!("{elsewhere} so far began on a coroutine's or a signal's own stack"));
    }
    if reasons.is_empty() {
        reasons.push(
            "stacks are taken on Linux on x86-64 and aarch64, once the recorder has started; older recordings \
             have none"
                .into(),
        );
    }
    Ok(format!("{waits}: {}", reasons.join("; ")))
}
