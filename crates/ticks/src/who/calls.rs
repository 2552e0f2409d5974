//! Calls of stacks as lines, and as JSON.

use std::io::{self, Write};

use serde_json::{json, Value as Json};
use ticks_format::StackEnd;

use crate::input::Input;
use crate::symbols::{Book, Call};
use crate::table::{pair, paragraph};

/// How wide the column of functions may be.
const FUNCTION_MAX: usize = 48;

/// Which calls are shown.
#[derive(Clone, Copy)]
pub struct Frames {
    /// Those of runtimes and combinators too.
    pub all: bool,
}

impl Frames {
    /// Those that are shown.
    pub fn of(self, calls: &[Call]) -> impl Iterator<Item = &Call> {
        calls.iter().filter(move |call| self.all || !call.is_folded)
    }

    /// Whether some are not.
    pub fn leave_out_some(self, calls: &[Call]) -> bool {
        !self.all && calls.iter().any(|call| call.is_folded)
    }

    /// A line for each.
    pub fn write(self, out: &mut dyn Write, calls: &[Call], indent: usize) -> io::Result<()> {
        let shown: Vec<_> = self.of(calls).collect();
        write_lines(out, &shown, indent)
    }
}

/// A line for each call.
pub fn write_lines(out: &mut dyn Write, calls: &[&Call], indent: usize) -> io::Result<()> {
    let lines: Vec<_> = calls.iter().map(|call| (call.name(), call.line_text())).collect();
    let width = lines.iter().map(|(function, _)| function.chars().count());
    let width = width.max().unwrap_or(0).min(FUNCTION_MAX);
    for (function, place) in &lines {
        write!(out, "{}", pair(function, place, indent, width))?;
    }
    if lines.is_empty() {
        write!(out, "{}", pair("none of them is the program's own", "", indent, width))?;
    }
    Ok(())
}

/// Says that a stack goes on, if it does.
pub fn write_end(out: &mut dyn Write, end: StackEnd, indent: usize) -> io::Result<()> {
    let more = match end {
        StackEnd::Whole => return Ok(()),
        StackEnd::TooDeep => "… and more, which are not recorded",
        StackEnd::Unknown => "… what called this is not known",
    };
    write!(out, "{}", pair(more, "", indent, 0))
}

/// Says that calls are left out.
pub fn write_about_folded(out: &mut dyn Write) -> io::Result<()> {
    let text = "calls of runtimes, combinators and the standard library are left out; --all-frames shows them";
    write!(out, "\n{}", paragraph(text))
}

/// Adds the calls of a stack, all of them, to what has it.
pub fn add_json(
    book: &mut Book,
    input: &Input,
    stack: u64,
    object: &mut Json,
) -> anyhow::Result<()> {
    let told = book.stack(input, stack)?;
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

/// A call as an object.
pub fn call_json(call: &Call) -> Json {
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
