//! The tasks of executors, from the memory.

use std::collections::{HashMap, HashSet};

use ticks_format::published::{executor as word, task_state};

use super::read::{settled, u64_at, Torn, Vector};
use super::tables::Table;
use super::turns::Turns;
use crate::memory::{Memory, Unreadable};

/// More than an executor has of anything that is in a list.
const LINKS_MAX: usize = 1 << 16;

/// The longest name of a type that is read.
const NAME_BYTES_MAX: u64 = 64 << 10;

/// The executors of a table.
#[derive(Debug)]
pub struct Executors {
    /// The tasks that have waited and not ended.
    pub tasks: Vec<Task>,
    /// How many tasks have not ended, as the executors count them.
    pub live: u64,
    /// How much could not be read whole.
    pub torn: u64,
    table: Table,
    /// Where the executors' states are.
    states: HashSet<u64>,
    /// The data pointers of the wakers of what `run` was given.
    mains: HashSet<u64>,
    /// How far each executor has come, by its state.
    pub turns: HashMap<u64, Turns>,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its address, which is its wakers' data pointer.
    pub address: u64,
    /// A number that stays the same for as long as it lives.
    pub id: u64,
    /// The type of its future.
    pub name: Option<String>,
    /// The bits of async-task.
    pub state: u64,
    /// The state of its executor.
    pub executor: u64,
}

/// Executors are numbered in steps of this, so that their tasks' numbers stay apart.
pub const NUMBERS: u64 = 100_000;

/// Reads them.
pub fn read(memory: &dyn Memory, table: &Table) -> Executors {
    let mut reader = Reader {
        memory,
        executors: Executors {
            tasks: Vec::new(),
            live: 0,
            torn: 0,
            table: table.clone(),
            states: HashSet::new(),
            mains: HashSet::new(),
            turns: HashMap::new(),
        },
    };
    let shared = reader.links([word::FIRST, word::NEXT, word::STATE]);
    let local = reader.links([word::LOCAL_FIRST, word::LOCAL_NEXT, word::LOCAL_STATE]);
    reader.executors.states.extend(shared.iter().chain(&local));
    let mut number = 0;
    for state in shared {
        reader.shared(state, number);
        number += NUMBERS;
    }
    for state in local {
        reader.local(state, number);
        number += NUMBERS;
    }
    reader.executors
}

impl Executors {
    /// How many tasks are not in the list, as they have never waited.
    pub fn never_waited(&self) -> u64 {
        self.live.saturating_sub(self.tasks.len() as u64 + self.torn)
    }

    /// Whether a waker with this data pointer and this table wakes what `run` was given.
    pub fn is_main(&self, data: u64, table: u64) -> bool {
        self.mains.contains(&data) || table != 0 && table == self.table.get(word::MAIN_TABLE)
    }

    /// The task at this address, if there is one of an executor's. Those of executors that are never dropped are in no
    /// list.
    pub fn task_at(&self, memory: &dyn Memory, address: u64) -> Option<Task> {
        settled(|| self.task(memory, address, 0)).ok().flatten()
    }

    /// What says where its parts are.
    pub fn table(&self) -> &Table {
        &self.table
    }

    fn get(&self, word: usize) -> u64 {
        self.table.get(word)
    }

    fn task(&self, memory: &dyn Memory, address: u64, id: u64) -> Result<Option<Task>, Torn> {
        // Whatever is there, it is a task only if it names its executor.
        let executor = memory.u64(address.wrapping_add(self.get(word::TASK_EXECUTOR)))?;
        if !self.states.contains(&executor) {
            return Ok(None);
        }
        let name = memory.u64(address.wrapping_add(self.get(word::TASK_NAME)))?;
        let name_len = memory.u64(address.wrapping_add(self.get(word::TASK_NAME_LEN)))?;
        let state = memory.u64(address.wrapping_add(self.get(word::TASK_STATE)))?;
        // The waker that led here is a reference. Where there is none left, the task is gone, and its memory free.
        if state < task_state::REFERENCE {
            return Ok(None);
        }
        Ok(Some(Task { address, id, name: text(memory, name, name_len), state, executor }))
    }
}

/// A constant; none: it is not there, as in a core dump without its program's file.
pub fn text(memory: &dyn Memory, address: u64, len: u64) -> Option<String> {
    if len > NAME_BYTES_MAX {
        return None;
    }
    let mut bytes = vec![0; len as usize];
    memory.read(address, &mut bytes).ok()?;
    String::from_utf8(bytes).ok()
}

struct Reader<'a> {
    memory: &'a dyn Memory,
    executors: Executors,
}

impl Reader<'_> {
    fn get(&self, word: usize) -> u64 {
        self.executors.get(word)
    }

    /// The values of a list of links, the one that was made first before the others.
    fn links(&self, [first, next, value]: [usize; 3]) -> Vec<u64> {
        let mut values = Vec::new();
        let mut link = self.memory.u64(self.get(first)).unwrap_or(0);
        while link != 0 && values.len() < LINKS_MAX {
            values.push(link + self.get(value));
            link = self.memory.u64(link + self.get(next)).unwrap_or(0);
        }
        values.reverse();
        values
    }

    fn shared(&mut self, state: u64, number: u64) {
        let (count, bytes) =
            (self.get(word::SHARD_COUNT).min(1 << 10), self.get(word::SHARD_BYTES));
        let (mut spawned, mut finished) = (0_u64, 0_u64);
        let mut counted = |reader: &Self, at: u64, words: [usize; 2]| -> Result<(), Unreadable> {
            finished =
                finished.wrapping_add(reader.memory.u64(at.wrapping_add(reader.get(words[1])))?);
            spawned =
                spawned.wrapping_add(reader.memory.u64(at.wrapping_add(reader.get(words[0])))?);
            Ok(())
        };
        for index in 0..count {
            let shard = state + self.get(word::SHARDS) + index * bytes;
            let _ = counted(self, shard, [word::SHARD_SPAWNED, word::SHARD_FINISHED]);
        }
        let runners = self.runners(state);
        let turns = Turns::shared(self.memory, &self.executors.table, &runners);
        self.executors.turns.insert(state, turns);
        for runner in runners {
            let _ = counted(self, runner, [word::RUNNER_SPAWNED, word::RUNNER_FINISHED]);
            let main = runner + self.get(word::RUNNER_SIGNAL);
            self.executors.mains.insert(main);
        }
        self.executors.live += spawned.saturating_sub(finished);
        for index in 0..count {
            let shard = state + self.get(word::SHARDS) + index * bytes;
            self.waiting(shard + self.get(word::SHARD_WAKERS), |place| {
                number + place * count + index + 1
            });
        }
    }

    fn runners(&self, state: u64) -> Vec<u64> {
        let mut runners = Vec::new();
        let mut runner = self.memory.u64(state + self.get(word::RUNNERS)).unwrap_or(0);
        while runner != 0 && runners.len() < LINKS_MAX {
            runners.push(runner);
            runner = self.memory.u64(runner + self.get(word::RUNNER_NEXT)).unwrap_or(0);
        }
        runners
    }

    fn local(&mut self, state: u64, number: u64) {
        let live = self.memory.u64(state + self.get(word::LOCAL_LIVE)).unwrap_or(0);
        self.executors.live += live;
        let turns = Turns::local(self.memory, &self.executors.table, state);
        self.executors.turns.insert(state, turns);
        self.waiting(state + self.get(word::LOCAL_WAKERS), |place| number + place + 1);
    }

    /// The tasks of a set of wakers.
    fn waiting(&mut self, set: u64, id: impl Fn(u64) -> u64) {
        let places = [self.get(word::VEC_ELEMENTS), self.get(word::VEC_LEN)];
        if places.contains(&u64::MAX) || self.get(word::ELEMENT_TABLE) == u64::MAX {
            self.executors.torn += 1;
            return;
        }
        let bytes = self.get(word::ELEMENT_BYTES).max(1);
        let set = || Vector::read(self.memory, set, places);
        let Ok(len) = settled(set).map(|set| set.len) else {
            self.executors.torn += 1;
            return;
        };
        let mut tasks = Vec::new();
        let mut torn = 0;
        for place in 0..len {
            let found = settled(|| {
                let set = set()?;
                if place >= set.len {
                    return Ok(None);
                }
                let mut element = vec![0; bytes.min(64) as usize];
                self.memory.read(set.elements + place * bytes, &mut element)?;
                let table = u64_at(&element, self.get(word::ELEMENT_TABLE))?;
                let address = u64_at(&element, self.get(word::ELEMENT_TASK))?;
                match table {
                    0 => Ok(None),
                    _ => self.executors.task(self.memory, address, id(place)),
                }
            });
            match found {
                Ok(task) => tasks.extend(task),
                Err(Torn) => torn += 1,
            }
        }
        self.executors.tasks.extend(tasks);
        self.executors.torn += torn;
    }
}
