//! Tasks on one thread, for the peers that bring no executor of their own.

use std::cell::{Cell, RefCell};
use std::future::{poll_fn, Future};
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
        let value = Cell::new(None);
        let mut spawned = FuturesUnordered::new();
        // A task like the others, polled when it is woken. As it seldom is, each of the others may be polled and
        // the turn still ends: a set that has polled as many as there are asks for another turn.
        spawned.push(async { value.set(Some(main.await)) }.boxed_local());
        poll_fn(|cx| loop {
            while let Poll::Ready(Some(())) = spawned.poll_next_unpin(cx) {}
            if let Some(value) = value.take() {
                return Poll::Ready(value);
            }
            if self.new.borrow().is_empty() {
                return Poll::Pending;
            }
            spawned.extend(self.new.take());
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
