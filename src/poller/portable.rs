//! Every other system's mechanism, through the `polling` crate.
//!
//! Edge-triggered where the system can (kqueue, and epoll when asked for by name), one-shot where it
//! cannot (IOCP) or when `ASYNC_IO_POLLER=polling-oneshot` asks for it.

use std::io;
use std::time::Duration;

use polling::PollMode;
use ticks_format::{Key, Op};

use super::{flags, Event, Events, Interest, Mode};
use crate::poller::arming::Arming;
use crate::poller::registration::Registration;
use crate::trace;

/// Bits of the index in a token: all but the generation's.
const INDEX_BITS: u32 = usize::BITS - GENERATION_BITS;

/// Bits of the generation in a token, half of the pointer width but at least eight.
const GENERATION_BITS: u32 = if usize::BITS >= 64 { 32 } else { 8 };

/// The highest generation of an index that a token can hold.
pub(crate) const GENERATION_MASK: u32 = u32::MAX >> (32 - GENERATION_BITS);

#[derive(Debug)]
pub(crate) struct Portable {
    inner: polling::Poller,
    mode: Mode,
}

fn token(key: Key) -> usize {
    (key.generation() as usize) << INDEX_BITS | key.index() as usize
}

fn key(token: usize) -> Key {
    let index = token & ((1 << INDEX_BITS) - 1);
    Key::new(index as u32, (token >> INDEX_BITS) as u32)
}

impl Portable {
    /// The best that the system has, `Edge` at the most.
    pub(crate) fn new(wanted: Mode) -> io::Result<Portable> {
        let inner = polling::Poller::new()?;
        let mode = if inner.supports_edge() { wanted } else { Mode::OneShot };
        Ok(Portable { inner, mode })
    }

    pub(crate) fn rebuild(&self) -> io::Result<()> {
        // `polling` owns its descriptors; nothing can be put in their place.
        Err(io::Error::new(io::ErrorKind::Unsupported, "this poller cannot be rebuilt"))
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    #[cfg(unix)]
    pub(crate) fn fd(&self) -> Option<std::os::fd::RawFd> {
        inner_fd(&self.inner)
    }

    /// The poller's number in records.
    fn number(&self) -> i32 {
        #[cfg(unix)]
        return inner_fd(&self.inner).unwrap_or(-1);
        #[cfg(not(unix))]
        return -1;
    }

    pub(crate) fn add(
        &self,
        source: &Registration,
        key: Key,
        interest: Interest,
        arming: &Arming,
    ) -> io::Result<()> {
        self.watch(Op::Add, Registration::add, source, key, interest, arming)
    }

    pub(crate) fn modify(
        &self,
        source: &Registration,
        key: Key,
        interest: Interest,
        arming: &Arming,
    ) -> io::Result<()> {
        self.watch(Op::Mod, Registration::modify, source, key, interest, arming)
    }

    fn watch(
        &self,
        op: Op,
        call: impl FnOnce(&Registration, &polling::Poller, polling::Event, PollMode) -> io::Result<()>,
        source: &Registration,
        key: Key,
        interest: Interest,
        arming: &Arming,
    ) -> io::Result<()> {
        let (mode, flag) = match self.mode {
            Mode::Edge => (PollMode::Edge, flags::EDGE),
            Mode::OneShot => (PollMode::Oneshot, flags::ONESHOT),
        };
        let read = if interest.readable { flags::READ } else { 0 };
        let write = if interest.writable { flags::WRITE } else { 0 };
        let number = self.number();
        trace::ctl_begin(op, number, source.number(), -1, read | write | flag, key.0);
        let event = polling::Event::new(token(key), interest.readable, interest.writable);
        let result = arming.call(|| call(source, &self.inner, event, mode));
        trace::ctl_end(op, number, source.number(), -1, &result);
        result
    }

    pub(crate) fn delete(&self, source: &Registration) -> io::Result<()> {
        let number = self.number();
        trace::ctl_begin(Op::Del, number, source.number(), -1, 0, 0);
        let result = source.delete(&self.inner);
        trace::ctl_end(Op::Del, number, source.number(), -1, &result);
        result
    }

    pub(crate) fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        let harvest = events.portable.get_or_insert_with(polling::Events::new);
        harvest.clear();
        let number = self.number();
        trace::wait_begin(number, timeout);
        let waited = self.inner.wait(harvest, timeout);
        trace::wait_return(number, &waited);
        for (index, event) in harvest.iter().enumerate() {
            let (key, flags) = (key(event.key), event_flags(&event));
            trace::wait_entry(index, flags, key.0);
            events.list.push(Event { key, flags });
        }
        trace::wait_end(number, &waited);
        match waited {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            waited => waited.map(drop),
        }
    }

    pub(crate) fn notify(&self) {
        trace::notify(self.number(), -1);
        // It fails only when the poller is broken, which its next wait reports.
        let _ = self.inner.notify();
    }
}

/// A report's flags in epoll's words, as far as `polling` tells.
fn event_flags(event: &polling::Event) -> u32 {
    let mut flags = 0;
    for (set, flag) in [
        (event.readable, flags::IN),
        (event.writable, flags::OUT),
        (event.is_interrupt(), flags::HUP),
        (event.is_priority(), flags::PRI),
        (event.is_err() == Some(true), flags::ERR),
    ] {
        flags |= if set { flag } else { 0 };
    }
    flags
}

#[cfg(unix)]
fn inner_fd(poller: &polling::Poller) -> Option<std::os::fd::RawFd> {
    cfg_fd(poller)
}

/// `polling` has a descriptor on the systems where the kernel keeps the set of watched sources.
#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_os = "illumos",
    target_os = "solaris",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd",
    target_vendor = "apple",
))]
fn cfg_fd(poller: &polling::Poller) -> Option<std::os::fd::RawFd> {
    Some(std::os::fd::AsRawFd::as_raw_fd(poller))
}

#[cfg(all(
    unix,
    not(any(
        target_os = "linux",
        target_os = "android",
        target_os = "illumos",
        target_os = "solaris",
        target_os = "freebsd",
        target_os = "dragonfly",
        target_os = "netbsd",
        target_os = "openbsd",
        target_vendor = "apple",
    ))
))]
fn cfg_fd(_: &polling::Poller) -> Option<std::os::fd::RawFd> {
    None
}
