//! Executors that are never dropped.
//!
//! They keep no list of their tasks, because nobody ever has to find and drop them.
//!
//! This file has unsafe code: it promises that tasks do not outlive what they borrow, and that those of
//! the local one stay on one thread.

#![allow(unsafe_code)]

use std::cell::OnceCell;
use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::OnceLock;

use async_task::Task;

use crate::local_state::LocalState;
use crate::run::{Core, Run, Tick};
use crate::spawn;
use crate::state::State;

/// An [`Executor`](crate::Executor) that lives as long as the program: for a `static`, or made by
/// [`leak`](crate::Executor::leak).
///
/// Spawning, running and ending a task takes less here, since it is never dropped. Nobody drops its tasks
/// either: those that have not ended when it is run no more are leaked.
///
/// # Examples
///
/// ```
/// use async_executor::StaticExecutor;
/// use futures_lite::future::block_on;
///
/// static EX: StaticExecutor = StaticExecutor::new();
///
/// let task = EX.spawn(async { 6 * 7 });
/// assert_eq!(block_on(EX.run(task)), 42);
/// ```
pub struct StaticExecutor {
    state: OnceLock<&'static State>,
}

impl UnwindSafe for StaticExecutor {}
impl RefUnwindSafe for StaticExecutor {}

impl StaticExecutor {
    /// An executor without tasks.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_executor::StaticExecutor;
    ///
    /// static EX: StaticExecutor = StaticExecutor::new();
    /// ```
    pub const fn new() -> StaticExecutor {
        StaticExecutor { state: OnceLock::new() }
    }

    pub(crate) fn from_state(state: &'static State) -> StaticExecutor {
        StaticExecutor { state: OnceLock::from(state) }
    }

    /// Spawns a task, as [`Executor::spawn`](crate::Executor::spawn) does. It must be called on an executor
    /// that is borrowed for ever.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_executor::StaticExecutor;
    ///
    /// static EX: StaticExecutor = StaticExecutor::new();
    ///
    /// EX.spawn(async {}).detach();
    /// assert!(EX.try_tick());
    /// ```
    pub fn spawn<T: Send + 'static>(
        &'static self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Task<T> {
        // SAFETY: the future is `Send`, and borrows nothing that ends.
        unsafe { spawn::untracked(self.state(), future) }
    }

    /// Spawns a task that borrows what does not live for ever.
    ///
    /// # Safety
    ///
    /// The task must have ended, or be cancelled and awaited ([`Task::cancel`]), before `'a` ends. A handle
    /// that is dropped is not enough: its task is dropped when the executor comes to it.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_executor::StaticExecutor;
    /// use futures_lite::future::block_on;
    ///
    /// static EX: StaticExecutor = StaticExecutor::new();
    ///
    /// let words = vec!["a".to_owned(), "b".to_owned()];
    /// // SAFETY: the task is awaited before `words` is dropped.
    /// let task = unsafe { EX.spawn_scoped(async { words.concat() }) };
    /// assert_eq!(block_on(EX.run(task)), "ab");
    /// ```
    pub unsafe fn spawn_scoped<'a, T: Send + 'a>(
        &'static self,
        future: impl Future<Output = T> + Send + 'a,
    ) -> Task<T> {
        // SAFETY: the future is `Send`; the caller's promise.
        unsafe { spawn::untracked(self.state(), future) }
    }

    /// Polls one task, if one is scheduled. Returns whether there was one.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_executor::StaticExecutor;
    ///
    /// static EX: StaticExecutor = StaticExecutor::new();
    /// assert!(!EX.try_tick());
    ///
    /// EX.spawn(async {}).detach();
    /// assert!(EX.try_tick());
    /// ```
    pub fn try_tick(&self) -> bool {
        self.state().try_tick()
    }

    /// Polls one task, once there is one that is scheduled.
    ///
    /// # Cancel safety
    ///
    /// No task is lost when the future is dropped before it is done.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_executor::StaticExecutor;
    /// use futures_lite::future::block_on;
    ///
    /// static EX: StaticExecutor = StaticExecutor::new();
    ///
    /// EX.spawn(async {}).detach();
    /// block_on(EX.tick());
    /// ```
    pub async fn tick(&self) {
        Tick::new(self.state()).await
    }

    /// Runs tasks until the given future is done, as [`Executor::run`](crate::Executor::run) does.
    ///
    /// # Cancel safety
    ///
    /// No task is lost when the returned future is dropped before it is done.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_executor::StaticExecutor;
    /// use futures_lite::future::block_on;
    ///
    /// static EX: StaticExecutor = StaticExecutor::new();
    ///
    /// let task = EX.spawn(async { 1 + 2 });
    /// assert_eq!(block_on(EX.run(async { task.await * 2 })), 6);
    /// ```
    pub async fn run<T>(&self, future: impl Future<Output = T>) -> T {
        Run::new(self.state(), future).await
    }

    #[inline]
    fn state(&self) -> &'static State {
        self.state.get_or_init(State::take)
    }
}

impl Default for StaticExecutor {
    fn default() -> Self {
        StaticExecutor::new()
    }
}

impl fmt::Debug for StaticExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("StaticExecutor");
        if let Some(state) = self.state.get() {
            state.describe(&mut fields);
        }
        fields.finish()
    }
}

/// A [`LocalExecutor`](crate::LocalExecutor) that lives as long as its thread, or longer: made by
/// [`leak`](crate::LocalExecutor::leak).
///
/// Spawning, running and ending a task takes less here, since it is never dropped. Nobody drops its tasks
/// either: those that have not ended when it is run no more are leaked.
///
/// # Examples
///
/// ```
/// use async_executor::LocalExecutor;
/// use futures_lite::future::block_on;
///
/// let ex = LocalExecutor::new().leak();
/// let task = ex.spawn(async { 6 * 7 });
/// assert_eq!(block_on(ex.run(task)), 42);
/// ```
pub struct StaticLocalExecutor {
    state: OnceCell<&'static LocalState>,
}

impl UnwindSafe for StaticLocalExecutor {}
impl RefUnwindSafe for StaticLocalExecutor {}

impl StaticLocalExecutor {
    /// An executor without tasks.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_executor::StaticLocalExecutor;
    ///
    /// let ex: &'static StaticLocalExecutor = Box::leak(Box::new(StaticLocalExecutor::new()));
    /// assert!(!ex.try_tick());
    /// ```
    pub const fn new() -> StaticLocalExecutor {
        StaticLocalExecutor { state: OnceCell::new() }
    }

    pub(crate) fn from_state(state: &'static LocalState) -> StaticLocalExecutor {
        StaticLocalExecutor { state: OnceCell::from(state) }
    }

    /// Spawns a task, as [`LocalExecutor::spawn`](crate::LocalExecutor::spawn) does. It must be called on an
    /// executor that is borrowed for ever.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_executor::LocalExecutor;
    ///
    /// let ex = LocalExecutor::new().leak();
    /// ex.spawn(async {}).detach();
    /// assert!(ex.try_tick());
    /// ```
    pub fn spawn<T: 'static>(&'static self, future: impl Future<Output = T> + 'static) -> Task<T> {
        // SAFETY: the executor is not `Sync` and borrowed for ever, so that it stays on this thread, and so
        // do its tasks. The future borrows nothing that ends.
        unsafe { spawn::untracked(self.state(), future) }
    }

    /// Spawns a task that borrows what does not live for ever.
    ///
    /// # Safety
    ///
    /// The task must have ended, or be cancelled and awaited ([`Task::cancel`]), before `'a` ends. A handle
    /// that is dropped is not enough: its task is dropped when the executor comes to it.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_executor::LocalExecutor;
    /// use futures_lite::future::block_on;
    ///
    /// let ex = LocalExecutor::new().leak();
    /// let words = vec!["a".to_owned(), "b".to_owned()];
    /// // SAFETY: the task is awaited before `words` is dropped.
    /// let task = unsafe { ex.spawn_scoped(async { words.concat() }) };
    /// assert_eq!(block_on(ex.run(task)), "ab");
    /// ```
    pub unsafe fn spawn_scoped<'a, T: 'a>(
        &'static self,
        future: impl Future<Output = T> + 'a,
    ) -> Task<T> {
        // SAFETY: as in `spawn`; and the caller's promise.
        unsafe { spawn::untracked(self.state(), future) }
    }

    /// Polls one task, if one is scheduled. Returns whether there was one.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_executor::LocalExecutor;
    ///
    /// let ex = LocalExecutor::new().leak();
    /// assert!(!ex.try_tick());
    ///
    /// ex.spawn(async {}).detach();
    /// assert!(ex.try_tick());
    /// ```
    pub fn try_tick(&self) -> bool {
        self.state().try_tick()
    }

    /// Polls one task, once there is one that is scheduled.
    ///
    /// # Cancel safety
    ///
    /// No task is lost when the future is dropped before it is done.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_executor::LocalExecutor;
    /// use futures_lite::future::block_on;
    ///
    /// let ex = LocalExecutor::new().leak();
    /// ex.spawn(async {}).detach();
    /// block_on(ex.tick());
    /// ```
    pub async fn tick(&self) {
        Tick::new(self.state()).await
    }

    /// Runs tasks until the given future is done, as [`LocalExecutor::run`](crate::LocalExecutor::run) does.
    ///
    /// # Cancel safety
    ///
    /// No task is lost when the returned future is dropped before it is done.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_executor::LocalExecutor;
    /// use futures_lite::future::block_on;
    ///
    /// let ex = LocalExecutor::new().leak();
    /// let task = ex.spawn(async { 1 + 2 });
    /// assert_eq!(block_on(ex.run(async { task.await * 2 })), 6);
    /// ```
    pub async fn run<T>(&self, future: impl Future<Output = T>) -> T {
        Run::new(self.state(), future).await
    }

    #[inline]
    fn state(&self) -> &'static LocalState {
        let state = *self.state.get_or_init(LocalState::take);
        // SAFETY: the executor is not `Sync`, so no other thread uses it now. Tasks are spawned on one that
        // is borrowed for ever, which then stays where it is.
        unsafe { state.adopt() };
        state
    }
}

impl Default for StaticLocalExecutor {
    fn default() -> Self {
        StaticLocalExecutor::new()
    }
}

impl fmt::Debug for StaticLocalExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("StaticLocalExecutor");
        if let Some(state) = self.state.get() {
            state.describe(&mut fields);
        }
        fields.finish()
    }
}
