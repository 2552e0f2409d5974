//! Who waits: the tasks of executors, what `run` was given, and the threads in `block_on`; and whose each wait is.

use std::collections::HashMap;
use std::fs;

use ticks_format::published::task_state as state;
use ticks_format::{Awaited, Task, TaskKind, TaskState, Waiter};

use super::executor::{self, Executors};
use super::reactor::{Reactor, Thread, ThreadState, Waker};
use super::Origin;
use crate::memory::Memory;

/// A task with its name, whose place in a recording is not known yet.
#[derive(Debug)]
pub struct Named {
    pub task: Task,
    pub name: String,
    /// The state of its executor, if it is an executor's.
    pub executor: Option<u64>,
}

/// The tasks, and the waits of all sources and timers.
#[derive(Debug)]
pub struct Tasks {
    pub tasks: Vec<Named>,
    pub waiters: Vec<Waiter>,
}

/// Finds out whose each waker is.
pub fn of(
    memory: &dyn Memory,
    reactor: &Reactor,
    executors: &[Executors],
    origin: &Origin,
) -> Tasks {
    let mut found = Found { tasks: Vec::new(), by_waker: HashMap::new(), next: 0 };
    for listed in executors.iter().flat_map(|it| &it.tasks) {
        found.spawned(listed, 1);
    }
    let last = found.tasks.iter().map(|named| named.task.id).max().unwrap_or(0);
    // The next hundred thousand are the threads', and what else has no number of its own.
    found.next = last.next_multiple_of(executor::NUMBERS) + u64::from(!found.tasks.is_empty());
    for thread in reactor.threads.iter().filter(|thread| thread.inside) {
        found.thread(thread, origin);
    }
    found.place_running();
    let mut waiters = Vec::new();
    for source in &reactor.sources {
        for wait in &source.waits {
            let awaited = Awaited::Source {
                key: source.key,
                fd: source.fd,
                dir: wait.dir,
                waiter: wait.waiter,
                ticks: Some(wait.ticks),
            };
            waiters.push(found.waiter(memory, executors, awaited, wait.waker));
        }
    }
    for timer in &reactor.timers {
        let awaited = Awaited::Timer { id: timer.id, deadline_ns: timer.deadline_ns };
        waiters.push(found.waiter(memory, executors, awaited, timer.waker));
    }
    found.count_wakers(&waiters);
    Tasks { tasks: found.tasks, waiters }
}

struct Found {
    tasks: Vec<Named>,
    /// The places of tasks, by their wakers' data pointers.
    by_waker: HashMap<u64, usize>,
    /// The next number for what has none of its own.
    next: u64,
}

impl Found {
    fn push(&mut self, task: Task, name: String, executor: Option<u64>) -> usize {
        self.by_waker.insert(task.waker, self.tasks.len());
        self.tasks.push(Named { task, name, executor });
        self.tasks.len() - 1
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// `own`: how many of its wakers are the executor's.
    fn spawned(&mut self, listed: &executor::Task, own: u64) -> Option<usize> {
        if listed.state & state::COMPLETED != 0 {
            return None;
        }
        let wakers = (listed.state / state::REFERENCE).saturating_sub(own);
        let is_scheduled = listed.state & state::SCHEDULED != 0;
        let does = match listed.state & state::RUNNING != 0 {
            true => TaskState::Running { woken: is_scheduled },
            // One that is cancelled is in a queue, to be dropped.
            false if is_scheduled || listed.state & state::CLOSED != 0 => TaskState::Scheduled,
            false if wakers == 0 => TaskState::Forgotten,
            false => TaskState::Waiting,
        };
        let id = if listed.id == 0 { self.number() } else { listed.id };
        let name = listed.name.clone();
        let name = name.unwrap_or_else(|| "a task, its type is in the program's file".into());
        let task = task(id, listed.address, TaskKind::Spawned, does, wakers);
        Some(self.push(task, name, Some(listed.executor)))
    }

    fn thread(&mut self, thread: &Thread, origin: &Origin) {
        let does = match thread.state {
            ThreadState::Runs => TaskState::Running { woken: false },
            ThreadState::Woken => TaskState::Scheduled,
            ThreadState::Parks | ThreadState::Drives => TaskState::Waiting,
        };
        let comm = match origin {
            Origin::Process(pid) => {
                fs::read_to_string(format!("/proc/{pid}/task/{}/comm", thread.tid)).ok()
            }
            Origin::Core => None,
        };
        let name = match (&thread.name, comm) {
            (Some(name), _) => name.clone(),
            (None, Some(comm)) => {
                format!("block_on of thread {} ({})", thread.tid, comm.trim_end())
            }
            (None, None) => format!("block_on of thread {}", thread.tid),
        };
        let id = self.number();
        let mut task = task(id, thread.waker, TaskKind::BlockOn, does, 0);
        task.thread = thread.tid;
        self.push(task, name, None);
    }

    /// Where one thread polls tasks, it polls the one that runs.
    fn place_running(&mut self) {
        let runs = |named: &&Named, kind: TaskKind| {
            named.task.kind == kind && matches!(named.task.state, TaskState::Running { .. })
        };
        let threads = self.tasks.iter().filter(|named| runs(named, TaskKind::BlockOn));
        let threads: Vec<u64> = threads.map(|named| named.task.thread).collect();
        let &[thread] = &threads[..] else { return };
        for named in &mut self.tasks {
            if runs(&&*named, TaskKind::Spawned) {
                named.task.thread = thread;
            }
        }
    }

    fn waiter(
        &mut self,
        memory: &dyn Memory,
        executors: &[Executors],
        awaited: Awaited,
        waker: Option<Waker>,
    ) -> Waiter {
        let task_id = waker.and_then(|waker| self.whose(memory, executors, waker)).unwrap_or(0);
        let data = waker.map_or(0, |waker| waker.data);
        Waiter { awaited, task: data, since: 0, place: 0, tid: 0, stack: 0, task_id }
    }

    /// The number of the task that a waker wakes.
    fn whose(&mut self, memory: &dyn Memory, executors: &[Executors], waker: Waker) -> Option<u64> {
        if let Some(place) = self.by_waker.get(&waker.data) {
            return Some(self.tasks[*place].task.id);
        }
        if executors.iter().any(|it| it.is_main(waker.data, waker.table)) {
            let id = self.number();
            let task = task(id, waker.data, TaskKind::Run, TaskState::Waiting, 0);
            self.push(task, "what an executor's run was given".into(), None);
            return Some(id);
        }
        // A task of an executor that is never dropped, which is in no list.
        let unlisted = executors.iter().find_map(|it| it.task_at(memory, waker.data))?;
        let place = self.spawned(&unlisted, 0)?;
        Some(self.tasks[place].task.id)
    }

    /// Of those whose wakers nobody counts: as many as the reactor has. Without any, somebody else has one.
    fn count_wakers(&mut self, waiters: &[Waiter]) {
        let mut kept: HashMap<u64, u64> = HashMap::new();
        for waiter in waiters {
            *kept.entry(waiter.task_id).or_default() += waiter.awaited.wakers();
        }
        for named in &mut self.tasks {
            if named.task.kind != TaskKind::Spawned {
                named.task.wakers = kept.get(&named.task.id).copied().unwrap_or(1);
            }
        }
    }
}

fn task(id: u64, waker: u64, kind: TaskKind, state: TaskState, wakers: u64) -> Task {
    Task {
        id,
        state,
        since: 0,
        waker,
        name: 0,
        begun: 0,
        kind,
        parent: 0,
        stack: 0,
        thread: 0,
        polls: 0,
        polled: 0,
        longest: 0,
        longest_stack: 0,
        wakes: 0,
        last_wake: None,
        wakers,
        asked_count: 0,
        asked: Vec::new(),
    }
}
