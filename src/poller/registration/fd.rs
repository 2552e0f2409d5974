//! A file descriptor.
//!
//! This file may contain `unsafe`: it borrows descriptors by their number.

#![allow(unsafe_code)]

use std::any::TypeId;
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::{io, mem, ptr};

use polling::{Event, PollMode, Poller};
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fs::FileType;
use ticks_format::Direction;

use crate::poller::Level;

/// A file descriptor, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Registration(RawFd);

impl Registration {
    pub(crate) fn from_raw(fd: RawFd) -> Registration {
        Registration(fd)
    }

    /// For the poller that knows descriptors only.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn raw(&self) -> RawFd {
        self.0
    }

    pub(crate) fn number(&self) -> i64 {
        self.0.into()
    }

    /// For records: the descriptor, while it is registered.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.borrow())
    }

    /// The number that is free for another descriptor after the close.
    pub(crate) fn owned_number(&self) -> i64 {
        self.number()
    }

    fn borrow(&self) -> BorrowedFd<'_> {
        // SAFETY: `Async` owns the descriptor and deregisters the source, which ends the use of its
        // number here, before it closes it. `IoSafe` and the callers of `get_mut` promise that nobody
        // else closes it. A `Filter` gives a duplicate, which its registration owns.
        unsafe { BorrowedFd::borrow_raw(self.0) }
    }

    /// Asks the kernel about one direction, without waiting: `poll(2)`.
    pub(crate) fn level(&self, dir: Direction) -> io::Result<Level> {
        // A hang-up is reported in either direction; POLLRDHUP is not known everywhere and POLLIN
        // comes with it. POLLERR alone answers for writing, because a pipe whose reader is gone
        // says nothing else, but not for reading, where an error queue keeps it up for ever.
        let wanted = match dir {
            Direction::Read => PollFlags::IN | PollFlags::PRI,
            Direction::Write => PollFlags::OUT,
        };
        let fd = self.borrow();
        let mut fds = [PollFd::new(&fd, wanted)];
        loop {
            match poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
                Ok(_) => break,
            }
        }
        let found = fds[0].revents();
        if found.contains(PollFlags::NVAL) {
            return Err(rustix::io::Errno::BADF.into());
        }
        Ok(if found.intersects(wanted | PollFlags::HUP) {
            Level::Ready
        } else if found.contains(PollFlags::ERR) {
            match dir {
                Direction::Read => Level::ErrorAlone,
                Direction::Write => Level::Ready,
            }
        } else {
            Level::Idle
        })
    }

    /// Whether it is a socket that carries a stream of bytes and reports each of them.
    pub(crate) fn is_byte_stream(&self) -> bool {
        let kind = rustix::net::sockopt::socket_type(self.borrow());
        kind.is_ok_and(|kind| kind == rustix::net::SocketType::STREAM) && self.low_water_mark() == 1
    }

    /// How many bytes must be there for the kernel to report them, `SO_RCVLOWAT` of `socket(7)`; 0 if it
    /// does not tell.
    fn low_water_mark(&self) -> libc::c_int {
        let (mut mark, mut len) =
            (0 as libc::c_int, mem::size_of::<libc::c_int>() as libc::socklen_t);
        // SAFETY: `mark` has room for the `len` bytes that are written, and both outlive the call.
        let result = unsafe {
            let place = ptr::addr_of_mut!(mark).cast();
            libc::getsockopt(self.0, libc::SOL_SOCKET, libc::SO_RCVLOWAT, place, &mut len)
        };
        if result == 0 {
            mark
        } else {
            0
        }
    }

    /// Whether asking may use up what it reports, as it does for perf rings and some files of the
    /// kernel's own file systems. What sockets, pipes, terminals, counters and timers report stays
    /// until it is read.
    pub(crate) fn is_consumed_by_asking(&self) -> bool {
        let Ok(stat) = rustix::fs::fstat(self.borrow()) else { return false };
        match FileType::from_raw_mode(stat.st_mode as _) {
            FileType::RegularFile => true,
            // Anonymous inodes have no type; their link tells what they are.
            FileType::Unknown => {
                let link = std::fs::read_link(format!("/proc/self/fd/{}", self.0));
                link.is_ok_and(|link| link.as_os_str() == "anon_inode:[perf_event]")
            }
            _ => false,
        }
    }

    pub(crate) fn add(&self, poller: &Poller, event: Event, mode: PollMode) -> io::Result<()> {
        // SAFETY: as in `borrow`; the source is deleted before.
        unsafe { poller.add_with_mode(&self.borrow(), event, mode) }
    }

    pub(crate) fn modify(&self, poller: &Poller, event: Event, mode: PollMode) -> io::Result<()> {
        poller.modify_with_mode(self.borrow(), event, mode)
    }

    pub(crate) fn delete(&self, poller: &Poller) -> io::Result<()> {
        poller.delete(self.borrow())
    }
}

/// Whether a type's operations are single system calls on a socket or pipe.
pub(crate) fn is_plain(id: TypeId) -> bool {
    // `async_io_pipe` is set where the standard library has them.
    #[cfg(async_io_pipe)]
    #[allow(clippy::incompatible_msrv)]
    if id == TypeId::of::<io::PipeReader>() || id == TypeId::of::<io::PipeWriter>() {
        return true;
    }
    id == TypeId::of::<UnixListener>()
        || id == TypeId::of::<UnixDatagram>()
        || id == TypeId::of::<ChildStdin>()
        || id == TypeId::of::<ChildStdout>()
        || id == TypeId::of::<ChildStderr>()
}

/// Whether a type is std's Unix stream.
pub(crate) fn is_unix_stream(id: TypeId) -> bool {
    id == TypeId::of::<UnixStream>()
}
