//! The raw peer's epoll, and nothing around it: one method, one system call.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

pub(crate) use libc::epoll_event as Event;

/// Readable, edge-triggered.
pub(crate) const READ: u32 = (libc::EPOLLIN | libc::EPOLLET) as u32;
/// Readable, writable or closed by the peer, edge-triggered.
pub(crate) const BOTH: u32 =
    (libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET) as u32;
/// Readable, level-triggered: a listener, which then needs no accept that fails.
pub(crate) const LISTEN: u32 = libc::EPOLLIN as u32;

/// An epoll instance.
pub(crate) struct Epoll(OwnedFd);

fn check(result: libc::c_int) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// Room for the events of one wait.
pub(crate) fn events() -> Vec<Event> {
    vec![Event { events: 0, u64: 0 }; 1024]
}

impl Epoll {
    pub(crate) fn new() -> io::Result<Epoll> {
        // SAFETY: epoll_create1 takes no pointer.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the kernel has just made this fd and nobody else owns it.
        Ok(Epoll(unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) }))
    }

    pub(crate) fn add(&self, fd: impl AsFd, interest: u32, token: u64) -> io::Result<()> {
        let mut event = Event { events: interest, u64: token };
        let (epoll, fd) = (self.0.as_raw_fd(), fd.as_fd().as_raw_fd());
        // SAFETY: `event` is a valid epoll_event that outlives the call; both fds are open,
        // because `self` owns the one and the caller borrows the other.
        check(unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &mut event) })?;
        Ok(())
    }

    pub(crate) fn delete(&self, fd: impl AsFd) -> io::Result<()> {
        let (epoll, fd) = (self.0.as_raw_fd(), fd.as_fd().as_raw_fd());
        // SAFETY: EPOLL_CTL_DEL reads no event; both fds are open, as in `add`.
        check(unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_DEL, fd, ptr::null_mut()) })?;
        Ok(())
    }

    /// `timeout_ms` of -1 waits for ever.
    pub(crate) fn wait(&self, events: &mut [Event], timeout_ms: i32) -> io::Result<usize> {
        loop {
            // SAFETY: `events` is valid for writing its `len` elements during the call.
            let count = check(unsafe {
                libc::epoll_wait(
                    self.0.as_raw_fd(),
                    events.as_mut_ptr(),
                    events.len() as libc::c_int,
                    timeout_ms,
                )
            });
            match count {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                count => return count,
            }
        }
    }
}
