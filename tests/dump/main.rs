//! Who waits, on standard error, without a recording: `ASYNC_IO_DUMP_SIGNAL` and `ASYNC_IO_DUMP_EVERY`. Each
//! program here is a process of its own, which is sent real signals.

#[path = "../util/mod.rs"]
mod util;

mod every;
#[cfg(unix)]
mod fork_answers;
#[cfg(unix)]
mod handlers;
#[cfg(unix)]
mod hung;
mod program;
mod settings;
