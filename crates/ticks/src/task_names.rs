//! Which task is which: names by numbers, and who wakes them in words.

use std::collections::HashMap;

use ticks_format::records::TaskSpawn;
use ticks_format::{Direction, Entry, Key, TaskKind, WokenBy};

use crate::input::Input;
use crate::symbols;

/// The names of a recording's tasks, for people.
#[derive(Default)]
pub struct TaskNames(HashMap<u64, String>);

impl FromIterator<(u64, String)> for TaskNames {
    fn from_iter<I: IntoIterator<Item = (u64, String)>>(names: I) -> TaskNames {
        TaskNames(names.into_iter().collect())
    }
}

impl TaskNames {
    /// Those of the table of tasks that are there.
    pub fn of(input: &Input) -> anyhow::Result<TaskNames> {
        let mut names = TaskNames::default();
        for entry in input.recording.tasks() {
            if let Entry::Whole(task) = entry? {
                names.add(input, task.id, task.name, task.kind)?;
            }
        }
        Ok(names)
    }

    /// Learns from the record of a task that begins.
    pub fn learn(&mut self, input: &Input, spawn: &TaskSpawn) -> anyhow::Result<()> {
        match self.0.contains_key(&spawn.task) {
            true => Ok(()),
            false => self.add(input, spawn.task, spawn.name, spawn.kind),
        }
    }

    fn add(&mut self, input: &Input, id: u64, name: u64, kind: TaskKind) -> anyhow::Result<()> {
        if let Some(name) = input.recording.place(name)? {
            self.0.insert(id, readable(&name, kind));
        }
        Ok(())
    }

    /// Its name, if it is known.
    pub fn name(&self, id: u64) -> Option<&str> {
        self.0.get(&id).map(String::as_str)
    }

    /// `task 17 (shop::serve)`.
    pub fn task(&self, id: u64) -> String {
        match self.name(id) {
            Some(name) => format!("task {id} ({name})"),
            None => format!("task {id}"),
        }
    }

    /// Who woke a task; of a source the descriptor, if it is known.
    pub fn waker(
        &self,
        (by, from): (WokenBy, u64),
        dir: Option<Direction>,
        fd: impl Fn(Key) -> Option<i64>,
    ) -> String {
        match by {
            WokenBy::Source => {
                let dir = dir.map(|dir| format!(" {dir}")).unwrap_or_default();
                match fd(Key(from)) {
                    Some(fd) => format!("fd {fd}{dir}"),
                    None => format!("source {}{dir}", Key(from)),
                }
            }
            WokenBy::Timer => format!("timer {from}"),
            WokenBy::Task => self.task(from),
            WokenBy::Itself => "itself".into(),
            WokenBy::Thread => format!("thread {from}"),
            WokenBy::Reactor => "the reactor".into(),
        }
    }
}

/// A task's name for people: that of its type, or the one that it was given.
pub fn readable(name: &str, kind: TaskKind) -> String {
    match kind {
        TaskKind::Named => name.to_owned(),
        TaskKind::Spawned | TaskKind::BlockOn | TaskKind::Run => symbols::type_name(name),
    }
}
