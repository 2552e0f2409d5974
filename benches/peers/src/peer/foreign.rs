//! Tasks under another crate's `block_on`: nobody but the peer's own threads drives the reactor.

use std::future::Future;
use std::marker::PhantomData;

use crate::reactor::{Executor, Reactor};
use crate::tasks::Tasks;

/// Tasks in futures-lite's `block_on`, on the sockets of `R`.
pub(crate) struct Foreign<R>(Tasks, PhantomData<R>);

impl<R> Clone for Foreign<R> {
    fn clone(&self) -> Self {
        Foreign(self.0.clone(), PhantomData)
    }
}

impl<R: Reactor> Executor for Foreign<R> {
    type Reactor = R;

    fn run<T, F: Future<Output = T>>(main: impl FnOnce(Self) -> F) -> T {
        R::driven(|| {
            let tasks = Tasks::default();
            let main = main(Foreign(tasks.clone(), PhantomData));
            futures_lite::future::block_on(tasks.run(main))
        })
    }

    fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> + Send + 'static {
        self.0.spawn(task)
    }
}
