//! The tasks that executors know of, for somebody who looks while nothing is recorded.
//!
//! An executor says once by which function its tasks are listed. Nothing is spent on them until somebody asks.

use std::sync::{Mutex, PoisonError};

/// A task that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedTask {
    /// The data pointer of its wakers.
    pub address: usize,
    /// Its future's type.
    pub name: &'static str,
    /// What it does: `waits`, for example.
    pub state: &'static str,
}

/// The tasks of all executors.
#[derive(Clone, Debug, Default)]
pub struct TaskList {
    /// Those that could be listed.
    pub tasks: Vec<ListedTask>,
    /// The addresses of the tables of wakers that wake the main future of a `run`.
    pub main_tables: Vec<usize>,
    /// What else is to be said: of tasks that could not be listed. A line each.
    pub remarks: Vec<String>,
}

/// Adds an executor's tasks to the list. It is called on any thread, and must not wait for a lock.
pub type ListTasks = fn(&mut TaskList);

/// Holding it grants the right to add to it. Nobody is called under it.
static EXECUTORS: Mutex<Vec<ListTasks>> = Mutex::new(Vec::new());

/// From now on this function is asked too, when somebody looks.
pub fn add_executor(list: ListTasks) {
    EXECUTORS.lock().unwrap_or_else(PoisonError::into_inner).push(list);
}

/// The tasks that have not ended, of all executors that list theirs. `None`: an executor is being added, or
/// was at the moment of the fork that made this process.
pub fn list_tasks() -> Option<TaskList> {
    let executors = match EXECUTORS.try_lock() {
        Ok(executors) => executors.clone(),
        Err(std::sync::TryLockError::Poisoned(poisoned)) => poisoned.into_inner().clone(),
        Err(std::sync::TryLockError::WouldBlock) => return None,
    };
    let mut list = TaskList::default();
    executors.iter().for_each(|executor| executor(&mut list));
    Some(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_executors_are_asked() {
        fn one(list: &mut TaskList) {
            list.tasks.push(ListedTask { address: 1, name: "one", state: "waits" });
        }
        fn other(list: &mut TaskList) {
            list.remarks.push("another".to_owned());
        }
        add_executor(one);
        add_executor(other);
        let list = list_tasks().expect("nobody adds any more");
        assert_eq!(list.tasks, [ListedTask { address: 1, name: "one", state: "waits" }]);
        assert_eq!(list.remarks, ["another"]);
    }
}
