//! The poller: what the kernel is asked, and how.
//!
//! # Contract
//!
//! A poller watches sources under the [`Key`]s they were added with, and every mechanism keeps to
//! the same words:
//!
//! - `add(source, key, interest)` begins to watch, and `modify` changes what is watched. In
//!   [`Mode::Edge`] the kernel reports each change of the directions in `interest` once, and once at
//!   the call if they are ready then. In [`Mode::OneShot`] one report is due for `interest`, and
//!   `modify` asks for the next one. Both make their call while the source's [`Arming`] lasts, and fail
//!   with `NotFound` after it.
//! - `delete(source)` stops. Its caller has ended the arming before. A report that is already under way may still
//!   come; the reactor recognises it by its key and drops it.
//! - `wait(events, timeout)` sleeps until there is a report, a notification or the timeout, never
//!   longer, and fills `events`. Only the thread that holds the driver lock calls it. A signal
//!   that interrupts it is no error, but a wait without events.
//! - `notify()` makes the wait under way, or the next one, return. It may be called from anywhere,
//!   and many calls may count as one.
//! - `level(source, direction)` asks the kernel now, without waiting and without the poller. An
//!   error alone is told apart: a socket's error queue would keep it up for ever.
//! - `fd()` is a descriptor that another poll loop can watch in our place.
//!
//! All of them except `wait` may be called from several threads at once.

use std::fmt;
use std::io;
use std::time::Duration;

use ticks_format::{Direction, Key};

use arming::Arming;
use registration::Registration;

pub(crate) mod arming;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod epoll;
mod portable;
pub(crate) mod registration;
#[cfg(test)]
pub(crate) mod scripted;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod slack;

pub(crate) use portable::GENERATION_MASK;

/// Whether the kernel reports every change of a source, or one each time it is asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Edge,
    OneShot,
}

/// What the kernel says when asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Ready,
    /// Only an error. An operation may report it or not.
    ErrorAlone,
    Idle,
}

/// What a source is watched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interest {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

impl Interest {
    pub(crate) const NONE: Interest = Interest { readable: false, writable: false };
}

/// The bits of [`Event::flags`], with the numbers and names of `epoll_ctl(2)` everywhere.
pub(crate) mod flags {
    pub(crate) const IN: u32 = 0x001;
    pub(crate) const PRI: u32 = 0x002;
    pub(crate) const OUT: u32 = 0x004;
    pub(crate) const ERR: u32 = 0x008;
    pub(crate) const HUP: u32 = 0x010;
    pub(crate) const RDHUP: u32 = 0x2000;
    pub(crate) const ONESHOT: u32 = 1 << 30;
    pub(crate) const EDGE: u32 = 1 << 31;

    pub(crate) const READ: u32 = IN | PRI | RDHUP | HUP | ERR;
    pub(crate) const WRITE: u32 = OUT | HUP | ERR;
}

/// One report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) key: Key,
    pub(crate) flags: u32,
}

impl Event {
    #[inline]
    pub(crate) fn readable(self) -> bool {
        self.flags & flags::READ != 0
    }

    #[inline]
    pub(crate) fn writable(self) -> bool {
        self.flags & flags::WRITE != 0
    }

    /// The end of the stream, an error or urgent data came with it.
    #[inline]
    pub(crate) fn hung_up(self) -> bool {
        self.flags & (flags::RDHUP | flags::HUP | flags::ERR | flags::PRI) != 0
    }
}

/// The reports of one wait, with the buffer that the mechanism fills.
#[derive(Default)]
pub(crate) struct Events {
    pub(crate) list: Vec<Event>,
    #[cfg(any(target_os = "linux", target_os = "android"))]
    epoll: Vec<libc::epoll_event>,
    portable: Option<polling::Events>,
}

// Not derived: the oldest libc that may be there has no `Debug` for what epoll fills.
impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("list", &self.list).finish_non_exhaustive()
    }
}

/// The mechanism in use.
#[derive(Debug)]
pub(crate) enum Poller {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Epoll(epoll::Epoll),
    Portable(portable::Portable),
    #[cfg(test)]
    Scripted(scripted::Scripted),
}

/// The names that `ASYNC_IO_POLLER` takes.
const CHOICES: &str = if cfg!(any(target_os = "linux", target_os = "android")) {
    "epoll, polling or polling-oneshot"
} else {
    "polling or polling-oneshot"
};

/// Calls the same method of the mechanism in use.
macro_rules! each {
    ($self:ident, $poller:ident => $call:expr) => {
        match $self {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Poller::Epoll($poller) => $call,
            Poller::Portable($poller) => $call,
            #[cfg(test)]
            Poller::Scripted($poller) => $call,
        }
    };
}

impl Poller {
    /// Makes the poller that `ASYNC_IO_POLLER` names, or the platform's best.
    pub(crate) fn new() -> io::Result<Poller> {
        let choice = std::env::var_os("ASYNC_IO_POLLER").unwrap_or_default();
        match choice.to_str() {
            Some("polling") => portable::Portable::new(Mode::Edge).map(Poller::Portable),
            Some("polling-oneshot") => portable::Portable::new(Mode::OneShot).map(Poller::Portable),
            Some("") => Poller::best(),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Some("epoll") => Poller::best(),
            _ => {
                crate::trace::warn_once(
                    crate::trace::Warning::UnknownPoller,
                    format_args!(
                        "ASYNC_IO_POLLER is {choice:?}, which is not a poller; expected {CHOICES}; \
                         going on with the default"
                    ),
                );
                Poller::best()
            }
        }
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn best() -> io::Result<Poller> {
        epoll::Epoll::new().map(Poller::Epoll)
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn best() -> io::Result<Poller> {
        portable::Portable::new(Mode::Edge).map(Poller::Portable)
    }

    #[inline]
    pub(crate) fn mode(&self) -> Mode {
        each!(self, poller => poller.mode())
    }

    /// Whether the end of a stream is reported apart from data. Only then does a short read prove that
    /// nothing is left. `polling` does not report it.
    #[inline]
    pub(crate) fn tells_the_end(&self) -> bool {
        !matches!(self, Poller::Portable(_))
    }

    pub(crate) fn add(
        &self,
        source: &Registration,
        key: Key,
        interest: Interest,
        arming: &Arming,
    ) -> io::Result<()> {
        each!(self, poller => poller.add(source, key, interest, arming))
    }

    pub(crate) fn modify(
        &self,
        source: &Registration,
        key: Key,
        interest: Interest,
        arming: &Arming,
    ) -> io::Result<()> {
        each!(self, poller => poller.modify(source, key, interest, arming))
    }

    pub(crate) fn delete(&self, source: &Registration) -> io::Result<()> {
        each!(self, poller => poller.delete(source))
    }

    #[inline]
    pub(crate) fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        events.list.clear();
        each!(self, poller => poller.wait(events, timeout))
    }

    pub(crate) fn notify(&self) {
        each!(self, poller => poller.notify());
    }

    pub(crate) fn level(&self, source: &Registration, dir: Direction) -> io::Result<Level> {
        match self {
            #[cfg(test)]
            Poller::Scripted(poller) => poller.level(source, dir),
            _ => source.level(dir),
        }
    }

    /// Releases a poller that nobody uses: another thread was faster.
    pub(crate) fn discard(self) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Poller::Epoll(poller) = self {
            poller.discard();
        }
    }

    /// Makes the poller anew after its descriptors were closed by somebody else.
    pub(crate) fn rebuild(&self) -> io::Result<()> {
        each!(self, poller => poller.rebuild())
    }

    #[cfg(unix)]
    pub(crate) fn fd(&self) -> Option<std::os::fd::RawFd> {
        each!(self, poller => poller.fd())
    }
}
