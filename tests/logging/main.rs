//! The records, as a program's logger and its `tracing` subscriber get them.
//!
//! A process has one logger. So each test that installs one runs in a process of its own.

#[path = "../util/mod.rs"]
mod util;

mod drops;
mod fields;
mod log_bridge;
mod network;
mod off;
mod panics;
mod slow;
mod tracing_events;
