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

use crate::poller::registration::Registration;
use crate::reactor::attempt::{IoKind, Question};
use crate::reactor::source::Source;
use crate::registered::Registered;
use crate::trace::Place;
use crate::waiting::{self, poll_shared, HasSource};

/// Something that only kqueue can wait for, registered with the process's reactor until it is
/// dropped or taken apart.
#[derive(Debug)]
pub struct Filter<T> {
    inner: Registered<T>,
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
        let registration = filter.registration();
        Ok(Filter { inner: Registered::new(filter, registration)? })
    }
}

impl<T> Filter<T> {
    /// The inner value.
    pub fn get_ref(&self) -> &T {
        self.inner.get_ref()
    }

    /// The inner value, to change.
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.parts_mut().1
    }

    /// Deregisters the filter and returns the inner value.
    ///
    /// # Errors
    ///
    /// None: that the system has nothing to deregister does not matter to the owner of the value.
    pub fn into_inner(self) -> io::Result<T> {
        Ok(self.inner.into_inner())
    }

    /// Waits until kqueue reports it.
    ///
    /// # Cancel safety
    ///
    /// The future can be dropped at any time.
    #[track_caller]
    pub fn ready(&self) -> Ready<'_, T> {
        Ready(waiting::Ready::new(self, Direction::Read, IoKind::Unknown, Place::here()))
    }

    /// Asks whether kqueue has reported it, and registers the task to be woken when it does.
    ///
    /// # Errors
    ///
    /// If the source cannot be waited for.
    #[track_caller]
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll_shared(self.inner.source(), Direction::Read, cx, Question(IoKind::Unknown))
    }
}

impl<T> HasSource for &Filter<T> {
    fn source(&self) -> &Arc<Source> {
        self.inner.source()
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
        // Of its own, because `get_mut` lets safe code close the value's.
        let registration = Registration::from_owned(fd.try_clone()?);
        let filter = T::from(fd);
        Ok(Filter { inner: Registered::new(filter, registration)? })
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
pub struct Ready<'a, T>(waiting::Ready<&'a Filter<T>>);

impl<T> Unpin for Ready<'_, T> {}

impl<T> Future for Ready<'_, T> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
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
