//! Faults of 2.6.0 that cost system calls and switches of threads: each module begins with the story of one.
//!
//! The sanitizers add to what is counted here, so `.ci/run` leaves this binary out under them.

#[path = "../util/mod.rs"]
mod util;

mod accept_herd;
mod dropped_readable_stays_armed;
mod register_contention;
mod select_over_idle;
mod syscalls;
