//! How long the reactor was inside the wakers that it called.

use std::collections::HashMap;

use ticks_format::records::Wake;
use ticks_format::Record;

/// A waker only puts its task in a queue. One that takes longer than this holds the reactor up.
const LONG_NS: u64 = 1_000_000;

/// Wakers that took long.
#[derive(Default)]
pub struct Wakers {
    /// How many of them did.
    pub count: u64,
    /// How long they took in all.
    pub sum_ns: u64,
    /// The one that took longest.
    pub longest: Option<Held>,
    /// What each thread woke last, and when, as long as it has no other record.
    inside: HashMap<u64, (Wake, u64)>,
    /// Which thread armed each timer.
    armed_by: HashMap<u64, u64>,
}

/// A waker that held the reactor up.
#[derive(Clone, Debug)]
pub struct Held {
    /// What was woken.
    pub wake: Wake,
    /// Which thread was inside the waker.
    pub thread: u64,
    /// Which thread armed the timer that was the cause, if it was one and that is known.
    pub armed_by: Option<u64>,
    /// For how long.
    pub took_ns: u64,
}

impl Wakers {
    /// Takes in the next record. A thread that has another one has left the waker.
    pub fn add(&mut self, record: &Record, at_ns: u64, thread: u64) {
        if let Some((wake, began_ns)) = self.inside.remove(&thread) {
            let armed_by = wake.timer.and_then(|timer| self.armed_by.remove(&timer));
            let took_ns = at_ns.saturating_sub(began_ns);
            if took_ns >= LONG_NS {
                (self.count, self.sum_ns) = (self.count + 1, self.sum_ns.saturating_add(took_ns));
                if self.longest.as_ref().is_none_or(|longest| longest.took_ns < took_ns) {
                    self.longest = Some(Held { wake, thread, armed_by, took_ns });
                }
            }
        }
        match record {
            Record::Wake(wake) => drop(self.inside.insert(thread, (wake.clone(), at_ns))),
            Record::TimerInsert(timer) => drop(self.armed_by.insert(timer.id, thread)),
            Record::TimerRemove(timer) => drop(self.armed_by.remove(&timer.id)),
            _ => {}
        }
    }
}
