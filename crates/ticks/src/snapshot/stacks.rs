//! By which async functions each task waits, and which of its waits each way leads to.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use object::ReadCache;
use ticks_format::{Asked, Awaited, TaskState};

use super::executor::Executors;
use super::futures::{told, Futures, Leaf};
use super::reactor::Reactor;
use super::tasks::Tasks;
use crate::debug_info::Sections;
use crate::memory::Memory;
use crate::symbols::Told;

/// Finds them, and notes their numbers at the tasks and waits. `open` gives a module's file.
pub fn add(
    memory: &dyn Memory,
    reactor: &Reactor,
    executors: &[Executors],
    tasks: &mut Tasks,
    program: &str,
    open: &impl Fn(&Path) -> Option<File>,
) -> Vec<Told> {
    let caches: BTreeMap<PathBuf, ReadCache<File>> = modules(memory)
        .into_iter()
        .filter_map(|path| Some((open(&path)?, path)))
        .map(|(file, path)| (path, ReadCache::new(file)))
        .collect();
    let sections =
        caches.iter().filter_map(|(path, cache)| Some((path.clone(), Sections::read(cache)?)));
    let sections: Vec<(PathBuf, Sections<'_>)> = sections.collect();
    let futures = Futures::new(memory, &sections);
    let mut adding = Adding { futures: &futures, reactor, program, stacks: Vec::new() };
    for place in 0..tasks.tasks.len() {
        let task = &tasks.tasks[place].task;
        let waits = matches!(task.state, TaskState::Waiting | TaskState::Forgotten);
        let of_executor = |executors: &Executors| futures.of_task(executors, task.waker);
        let thread = reactor.threads.iter().find(|thread| thread.waker == task.waker);
        let leaves = match thread {
            _ if !waits => None,
            Some(thread) => futures.of_thread(thread),
            None => executors.iter().find_map(of_executor),
        };
        leaves.into_iter().flatten().for_each(|leaf| adding.leaf(tasks, place, &leaf));
    }
    adding.stacks
}

/// The modules that may have code of the program's.
fn modules(memory: &dyn Memory) -> Vec<PathBuf> {
    let code = memory.mappings().iter().filter(|mapping| mapping.executable);
    let mut paths: Vec<PathBuf> = code.filter_map(|mapping| mapping.path.clone()).collect();
    paths.sort();
    paths.dedup();
    paths
}

struct Adding<'s, 'a> {
    futures: &'s Futures<'a>,
    reactor: &'s Reactor,
    program: &'s str,
    stacks: Vec<Told>,
}

impl Adding<'_, '_> {
    /// What is waited for is the reactor's, or somebody else's.
    fn leaf(&mut self, tasks: &mut Tasks, place: usize, leaf: &Leaf) {
        self.stacks.push(told(leaf, self.program));
        let stack = self.stacks.len() as u64;
        let id = tasks.tasks[place].task.id;
        let mut found = None;
        for (at, waiter) in tasks.waiters.iter().enumerate().filter(|(_, waiter)| waiter.stack == 0)
        {
            if self.is_of(leaf, &waiter.awaited) {
                // What `run` was given waits within the `block_on` that it is in.
                found = Some(at).filter(|_| found.is_none() || waiter.task_id == id).or(found);
            }
        }
        if let Some(at) = found {
            tasks.waiters[at].stack = stack;
            return;
        }
        let task = &mut tasks.tasks[place].task;
        task.polls = 1;
        task.asked.push(Asked { stack, poll: 1 });
        task.asked_count += 1;
    }

    /// Whether a future has this source or this timer.
    fn is_of(&self, leaf: &Leaf, awaited: &Awaited) -> bool {
        match *awaited {
            Awaited::Timer { id, .. } => {
                let is_timer = |path: &str| path.starts_with("async_io::timer::");
                leaf.calls.iter().any(|call| is_timer(&call.path)) && leaf.words.contains(&id)
            }
            Awaited::Source { key, .. } => {
                let source = self.reactor.sources.iter().find(|source| source.key == key);
                let has = |words: &[u64]| {
                    source
                        .is_some_and(|source| source.addresses.iter().any(|it| words.contains(it)))
                };
                has(&leaf.words) || has(&self.futures.behind(&leaf.words))
            }
        }
    }
}
