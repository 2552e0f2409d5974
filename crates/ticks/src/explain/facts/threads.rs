//! What each thread did last.

use std::collections::HashMap;

use ticks_format::{Kind, Ring};

use crate::merge::Moment;
use ticks_format::What;

/// The threads that have a ring, by the system's number.
#[derive(Default)]
pub struct Threads {
    /// Those that have not ended, and some that have: see [`Threads::only`].
    pub all: HashMap<u64, Thread>,
}

/// A thread.
#[derive(Clone, Debug, Default)]
pub struct Thread {
    /// Its name.
    pub name: String,
    /// When it made its last record.
    pub last_ns: u64,
    /// What that was; none: a mark, or of a kind that this build does not know.
    pub kind: Option<Kind>,
}

impl Thread {
    /// What it has done since its last record, as far as that says it.
    pub fn since(&self) -> &'static str {
        match self.kind {
            Some(Kind::ParkBegin) => "it sleeps until it is woken",
            Some(Kind::WaitBegin | Kind::ReactBegin) => "it waits in the reactor for events",
            Some(Kind::TaskPollBegin) => "it polls a task",
            Some(Kind::BlockOnBegin) => "it began a block_on",
            Some(_) => "it computes or is blocked",
            None => "nothing is known",
        }
    }
}

impl Threads {
    /// Takes in the next record.
    pub fn add(&mut self, moment: &Moment) {
        let Some(thread) = &moment.stamped.thread else { return };
        let kind = match &moment.stamped.what {
            What::Record(record) => Some(record.kind()),
            _ => None,
        };
        match self.all.get_mut(&thread.tid) {
            Some(known) => (known.last_ns, known.kind) = (moment.utc_ns, kind),
            None => {
                let name = thread.name.to_string();
                self.all.insert(thread.tid, Thread { name, last_ns: moment.utc_ns, kind });
            }
        }
    }

    /// Leaves out those that have ended.
    pub fn only(&mut self, rings: &[Ring]) {
        let is_there = |tid: &u64| rings.iter().any(|ring| ring.owned && ring.owner.tid == *tid);
        self.all.retain(|tid, _| is_there(tid));
    }

    /// `thread 4711 (worker-1)`.
    pub fn title(&self, tid: u64) -> String {
        match self.all.get(&tid).filter(|thread| !thread.name.is_empty()) {
            Some(thread) => format!("thread {tid} ({})", thread.name),
            None => format!("thread {tid}"),
        }
    }
}
