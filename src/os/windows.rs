//! Windows: handles that can be waited for, and sockets in and out of [`Async`].
//!
//! This file may say `unsafe`, but only to declare functions whose callers must keep a promise.

#![allow(unsafe_code)]

use std::any::TypeId;
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

use crate::reactor::readiness::WaiterId;
use crate::reactor::registration::Registration;
use crate::reactor::source::{Nature, Rest, Source};
use crate::Async;

/// A handle that can be waited for: a process, an event, a semaphore.
///
/// It is registered with the process's reactor until it is dropped or taken apart.
#[derive(Debug)]
pub struct Waitable<T> {
    source: Arc<Source>,
    /// `None` only between `into_inner` or `drop` and the end of the value.
    handle: Option<T>,
}

impl<T: AsHandle> Waitable<T> {
    /// Registers a handle.
    ///
    /// # Errors
    ///
    /// If the system cannot wait for it.
    pub fn new(handle: T) -> io::Result<Self> {
        let source = Source::new(Registration::from_handle(&handle.as_handle()))?;
        Ok(Waitable { source, handle: Some(handle) })
    }
}

impl<T> Waitable<T> {
    /// The handle.
    pub fn get_ref(&self) -> &T {
        self.handle.as_ref().expect("only a value that is being dropped is without")
    }

    /// The handle, to change.
    ///
    /// # Safety
    ///
    /// The caller must not put another handle in its place or close it.
    pub unsafe fn get_mut(&mut self) -> &mut T {
        self.handle.as_mut().expect("only a value that is being dropped is without")
    }

    /// Deregisters the handle and returns it.
    ///
    /// # Errors
    ///
    /// None: that the system has nothing to deregister does not matter to the owner of the handle.
    pub fn into_inner(mut self) -> io::Result<T> {
        let handle = self.handle.take().expect("only a value that is being dropped is without");
        self.source.remove();
        Ok(handle)
    }

    /// Waits until the handle is signalled.
    ///
    /// # Cancel safety
    ///
    /// The future can be dropped at any time.
    pub fn ready(&self) -> Ready<'_, T> {
        Ready { waitable: self, waiter: WaiterId::NONE }
    }

    /// Asks whether the handle is signalled, and registers the task to be woken when it is.
    ///
    /// # Errors
    ///
    /// If the system cannot wait for it.
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.source.poll_ready(Direction::Read, &mut WaiterId::SHARED.clone(), Nature::Unknown, cx)
    }
}

impl<T> Drop for Waitable<T> {
    fn drop(&mut self) {
        if self.handle.is_some() {
            self.source.remove();
        }
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
pub struct Ready<'a, T> {
    waitable: &'a Waitable<T>,
    waiter: WaiterId,
}

impl<T> Unpin for Ready<'_, T> {}

impl<T> Future for Ready<'_, T> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Ready { waitable, waiter } = &mut *self;
        waitable.source.poll_ready(Direction::Read, waiter, Nature::Unknown, cx)
    }
}

impl<T> Drop for Ready<'_, T> {
    fn drop(&mut self) {
        if self.waiter != WaiterId::NONE {
            self.waitable.source.cancel(Direction::Read, self.waiter);
        }
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

/// Whether a type's operations are single system calls: of sockets, which all systems have.
pub(crate) fn is_plain(_: TypeId) -> bool {
    false
}

/// Whether a type is std's Unix stream: there is none.
pub(crate) fn is_unix_stream(_: TypeId) -> bool {
    false
}

/// Reads from a Unix stream: there is none.
pub(crate) fn receive(_: &Registration, _: &mut [u8]) -> io::Result<(usize, Rest)> {
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
