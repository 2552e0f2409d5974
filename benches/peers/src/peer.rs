//! The peers. `async_io.rs` is compiled once for each crate that is an async-io, so that ours
//! and upstream's run the same source.

use crate::row::{Peer, Row};

pub(crate) mod foreign;
pub(crate) mod tokio;

/// This repository's async-io.
#[path = "peer"]
pub(crate) mod ours {
    use ::async_io as library;
    #[path = "async_io.rs"]
    mod peer;
    pub(crate) use peer::*;
}

/// async-io 2.6.0 of crates.io.
#[allow(clippy::duplicate_mod)]
#[path = "peer"]
pub(crate) mod upstream {
    use ::async_io_upstream as library;
    #[path = "async_io.rs"]
    mod peer;
    pub(crate) use peer::*;
}

/// This repository's async-io, its hooks compiled out. The rows need it on one thread only.
#[cfg(feature = "hooks")]
#[allow(clippy::duplicate_mod, dead_code)]
#[path = "peer"]
pub(crate) mod no_hooks {
    use ::async_io_no_hooks as library;
    #[path = "async_io.rs"]
    mod peer;
    pub(crate) use peer::*;
}

/// Starts the threads that live as long as the process, of the peers in these rows.
pub(crate) fn start(rows: &[Row]) {
    let has = |peer| rows.iter().any(|row| row.cases.iter().any(|case| case.0 == peer));
    if has(Peer::Ours) || has(Peer::OursLog) {
        ours::start();
    }
    if has(Peer::Upstream) {
        upstream::start();
    }
    #[cfg(feature = "hooks")]
    if has(Peer::NoHooks) {
        no_hooks::start();
    }
}
