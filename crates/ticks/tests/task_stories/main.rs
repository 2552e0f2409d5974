//! A service hangs, and the question is where its tasks are. Each file here is one way to hang, or to come to an
//! end: a program that does it, in a process of its own that records, and what its recording says of its
//! tasks, while it runs and after it was killed.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

mod attacks;
mod blocked_thread;
mod dropped;
mod executors;
mod explained;
mod forgotten;
mod forked;
mod full_channel;
mod join;
mod killed;
mod last_item;
mod look;
mod lost_message;
mod many;
mod nested_block_on;
mod panics;
mod polled_beside;
mod spawn_blocking;
mod story;
mod under_tokio;
mod unordered;
mod unrecorded;
#[path = "../util/mod.rs"]
mod util;
mod wakes;
mod without_stacks;
