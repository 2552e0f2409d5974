//! Waiting until something is ready, for whatever a poller can wait for.

#[path = "../util/mod.rs"]
mod util;

mod descriptors;
mod looks;
mod low_water_mark;
mod next_owner;
mod reactor_fd;
mod wait;
mod waiters;
