//! By which calls each wait began.

use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;

use serde_json::{json, Value as Json};
use ticks_format::layout::counter;
use ticks_format::{Awaited, StackEnd};

use super::table::short;
use super::view::{View, Wait};
use crate::input::Input;
use crate::plain::plain;
use crate::symbols::{Call, Options, Symbols};
use crate::table::{pair, paragraph};
use crate::units;

/// How many of the waits that have one stack are named.
const NAMED: usize = 3;

/// How far functions are from the edge.
const INDENT: usize = 4;

/// How wide the column of functions may be.
const FUNCTION_MAX: usize = 48;

/// The stacks of one recording.
pub struct Stacks {
    path: PathBuf,
    symbols: Symbols,
    all_frames: bool,
    known: HashMap<u64, Option<Told>>,
}

/// A stack as it is told.
#[derive(Clone, Debug)]
struct Told {
    calls: Vec<Call>,
    end: StackEnd,
}

/// Waits of which the same is told.
struct Group {
    told: Told,
    /// In the order of the table.
    waits: Vec<usize>,
}

impl Stacks {
    /// Nothing is read yet.
    pub fn new(input: &Input, options: &Options, all_frames: bool) -> Stacks {
        let (symbols, known) = (Symbols::new(options), HashMap::new());
        Stacks { path: input.path.clone(), symbols, all_frames, known }
    }

    /// Whether these are of the view's recording.
    pub fn are_of(&self, view: &View<'_>) -> bool {
        self.path == view.input.path
    }

    /// Adds the calls of the wait's stack, all of them, to its object.
    pub fn add_json(
        &mut self,
        view: &View<'_>,
        wait: &Wait,
        object: &mut Json,
    ) -> anyhow::Result<()> {
        let told = self.of(view, wait)?;
        let calls = told.as_ref().map(|told| told.calls.iter().map(call_json).collect::<Vec<_>>());
        let end = told.as_ref().map(|told| match told.end {
            StackEnd::Whole => "whole",
            StackEnd::TooDeep => "too deep",
            StackEnd::Unknown => "unknown",
        });
        object["stack"] = json!(calls);
        object["stack_end"] = json!(end);
        Ok(())
    }

    /// Tells them, equal ones once.
    pub fn write(&mut self, out: &mut dyn Write, view: &View<'_>) -> anyhow::Result<()> {
        let mut without = 0;
        let mut groups: Vec<Group> = Vec::new();
        let mut places: HashMap<Vec<Call>, usize> = HashMap::new();
        for (at, wait) in view.waits.iter().enumerate() {
            let Some(told) = self.of(view, wait)? else {
                without += 1;
                continue;
            };
            let place = places.entry(self.shown(&told).cloned().collect()).or_insert_with(|| {
                groups.push(Group { told, waits: Vec::new() });
                groups.len() - 1
            });
            groups[*place].waits.push(at);
        }
        for group in &groups {
            self.write_group(out, view, group)?;
        }
        if groups.iter().any(|group| group.told.calls.iter().any(|call| call.is_folded)) {
            self.write_about_folded(out)?;
        }
        for note in self.symbols.notes() {
            write!(out, "{}", paragraph(&plain(note)))?;
        }
        if without > 0 {
            write!(out, "{}", paragraph(&why_without(view, without)?))?;
        }
        Ok(())
    }

    /// The stack of the wait, if it has one.
    fn of(&mut self, view: &View<'_>, wait: &Wait) -> anyhow::Result<Option<Told>> {
        let number = wait.waiter.stack;
        if !self.known.contains_key(&number) {
            let stack = view.input.recording.stack(number)?;
            let told = match stack {
                Some(stack) => {
                    let calls = self.symbols.calls(view.input, &stack)?;
                    Some(Told { calls, end: stack.end })
                }
                None => None,
            };
            self.known.insert(number, told);
        }
        Ok(self.known[&number].clone())
    }

    fn shown<'a>(&self, told: &'a Told) -> impl Iterator<Item = &'a Call> + 'a {
        let all = self.all_frames;
        told.calls.iter().filter(move |call| all || !call.is_folded)
    }

    fn write_group(
        &self,
        out: &mut dyn Write,
        view: &View<'_>,
        group: &Group,
    ) -> anyhow::Result<()> {
        writeln!(out)?;
        write!(out, "{}", paragraph(&heading(view, group)))?;
        let lines: Vec<_> =
            self.shown(&group.told).map(|call| (function(call), place(call))).collect();
        let width = lines.iter().map(|(function, _)| function.chars().count());
        let width = width.max().unwrap_or(0).min(FUNCTION_MAX);
        for (function, place) in &lines {
            write!(out, "{}", pair(function, place, INDENT, width))?;
        }
        if lines.is_empty() {
            write!(out, "{}", pair("none of them is the program's own", "", INDENT, width))?;
        }
        let more = match group.told.end {
            StackEnd::Whole => return Ok(()),
            StackEnd::TooDeep => "… and more, which are not recorded",
            StackEnd::Unknown => "… what called this is not known",
        };
        write!(out, "{}", pair(more, "", INDENT, width))?;
        Ok(())
    }

    fn write_about_folded(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        if !self.all_frames {
            let text = "calls of runtimes, combinators and the standard library are left out; --all-frames \
                        shows them";
            write!(out, "\n{}", paragraph(text))?;
        }
        Ok(())
    }
}

/// Which waits they are.
fn heading(view: &View<'_>, group: &Group) -> String {
    let waits = group.waits.iter().map(|at| &view.waits[*at]);
    let named: Vec<_> = waits.take(NAMED).map(what).collect();
    let count = group.waits.len();
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

fn function(call: &Call) -> String {
    match (&call.function, call.module.rsplit('/').next()) {
        (Some(function), _) => function.clone(),
        (None, Some(module)) if !module.is_empty() => format!("{:#x} in {module}", call.address),
        (None, _) => format!("{:#x}", call.address),
    }
}

fn place(call: &Call) -> String {
    match (&call.file, call.line) {
        (Some(file), Some(line)) => format!("{}:{line}", short(file)),
        (Some(file), None) => short(file).to_owned(),
        (None, _) => String::new(),
    }
}

fn call_json(call: &Call) -> Json {
    json!({
        "function": call.function,
        "file": call.file,
        "line": call.line,
        "module": Some(&call.module).filter(|module| !module.is_empty()),
        "address": call.address,
        "inlined": call.is_inlined,
        "folded": call.is_folded,
    })
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
