//! Waiting from outside the reactor: one poll, and the two futures that wait, [`Ready`] and [`Operation`].

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ticks_format::Direction;

use crate::driver;
use crate::reactor::attempt::{Attempt, IoKind, Question};
use crate::reactor::readiness::WaiterId;
use crate::reactor::source::Source;
use crate::trace::{self, Place};

/// One poll of a source. If it has to wait, some thread is going to drive the reactor.
#[inline]
pub(crate) fn poll<A: Attempt>(
    source: &Arc<Source>,
    dir: Direction,
    waiter: &mut WaiterId,
    cx: &mut Context<'_>,
    attempt: &mut A,
) -> Poll<io::Result<A::Output>> {
    let poll = source.wait(dir, waiter, cx, attempt);
    if poll.is_pending() {
        driver::ensure_helper();
    }
    poll
}

/// One poll by a poll function. All callers of these share one waiter a direction.
#[inline]
#[track_caller]
pub(crate) fn poll_shared<A: Attempt>(
    source: &Arc<Source>,
    dir: Direction,
    cx: &mut Context<'_>,
    mut attempt: A,
) -> Poll<io::Result<A::Output>> {
    trace::place_here();
    poll(source, dir, &mut WaiterId::SHARED.clone(), cx, &mut attempt)
}

/// Something that has a source.
pub(crate) trait HasSource {
    fn source(&self) -> &Arc<Source>;
}

/// Waits until a direction is ready.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub(crate) struct Ready<H: HasSource> {
    handle: H,
    dir: Direction,
    kind: IoKind,
    waiter: WaiterId,
    place: Place,
}

impl<H: HasSource> Ready<H> {
    /// Asked for at `place`.
    pub(crate) fn new(handle: H, dir: Direction, kind: IoKind, place: Place) -> Ready<H> {
        Ready { handle, dir, kind, waiter: WaiterId::NONE, place }
    }
}

impl<H: HasSource> Unpin for Ready<H> {}

impl<H: HasSource> Future for Ready<H> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Ready { handle, dir, kind, waiter, place } = &mut *self;
        trace::place_at(*place);
        poll(handle.source(), *dir, waiter, cx, &mut Question(*kind))
    }
}

impl<H: HasSource> Drop for Ready<H> {
    fn drop(&mut self) {
        if self.waiter != WaiterId::NONE {
            self.handle.source().cancel(self.dir, self.waiter);
        }
    }
}

impl<H: HasSource> fmt::Debug for Ready<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready")
            .field("fd", &self.handle.source().number())
            .field("waits", &(self.waiter != WaiterId::NONE))
            .finish_non_exhaustive()
    }
}

/// An operation under way: a waiter of its own between its tries.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub(crate) struct Operation<'a, A> {
    source: &'a Arc<Source>,
    place: Place,
    dir: Direction,
    waiter: WaiterId,
    attempt: A,
}

impl<'a, A: Attempt> Operation<'a, A> {
    /// Asked for at `place`.
    pub(crate) fn new(
        source: &'a Arc<Source>,
        place: Place,
        dir: Direction,
        attempt: A,
    ) -> Operation<'a, A> {
        Operation { source, place, dir, waiter: WaiterId::NONE, attempt }
    }
}

impl<A> Unpin for Operation<'_, A> {}

impl<A: Attempt> Future for Operation<'_, A> {
    type Output = io::Result<A::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Operation { source, place, dir, waiter, attempt } = &mut *self;
        trace::place_at(*place);
        poll(source, *dir, waiter, cx, attempt)
    }
}

impl<A> Drop for Operation<'_, A> {
    fn drop(&mut self) {
        if self.waiter != WaiterId::NONE {
            self.source.cancel(self.dir, self.waiter);
        }
    }
}
