//! The tasks of a process at one moment, as the recording's tables have them.

use std::collections::HashMap;

use ticks_format::{Task, TaskKind, TaskState};

use super::view::Wait;
use crate::input::Input;
use crate::task_names;

/// A task that is there, or was lost.
pub struct Live {
    /// The table's entry.
    pub task: Task,
    /// Since when it does what it does.
    pub since_ns: u64,
    /// When it was begun.
    pub begun_ns: u64,
    /// Its name as the recording has it, if it does.
    pub name: Option<String>,
    /// What it waits for of the reactor's: places among the view's waits.
    pub waits: Vec<usize>,
    /// How many wakers of it others than the reactor have.
    pub elsewhere: u64,
}

impl Live {
    /// Its name for people, or as the compiler makes it.
    pub fn shown_name(&self, full: bool) -> String {
        match &self.name {
            None => "-".into(),
            Some(name) if full => name.clone(),
            Some(name) => task_names::readable(name, self.task.kind),
        }
    }

    /// Whether its future is an executor's `run`: its polls are those of the tasks in it.
    pub fn runs_tasks(&self) -> bool {
        let name = self.shown_name(false);
        let path = name.split_once('<').map_or(&*name, |(path, _)| path);
        path.ends_with("Executor::run")
    }
}

/// The tasks in the order in which they began; each wait learns whose it is.
pub fn of(input: &Input, tasks: Vec<Task>, waits: &mut [Wait]) -> anyhow::Result<Vec<Live>> {
    let clock = input.recording.clock();
    let mut live = Vec::with_capacity(tasks.len());
    let mut names: HashMap<u64, Option<String>> = HashMap::new();
    // A thread that runs an executor for good gives it a main future that waits for nobody.
    let is_idle_main = |task: &Task| {
        task.kind == TaskKind::Run && task.state == TaskState::Waiting && task.wakers == 0
    };
    for task in tasks.into_iter().filter(|task| !is_idle_main(task)) {
        let name = match names.get(&task.name) {
            Some(name) => name.clone(),
            None => {
                let name = input.recording.place(task.name)?;
                names.insert(task.name, name.clone());
                name
            }
        };
        live.push(Live {
            since_ns: clock.utc_ns(clock.whole(task.since)),
            begun_ns: clock.utc_ns(task.begun),
            name,
            waits: Vec::new(),
            elsewhere: task.wakers,
            task,
        });
    }
    live.sort_by_key(|live| live.task.id);
    // Of two entries with one number, which only damage makes, the last counts.
    let places: HashMap<u64, usize> =
        live.iter().enumerate().map(|(at, live)| (live.task.id, at)).collect();
    for (index, wait) in waits.iter_mut().enumerate() {
        let Some(&at) = places.get(&wait.waiter.task_id) else { continue };
        wait.of_task = Some(at);
        let live = &mut live[at];
        live.waits.push(index);
        if wait.waiter.task == live.task.waker {
            live.elsewhere = live.elsewhere.saturating_sub(wait.waiter.awaited.wakers());
        }
    }
    Ok(live)
}
