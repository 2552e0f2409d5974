//! Unix: the reactor's descriptor, and descriptors in and out of [`Async`].

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use crate::reactor::current;
use crate::Async;

mod receive;

pub(crate) use receive::receive;

/// The descriptor that becomes readable when the reactor has something to do: on Linux the epoll
/// instance. `None` where the system's poller has none, or where it cannot be made.
///
/// It is for loops that poll descriptors themselves. Whatever it reports is harvested by a thread in
/// [`block_on`](crate::block_on) or by the helper thread, not by reading from it; it must not be
/// changed or closed.
///
/// # Examples
///
/// ```
/// use async_io::os::unix::reactor_fd;
///
/// # #[cfg(target_os = "linux")]
/// assert!(reactor_fd().is_some());
/// ```
pub fn reactor_fd() -> Option<BorrowedFd<'static>> {
    let fd = current::get().poller().ok()?.fd()?;
    Some(borrow::for_ever(fd))
}

/// This module may contain `unsafe`: it borrows a descriptor by its number.
mod borrow {
    #![allow(unsafe_code)]

    use super::*;

    pub(super) fn for_ever(fd: RawFd) -> BorrowedFd<'static> {
        // SAFETY: the reactor's poller is never dropped, so nothing of ours closes its descriptor.
        unsafe { BorrowedFd::borrow_raw(fd) }
    }
}

impl<T: AsRawFd> AsRawFd for Async<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.get_ref().as_raw_fd()
    }
}

impl<T: AsFd> AsFd for Async<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.get_ref().as_fd()
    }
}

impl<T: AsFd + From<OwnedFd>> TryFrom<OwnedFd> for Async<T> {
    type Error = io::Error;

    fn try_from(fd: OwnedFd) -> Result<Self, Self::Error> {
        Async::new(fd.into())
    }
}

impl<T: Into<OwnedFd>> TryFrom<Async<T>> for OwnedFd {
    type Error = io::Error;

    fn try_from(io: Async<T>) -> Result<Self, Self::Error> {
        io.into_inner().map(Into::into)
    }
}

/// Non-blocking mode.
pub(crate) mod nonblocking {
    use super::*;

    /// What can be registered.
    pub(crate) use std::os::fd::AsFd as Pollable;

    pub(crate) fn raw(io: &impl AsFd) -> RawFd {
        io.as_fd().as_raw_fd()
    }

    /// Puts the open file into non-blocking mode.
    pub(crate) fn set(io: &impl AsFd) -> io::Result<()> {
        Ok(rustix::io::ioctl_fionbio(io, true)?)
    }

    /// Says what to do instead where the system's error does not.
    pub(crate) fn explain(error: io::Error) -> io::Error {
        match error.raw_os_error() {
            Some(libc::EPERM) => io::Error::new(
                error.kind(),
                format!(
                    "{error}: this kind of file cannot be polled, as regular files and directories \
                     cannot, because reading them always blocks; read it on a thread of its own, \
                     for example with the `blocking` crate's `Unblock`"
                ),
            ),
            _ => error,
        }
    }
}
