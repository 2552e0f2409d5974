//! `Timer`, as a future and as a stream.

#[path = "../util/mod.rs"]
mod util;

mod interval;
mod timer;
