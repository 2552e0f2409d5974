//! The sums of tasks: by name, and by the place in the program where they wait.

use std::collections::{BTreeMap, HashMap};

use ticks_format::records::{TaskPollEnd, TaskWake};
use ticks_format::{Entry, Record, Verdict, WokenBy};

use super::durations::Durations;
use crate::input::Input;
use crate::symbols::{Book, Options};
use crate::task_names::TaskNames;

/// What is counted of tasks of one name, or of polls that ended at one place.
#[derive(Default)]
pub struct Counts {
    /// How long polls took.
    pub polls: Durations,
    /// The longest: how long, by which task, and the stack of what it asked for last.
    pub longest: Option<Longest>,
    /// How long it took from a wake to the poll that it caused.
    pub scheduled: Durations,
    /// How often they were woken.
    pub wakes: u64,
    /// How often of that by themselves.
    pub self_wakes: u64,
}

/// The longest poll.
#[derive(Clone, Copy)]
pub struct Longest {
    /// How long it took.
    pub ns: u64,
    /// The task.
    pub task: u64,
    /// By which calls it asked last to be woken; 0: by none.
    pub stack: u64,
}

/// The tasks of one name.
#[derive(Default)]
pub struct NameCounts {
    /// What is counted.
    pub counts: Counts,
    /// How many tasks there were, as far as the records tell.
    pub tasks: u64,
    /// How many of them came to their end.
    pub done: u64,
    /// How many were dropped before, or panicked.
    pub cut_short: u64,
    /// How many were forgotten.
    pub forgotten: u64,
}

impl Counts {
    fn poll(&mut self, longest: Longest) {
        self.polls.add(longest.ns);
        self.longer(longest);
    }

    fn longer(&mut self, longest: Longest) {
        if self.longest.is_none_or(|known| known.ns < longest.ns) {
            self.longest = Some(longest);
        }
    }

    fn wake(&mut self, wake: &TaskWake) {
        self.wakes += 1;
        self.self_wakes += u64::from(wake.by == WokenBy::Itself);
    }
}

/// A task between two records of it.
#[derive(Default)]
struct State {
    /// When it was woken, if it has not been polled since.
    woken_ns: Option<u64>,
    /// By which calls it asked last when its last poll ended.
    stack: u64,
}

/// The sums.
#[derive(Default)]
pub struct TaskSums {
    names: TaskNames,
    states: HashMap<u64, State>,
    by_name: BTreeMap<String, NameCounts>,
    by_stack: HashMap<u64, Counts>,
}

/// A place in the program, and what was waited for there.
pub struct PlaceCounts {
    /// The innermost call that is the program's own.
    pub place: String,
    /// What for.
    pub what: String,
    /// What is counted.
    pub counts: Counts,
}

impl TaskSums {
    /// Sums of a file that knows these tasks.
    pub fn new(input: &Input) -> anyhow::Result<TaskSums> {
        let mut sums = TaskSums { names: TaskNames::of(input)?, ..TaskSums::default() };
        for entry in input.recording.tasks() {
            let Entry::Whole(task) = entry? else { continue };
            sums.see(task.id);
            // Its record may have been overwritten.
            let longest = Longest {
                ns: input.recording.clock().duration_ns(task.longest),
                task: task.id,
                stack: task.longest_stack,
            };
            if task.longest > 0 {
                sums.of(task.id).counts.longer(longest);
            }
        }
        Ok(sums)
    }

    /// Takes in the next record.
    pub fn add(&mut self, input: &Input, record: &Record, utc_ns: u64) -> anyhow::Result<()> {
        match record {
            Record::TaskSpawn(spawn) => {
                self.names.learn(input, spawn)?;
                self.see(spawn.task).woken_ns = Some(utc_ns);
            }
            Record::TaskPollBegin(poll) => {
                let state = self.see(poll.task);
                let (woken_ns, stack) = (state.woken_ns.take(), state.stack);
                if let Some(woken_ns) = woken_ns {
                    let scheduled_ns = utc_ns.saturating_sub(woken_ns);
                    self.of(poll.task).counts.scheduled.add(scheduled_ns);
                    self.at(stack, |counts| counts.scheduled.add(scheduled_ns));
                }
            }
            Record::TaskPollEnd(poll) => self.poll_end(poll),
            Record::TaskWake(wake) => {
                let state = self.see(wake.task);
                if wake.first {
                    state.woken_ns.get_or_insert(utc_ns);
                }
                let stack = state.stack;
                self.of(wake.task).counts.wake(wake);
                self.at(stack, |counts| counts.wake(wake));
            }
            Record::TaskForgotten(task) => {
                self.see(task.task);
                self.of(task.task).forgotten += 1;
            }
            Record::TaskDone(task) => self.end(task.task, |counts| counts.done += 1),
            Record::TaskCancelled(task) => self.end(task.task, |counts| counts.cut_short += 1),
            Record::TaskPanicked(task) => self.end(task.task, |counts| counts.cut_short += 1),
            _ => {}
        }
        Ok(())
    }

    /// The state of a task, which is counted when it is first seen.
    fn see(&mut self, id: u64) -> &mut State {
        if !self.states.contains_key(&id) {
            self.of(id).tasks += 1;
        }
        self.states.entry(id).or_default()
    }

    fn of(&mut self, id: u64) -> &mut NameCounts {
        let name = self.names.name(id).unwrap_or("(names are overwritten)");
        if !self.by_name.contains_key(name) {
            self.by_name.insert(name.to_owned(), NameCounts::default());
        }
        self.by_name.get_mut(name).expect("it is there now")
    }

    /// Counts for the place, if it is known.
    fn at(&mut self, stack: u64, count: impl FnOnce(&mut Counts)) {
        if stack != 0 {
            count(self.by_stack.entry(stack).or_default());
        }
    }

    fn poll_end(&mut self, poll: &TaskPollEnd) {
        let longest = Longest { ns: poll.duration_ns, task: poll.task, stack: poll.stack };
        let state = self.see(poll.task);
        // One that asked nobody anew waits where it did before.
        if poll.stack != 0 || poll.result != Verdict::Pending {
            state.stack = poll.stack;
        }
        self.of(poll.task).counts.poll(longest);
        self.at(poll.stack, |counts| counts.poll(longest));
    }

    fn end(&mut self, id: u64, count: impl FnOnce(&mut NameCounts)) {
        self.see(id);
        count(self.of(id));
        self.states.remove(&id);
    }

    /// The places, those with the most polls first, and what was missing to name them.
    pub fn places(self, input: &Input, options: &Options) -> anyhow::Result<Places> {
        let mut book = Book::new(options);
        let mut by_place: BTreeMap<(String, String), Counts> = BTreeMap::new();
        for (stack, counts) in self.by_stack {
            let place = book.place(input, stack)?;
            let what = place.as_ref().and_then(|place| place.what.clone()).unwrap_or_default();
            let own = place.and_then(|place| place.own_text());
            let own = own.unwrap_or_else(|| "not known".into());
            by_place.entry((own, what)).or_default().merge(counts);
        }
        let mut longest = HashMap::new();
        let names = self.by_name;
        for stack in names.values().filter_map(|names| names.counts.longest.map(|it| it.stack)) {
            if let Some(place) = book.place(input, stack)?.and_then(|place| place.own_text()) {
                longest.insert(stack, place);
            }
        }
        let mut places: Vec<_> = by_place
            .into_iter()
            .map(|((place, what), counts)| PlaceCounts { place, what, counts })
            .collect();
        places.sort_by_key(|place| std::cmp::Reverse(place.counts.polls.count()));
        let notes = book.notes().map(str::to_owned).collect();
        Ok(Places { names, places, longest, notes })
    }
}

impl Counts {
    fn merge(&mut self, other: Counts) {
        self.polls.merge(&other.polls);
        self.scheduled.merge(&other.scheduled);
        self.wakes += other.wakes;
        self.self_wakes += other.self_wakes;
        if let Some(longest) = other.longest {
            self.longer(longest);
        }
    }
}

/// The sums with their places named.
#[derive(Default)]
pub struct Places {
    names: BTreeMap<String, NameCounts>,
    /// Those with the most polls first.
    pub places: Vec<PlaceCounts>,
    /// Where in the program the longest polls asked last, by stack.
    longest: HashMap<u64, String>,
    /// What was missing to name calls, a sentence each.
    pub notes: Vec<String>,
}

impl Places {
    /// The tasks by name, those with the most polls first.
    pub fn names(&self) -> Vec<(&String, &NameCounts)> {
        let mut names: Vec<_> = self.names.iter().collect();
        names.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.counts.polls.count()));
        names
    }

    /// Where the longest poll asked last.
    pub fn of_longest(&self, longest: &Longest) -> Option<&str> {
        self.longest.get(&longest.stack).map(String::as_str)
    }
}
