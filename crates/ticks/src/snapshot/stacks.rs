//! By which async functions each task waits, and which of its waits each way leads to.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};

use object::ReadCache;
use ticks_format::{Asked, Awaited, Key, TaskKind, TaskState};

use super::futures::{told, Futures, Leaf};
use super::Look;
use crate::debug_info::Sections;
use crate::memory::Memory;
use crate::symbols::{Call, Told};

/// The files of the modules that may have code of the program's.
pub struct Modules(BTreeMap<PathBuf, ReadCache<File>>);

impl Modules {
    /// `open` gives a module's file.
    pub fn open(memory: &dyn Memory, open: &impl Fn(&Path) -> Option<File>) -> Modules {
        let code = memory.mappings().iter().filter(|mapping| mapping.executable);
        let paths = code.filter_map(|mapping| mapping.path.clone());
        let files = paths.filter_map(|path| Some((open(&path)?, path)));
        Modules(files.map(|(file, path)| (path, ReadCache::new(file))).collect())
    }

    /// Those that have debug information.
    pub fn sections(&self) -> Vec<(PathBuf, Sections<'_>)> {
        let sections = |(path, cache): (&PathBuf, _)| Some((path.clone(), Sections::read(cache)?));
        self.0.iter().filter_map(sections).collect()
    }
}

/// What the futures of tasks wait for, by their wakers.
pub type Leaves = HashMap<u64, Vec<Leaf>>;

/// Walks through the futures of the tasks that wait.
pub fn leaves(futures: &Futures<'_>, look: &Look) -> Leaves {
    let mut leaves = Leaves::new();
    for named in &look.tasks.tasks {
        let task = &named.task;
        if !matches!(task.state, TaskState::Waiting | TaskState::Forgotten) {
            continue;
        }
        let thread = look.reactor.threads.iter().find(|thread| thread.waker == task.waker);
        let found = match thread {
            Some(thread) => futures.of_thread(thread),
            None => {
                look.executors.iter().find_map(|it| futures.of_task(it, task.waker, &named.name))
            }
        };
        leaves.extend(found.map(|found| (task.waker, found)));
    }
    leaves
}

/// Notes at the tasks and waits which stacks are theirs: of those that were the same before.
pub fn add(
    futures: &Futures<'_>,
    look: &mut Look,
    before: &Leaves,
    leaves: Leaves,
    program: &str,
) -> Vec<Told> {
    let waited = Waited::of(look);
    let mut adding = Adding { futures, program, waited, stacks: Vec::new() };
    for place in 0..look.tasks.tasks.len() {
        let waker = look.tasks.tasks[place].task.waker;
        let Some(leaves) = leaves.get(&waker) else { continue };
        if before.get(&waker).is_some_and(|before| before == leaves) {
            leaves.iter().for_each(|leaf| adding.leaf(look, place, leaf));
        }
        adding.executor(look, place);
    }
    adding.stacks
}

/// What is waited for, by the words by which a future is told to have it: places among the waits.
struct Waited {
    /// By a source's address, or that of what is shared of it.
    sources: HashMap<u64, Vec<usize>>,
    /// By a timer's number.
    timers: HashMap<u64, usize>,
}

impl Waited {
    fn of(look: &Look) -> Waited {
        let mut by_key: HashMap<Key, Vec<usize>> = HashMap::new();
        let mut timers = HashMap::new();
        for (at, waiter) in look.tasks.waiters.iter().enumerate() {
            match waiter.awaited {
                Awaited::Source { key, .. } => by_key.entry(key).or_default().push(at),
                Awaited::Timer { id, .. } => {
                    timers.insert(id, at);
                }
            }
        }
        let mut sources = HashMap::new();
        for source in &look.reactor.sources {
            let Some(waits) = by_key.get(&source.key) else { continue };
            sources.extend(source.addresses.map(|address| (address, waits.clone())));
        }
        Waited { sources, timers }
    }

    /// The waits for what these words name.
    fn among<'w>(&'w self, words: &'w [u64], is_timer: bool) -> impl Iterator<Item = usize> + 'w {
        let timers = words.iter().filter(move |_| is_timer).filter_map(|id| self.timers.get(id));
        let sources = words.iter().filter_map(|word| self.sources.get(word)).flatten();
        timers.chain(sources).copied()
    }
}

struct Adding<'s, 'a> {
    futures: &'s Futures<'a>,
    program: &'s str,
    waited: Waited,
    stacks: Vec<Told>,
}

impl Adding<'_, '_> {
    fn stack(&mut self, told: Told) -> u64 {
        self.stacks.push(told);
        self.stacks.len() as u64
    }

    /// What is waited for is the reactor's, or somebody else's.
    fn leaf(&mut self, look: &mut Look, place: usize, leaf: &Leaf) {
        let stack = self.stack(told(leaf, self.program));
        match self.wait_of(look, look.tasks.tasks[place].task.id, leaf) {
            Some(at) => look.tasks.waiters[at].stack = stack,
            None => ask(look, place, stack),
        }
    }

    /// The wait of a future: it has the source or the timer, or a pointer to what has the source.
    fn wait_of(&self, look: &Look, task: u64, leaf: &Leaf) -> Option<usize> {
        let find = |words: &[u64], is_timer| {
            let free = |at: &usize| look.tasks.waiters[*at].stack == 0;
            let found: Vec<usize> = self.waited.among(words, is_timer).filter(free).collect();
            let of = |at: &&usize| look.tasks.waiters[**at].task_id;
            // What `run` was given waits within the `block_on` that it is in; and a combinator may have a waker of its own.
            // A word may point anywhere, so what is another task's wait is not taken from it.
            let is = |id: u64, kind| {
                let mut all = look.tasks.tasks.iter().map(|named| &named.task);
                all.any(|task| task.id == id && task.kind == kind)
            };
            let is_anothers = |id: u64| {
                is(id, TaskKind::Spawned)
                    || is(id, TaskKind::BlockOn) && is(task, TaskKind::Spawned)
            };
            let own = found.iter().find(|at| of(at) == task);
            own.or(found.iter().find(|at| !is_anothers(of(at)))).copied()
        };
        // A timer's number is in the timer itself, and too small a number to be looked for elsewhere.
        find(&leaf.words, leaf.is_timer())
            .or_else(|| find(&self.futures.behind(&leaf.words), false))
    }

    /// A thread that runs an executor waits for any task of it.
    fn executor(&mut self, look: &mut Look, place: usize) {
        let named = &look.tasks.tasks[place];
        let runs =
            named.task.kind == TaskKind::BlockOn && named.name.starts_with("async_executor::");
        if runs && named.task.asked.is_empty() {
            let call = Call {
                function: Some("async_executor::run".into()),
                of_crate: Some("async_executor".into()),
                is_folded: true,
                ..Call::default()
            };
            let stack = self.stack(Told { calls: vec![call], end: ticks_format::StackEnd::Whole });
            ask(look, place, stack);
        }
    }
}

/// The task waits for something that is not the reactor's.
fn ask(look: &mut Look, place: usize, stack: u64) {
    let task = &mut look.tasks.tasks[place].task;
    task.polls = 1;
    task.asked.push(Asked { stack, poll: 1 });
    task.asked_count += 1;
}
