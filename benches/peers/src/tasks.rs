//! Tasks on one thread, for the peers that bring no executor of their own.

use std::cell::RefCell;
use std::future::{pending, poll_fn, Future};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use futures_util::future::{FutureExt, LocalBoxFuture};
use futures_util::stream::{FuturesUnordered, StreamExt};

/// Spawns tasks into a [`FuturesUnordered`], which polls those that were woken and no others.
///
/// A scheduler made for several threads (async-executor's, say) takes three times the instructions for a
/// turn, which a reactor's figure would be blamed for.
#[derive(Clone, Default)]
pub(crate) struct Tasks {
    /// Spawned since the set was last looked at: it is being polled when a task spawns another.
    new: Rc<RefCell<Vec<LocalBoxFuture<'static, ()>>>>,
}

impl Tasks {
    /// Runs what `main` makes until it is done, and meanwhile what is spawned.
    pub(crate) async fn run<T>(self, main: impl Future<Output = T>) -> T {
        let mut main = pin!(main);
        let mut spawned = FuturesUnordered::new();
        // Once it has polled as many as there are, the set asks for another turn. This one it never polls
        // again, so that each of the others may have been polled and the turn still ends.
        spawned.push(pending().boxed_local());
        poll_fn(|cx| loop {
            if let Poll::Ready(value) = main.as_mut().poll(cx) {
                return Poll::Ready(value);
            }
            spawned.extend(self.new.take());
            while let Poll::Ready(Some(())) = spawned.poll_next_unpin(cx) {}
            if self.new.borrow().is_empty() {
                return Poll::Pending;
            }
        })
        .await
    }

    /// The returned future is ready when the task is done; dropping it ends the task.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + 'static,
    ) -> impl Future<Output = T> + Send + 'static {
        let (task, done) = task.remote_handle();
        self.new.borrow_mut().push(task.boxed_local());
        done
    }
}
