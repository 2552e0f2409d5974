//! The executor for one thread.
//!
//! This file has unsafe code: it promises that tasks stay on one thread and do not outlive what they borrow,
//! and keeps the latter when it is dropped.

#![allow(unsafe_code)]

use std::cell::OnceCell;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;

use async_task::Task;

use crate::executor::Invariant;
use crate::local_state::LocalState;
use crate::run::{Core, Run, Tick};
use crate::spawn;

/// Runs tasks on the thread on which it was made, which need not be [`Send`].
///
/// Tasks are woken from any thread. A wake on the executor's own thread only puts the task into a
/// queue.
///
/// # Examples
///
/// ```
/// use async_executor::LocalExecutor;
/// use futures_lite::future::block_on;
/// use std::{cell::Cell, rc::Rc};
///
/// let ex = LocalExecutor::new();
/// let count = Rc::new(Cell::new(0));
/// let task = ex.spawn({
///     let count = count.clone();
///     async move { count.set(count.get() + 1) }
/// });
/// block_on(ex.run(task));
/// assert_eq!(count.get(), 1);
/// ```
pub struct LocalExecutor<'a> {
    inner: Owned<'a>,
    /// It stays on its thread.
    thread: PhantomData<Rc<()>>,
}

/// The state, with its tasks, which are dropped with it. That drop uses what they borrow. So the lifetime
/// is part of this type, and the compiler knows that the destructor uses it.
struct Owned<'a> {
    /// Taken when it is first needed, so that `new` can be `const`.
    state: OnceCell<&'static LocalState>,
    lifetime: Invariant<'a>,
}

impl UnwindSafe for LocalExecutor<'_> {}
impl RefUnwindSafe for LocalExecutor<'_> {}

impl<'a> LocalExecutor<'a> {
    /// An executor without tasks. It takes no memory until it is used.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_executor::LocalExecutor;
    ///
    /// thread_local! {
    ///     static EX: LocalExecutor<'static> = const { LocalExecutor::new() };
    /// }
    /// ```
    pub const fn new() -> LocalExecutor<'a> {
        let inner = Owned { state: OnceCell::new(), lifetime: PhantomData };
        LocalExecutor { inner, thread: PhantomData }
    }

    /// Whether all tasks have ended, or there were none.
    ///
    /// A task has ended when its future was dropped: it is done, panicked, or was cancelled.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_executor::LocalExecutor;
    ///
    /// let ex = LocalExecutor::new();
    /// assert!(ex.is_empty());
    ///
    /// ex.spawn(async {}).detach();
    /// assert!(!ex.is_empty());
    ///
    /// assert!(ex.try_tick());
    /// assert!(ex.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.inner.state.get().is_none_or(|state| state.is_empty())
    }

    /// Spawns a task, to be polled when this executor is run.
    ///
    /// The task is cancelled when the returned handle is dropped; [`Task::detach`] lets it go on. If the
    /// task panics, awaiting the handle panics. If it is detached, the panic is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_executor::LocalExecutor;
    /// use futures_lite::future::block_on;
    ///
    /// let ex = LocalExecutor::new();
    /// let task = ex.spawn(async { 6 * 7 });
    /// assert_eq!(block_on(ex.run(task)), 42);
    /// ```
    pub fn spawn<T: 'a>(&self, future: impl Future<Output = T> + 'a) -> Task<T> {
        // SAFETY: the executor polls and drops its tasks on this thread, which it does not leave. They live
        // no longer than it, see `drop`.
        unsafe { spawn::tracked(self.state(), future) }
    }

    /// Spawns a task for each of the futures, and puts their handles into a collection.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_executor::LocalExecutor;
    /// use futures_lite::future::block_on;
    ///
    /// let ex = LocalExecutor::new();
    /// let mut tasks = Vec::new();
    /// ex.spawn_many((0..3).map(|n| async move { n + 1 }), &mut tasks);
    ///
    /// let done = block_on(ex.run(async {
    ///     let mut done = Vec::new();
    ///     for task in tasks {
    ///         done.push(task.await);
    ///     }
    ///     done
    /// }));
    /// assert_eq!(done, [1, 2, 3]);
    /// ```
    pub fn spawn_many<T: 'a, F: Future<Output = T> + 'a>(
        &self,
        futures: impl IntoIterator<Item = F>,
        handles: &mut impl Extend<Task<F::Output>>,
    ) {
        handles.extend(futures.into_iter().map(|future| self.spawn(future)));
    }

    /// Polls one task, if one is scheduled. Returns whether there was one.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_executor::LocalExecutor;
    ///
    /// let ex = LocalExecutor::new();
    /// assert!(!ex.try_tick());
    ///
    /// ex.spawn(async {}).detach();
    /// assert!(ex.try_tick());
    /// ```
    pub fn try_tick(&self) -> bool {
        self.inner.state.get().is_some_and(|state| state.try_tick())
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
    /// let ex = LocalExecutor::new();
    /// ex.spawn(async {}).detach();
    /// block_on(ex.tick());
    /// assert!(ex.is_empty());
    /// ```
    pub async fn tick(&self) {
        Tick::new(self.state()).await
    }

    /// Runs tasks until the given future is done.
    ///
    /// Tasks are run in the order in which they were woken. Now and then it runs those that another thread
    /// has woken, and after some tasks it returns to its caller. So busy tasks never keep another task, or
    /// the I/O of an enclosing `block_on`, waiting for ever.
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
    /// let ex = LocalExecutor::new();
    /// let task = ex.spawn(async { 1 + 2 });
    /// assert_eq!(block_on(ex.run(async { task.await * 2 })), 6);
    /// ```
    pub async fn run<T>(&self, future: impl Future<Output = T>) -> T {
        Run::new(self.state(), future).await
    }

    #[inline]
    fn state(&self) -> &'static LocalState {
        self.inner.state()
    }
}

#[cfg(feature = "static")]
impl LocalExecutor<'static> {
    /// Leaks the executor, and its tasks with it: they are spawned, run and ended with less effort, and
    /// never dropped.
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
    pub fn leak(self) -> &'static crate::StaticLocalExecutor {
        let executor = std::mem::ManuallyDrop::new(self);
        Box::leak(Box::new(crate::StaticLocalExecutor::from_state(executor.state())))
    }
}

impl Owned<'_> {
    #[inline]
    fn state(&self) -> &'static LocalState {
        let state = *self.state.get_or_init(LocalState::take);
        // SAFETY: the executor is neither `Send` nor `Sync`, so it was made, used and given its tasks on
        // this thread.
        unsafe { state.adopt() };
        state
    }
}

impl Drop for Owned<'_> {
    fn drop(&mut self) {
        if let Some(state) = self.state.get() {
            state.retire();
        }
    }
}

impl Default for LocalExecutor<'_> {
    fn default() -> Self {
        LocalExecutor::new()
    }
}

impl fmt::Debug for LocalExecutor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("LocalExecutor");
        if let Some(state) = self.inner.state.get() {
            state.describe(&mut fields);
        }
        fields.finish()
    }
}

/// As for [`Executor`](crate::executor::Lifetime).
///
/// ```compile_fail
/// # use async_executor::LocalExecutor;
/// fn shorter<'short>(ex: LocalExecutor<'static>) -> LocalExecutor<'short> {
///     ex
/// }
/// ```
///
/// ```compile_fail
/// # use async_executor::LocalExecutor;
/// fn longer<'short>(ex: LocalExecutor<'short>) -> LocalExecutor<'static> {
///     ex
/// }
/// ```
///
/// What was made after the executor is dropped before it, and cannot be borrowed by a task.
///
/// ```compile_fail,E0597
/// # use async_executor::LocalExecutor;
/// let ex = LocalExecutor::new();
/// let word = String::from("a");
/// ex.spawn(async { word.len() }).detach();
/// ```
#[cfg(doctest)]
pub struct Lifetime;
