//! Who waits: read from the reactor itself, and from the recording where there is one.
//!
//! Nothing is stopped meanwhile, so that two lines may not be of the same moment.

use std::collections::HashMap;
use std::thread;
use std::time::Duration;

use ticks_recorder::TaskList;

use crate::driver::handover::{self, ThreadSeen};
use crate::reactor::lock::Holder;
use crate::reactor::readiness::{DirectionSeen, WakerSeen};
use crate::reactor::source::Source;
use crate::reactor::timers::TimerSeen;
use crate::reactor::{clock, current, Reactor};
use crate::trace::{self, Wait};

mod text;

/// How often a lock that is taken is tried, a millisecond apart.
const TRIES: u32 = 100;

/// What somebody sees who looks.
#[derive(Debug)]
pub(super) struct Table {
    now_ns: u64,
    /// `None`: this process has not used the reactor yet.
    reactor: Option<ReactorSeen>,
    /// `None`: another thread was at work on the list.
    tasks: Option<TaskList>,
    /// What the recording says; empty without one.
    recorded: Vec<Wait>,
    /// Of recorded tasks, by the data pointer of their wakers.
    names: HashMap<u64, String>,
}

/// What can be read of the reactor. `None` stands for what another thread had locked all the time.
#[derive(Debug)]
struct ReactorSeen {
    tick: u64,
    holder: Holder,
    threads: Option<Vec<ThreadSeen>>,
    sources: Option<Vec<SourceSeen>>,
    timers: Option<Vec<TimerSeen>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct SourceSeen {
    fd: i64,
    key: u64,
    /// What it is, and between whom.
    what: String,
    directions: Option<[DirectionSeen; 2]>,
}

/// What must differ for a table to be worth printing again: no times, and not which threads run or drive just
/// now.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shape {
    sources: Option<Vec<SourceSeen>>,
    timers: Option<Vec<TimerSeen>>,
    tasks: Option<Vec<(usize, &'static str)>>,
    recorded: Vec<(Option<u64>, String, Option<String>)>,
}

/// Tries until there is an answer, but not for long.
fn patiently<T>(mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    for _ in 0..TRIES {
        if let Some(answer) = attempt() {
            return Some(answer);
        }
        thread::sleep(Duration::from_millis(1));
    }
    attempt()
}

impl Table {
    pub(super) fn read() -> Table {
        Table {
            reactor: current::made().map(ReactorSeen::read),
            tasks: patiently(ticks_recorder::list_tasks),
            recorded: trace::waits(),
            names: trace::task_names(),
            now_ns: clock::now_ns(),
        }
    }

    pub(super) fn shape(&self) -> Shape {
        let reactor = self.reactor.as_ref();
        let mut tasks = self.tasks.as_ref().map(|list| {
            list.tasks.iter().map(|task| (task.address, task.name)).collect::<Vec<_>>()
        });
        tasks.iter_mut().for_each(|tasks| tasks.sort_unstable());
        let recorded = self.recorded.iter();
        let mut recorded: Vec<_> =
            recorded.map(|wait| (wait.task, wait.name.clone(), wait.place.clone())).collect();
        recorded.sort_unstable();
        Shape {
            sources: reactor.and_then(|reactor| reactor.sources.clone()),
            timers: reactor.and_then(|reactor| reactor.timers.clone()),
            tasks,
            recorded,
        }
    }
}

impl ReactorSeen {
    fn read(reactor: &'static Reactor) -> ReactorSeen {
        let sources = patiently(|| reactor.registry().try_all());
        ReactorSeen {
            threads: match handover::made() {
                Some(handover) => patiently(|| handover.try_seen()),
                None => Some(Vec::new()),
            },
            sources: sources.map(|all| all.iter().map(|source| SourceSeen::read(source)).collect()),
            timers: patiently(|| reactor.timers().try_seen()),
            holder: reactor.lock().holder(),
            tick: reactor.tick(),
        }
    }
}

impl SourceSeen {
    fn read(source: &Source) -> SourceSeen {
        // Only while the descriptor's number is the source's. If it is not, or another thread is in the midst of
        // a system call with it, what it is stays unsaid.
        let described =
            source.arming().try_call(|| trace::describe(source.registration().descriptor()));
        SourceSeen {
            fd: source.number(),
            key: source.key().0,
            what: described.map_or_else(String::new, text::described),
            directions: patiently(|| source.readiness().try_seen()),
        }
    }

    /// Whether there is nothing to tell of it but that it is there.
    fn has_waiters(&self) -> bool {
        match &self.directions {
            Some(directions) => directions.iter().any(|direction| !direction.waiters.is_empty()),
            None => true,
        }
    }
}

/// Whom a waker wakes, in words.
struct Names<'a> {
    table: &'a Table,
    threads: HashMap<usize, u64>,
    listed: HashMap<usize, &'static str>,
}

impl<'a> Names<'a> {
    fn new(table: &'a Table) -> Names<'a> {
        let threads = table.reactor.iter().flat_map(|reactor| reactor.threads.iter().flatten());
        let listed = table.tasks.iter().flat_map(|list| &list.tasks);
        Names {
            table,
            threads: threads.map(|thread| (thread.waker_data, thread.thread)).collect(),
            listed: listed.map(|task| (task.address, task.name)).collect(),
        }
    }

    fn of(&self, waker: WakerSeen) -> String {
        let task = match waker {
            WakerSeen::Woken => return "it was woken and has not been polled since".to_owned(),
            WakerSeen::Unknown => return "wakes somebody".to_owned(),
            WakerSeen::Of(task) => task,
        };
        let (task, table) = (task.data(), task.table());
        if let Some(thread) = self.threads.get(&task) {
            return format!("wakes block_on of thread {}", text::thread(*thread));
        }
        if let Some(name) = self.table.names.get(&(task as u64)) {
            return format!("wakes the task {name}");
        }
        let main = self.table.tasks.iter().any(|list| list.main_tables.contains(&table));
        match self.listed.get(&task) {
            Some(name) => format!("wakes the task {} ({task:#x})", text::task(name)),
            None if main => format!("wakes the main future of an executor's run ({task:#x})"),
            None => format!("wakes a task at {task:#x}"),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::net::UdpSocket;

    use ticks_format::{Direction, Ticks};

    use super::*;
    use crate::reactor::readiness::WaiterSeen;
    use crate::Async;

    /// A thread is stuck with a source's lock, or with the whole table's: the dump says so, and is not stuck itself.
    #[test]
    fn what_is_locked_is_said() {
        let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
        let address = socket.get_ref().local_addr().unwrap().to_string();
        let row = || {
            let table = Table::read().to_string();
            let row = table.lines().find(|line| line.contains(&address)).map(str::to_owned);
            row.unwrap_or_else(|| panic!("no row of {address}\n{table}"))
        };
        assert!(row().ends_with(": nobody waits"), "{}", row());
        let all = patiently(|| current::get().registry().try_all()).unwrap();
        let is_it =
            |source: &&std::sync::Arc<Source>| SourceSeen::read(source).what.contains(&address);
        let locked = all.iter().find(is_it).unwrap().readiness().lock();
        assert!(row().ends_with(": who waits is locked by another thread"), "{}", row());
        drop(locked);
        assert!(row().ends_with(": nobody waits"), "{}", row());
    }

    #[test]
    fn a_reactor_in_words() {
        let timer = |id, deadline_ns| TimerSeen { id, deadline_ns, waker: WakerSeen::Unknown };
        let timers =
            vec![timer(3, None), timer(1, Some(500_000_000)), timer(2, Some(61_500_000_000))];
        let direction = |dir, tick, waiters| DirectionSeen {
            dir,
            tick,
            unclaimed: tick == 5,
            hung_up: tick == 5,
            waiters,
        };
        let ticks = Some(Ticks { a: 4, b: 3 });
        let waiters = [(0, ticks, WakerSeen::Woken), (0, None, WakerSeen::Unknown)];
        let waiters = waiters.map(|(number, ticks, waker)| WaiterSeen { number, ticks, waker });
        let source = SourceSeen {
            fd: 7,
            key: 2,
            what: "pipe".to_owned(),
            directions: Some([
                direction(Direction::Read, 5, Vec::new()),
                direction(Direction::Write, 0, waiters.to_vec()),
            ]),
        };
        let reactor = ReactorSeen {
            tick: 9,
            holder: Holder::Helper,
            threads: None,
            sources: Some(vec![source]),
            timers: Some(timers),
        };
        let list = TaskList { remarks: vec!["and 1 more".to_owned()], ..TaskList::default() };
        let table = Table {
            now_ns: 1_500_000_000,
            reactor: Some(reactor),
            tasks: Some(list),
            recorded: Vec::new(),
            names: HashMap::new(),
        };
        let expected = [
            "  the reactor is in round 9; the helper thread async-io holds the driver lock",
            "  the list of threads is locked by another thread",
            "  1 source, of which 1 waited for",
            "    fd 7 pipe, key 2",
            "      to read: last event in round 5, which nobody waited for; nobody has asked since",
            "      to read: the stream has ended, or there is an error or urgent data",
            "      to write: waiter 0 since round 4 (ticks 4, 3), no event so far; it was woken and has not been \
             polled since",
            "      to write: waiter 0, no event so far; wakes somebody",
            "  3 timers",
            "    timer 3 has fired, and its task is about to be woken; wakes somebody",
            "    timer 1 is overdue by 1.0s; wakes somebody",
            "    timer 2 is due in 60.0s; wakes somebody",
            "  0 tasks of executors",
            "    and 1 more",
        ];
        assert_eq!(table.to_string().lines().collect::<Vec<_>>(), expected);
    }

    /// A hundred thousand timers are no table that anybody reads.
    #[test]
    fn what_is_left_out_is_counted() {
        let timer = |id| TimerSeen { id, deadline_ns: Some(0), waker: WakerSeen::Unknown };
        let reactor = ReactorSeen {
            tick: 0,
            holder: Holder::Nobody,
            threads: Some(Vec::new()),
            sources: Some(Vec::new()),
            timers: Some((1..=100_000).map(timer).collect()),
        };
        let table = Table {
            now_ns: 0,
            reactor: Some(reactor),
            tasks: None,
            recorded: Vec::new(),
            names: HashMap::new(),
        };
        let text = table.to_string();
        assert!(text.contains("  100000 timers\n"), "{text}");
        assert!(text.contains("    … and 99000 more\n"), "{text}");
        assert_eq!(text.matches("    timer ").count(), 1_000);
        assert!(text.ends_with("  the list of executors is locked by another thread\n"), "{text}");
    }
}
