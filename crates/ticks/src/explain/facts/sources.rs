//! Where the sources that live were made, as far as a task made them.

use std::collections::HashMap;

use ticks_format::{Key, Record};

/// The sources that live and were made while records are left.
#[derive(Default)]
pub struct Sources {
    /// By key: the calls by which the task asked to be woken at the end of the poll that made it; 0: by none.
    pub stacks: HashMap<Key, u64>,
    /// By task: what it made in the poll that goes on.
    made: HashMap<u64, Vec<Key>>,
}

impl Sources {
    /// Takes in the next record, made while that task was polled. `asked` is by which calls the task whose poll ends
    /// asked last before.
    pub fn add(&mut self, record: &Record, task: Option<u64>, asked: u64) {
        match record {
            Record::SourceNew(new) => {
                self.stacks.insert(new.key, 0);
                if let Some(task) = task {
                    self.made.entry(task).or_default().push(new.key);
                }
            }
            Record::SourceDrop(gone) => drop(self.stacks.remove(&gone.key)),
            Record::TaskPollEnd(end) => {
                for key in self.made.remove(&end.task).unwrap_or_default() {
                    // It may have gone in the same poll.
                    if let Some(stack) = self.stacks.get_mut(&key) {
                        *stack = if end.stack == 0 { asked } else { end.stack };
                    }
                }
            }
            _ => {}
        }
    }
}
