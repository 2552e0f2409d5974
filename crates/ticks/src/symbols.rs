//! From the stacks of a recording to functions, files and lines.
//!
//! A recording holds addresses and says which file each is in. What they mean is read from that file, or from
//! one of the same build in a directory of symbols: from its debug information, with the frames of functions
//! that the compiler has put into others; without debug information from its table of functions, which knows
//! no lines. A file of another build is never asked, because what it says would be wrong.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use ticks_format::{Error, Frame, Stack};

use crate::input::Input;

mod files;
mod fold;
mod names;

use files::File;
use fold::Roots;

/// How symbols are looked for and shown.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where else the program and its libraries may be, with their debug information.
    pub dirs: Vec<PathBuf>,
    /// Names as the compiler makes them.
    pub full_names: bool,
}

/// A function that was called, and where in it the next one was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Call {
    /// Its name, if it is known.
    pub function: Option<String>,
    /// Where its source is, as the compiler knew it.
    pub file: Option<String>,
    /// The line of the call.
    pub line: Option<u32>,
    /// The program or the library, by its file's path; empty if it is not known.
    pub module: String,
    /// The address in that file to which the call returns; in memory, if there is no file.
    pub address: u64,
    /// Whether the compiler has put it into the function that comes next.
    pub is_inlined: bool,
    /// Whether it only passes polls on: code of a runtime, of a combinator, of the standard library.
    pub is_folded: bool,
}

/// The symbols of a recording's modules, read as they are needed.
pub struct Symbols {
    options: Options,
    files: HashMap<u16, File>,
    calls: HashMap<Frame, Vec<Call>>,
    roots: Roots,
    /// What is missing, a sentence each.
    notes: BTreeSet<String>,
}

impl Symbols {
    /// Nothing is read yet.
    pub fn new(options: &Options) -> Symbols {
        let (files, calls, roots, notes) = Default::default();
        Symbols { options: options.clone(), files, calls, roots, notes }
    }

    /// The calls of a stack of the recording, innermost first. It must be the same recording each time.
    ///
    /// # Errors
    ///
    /// If the recording cannot be read.
    pub fn calls(&mut self, input: &Input, stack: &Stack) -> Result<Vec<Call>, Error> {
        let mut calls = Vec::new();
        for frame in &stack.frames {
            if !self.calls.contains_key(frame) {
                let found = self.look_up(input, *frame)?;
                self.calls.insert(*frame, found);
            }
            calls.extend_from_slice(&self.calls[frame]);
        }
        // Those of the whole stack first: an inner call may be told by an outer one.
        calls.iter().for_each(|call| self.roots.learn(call));
        for call in &mut calls {
            call.is_folded = self.roots.is_folded(call);
        }
        Ok(calls)
    }

    /// What was missing so far, a sentence each.
    pub fn notes(&self) -> impl Iterator<Item = &str> {
        self.notes.iter().map(String::as_str)
    }

    fn look_up(&mut self, input: &Input, frame: Frame) -> Result<Vec<Call>, Error> {
        if !self.files.contains_key(&frame.module) {
            let file = self.open(input, frame.module)?;
            self.notes.extend(file.note.clone());
            self.files.insert(frame.module, file);
        }
        let file = &self.files[&frame.module];
        // The call is before the address that it returns to.
        let mut calls = file.calls(frame.address.saturating_sub(1), self.options.full_names);
        for call in &mut calls {
            call.address = frame.address;
            call.module.clone_from(&file.path);
        }
        Ok(calls)
    }

    fn open(&self, input: &Input, number: u16) -> Result<File, Error> {
        let Some(module) = input.recording.module(number)? else { return Ok(File::unknown()) };
        let path = input.recording.place(module.path)?.unwrap_or_default();
        // A running program's files are there even when they were replaced, or are in a container.
        let live = input.is_live().then(|| input.pid());
        Ok(File::find(&module, path, &self.options.dirs, live))
    }
}
