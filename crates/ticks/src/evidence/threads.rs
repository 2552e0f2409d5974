//! Which process a thread is of, and what it is in the midst of.

use std::collections::HashMap;

use anyhow::Context;
use ticks_format::{Record, What};

use crate::input::Input;
use crate::merge::Moment;
use crate::strace::Traced;
use crate::timeline::ended_by;

/// What a thread is in the midst of: it began it, and has not ended it yet.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The record that began it.
    pub begin: Record,
    /// The task that is being polled.
    pub task: Option<u64>,
}

impl Operation {
    /// In words: `poll_ready of fd 4, in a poll of task 3`.
    pub fn words(&self) -> String {
        let what = match &self.begin {
            Record::ReactBegin(_) => "a round".to_owned(),
            Record::WaitBegin(_) => "a round's wait".to_owned(),
            Record::PollBegin(poll) => format!("poll_ready of fd {}, {}", poll.fd, poll.dir),
            Record::CtlBegin(ctl) => format!("ctl of fd {}", ctl.fd),
            Record::BlockOnBegin(_) => "block_on".to_owned(),
            Record::ParkBegin(_) => "park".to_owned(),
            Record::DriveBegin(_) => "driving".to_owned(),
            Record::TaskPollBegin(poll) => return format!("in a poll of task {}", poll.task),
            other => other.kind().name().to_owned(),
        };
        match self.task {
            Some(task) => format!("in {what}, in a poll of task {task}"),
            None => format!("in {what}"),
        }
    }
}

/// The threads of all recordings, by what is known at the record that was last learnt from.
pub struct Threads {
    /// Of which recording a thread is.
    inputs: HashMap<u64, usize>,
    names: HashMap<(usize, u64), String>,
    /// The processes' own numbers.
    pids: Vec<u64>,
    /// What each is in the midst of, the innermost last.
    open: HashMap<(usize, u64), Vec<Operation>>,
}

/// Deeper than any program nests them. What is left of operations whose ends were overwritten goes first.
const DEPTH_MAX: usize = 32;

impl Threads {
    /// Those that the recordings have.
    pub fn of(inputs: &[Input]) -> anyhow::Result<Threads> {
        let mut threads = Threads {
            inputs: HashMap::new(),
            names: HashMap::new(),
            pids: Vec::new(),
            open: HashMap::new(),
        };
        for (index, input) in inputs.iter().enumerate() {
            let pid = input.recording.header().pid;
            threads.pids.push(pid);
            threads.inputs.entry(pid).or_insert(index);
            for (tid, name) in input.recording.threads().with_context(|| input.place())? {
                threads.inputs.entry(tid).or_insert(index);
                threads.names.insert((index, tid), name);
            }
        }
        Ok(threads)
    }

    /// Whether there are recordings at all.
    pub fn has_inputs(&self) -> bool {
        !self.pids.is_empty()
    }

    /// The recording of the process whose thread this is. Of a listing without threads: of the only one.
    pub fn input(&self, tid: Option<u64>) -> Option<usize> {
        match tid {
            Some(tid) => self.inputs.get(&tid).copied(),
            None => (self.pids.len() == 1).then_some(0),
        }
    }

    /// The thread. A listing without threads is of the process's first.
    pub fn tid(&self, traced: &Traced, input: Option<usize>) -> Option<u64> {
        traced.tid.or_else(|| input.map(|input| self.pids[input]))
    }

    /// The thread's name.
    pub fn name(&self, input: usize, tid: u64) -> Option<&str> {
        self.names.get(&(input, tid)).map(String::as_str)
    }

    /// Learns from a call which threads it makes: those that record nothing are not in the recording.
    pub fn learn_call(&mut self, traced: &Traced, input: Option<usize>) {
        let Some(call) = traced.what.call() else { return };
        let makes_thread = call.name.starts_with("clone") && call.args.contains("CLONE_THREAD");
        let made = call.returned().and_then(|tid| u64::try_from(tid).ok());
        if let (true, Some(input), Some(tid)) = (makes_thread, input, made) {
            self.inputs.entry(tid).or_insert(input);
        }
    }

    /// Takes in the next record.
    pub fn learn(&mut self, moment: &Moment) {
        let (What::Record(record), Some(thread)) = (&moment.stamped.what, &moment.stamped.thread)
        else {
            return;
        };
        let place = (moment.input, thread.tid);
        let kind = record.kind();
        if ended_by(kind).is_some() {
            self.inputs.entry(thread.tid).or_insert(moment.input);
            let open = self.open.entry(place).or_default();
            let outer = open.last().and_then(|outer| outer.task);
            let task = match record {
                Record::TaskPollBegin(poll) => Some(poll.task),
                _ => outer,
            };
            if open.len() == DEPTH_MAX {
                open.remove(0);
            }
            open.push(Operation { begin: record.clone(), task });
        } else if let Some(open) = self.open.get_mut(&place) {
            let begun = open.iter().rposition(|begun| ended_by(begun.begin.kind()) == Some(kind));
            if let Some(begun) = begun {
                open.truncate(begun);
            }
        }
    }

    /// What the thread is in the midst of: the innermost.
    pub fn operation(&self, place: (usize, u64)) -> Option<&Operation> {
        self.open.get(&place)?.last()
    }
}
