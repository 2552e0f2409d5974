//! A look at a recording: its tasks, what they wait for, and the calls of stacks. Calls are read from the program's
//! own debug information here, not by the tool.

use std::cell::OnceCell;
use std::fmt::{self, Write};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use addr2line::Loader;
use object::Object;
use serde_json::Value as Json;
use ticks_format::{Entry, Record, Recording, Source, Task, TaskKind, TaskState, Waiter, What};

use crate::util::{path, stdout};

/// Whether a program has the lines of its functions: a release build may have names only, and nothing of functions
/// that the compiler has put into others.
pub fn has_lines(program: &Path) -> bool {
    let bytes = fs::read(program).expect("a program");
    let file = object::File::parse(&*bytes).expect("a program");
    file.section_by_name_bytes(b".debug_line").is_some()
}

/// As [`has_lines`], of this test binary.
pub fn have_lines() -> bool {
    has_lines(&std::env::current_exe().expect("a test binary has a path"))
}

/// A call on a stack.
#[derive(Clone, PartialEq, Eq)]
pub struct Call {
    pub function: String,
    pub file: String,
    pub line: u32,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}:{}", self.function, self.file, self.line)
    }
}

/// A recording as it was at one time.
pub struct Look {
    pub recording: Recording<File>,
    pub tasks: Vec<Task>,
    pub waiters: Vec<Waiter>,
    pub sources: Vec<Source>,
    /// How many of the tasks' entries were being written.
    pub torn_tasks: usize,
    program: OnceCell<(PathBuf, Loader)>,
    path: PathBuf,
}

impl Look {
    /// At a recording that is there and undamaged.
    #[track_caller]
    pub fn at(path: &Path) -> Look {
        let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let recording = Recording::open(file).expect("a recording");
        assert_eq!(recording.problems(), [""; 0], "{}", path.display());
        let (tasks, torn_tasks) = whole(recording.tasks());
        let (waiters, _) = whole(recording.waiters());
        let (sources, _) = whole(recording.sources());
        let program = OnceCell::new();
        Look { recording, tasks, waiters, sources, torn_tasks, program, path: path.into() }
    }

    pub fn name(&self, task: &Task) -> String {
        self.recording.place(task.name).expect("readable").unwrap_or_default()
    }

    /// The tasks with this in their names.
    pub fn named<'a>(&'a self, part: &'a str) -> impl Iterator<Item = &'a Task> {
        self.tasks.iter().filter(move |task| self.name(task).contains(part))
    }

    /// The only task with this in its name.
    #[track_caller]
    pub fn task<'a>(&'a self, part: &'a str) -> &'a Task {
        let found: Vec<&Task> = self.named(part).collect();
        assert_eq!(found.len(), 1, "{part}: {}", self.shown());
        found[0]
    }

    /// How many tasks were spawned or named by the program: not what an executor's thread is blocked on.
    pub fn own_count(&self) -> usize {
        let is_own = |task: &&Task| matches!(task.kind, TaskKind::Spawned | TaskKind::Named);
        self.tasks.iter().filter(is_own).count()
    }

    /// Whether there is such a task, in that state.
    pub fn is(&self, part: &str, state: TaskState) -> bool {
        self.named(part).any(|task| task.state == state)
    }

    /// Whether there is such a task, and it waits.
    pub fn waits(&self, part: &str) -> bool {
        self.is(part, TaskState::Waiting)
    }

    /// By which calls a task asked to be woken, as far as it is kept.
    #[track_caller]
    pub fn asked(&self, task: &Task) -> Vec<Vec<Call>> {
        task.asked.iter().map(|asked| self.calls(asked.stack)).collect()
    }

    /// By which calls it asked last.
    #[track_caller]
    pub fn asked_last(&self, task: &Task) -> Vec<Call> {
        let asked = task.asked.first();
        self.calls(asked.unwrap_or_else(|| panic!("it never asked: {task:?}")).stack)
    }

    /// What the reactor is to do for a task.
    pub fn waits_of<'a>(&'a self, task: &'a Task) -> impl Iterator<Item = &'a Waiter> {
        self.waiters.iter().filter(move |waiter| waiter.task_id == task.id)
    }

    /// The calls of a stack that must be there, innermost first. Of other modules than the program there is
    /// nothing.
    #[track_caller]
    pub fn calls(&self, stack: u64) -> Vec<Call> {
        let found = self.recording.stack(stack).expect("readable");
        let found = found.unwrap_or_else(|| panic!("no stack {stack}: {}", self.shown()));
        let mut calls = Vec::new();
        for frame in found.frames {
            let Some(module) = self.recording.module(frame.module).expect("readable") else {
                continue;
            };
            let path = self.recording.place(module.path).expect("readable").unwrap_or_default();
            let (program, loader) = self.program.get_or_init(|| {
                // The first frame is in what takes the stack.
                let loader = Loader::new(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
                (PathBuf::from(&path), loader)
            });
            if *program == Path::new(&path) {
                calls.extend(calls_at(loader, frame.address.saturating_sub(1)));
            }
        }
        calls
    }

    /// What `ticks who` tells its user of the task with this at the end of its name: that it is in this state, and
    /// waits for this in that function of the program, at that line. Without lines it may not know what the
    /// task waits for.
    #[track_caller]
    pub fn tells(&self, name: &str, state: &str, waits: &[(&str, &str, u32)]) {
        let shown = stdout(["who", "--json", path(&self.path)]);
        let rows = shown.lines().map(|line| serde_json::from_str::<Json>(line).expect("JSON"));
        let is_it = |row: &Json| {
            row["kind"] == "task" && row["name"].as_str().is_some_and(|it| it.ends_with(name))
        };
        let rows: Vec<Json> = rows.filter(is_it).collect();
        assert_eq!(rows.len(), 1, "{name}: {shown}");
        let row = &rows[0];
        assert_eq!(row["task_state"], state, "{row:#}");
        if !have_lines() {
            return;
        }
        let told = row["waits_for"].as_array().expect("an array");
        for (what, function, line) in waits {
            let is_it = |wait: &&Json| {
                let has =
                    |value: &Json, part: &str| value.as_str().is_some_and(|it| it.contains(part));
                let own = &wait["in"];
                has(&wait["what"], what)
                    && is_named(own["function"].as_str().unwrap_or_default(), function)
                    && own["line"] == *line
            };
            assert_eq!(
                told.iter().filter(is_it).count(),
                1,
                "{what} in {function}:{line}: {row:#}"
            );
        }
    }

    /// All records, in the order of their times.
    pub fn records(&self) -> Vec<Record> {
        let mut all = Vec::new();
        for ring in self.recording.rings().expect("readable") {
            let mut records = self.recording.records(&ring).expect("a ring");
            all.extend(records.by_ref().map(|record| record.expect("readable")));
            assert_eq!(records.loss().unreadable + records.loss().unknown, 0);
        }
        all.sort_by_key(|stamped| stamped.time);
        let record = |what| match what {
            What::Record(record) => Some(record),
            _ => None,
        };
        all.into_iter().filter_map(|stamped| record(stamped.what)).collect()
    }

    /// For a failure's message.
    pub fn shown(&self) -> String {
        let mut text = String::new();
        for task in &self.tasks {
            let _ = writeln!(text, "{}: {task:?}", self.name(task));
        }
        for waiter in &self.waiters {
            let _ = writeln!(text, "{waiter:?}");
        }
        text
    }
}

/// Whether a function of this name is among the calls.
pub fn calls_have(calls: &[Call], function: &str) -> bool {
    calls.iter().any(|call| call.function.contains(function))
}

/// Whether the stack goes through this function, at this line of its file if the program has lines. Without lines
/// the function may have become part of another.
#[track_caller]
pub fn goes_through(calls: &[Call], function: &str, line: u32) {
    if have_lines() {
        let is_it = |call: &Call| {
            is_named(&call.function, function)
                && call.line == line
                && call.file.contains("/task_stories/")
        };
        assert!(calls.iter().any(is_it), "no {function} at line {line}: {calls:#?}");
    }
    assert!(!calls.is_empty(), "no calls");
}

/// Whether it may be this function: line tables do not name what has become part of another one.
fn is_named(name: &str, function: &str) -> bool {
    name.contains(function) || !cfg!(debug_assertions)
}

fn whole<T>(table: impl Iterator<Item = Result<Entry<T>, ticks_format::Error>>) -> (Vec<T>, usize) {
    let (mut all, mut torn) = (Vec::new(), 0);
    for entry in table {
        match entry.expect("a readable table") {
            Entry::Whole(value) => all.push(value),
            Entry::Torn => torn += 1,
        }
    }
    (all, torn)
}

fn calls_at(loader: &Loader, address: u64) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut frames = loader.find_frames(address).expect("readable");
    while let Some(frame) = frames.next().expect("readable") {
        let name = frame.function.as_ref().and_then(|function| function.raw_name().ok());
        let location = frame.location.as_ref();
        calls.push(Call {
            function: name.map(|name| demangled(&name)).unwrap_or_default(),
            file: location.and_then(|at| at.file).unwrap_or_default().to_owned(),
            line: location.and_then(|at| at.line).unwrap_or_default(),
        });
    }
    if calls.is_empty() {
        calls.push(Call { function: String::new(), file: String::new(), line: 0 });
    }
    // Line tables alone name functions without their modules.
    if let (Some(own), Some(symbol)) = (calls.last_mut(), loader.find_symbol(address)) {
        own.function = demangled(symbol);
    }
    calls
}

fn demangled(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}
