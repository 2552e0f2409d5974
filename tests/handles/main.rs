//! `Waitable` on Windows: events, semaphores, timers of the system, and processes.
//!
//! A handle cannot be asked whether it is signalled, and a wait for an event, a semaphore or a timer that resets
//! itself uses up what it waits for. So its event is the only word about it: an event that is lost is a task that
//! hangs, and one that counts twice is a task that takes a lock which it does not have. Here handles are
//! signalled before, during and after the wait, by this process and by children.
#![cfg(windows)]
// This file contains `unsafe`: the calls that make handles and signal them.
#![allow(unsafe_code)]

#[path = "../util/mod.rs"]
mod util;

mod events;
mod handle;
mod processes;
mod timers;
