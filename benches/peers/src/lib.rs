//! The same work done by four peers, in turns, in one process: a raw epoll loop, this
//! repository's async-io, the async-io of crates.io, and tokio.
//!
//! `row.rs` says what a row is, `reactor.rs` what a row may ask of a peer, `peer/` holds the
//! peers, `rows/` the work, `run.rs` the measuring, `own_process.rs` that of rows whose samples are
//! processes of their own, `report.rs` the table.

#![cfg(target_os = "linux")]

mod affinity;
mod alloc;
mod epoll;
mod laps;
mod load;
mod machine;
mod options;
mod own_process;
mod peer;
mod reactor;
mod report;
mod row;
mod rows;
mod run;
mod sockets;
mod stats;
mod strace;
mod tasks;

pub use options::{bench_main, syscalls_main};
