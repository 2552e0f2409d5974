//! A program hangs, and `ticks explain` is to say in what. Each program of `examples/hangs` is run with the recorder on
//! until it hangs; then the tool is asked about the process, and, after a `kill -9`, about the file that is left. It
//! must name the kind, be as sure as it may be, and point at the line that is marked in the program's source. Each
//! program of `examples/healthy` is asked about while it works and after its end: there is nothing wrong with it.
//!
//! The cases of a file run side by side, because most of them do nothing.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

mod case;
mod cgroup;
mod fault;
mod golden;
mod healthy;
mod marks;
mod process;
mod sources;
mod tasks;
mod text;
mod timers;
#[path = "../util/mod.rs"]
mod util;
