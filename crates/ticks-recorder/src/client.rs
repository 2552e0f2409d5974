//! Who records: the crates that store into the process's recording.

use std::panic::Location;

/// A crate that records, as it introduces itself: a `static` of the crate.
#[derive(Debug)]
pub struct Client {
    /// Its name and version, such as `async-io 2.6.0`. The recording names the one that came first.
    pub version: &'static str,
    /// Whether it is a reactor. Ticks, keys, timers and waiters are numbered by their reactor, so that a
    /// recording has room for one.
    pub is_reactor: bool,
    /// Whether a place is in code of this crate that only passes polls on. Such a place does not say who
    /// waits.
    pub passes_on: fn(&Location<'_>) -> bool,
}
