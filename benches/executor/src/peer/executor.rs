//! An async-executor as a peer. The module that includes this file says which one, as `library`.

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use futures_lite::future::{block_on, yield_now};

use super::library::{Executor, LocalExecutor};
use crate::peer::Runtime;

/// `Executor`, run by one thread.
#[derive(Clone)]
pub(crate) struct OneThread(Arc<Executor<'static>>);

/// `Executor`, run by two threads.
#[derive(Clone)]
pub(crate) struct TwoThreads(Arc<Executor<'static>>);

/// `Executor`, run by two threads, each in async-io's `block_on`.
#[derive(Clone)]
pub(crate) struct TwoThreadsIo(Arc<Executor<'static>>);

/// `LocalExecutor`.
#[derive(Clone)]
pub(crate) struct Local(Rc<LocalExecutor<'static>>);

impl Runtime for OneThread {
    const THREADS: usize = 1;

    fn run<T, F>(main: impl FnOnce(Self) -> F) -> T
    where
        F: Future<Output = T>,
    {
        let executor = Arc::new(Executor::new());
        block_on(executor.run(main(OneThread(executor.clone()))))
    }

    fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> + Send + 'static {
        self.0.spawn(task)
    }

    fn spawn_detached(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(task).detach();
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        yield_now()
    }
}

/// Two threads, each of which runs the executor as `run` does; `main` on this one.
macro_rules! two_threads {
    ($name:ident, $block_on:path) => {
        impl Runtime for $name {
            const THREADS: usize = 2;

            fn run<T, F>(main: impl FnOnce(Self) -> F) -> T
            where
                F: Future<Output = T>,
            {
                let executor = Arc::new(Executor::new());
                // Closed, and so ready, when `running` is dropped.
                let (running, done) = async_channel::bounded::<()>(1);
                let second = thread::spawn({
                    let executor = executor.clone();
                    move || $block_on(executor.run(done.recv()))
                });
                let value = $block_on(executor.run(main($name(executor.clone()))));
                drop(running);
                let _closed = second.join().expect("the second thread does not panic");
                value
            }

            fn spawn<T: Send + 'static>(
                &self,
                task: impl Future<Output = T> + Send + 'static,
            ) -> impl Future<Output = T> + Send + 'static {
                self.0.spawn(task)
            }

            fn spawn_detached(&self, task: impl Future<Output = ()> + Send + 'static) {
                self.0.spawn(task).detach();
            }

            fn yield_now() -> impl Future<Output = ()> + Send {
                yield_now()
            }
        }
    };
}

two_threads!(TwoThreads, block_on);
two_threads!(TwoThreadsIo, async_io::block_on);

impl Runtime for Local {
    const THREADS: usize = 1;

    fn run<T, F>(main: impl FnOnce(Self) -> F) -> T
    where
        F: Future<Output = T>,
    {
        let executor = Rc::new(LocalExecutor::new());
        block_on(executor.run(main(Local(executor.clone()))))
    }

    fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> + Send + 'static {
        self.0.spawn(task)
    }

    fn spawn_detached(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(task).detach();
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        yield_now()
    }
}
