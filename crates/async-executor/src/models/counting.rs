//! The count of tasks, kept by several threads and read by another.

use loom::thread;

use super::{check, leak};
use crate::live::{live, Counts};

/// A task on one thread spawns one on the other, and ends. The other one does the same, but for the last.
/// There is always one.
#[test]
fn model_a_chain_of_tasks_is_never_empty() {
    check(|| {
        let counts = leak([Counts::new(), Counts::new()]);
        counts[0].spawned.add_alone();
        let first = thread::spawn(|| {
            counts[1].spawned.add();
            counts[0].finished.add_alone();
        });
        let second = thread::spawn(|| {
            // The task is handed over: what was done before is seen.
            while counts[0].finished.get() == 0 {
                thread::yield_now();
            }
            counts[0].spawned.add();
            counts[1].finished.add_alone();
        });
        assert_ne!(live(counts.iter()), 0);
        first.join().unwrap();
        second.join().unwrap();
        assert_eq!(live(counts.iter()), 1);
    });
}
