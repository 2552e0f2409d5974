//! Executors: they run tasks on one thread or on several.
//!
//! This crate takes the place of `async-executor` 1.14.1: the same names and the same behaviour, at less cost.
//! A program that uses it through smol, async-std, async-global-executor, zbus or anything else gets it
//! with a line in its `Cargo.toml`:
//!
//! ```toml
//! [patch.crates-io]
//! async-executor = { path = "…" }
//! ```
//!
//! - [`Executor`] runs tasks on all threads that call its [`run`](Executor::run).
//! - [`LocalExecutor`] runs tasks on one thread; they need not be [`Send`].
//! - With the feature `static`, `StaticExecutor` and `StaticLocalExecutor` are never dropped, and have
//!   still less to do.
//!
//! Neither of them starts threads, or looks for I/O: a thread polls the future of `run`, under the
//! `block_on` of async-io, futures-lite or any other crate, or in a task of another executor.
//!
//! # Examples
//!
//! ```
//! use async_executor::Executor;
//! use futures_lite::future::block_on;
//!
//! let ex = Executor::new();
//! let task = ex.spawn(async { "done" });
//! assert_eq!(block_on(ex.run(task)), "done");
//! ```
//!
//! # Which task is next
//!
//! Each `run` has a queue of its own, first in, first out. A task that is woken or spawned within it goes
//! there; one that is woken or spawned elsewhere, by a reactor's thread for instance, goes to a queue that
//! all share. A `run` whose queue is empty takes from the shared one, then half of another's. A task that is
//! alone in another's queue is left there for some microseconds: its own `run` usually takes it in that
//! time. A `run` whose queue is never empty takes a task from the shared one at every 16th step, and one of
//! another's at every 128th.
//!
//! A `run` that finds nothing returns Pending: it sleeps. When there is a task to run, one `run` that
//! sleeps is woken. If that one finds more tasks, it wakes the next `run`. If it finds none, and the
//! others have been at work all the time, it looks again for some forty microseconds before it sleeps.
//!
//! # Panics
//!
//! A task that panics is dropped, and the panic goes to whoever awaits its [`Task`]; the executor goes on.
//! A panic of the future that was passed to `run` goes to whoever polls `run`.

#![deny(unsafe_code)]
#![warn(missing_debug_implementations)]

mod executor;
mod listing;
mod live;
mod local_executor;
mod local_state;
#[cfg(all(test, loom))]
mod models;
mod pool;
mod published;
mod queue;
mod run;
mod runner;
mod signal;
mod sleepers;
mod spawn;
mod state;
#[cfg(feature = "static")]
mod static_executors;
mod sync;
mod thread;
mod trace;

pub use executor::Executor;
pub use local_executor::LocalExecutor;
#[cfg(feature = "static")]
pub use static_executors::{StaticExecutor, StaticLocalExecutor};

#[doc(no_inline)]
pub use async_task::{FallibleTask, Task};
