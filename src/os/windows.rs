//! Windows: handles that can be waited for, and sockets in and out of [`Async`].
//!
//! This file may say `unsafe`, but only to declare functions whose callers must keep a promise.

#![allow(unsafe_code)]

use std::future::Future;
use std::io;
use std::os::windows::io::{
    AsHandle, AsRawHandle, AsRawSocket, AsSocket, BorrowedHandle, BorrowedSocket, OwnedHandle,
    OwnedSocket, RawHandle, RawSocket,
};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ticks_format::Direction;

use crate::poller::registration::Registration;
use crate::reactor::attempt::{IoKind, Question};
use crate::reactor::source::Source;
use crate::registered::Registered;
use crate::trace::Place;
use crate::waiting::{self, poll_shared, HasSource};
use crate::Async;

/// A handle that can be waited for: a process, an event, a semaphore.
///
/// It is registered with the process's reactor until it is dropped or taken apart.
#[derive(Debug)]
pub struct Waitable<T> {
    inner: Registered<T>,
}

impl<T: AsHandle> Waitable<T> {
    /// Registers a handle.
    ///
    /// # Errors
    ///
    /// If the system cannot wait for it.
    pub fn new(handle: T) -> io::Result<Self> {
        let registration = Registration::from_handle(&handle.as_handle());
        Ok(Waitable { inner: Registered::new(handle, registration)? })
    }
}

impl<T> Waitable<T> {
    /// The handle.
    pub fn get_ref(&self) -> &T {
        self.inner.get_ref()
    }

    /// The handle, to change.
    ///
    /// # Safety
    ///
    /// The caller must not put another handle in its place or close it.
    pub unsafe fn get_mut(&mut self) -> &mut T {
        self.inner.parts_mut().1
    }

    /// Deregisters the handle and returns it.
    ///
    /// # Errors
    ///
    /// None: that the system has nothing to deregister does not matter to the owner of the handle.
    pub fn into_inner(self) -> io::Result<T> {
        Ok(self.inner.into_inner())
    }

    /// Waits until the handle is signalled.
    ///
    /// # Cancel safety
    ///
    /// The future can be dropped at any time.
    #[track_caller]
    pub fn ready(&self) -> Ready<'_, T> {
        Ready(waiting::Ready::new(self, Direction::Read, IoKind::Unknown, Place::here()))
    }

    /// Asks whether the handle is signalled, and registers the task to be woken when it is.
    ///
    /// # Errors
    ///
    /// If the system cannot wait for it.
    #[track_caller]
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll_shared(self.inner.source(), Direction::Read, cx, Question(IoKind::Unknown))
    }
}

impl<T> HasSource for &Waitable<T> {
    fn source(&self) -> &Arc<Source> {
        self.inner.source()
    }
}

impl<T> AsRef<T> for Waitable<T> {
    fn as_ref(&self) -> &T {
        self.get_ref()
    }
}

impl<T: AsRawHandle> AsRawHandle for Waitable<T> {
    fn as_raw_handle(&self) -> RawHandle {
        self.get_ref().as_raw_handle()
    }
}

impl<T: AsHandle> AsHandle for Waitable<T> {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.get_ref().as_handle()
    }
}

impl<T: AsHandle + From<OwnedHandle>> TryFrom<OwnedHandle> for Waitable<T> {
    type Error = io::Error;

    fn try_from(handle: OwnedHandle) -> io::Result<Self> {
        Self::new(handle.into())
    }
}

impl<T: Into<OwnedHandle>> TryFrom<Waitable<T>> for OwnedHandle {
    type Error = io::Error;

    fn try_from(waitable: Waitable<T>) -> Result<Self, Self::Error> {
        waitable.into_inner().map(Into::into)
    }
}

/// Waits until a [`Waitable`] is signalled; made by [`Waitable::ready`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
#[derive(Debug)]
pub struct Ready<'a, T>(waiting::Ready<&'a Waitable<T>>);

impl<T> Unpin for Ready<'_, T> {}

impl<T> Future for Ready<'_, T> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T: AsRawSocket> AsRawSocket for Async<T> {
    fn as_raw_socket(&self) -> RawSocket {
        self.get_ref().as_raw_socket()
    }
}

impl<T: AsSocket> AsSocket for Async<T> {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        self.get_ref().as_socket()
    }
}

impl<T: AsSocket + From<OwnedSocket>> TryFrom<OwnedSocket> for Async<T> {
    type Error = io::Error;

    fn try_from(socket: OwnedSocket) -> Result<Self, Self::Error> {
        Async::new(socket.into())
    }
}

impl<T: Into<OwnedSocket>> TryFrom<Async<T>> for OwnedSocket {
    type Error = io::Error;

    fn try_from(io: Async<T>) -> Result<Self, Self::Error> {
        io.into_inner().map(Into::into)
    }
}

/// Reads from a Unix stream: there is none.
pub(crate) fn receive(_: &Registration, _: &mut [u8]) -> io::Result<(usize, bool)> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Non-blocking mode.
pub(crate) mod nonblocking {
    use super::*;

    /// What can be registered.
    pub(crate) use std::os::windows::io::AsSocket as Pollable;

    pub(crate) fn raw(io: &impl AsSocket) -> RawSocket {
        io.as_socket().as_raw_socket()
    }

    /// Puts the socket into non-blocking mode.
    pub(crate) fn set(io: &impl AsSocket) -> io::Result<()> {
        Ok(rustix::io::ioctl_fionbio(io, true)?)
    }

    pub(crate) fn explain(error: io::Error) -> io::Error {
        error
    }
}
