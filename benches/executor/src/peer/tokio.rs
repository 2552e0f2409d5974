//! tokio as a peer.

use std::future::Future;

use tokio::runtime::{Builder, Handle};

use crate::peer::Runtime;

/// The current-thread runtime.
#[derive(Clone)]
pub(crate) struct OneThread(Handle);

/// The multi-thread runtime with two workers. `main` is polled on a third thread, so rows that are about
/// two threads do their work in a task.
#[derive(Clone)]
pub(crate) struct TwoThreads(Handle);

macro_rules! runtime {
    ($name:ident, $threads:expr, $builder:expr) => {
        impl Runtime for $name {
            const THREADS: usize = $threads;

            fn run<T, F>(main: impl FnOnce(Self) -> F) -> T
            where
                F: Future<Output = T>,
            {
                let runtime = $builder.enable_all().build();
                let runtime = runtime.expect("a runtime needs two descriptors and its threads");
                let main = main($name(runtime.handle().clone()));
                runtime.block_on(main)
            }

            fn spawn<T: Send + 'static>(
                &self,
                task: impl Future<Output = T> + Send + 'static,
            ) -> impl Future<Output = T> + Send + 'static {
                let task = self.0.spawn(task);
                async move { task.await.expect("the task does not panic") }
            }

            fn spawn_detached(&self, task: impl Future<Output = ()> + Send + 'static) {
                let _detached = self.0.spawn(task);
            }

            fn yield_now() -> impl Future<Output = ()> + Send {
                tokio::task::yield_now()
            }
        }
    };
}

runtime!(OneThread, 1, Builder::new_current_thread());
runtime!(TwoThreads, 2, Builder::new_multi_thread().worker_threads(2));
