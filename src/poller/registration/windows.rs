//! A socket or a waitable handle: what IOCP takes through `polling`.
//!
//! This file may contain `unsafe`: it borrows sockets and handles by their number.

#![allow(unsafe_code)]

use std::any::TypeId;
use std::io;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, BorrowedSocket, RawHandle, RawSocket};

use polling::os::iocp::PollerIocpExt;
use polling::{Event, PollMode, Poller};
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use ticks_format::Direction;

use crate::poller::Level;

/// What a source is to Windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Registration {
    /// A socket.
    Socket(RawSocket),
    /// A handle that can be waited for. The number of a `RawHandle`, which is a pointer and would
    /// not be `Send`.
    Handle(usize),
}

impl Registration {
    pub(crate) fn from_raw(socket: RawSocket) -> Registration {
        Registration::Socket(socket)
    }

    pub(crate) fn from_handle(handle: &impl AsRawHandle) -> Registration {
        Registration::Handle(handle.as_raw_handle() as usize)
    }

    pub(crate) fn number(&self) -> i64 {
        match *self {
            Registration::Socket(socket) => socket as i64,
            Registration::Handle(handle) => handle as i64,
        }
    }

    /// For records: a handle cannot be asked.
    pub(crate) fn descriptor(&self) -> crate::trace::Descriptor<'_> {
        match self {
            Registration::Socket(socket) => Some(Self::socket(socket)),
            Registration::Handle(_) => None,
        }
    }

    /// Numbers of sockets and handles are sparse and are not followed.
    pub(crate) fn owned_number(&self) -> i64 {
        -1
    }

    fn socket(socket: &RawSocket) -> BorrowedSocket<'_> {
        // SAFETY: `Async` owns the socket and deregisters the source before it closes it.
        unsafe { BorrowedSocket::borrow_raw(*socket) }
    }

    fn handle(handle: &usize) -> BorrowedHandle<'_> {
        // SAFETY: `Waitable` owns the handle and deregisters the source before it closes it.
        unsafe { BorrowedHandle::borrow_raw(*handle as RawHandle) }
    }

    /// Asks the system about one direction, without waiting: `WSAPoll`. A handle's event is the
    /// only word about it.
    pub(crate) fn level(&self, dir: Direction) -> io::Result<Level> {
        let Registration::Socket(socket) = self else { return Ok(Level::Idle) };
        let wanted = match dir {
            Direction::Read => PollFlags::IN,
            Direction::Write => PollFlags::OUT,
        };
        let socket = Self::socket(socket);
        let mut sockets = [PollFd::new(&socket, wanted)];
        poll(&mut sockets, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
        Ok(match sockets[0].revents().intersects(wanted | PollFlags::HUP | PollFlags::ERR) {
            true => Level::Ready,
            false => Level::Idle,
        })
    }

    /// Whether it is a socket that carries a stream of bytes; a short read proves nothing here.
    pub(crate) fn is_byte_stream(&self) -> bool {
        false
    }

    /// Whether asking may use up what it reports; a handle cannot be asked at all.
    pub(crate) fn is_consumed_by_asking(&self) -> bool {
        matches!(self, Registration::Handle(_))
    }

    pub(crate) fn add(&self, poller: &Poller, event: Event, mode: PollMode) -> io::Result<()> {
        match self {
            // SAFETY: `Async` deletes the source before it closes the socket.
            Registration::Socket(socket) => unsafe {
                poller.add_with_mode(&Self::socket(socket), event, mode)
            },
            // SAFETY: `Waitable` deletes the source before it closes the handle.
            Registration::Handle(handle) => unsafe {
                poller.add_waitable(&Self::handle(handle), event, mode)
            },
        }
    }

    pub(crate) fn modify(&self, poller: &Poller, event: Event, mode: PollMode) -> io::Result<()> {
        match self {
            Registration::Socket(socket) => {
                poller.modify_with_mode(Self::socket(socket), event, mode)
            }
            Registration::Handle(handle) => {
                poller.modify_waitable(Self::handle(handle), event, mode)
            }
        }
    }

    pub(crate) fn delete(&self, poller: &Poller) -> io::Result<()> {
        match self {
            Registration::Socket(socket) => poller.delete(Self::socket(socket)),
            Registration::Handle(handle) => poller.remove_waitable(Self::handle(handle)),
        }
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
