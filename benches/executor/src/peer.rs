//! The peers: what each of them is asked to do.

use std::future::Future;

pub(crate) mod tokio;

/// A column of the table.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, clap::ValueEnum)]
pub(crate) enum Peer {
    /// This repository's `Executor`.
    Ours,
    /// That of crates.io's async-executor 1.14.1.
    Upstream,
    /// tokio: the current-thread runtime, or the multi-thread one with two workers.
    Tokio,
    /// This repository's `LocalExecutor`.
    OursLocal,
    /// That of crates.io.
    UpstreamLocal,
}

impl Peer {
    pub(crate) const ALL: [Peer; 5] =
        [Peer::Ours, Peer::Upstream, Peer::Tokio, Peer::OursLocal, Peer::UpstreamLocal];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Peer::Ours => "ours",
            Peer::Upstream => "upstream",
            Peer::Tokio => "tokio",
            Peer::OursLocal => "ours-local",
            Peer::UpstreamLocal => "upstream-local",
        }
    }
}

/// An executor, and the threads that run it.
pub(crate) trait Runtime: Clone + 'static {
    /// Threads that run tasks.
    const THREADS: usize;

    /// Runs what `main` makes, and tasks, until it is done.
    fn run<T, F>(main: impl FnOnce(Self) -> F) -> T
    where
        F: Future<Output = T>;

    /// The returned future is ready when the task is done.
    fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> + Send + 'static;

    fn spawn_detached(&self, task: impl Future<Output = ()> + Send + 'static);

    fn yield_now() -> impl Future<Output = ()> + Send;
}

/// This repository's.
#[path = "peer"]
pub(crate) mod ours {
    use ::async_executor as library;
    #[path = "executor.rs"]
    mod peer;
    pub(crate) use peer::*;
}

/// That of crates.io.
#[allow(clippy::duplicate_mod)]
#[path = "peer"]
pub(crate) mod upstream {
    use ::async_executor_upstream as library;
    #[path = "executor.rs"]
    mod peer;
    pub(crate) use peer::*;
}
