//! A file descriptor, a signal or a process: what kqueue takes.
//!
//! This file may contain `unsafe`: it names processes by their number.

#![allow(unsafe_code)]

use std::io;
use std::num::NonZeroI32;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;

use polling::os::kqueue::{PollerKqueueExt, Process, ProcessOps, Signal};
use polling::{Event, PollMode, Poller};
use ticks_format::Direction;

use super::fd;
use crate::poller::Level;

/// What a source is to kqueue.
#[derive(Clone, Debug)]
pub(crate) enum Registration {
    /// A file descriptor that its `Async` keeps open.
    Fd(fd::Registration),
    /// A duplicate of a `Filter`'s descriptor. Safe code may close that one, through `Filter::get_mut`.
    Kept(Arc<OwnedFd>),
    /// Delivery of a signal to this process.
    Signal(std::os::raw::c_int),
    /// Exit of a child process.
    Process(NonZeroI32),
}

impl Registration {
    pub(crate) fn from_raw(fd: RawFd) -> Registration {
        Registration::Fd(fd::Registration::from_raw(fd))
    }

    pub(crate) fn from_owned(fd: OwnedFd) -> Registration {
        Registration::Kept(Arc::new(fd))
    }

    /// The descriptor, if it is one.
    fn fd(&self) -> Option<fd::Registration> {
        match self {
            Registration::Fd(fd) => Some(*fd),
            Registration::Kept(fd) => Some(fd::Registration::from_raw(fd.as_raw_fd())),
            Registration::Signal(_) | Registration::Process(_) => None,
        }
    }

    pub(crate) fn number(&self) -> i64 {
        match self {
            Registration::Fd(fd) => fd.number(),
            Registration::Kept(fd) => fd.as_raw_fd().into(),
            Registration::Signal(signal) => i64::from(*signal),
            Registration::Process(pid) => i64::from(pid.get()),
        }
    }

    /// The number that closing gives away; a signal's or a process's is not a descriptor's.
    pub(crate) fn owned_number(&self) -> i64 {
        match self {
            Registration::Fd(fd) => fd.owned_number(),
            // Nobody else knows a duplicate's number.
            _ => -1,
        }
    }

    /// For records: the descriptor, if it has one.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Registration::Fd(fd) => fd.descriptor(),
            Registration::Kept(fd) => Some(fd.as_fd()),
            _ => None,
        }
    }

    /// A signal or an exit leaves nothing to ask for: its event is the only word.
    pub(crate) fn level(&self, dir: Direction) -> io::Result<Level> {
        self.fd().map_or(Ok(Level::Idle), |fd| fd.level(dir))
    }

    /// Whether it is a socket that carries a stream of bytes.
    pub(crate) fn is_byte_stream(&self) -> bool {
        self.fd().is_some_and(|fd| fd.is_byte_stream())
    }

    /// Whether asking may use up what it reports; a signal or an exit cannot be asked for at all.
    pub(crate) fn is_consumed_by_asking(&self) -> bool {
        self.fd().map_or(true, |fd| fd.is_consumed_by_asking())
    }

    fn process(pid: &NonZeroI32) -> Process<'_> {
        // SAFETY: the child exists and nobody else waits for it. The maker of the source vouches for
        // that: by `Exit::from_pid`'s contract, or by owning the `Child`.
        unsafe { Process::from_pid(*pid, ProcessOps::Exit) }
    }

    pub(crate) fn add(&self, poller: &Poller, event: Event, mode: PollMode) -> io::Result<()> {
        match self {
            Registration::Fd(fd) => fd.add(poller, event, mode),
            Registration::Kept(fd) => {
                fd::Registration::from_raw(fd.as_raw_fd()).add(poller, event, mode)
            }
            Registration::Signal(signal) => poller.add_filter(Signal(*signal), event.key, mode),
            Registration::Process(pid) => poller.add_filter(Self::process(pid), event.key, mode),
        }
    }

    pub(crate) fn modify(&self, poller: &Poller, event: Event, mode: PollMode) -> io::Result<()> {
        match self {
            Registration::Fd(fd) => fd.modify(poller, event, mode),
            Registration::Kept(fd) => {
                fd::Registration::from_raw(fd.as_raw_fd()).modify(poller, event, mode)
            }
            Registration::Signal(signal) => poller.modify_filter(Signal(*signal), event.key, mode),
            Registration::Process(pid) => poller.modify_filter(Self::process(pid), event.key, mode),
        }
    }

    pub(crate) fn delete(&self, poller: &Poller) -> io::Result<()> {
        match self {
            Registration::Fd(fd) => fd.delete(poller),
            Registration::Kept(fd) => fd::Registration::from_raw(fd.as_raw_fd()).delete(poller),
            Registration::Signal(signal) => poller.delete_filter(Signal(*signal)),
            Registration::Process(pid) => poller.delete_filter(Self::process(pid)),
        }
    }
}
