//! The executor for several threads.
//!
//! This file has unsafe code: it promises that tasks do not outlive what they borrow, and keeps that when
//! it is dropped.

#![allow(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::OnceLock;

use async_task::Task;

use crate::run::{Core, Run, Tick};
use crate::spawn;
use crate::state::State;

/// Runs tasks on whichever threads drive it.
///
/// It has no threads of its own: a thread that calls [`run`](Executor::run) under some `block_on` runs
/// tasks until the future it has passed is done. Any number of threads may do so, any number of times.
///
/// Tasks may borrow what lives longer than the executor (`'a`). When the executor is dropped, so are its
/// tasks.
///
/// # Examples
///
/// Four threads run tasks until the main one has finished.
///
/// ```
/// use async_executor::Executor;
/// use easy_parallel::Parallel;
/// use futures_lite::future::block_on;
///
/// let ex = Executor::new();
/// let (stop, stopped) = async_channel::bounded::<()>(1);
///
/// let (_, sum) = Parallel::new()
///     .each(0..4, |_| block_on(ex.run(stopped.recv())))
///     .finish(|| {
///         block_on(async {
///             let tasks: Vec<_> = (1..=10).map(|n| ex.spawn(async move { n * n })).collect();
///             let mut sum = 0;
///             for task in tasks {
///                 sum += task.await;
///             }
///             drop(stop);
///             sum
///         })
///     });
/// assert_eq!(sum, 385);
/// ```
pub struct Executor<'a> {
    /// Taken when it is first needed, so that `new` can be `const`.
    state: OnceLock<&'static State>,
    lifetime: Invariant<'a>,
}

/// Makes the lifetime invariant: tasks both take and return `&'a` values.
pub(crate) type Invariant<'a> = PhantomData<fn(&'a ()) -> &'a ()>;

impl UnwindSafe for Executor<'_> {}
impl RefUnwindSafe for Executor<'_> {}

impl<'a> Executor<'a> {
    /// An executor without tasks. It takes no memory until it is used.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_executor::Executor;
    ///
    /// static EX: Executor<'static> = Executor::new();
    /// ```
    pub const fn new() -> Executor<'a> {
        Executor { state: OnceLock::new(), lifetime: PhantomData }
    }

    /// Whether all tasks have ended, or there were none.
    ///
    /// A task has ended when its future was dropped: it is done, panicked, or was cancelled.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_executor::Executor;
    ///
    /// let ex = Executor::new();
    /// assert!(ex.is_empty());
    ///
    /// ex.spawn(async {}).detach();
    /// assert!(!ex.is_empty());
    ///
    /// assert!(ex.try_tick());
    /// assert!(ex.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.state.get().is_none_or(|state| state.is_empty())
    }

    /// Spawns a task, to be polled by whoever runs this executor.
    ///
    /// The task is cancelled when the returned handle is dropped; [`Task::detach`] lets it go on. A panic
    /// in it goes to whoever awaits the handle, and to nobody if it is detached.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_executor::Executor;
    /// use futures_lite::future::block_on;
    ///
    /// let ex = Executor::new();
    /// let task = ex.spawn(async { 6 * 7 });
    /// assert_eq!(block_on(ex.run(task)), 42);
    /// ```
    pub fn spawn<T: Send + 'a>(&self, future: impl Future<Output = T> + Send + 'a) -> Task<T> {
        // SAFETY: the future is `Send`. It lives no longer than the executor, see `drop`.
        unsafe { spawn::tracked(self.state(), future) }
    }

    /// Spawns a task for each of the futures, and puts their handles into a collection.
    ///
    /// The first of them may run while the iterator is still at work.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_executor::Executor;
    /// use futures_lite::future::block_on;
    ///
    /// let ex = Executor::new();
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
    pub fn spawn_many<T: Send + 'a, F: Future<Output = T> + Send + 'a>(
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
    /// use async_executor::Executor;
    ///
    /// let ex = Executor::new();
    /// assert!(!ex.try_tick());
    ///
    /// ex.spawn(async {}).detach();
    /// assert!(ex.try_tick());
    /// ```
    pub fn try_tick(&self) -> bool {
        self.state.get().is_some_and(|state| state.try_tick())
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
    /// use async_executor::Executor;
    /// use futures_lite::future::block_on;
    ///
    /// let ex = Executor::new();
    /// ex.spawn(async {}).detach();
    /// block_on(ex.tick());
    /// assert!(ex.is_empty());
    /// ```
    pub async fn tick(&self) {
        Tick::new(self.state()).await
    }

    /// Runs tasks until the given future is done.
    ///
    /// The future is polled on this thread, as are the tasks. Those that are woken here are run here, in the
    /// order in which they were woken, unless a thread that has nothing to do takes them over. Now and then
    /// a task from elsewhere has its turn, and after some tasks whoever polls the returned future: no
    /// number of busy tasks keeps another one, or the I/O of an enclosing `block_on`, waiting for ever.
    ///
    /// # Cancel safety
    ///
    /// No task is lost when the returned future is dropped before it is done. Others run what it would have
    /// run next.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_executor::Executor;
    /// use futures_lite::future::block_on;
    ///
    /// let ex = Executor::new();
    /// let task = ex.spawn(async { 1 + 2 });
    /// assert_eq!(block_on(ex.run(async { task.await * 2 })), 6);
    /// ```
    pub async fn run<T>(&self, future: impl Future<Output = T>) -> T {
        Run::new(self.state(), future).await
    }

    #[inline]
    fn state(&self) -> &'static State {
        self.state.get_or_init(State::take)
    }
}

#[cfg(feature = "static")]
impl Executor<'static> {
    /// Leaks the executor, and its tasks with it: they are spawned, run and ended with less effort, and
    /// never dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_executor::Executor;
    /// use futures_lite::future::block_on;
    ///
    /// let ex = Executor::new().leak();
    /// let task = ex.spawn(async { 6 * 7 });
    /// assert_eq!(block_on(ex.run(task)), 42);
    /// ```
    pub fn leak(self) -> &'static crate::StaticExecutor {
        let executor = std::mem::ManuallyDrop::new(self);
        Box::leak(Box::new(crate::StaticExecutor::from_state(executor.state())))
    }
}

impl Drop for Executor<'_> {
    fn drop(&mut self) {
        if let Some(state) = self.state.get() {
            // SAFETY: we have the only reference to the executor. Its futures (`run`, `tick`) borrow it, so
            // they are gone, or were leaked and are polled no more.
            unsafe { state.retire() };
        }
    }
}

impl Default for Executor<'_> {
    fn default() -> Self {
        Executor::new()
    }
}

impl fmt::Debug for Executor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("Executor");
        if let Some(state) = self.state.get() {
            state.describe(&mut fields);
        }
        fields.finish()
    }
}

/// The lifetime of an executor can be neither extended nor shortened.
///
/// ```
/// # use async_executor::Executor;
/// fn as_it_is<'a>(ex: Executor<'a>) -> Executor<'a> {
///     ex
/// }
/// ```
///
/// ```compile_fail
/// # use async_executor::Executor;
/// fn shorter<'short>(ex: Executor<'static>) -> Executor<'short> {
///     ex
/// }
/// ```
///
/// ```compile_fail
/// # use async_executor::Executor;
/// fn longer<'short>(ex: Executor<'short>) -> Executor<'static> {
///     ex
/// }
/// ```
///
/// What was made after the executor is dropped before it, and cannot be borrowed by a task.
///
/// ```compile_fail,E0597
/// # use async_executor::Executor;
/// let ex = Executor::new();
/// let word = String::from("a");
/// ex.spawn(async { word.len() }).detach();
/// ```
#[cfg(doctest)]
pub struct Lifetime;
