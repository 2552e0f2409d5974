//! Async I/O and timers, with the clockwork visible.
//!
//! This crate takes the place of `async-io` 2.6.0: the same names, the same behaviour less its
//! proven faults, and a record of every step its reactor takes. A program that uses async-io through
//! smol, async-std, zbus or anything else gets it with two lines in its `Cargo.toml`:
//!
//! ```toml
//! [patch.crates-io]
//! async-io = { path = "…" }
//! ```
//!
//! and shows its clockwork with `RUST_LOG=async_io=trace`. See [`trace`](mod@trace) for what the
//! records say.
//!
//! - [`Async`] makes a socket, pipe or other pollable descriptor asynchronous.
//! - [`Timer`] fires at an instant, or again and again.
//! - [`block_on`] blocks a thread on a future, and drives both.
//!
//! Any executor may poll the futures made here: a helper thread named `async-io` drives I/O and
//! timers when no thread is in [`block_on`].
//!
//! # Examples
//!
//! ```
//! use async_io::{block_on, Async, Timer};
//! use futures_lite::{future, io, AsyncReadExt};
//! use std::net::{TcpListener, TcpStream};
//! use std::time::Duration;
//!
//! # fn main() -> io::Result<()> {
//! block_on(async {
//!     let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
//!     let mut client = Async::<TcpStream>::connect(listener.get_ref().local_addr()?).await?;
//!
//!     // Nothing is sent, so the guard is what ends the read.
//!     let mut byte = [0];
//!     let read = async { client.read(&mut byte).await };
//!     let guard = async {
//!         Timer::after(Duration::from_millis(5)).await;
//!         Err(io::ErrorKind::TimedOut.into())
//!     };
//!     let timed_out = future::or(read, guard).await.unwrap_err();
//!     assert_eq!(timed_out.kind(), io::ErrorKind::TimedOut);
//!     Ok(())
//! })
//! # }
//! ```

#![deny(unsafe_code)]
// In programs with debug information; gdb and lldb elsewhere have it from `ticks script`.
#![debugger_visualizer(gdb_script_file = "debugger.py")]

mod async_io;
mod captures;
mod contain;
mod driver;
mod dump;
mod fork;
mod io_safe;
mod net;
pub mod os;
mod poller;
mod published;
mod reactor;
mod readable;
mod registered;
mod streams;
mod sync;
mod timer;
pub mod trace;
#[cfg(unix)]
mod unix;
mod waiting;

pub use crate::async_io::Async;
pub use crate::driver::block_on;
pub use crate::io_safe::IoSafe;
pub use crate::readable::{Readable, ReadableOwned, Writable, WritableOwned};
pub use crate::timer::Timer;
