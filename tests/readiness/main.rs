//! Waiting until something is ready, for whatever a poller can wait for.

#[path = "../util/mod.rs"]
mod util;

mod descriptors;
mod reactor_fd;
mod wait;
mod waiters;
