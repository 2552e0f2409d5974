//! kqueue: signals and the exit of child processes, as sources.
//!
//! This file may say `unsafe`, but only to declare functions whose callers must keep a promise.

#![allow(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::io;
use std::num::NonZeroI32;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::process::Child;
use std::sync::Arc;
use std::task::{Context, Poll};

use ticks_format::Direction;

use crate::reactor::readiness::WaiterId;
use crate::reactor::registration::Registration;
use crate::reactor::source::{Nature, Source};

/// Something that only kqueue can wait for, registered with the process's reactor until it is
/// dropped or taken apart.
#[derive(Debug)]
pub struct Filter<T> {
    source: Arc<Source>,
    /// `None` only between `into_inner` or `drop` and the end of the value.
    filter: Option<T>,
}

impl<T> AsRef<T> for Filter<T> {
    fn as_ref(&self) -> &T {
        self.get_ref()
    }
}

impl<T> AsMut<T> for Filter<T> {
    fn as_mut(&mut self) -> &mut T {
        self.get_mut()
    }
}

impl<T: Queueable> Filter<T> {
    /// Registers a filter.
    ///
    /// # Errors
    ///
    /// If kqueue refuses it.
    pub fn new(mut filter: T) -> io::Result<Self> {
        let source = Source::new(filter.registration())?;
        Ok(Filter { source, filter: Some(filter) })
    }
}

impl<T> Filter<T> {
    /// The inner value.
    pub fn get_ref(&self) -> &T {
        self.filter.as_ref().expect("only a value that is being dropped is without")
    }

    /// The inner value, to change.
    pub fn get_mut(&mut self) -> &mut T {
        self.filter.as_mut().expect("only a value that is being dropped is without")
    }

    /// Deregisters the filter and returns the inner value.
    ///
    /// # Errors
    ///
    /// None: that the system has nothing to deregister does not matter to the owner of the value.
    pub fn into_inner(mut self) -> io::Result<T> {
        let filter = self.filter.take().expect("only a value that is being dropped is without");
        self.source.remove();
        Ok(filter)
    }

    /// Waits until kqueue reports it.
    ///
    /// # Cancel safety
    ///
    /// The future can be dropped at any time.
    pub fn ready(&self) -> Ready<'_, T> {
        Ready { filter: self, waiter: WaiterId::NONE }
    }

    /// Asks whether kqueue has reported it, and registers the task to be woken when it does.
    ///
    /// # Errors
    ///
    /// If the source cannot be waited for.
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.source.poll_ready(Direction::Read, &mut WaiterId::SHARED.clone(), Nature::Unknown, cx)
    }
}

impl<T> Drop for Filter<T> {
    fn drop(&mut self) {
        if self.filter.is_some() {
            self.source.remove();
        }
    }
}

impl<T: AsRawFd> AsRawFd for Filter<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.get_ref().as_raw_fd()
    }
}

impl<T: AsFd> AsFd for Filter<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.get_ref().as_fd()
    }
}

impl<T: AsFd + From<OwnedFd>> TryFrom<OwnedFd> for Filter<T> {
    type Error = io::Error;

    fn try_from(fd: OwnedFd) -> io::Result<Self> {
        let filter = T::from(fd);
        let source = Source::new(Registration::from_raw(filter.as_fd().as_raw_fd()))?;
        Ok(Filter { source, filter: Some(filter) })
    }
}

impl<T: Into<OwnedFd>> TryFrom<Filter<T>> for OwnedFd {
    type Error = io::Error;

    fn try_from(filter: Filter<T>) -> io::Result<Self> {
        filter.into_inner().map(Into::into)
    }
}

/// Waits until kqueue reports a [`Filter`]; made by [`Filter::ready`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
#[derive(Debug)]
pub struct Ready<'a, T> {
    filter: &'a Filter<T>,
    waiter: WaiterId,
}

impl<T> Unpin for Ready<'_, T> {}

impl<T> Future for Ready<'_, T> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Ready { filter, waiter } = &mut *self;
        filter.source.poll_ready(Direction::Read, waiter, Nature::Unknown, cx)
    }
}

impl<T> Drop for Ready<'_, T> {
    fn drop(&mut self) {
        if self.waiter != WaiterId::NONE {
            self.filter.source.cancel(Direction::Read, self.waiter);
        }
    }
}

/// What a [`Filter`] can wait for: [`Signal`] and [`Exit`].
pub trait Queueable: sealed::Sealed {}

mod sealed {
    use super::Registration;

    pub trait Sealed {
        #[doc(hidden)]
        #[allow(private_interfaces)]
        fn registration(&mut self) -> Registration;
    }
}

/// Delivery of a signal to this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(
    /// The signal's number.
    pub i32,
);

#[allow(private_interfaces)]
impl sealed::Sealed for Signal {
    fn registration(&mut self) -> Registration {
        Registration::Signal(self.0)
    }
}

impl Queueable for Signal {}

/// The exit of a child process.
pub struct Exit(NonZeroI32, Option<Child>);

impl Exit {
    /// The exit of a child that this process has spawned.
    pub fn new(child: Child) -> Self {
        let pid = i32::try_from(child.id()).ok().and_then(NonZeroI32::new);
        Exit(pid.expect("a process's number is a positive pid_t"), Some(child))
    }

    /// The exit of the child with this number.
    ///
    /// # Safety
    ///
    /// It must be a child of this process that nobody has waited for, until the filter is dropped.
    pub unsafe fn from_pid(pid: NonZeroI32) -> Self {
        Exit(pid, None)
    }
}

impl fmt::Debug for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exit").field("pid", &self.0).field("child", &self.1).finish()
    }
}

#[allow(private_interfaces)]
impl sealed::Sealed for Exit {
    fn registration(&mut self) -> Registration {
        Registration::Process(self.0)
    }
}

impl Queueable for Exit {}
