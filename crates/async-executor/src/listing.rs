//! The tasks that have not ended, for somebody who looks while nothing is recorded: `ASYNC_IO_DUMP_SIGNAL` and
//! `ASYNC_IO_DUMP_EVERY` of async-io.
//!
//! A task keeps its future's type, and where in a task it lies was measured: see [`crate::published`].
//!
//! This file has unsafe code: it reads a task's state and name by the address of the task.

#![allow(unsafe_code)]

use std::slice;
use std::str;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;

use ticks_format::published::{executor as word, task_state};
use ticks_recorder::{ListedTask, TaskList};

use crate::published::Table;
use crate::{local_state, signal, state};

/// Where in a task what lies, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    state: usize,
    name: usize,
    name_len: usize,
}

impl Layout {
    /// `None`: it has not been measured, or was not found.
    pub(crate) fn of(table: &Table) -> Option<Layout> {
        let at = |number| usize::try_from(table.get(number)).ok().filter(|at| *at < usize::MAX);
        table.is_complete().then_some(())?;
        Some(Layout {
            state: at(word::TASK_STATE)?,
            name: at(word::TASK_NAME)?,
            name_len: at(word::TASK_NAME_LEN)?,
        })
    }

    /// Reads a task.
    ///
    /// # Safety
    ///
    /// The waker is async-task's own, of a task that `spawn` has made.
    pub(crate) unsafe fn read(self, waker: &Waker) -> ListedTask {
        let task = waker.data().cast::<u8>();
        // SAFETY: the waker owns a reference to the task, so the task is there. Each of the three is as far from
        // its beginning as in the task that was measured: only what comes after them depends on the future. The
        // state is an atomic word, and the name's two words do not change.
        let (state, name, len) = unsafe {
            let state = &*task.add(self.state).cast::<AtomicUsize>();
            let name = task.add(self.name).cast::<*const u8>().read();
            (state.load(Ordering::Relaxed), name, task.add(self.name_len).cast::<usize>().read())
        };
        // SAFETY: the two words are those of a `&'static str`.
        let name = unsafe { str::from_utf8_unchecked(slice::from_raw_parts(name, len)) };
        ListedTask { address: task as usize, name, state: in_words(state as u64) }
    }
}

fn in_words(state: u64) -> &'static str {
    use task_state::{CLOSED, COMPLETED, RUNNING, SCHEDULED};

    match state {
        state if state & (COMPLETED | CLOSED) != 0 => "is ending",
        state if state & RUNNING != 0 => "is being polled",
        state if state & SCHEDULED != 0 => "was woken, and is to be polled",
        _ => "waits",
    }
}

/// Adds the tasks of all executors of this process.
pub(crate) fn list(list: &mut TaskList) {
    list.main_tables.push(signal::table_address());
    state::list(list);
    local_state::list(list);
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::future::{pending, poll_fn};
    use std::sync::{Arc, Mutex, Once};
    use std::task::Poll;
    use std::thread;

    use super::*;
    use crate::{Executor, LocalExecutor};

    /// The first executor measures what a task is like. Whoever looks meanwhile finds nothing yet.
    fn measured() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| Executor::new().spawn(async {}).detach());
    }

    async fn waits_for_ever() {
        pending().await
    }

    /// All that is said, once no other test that runs beside this one has a lock: an executor that begins or ends.
    fn listed() -> TaskList {
        loop {
            let mut all = TaskList::default();
            list(&mut all);
            if !all.remarks.iter().any(|remark| remark.contains("locked by another thread")) {
                return all;
            }
            thread::yield_now();
        }
    }

    /// What is said of the tasks whose type has `part`.
    fn states(part: &str) -> Vec<&'static str> {
        let all = listed();
        let found = all.tasks.iter().filter(|task| task.name.contains(part));
        found.map(|task| task.state).collect()
    }

    #[test]
    fn tasks_are_listed_by_type_and_state() {
        measured();
        let executor = Executor::new();
        executor.spawn(waits_for_ever()).detach();
        let woken = Arc::new(Mutex::new(None::<Waker>));
        let kept = Arc::clone(&woken);
        let is_woken = poll_fn(move |cx| -> Poll<()> {
            *kept.lock().unwrap() = Some(cx.waker().clone());
            Poll::Pending
        });
        executor.spawn(is_woken).detach();
        while executor.try_tick() {}
        assert_eq!(states("waits_for_ever"), ["waits"]);
        assert_eq!(states("tasks_are_listed_by_type_and_state"), ["waits"]);

        let waker = woken.lock().unwrap().take();
        waker.expect("it was polled").wake();
        assert_eq!(
            states("tasks_are_listed_by_type_and_state"),
            ["was woken, and is to be polled"]
        );
        drop(executor);
        assert!(states("waits_for_ever").is_empty());
    }

    #[test]
    fn what_cannot_be_listed_is_said() {
        measured();
        let executor = Executor::new();
        executor.spawn(waits_for_ever()).detach();
        let local = LocalExecutor::new();
        local.spawn(waits_for_ever()).detach();
        let all = listed();
        let says = |part: &str| all.remarks.iter().any(|remark| remark.contains(part));
        assert!(says("not waited yet"), "{:?}", all.remarks);
        assert!(says("LocalExecutor"), "{:?}", all.remarks);
    }
}
