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

mod book;
mod causes;
mod files;
mod fold;
mod names;
mod place;
mod types;

pub use book::{Book, Told};
use files::File;
pub use fold::holds_futures;
use fold::Roots;
pub use names::readable as function_name;
pub use place::Place;
pub use types::readable as type_name;

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
    /// The crate that its code is in, if that is known.
    pub of_crate: Option<String>,
    /// Whether it is the program's own code: neither folded nor of a crate from a registry.
    pub is_own: bool,
}

/// What is shown of a call: two of which that is equal are the same to whoever reads it.
pub type Shown<'a> = (&'a str, &'a str, Option<u32>, &'a str, u64);

impl Call {
    /// What is shown of it.
    pub fn shown(&self) -> Shown<'_> {
        let (file, line) = (self.file.as_deref().unwrap_or_default(), self.line);
        match &self.function {
            Some(function) => (function, file, line, "", 0),
            None => ("", file, line, &self.module, self.address),
        }
    }

    /// Its function's name, or its address where there is none.
    pub fn name(&self) -> String {
        match (&self.function, self.module.rsplit('/').next()) {
            (Some(function), _) => function.clone(),
            (None, Some(module)) if !module.is_empty() => {
                format!("{:#x} in {module}", self.address)
            }
            (None, _) => format!("{:#x}", self.address),
        }
    }

    /// File and line, as far as they are known.
    pub fn line_text(&self) -> String {
        let file = self.file.as_deref().map(short);
        match (file, self.line) {
            (Some(file), Some(line)) => format!("{file}:{line}"),
            (Some(file), None) => file.to_owned(),
            (None, _) => String::new(),
        }
    }

    /// File and line from the package's directory on, for tables.
    pub fn compact_line(&self) -> String {
        let text = self.line_text();
        let begins = ["/src/", "/examples/", "/tests/", "/benches/"];
        let begin = begins.iter().filter_map(|part| text.rfind(part)).max();
        match begin.filter(|_| text.starts_with('/')) {
            Some(begin) => text[begin + 1..].to_owned(),
            None => text,
        }
    }

    /// Function, file and line in a few words.
    pub fn text(&self) -> String {
        let line = self.compact_line();
        match line.is_empty() {
            true => self.name(),
            false => format!("{} {line}", self.name()),
        }
    }
}

/// A place without the machine's part: a dependency's begins with the package's name and version, the
/// standard library's with the crate's.
pub fn short(place: &str) -> &str {
    // `/home/x/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/smol-2.0.2/src/lib.rs:1:1`.
    let dependency = || Some(place.split_once("/registry/src/")?.1.split_once('/')?.1);
    // `/home/x/.cargo/git/checkouts/smol-0123456789abcdef/0123456/src/lib.rs:1:1`.
    let checkout = || Some(place.split_once("/git/checkouts/")?.1);
    let std = || Some(place.strip_prefix("/rustc/")?.split_once("/library/")?.1);
    dependency().or_else(checkout).or_else(std).unwrap_or(place)
}

/// Says of each call which crate it is of, and whether it is the program's own. Of one that has no line that is told
/// by the others of its crate.
pub fn judge(calls: &mut [Call]) {
    let mut roots = Roots::default();
    calls.iter().for_each(|call| roots.learn(call));
    calls.iter_mut().for_each(|call| roots.judge(call));
    let own: BTreeSet<Option<String>> = calls
        .iter()
        .filter(|call| call.is_own && call.file.is_some())
        .map(|call| call.of_crate.clone())
        .collect();
    for call in calls.iter_mut().filter(|call| call.file.is_none()) {
        call.is_own &= own.contains(&call.of_crate);
    }
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
            self.roots.judge(call);
            let is_unnamed = call.function.as_deref().is_some_and(names::is_unnamed);
            if is_unnamed && call.is_own && !self.has_note(&call.module) {
                self.notes.insert(format!(
                    "{}: its debug information has lines, and not which async function each is in; \
                     `debug = \"limited\"` in its Cargo profile has both",
                    call.module
                ));
            }
        }
        Ok(calls)
    }

    fn has_note(&self, module: &str) -> bool {
        self.notes.iter().any(|note| note.starts_with(module))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_dependencies_are_short() {
        let registry = "/home/x/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f";
        let place = format!("{registry}/smol-2.0.2/src/lib.rs:1:1");
        assert_eq!(short(&place), "smol-2.0.2/src/lib.rs:1:1");
        let hash = "59807616e1ab0ed5d0d5e1d5d29a0d4d6e3a9e1b";
        assert_eq!(short(&format!("/rustc/{hash}/library/core/src/a.rs:1:1")), "core/src/a.rs:1:1");
        assert_eq!(short("src/main.rs:12:5"), "src/main.rs:12:5");
    }

    #[test]
    fn lines_begin_in_the_package() {
        for (file, expected) in [
            ("/home/x/src/shop/src/till/pay.rs", "src/till/pay.rs:3"),
            ("/home/x/shop/examples/last_item.rs", "examples/last_item.rs:3"),
            ("/home/x/.cargo/registry/src/i-1/smol-2.0.2/src/lib.rs", "smol-2.0.2/src/lib.rs:3"),
            ("build/gen.rs", "build/gen.rs:3"),
        ] {
            let call = Call { file: Some(file.into()), line: Some(3), ..Call::default() };
            assert_eq!(call.compact_line(), expected);
        }
    }
}
