//! epoll, edge-triggered: one system call a round, none to begin a wait.
//!
//! Each source is registered with `EPOLLET` when it is made, for reading; writing is added when
//! somebody waits for it. If an event of a direction finds nobody waiting, the direction is removed
//! from the registration until somebody waits. An `eventfd`, registered edge-triggered too, is the
//! notification: each write to it is an edge, so it is never read. Behaviour is that of `epoll(7)`,
//! `epoll_pwait2(2)` and `eventfd(2)`.
//!
//! This file may contain `unsafe`: system calls.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;

use ticks_format::{Key, Op};

use super::{flags, slack, Event, Events, Interest, Mode};
use crate::poller::arming::Arming;
use crate::poller::registration::Registration;
use crate::trace;

/// The user data of the notification.
const NOTIFY_DATA: u64 = u64::MAX;

/// What a source is registered for.
fn source_flags(interest: Interest) -> u32 {
    let read = if interest.readable { flags::READ } else { 0 };
    let write = if interest.writable { flags::WRITE } else { 0 };
    read | write | flags::EDGE
}

/// How many events one wait takes at first; doubled each time a wait fills the buffer.
const EVENTS_MIN: usize = 64;
const EVENTS_MAX: usize = 16 * 1024;

/// An epoll instance with its notification.
#[derive(Debug)]
pub(crate) struct Epoll {
    /// Numbers, not owned descriptors: they change when the instance is rebuilt, and they are never
    /// closed, because the reactor lives as long as the process. Relaxed throughout: a thread that
    /// still uses the old number gets an error and comes back.
    epoll_fd: AtomicI32,
    event_fd: AtomicI32,
    /// `epoll_pwait2` is missing (Linux before 5.11, or a sandbox that forbids it).
    lacks_pwait2: AtomicBool,
}

/// The kernel's own `struct __kernel_timespec`, the same on every architecture; C's may be narrower.
#[repr(C)]
struct KernelTimespec {
    sec: i64,
    nsec: i64,
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    match result {
        -1 => Err(io::Error::last_os_error()),
        value => Ok(value),
    }
}

impl Epoll {
    pub(crate) fn new() -> io::Result<Epoll> {
        let epoll = Epoll {
            epoll_fd: AtomicI32::new(-1),
            event_fd: AtomicI32::new(-1),
            lacks_pwait2: AtomicBool::new(false),
        };
        epoll.rebuild()?;
        Ok(epoll)
    }

    pub(crate) fn rebuild(&self) -> io::Result<()> {
        // SAFETY: takes no pointers; the new descriptor is ours alone.
        let epoll_fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: takes no pointers; the new descriptor is ours alone.
        let event_fd = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) });
        let event_fd = event_fd.inspect_err(|_| {
            // SAFETY: `epoll_fd` was made above and nobody else knows it.
            unsafe { libc::close(epoll_fd) };
        })?;
        if let Err(error) = add_notification(epoll_fd, event_fd) {
            for fd in [epoll_fd, event_fd] {
                // SAFETY: both were made above and nobody else knows them.
                unsafe { libc::close(fd) };
            }
            return Err(error);
        }
        // The old descriptors, if any, are not closed: somebody else has closed them, and their numbers
        // may be in use.
        self.epoll_fd.store(epoll_fd, Ordering::Relaxed);
        self.event_fd.store(event_fd, Ordering::Relaxed);
        Ok(())
    }

    fn epoll_fd(&self) -> RawFd {
        self.epoll_fd.load(Ordering::Relaxed)
    }

    fn event_fd(&self) -> RawFd {
        self.event_fd.load(Ordering::Relaxed)
    }

    pub(crate) fn mode(&self) -> Mode {
        Mode::Edge
    }

    pub(crate) fn fd(&self) -> Option<RawFd> {
        Some(self.epoll_fd())
    }

    pub(crate) fn add(
        &self,
        source: &Registration,
        key: Key,
        interest: Interest,
        arming: &Arming,
    ) -> io::Result<()> {
        let flags = source_flags(interest);
        ctl(Op::Add, self.epoll_fd(), self.event_fd(), source.raw(), flags, key.0, Some(arming))
    }

    pub(crate) fn modify(
        &self,
        source: &Registration,
        key: Key,
        interest: Interest,
        arming: &Arming,
    ) -> io::Result<()> {
        let flags = source_flags(interest);
        ctl(Op::Mod, self.epoll_fd(), self.event_fd(), source.raw(), flags, key.0, Some(arming))
    }

    pub(crate) fn delete(&self, source: &Registration) -> io::Result<()> {
        ctl(Op::Del, self.epoll_fd(), self.event_fd(), source.raw(), 0, 0, None)
    }

    pub(crate) fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        let epoll_fd = self.epoll_fd();
        let buffer = &mut events.epoll;
        if buffer.len() == buffer.capacity() && buffer.len() < EVENTS_MAX {
            let larger = (buffer.capacity() * 2).max(EVENTS_MIN);
            buffer.reserve_exact(larger - buffer.len());
        }
        buffer.clear();
        let timeout = timeout.map(slack::without_slack);
        trace::wait_begin(epoll_fd, timeout);
        let waited = self.wait_raw(epoll_fd, buffer, timeout);
        trace::wait_return(epoll_fd, &waited);
        for (index, raw) in buffer.iter().enumerate() {
            let (flags, data) = (raw.events, raw.u64);
            trace::wait_entry(index, flags, data);
            if data != NOTIFY_DATA {
                events.list.push(Event { key: Key(data), flags });
            }
        }
        trace::wait_end(epoll_fd, &waited);
        match waited {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            waited => waited.map(drop),
        }
    }

    /// The wait itself. Fills `buffer` up to its capacity.
    fn wait_raw(
        &self,
        epoll_fd: RawFd,
        buffer: &mut Vec<libc::epoll_event>,
        timeout: Option<Duration>,
    ) -> io::Result<usize> {
        let (place, room) = (buffer.as_mut_ptr(), buffer.capacity() as libc::c_int);
        let count = if self.lacks_pwait2.load(Ordering::Relaxed) {
            let ms = |timeout: Duration| timeout.as_nanos().div_ceil(1_000_000);
            let timeout_ms = timeout.map_or(-1, |it| ms(it).min(i32::MAX as u128) as i32);
            // SAFETY: `place` has room for `room` events, which `buffer` owns.
            check(unsafe { libc::epoll_wait(epoll_fd, place, room, timeout_ms) })?
        } else {
            let limit = timeout.map(|timeout| KernelTimespec {
                sec: timeout.as_secs().try_into().unwrap_or(i64::MAX),
                nsec: timeout.subsec_nanos().into(),
            });
            // A raw system call: libc's function is also a cancellation point (`pthread_cancel(3)`),
            // which costs two locked instructions and is not needed. SAFETY: `place` has room for
            // `room` events, which `buffer` owns; `limit` is null or lives until the call returns; no
            // signal mask is passed.
            let count = check(unsafe {
                let limit = limit.as_ref().map_or(ptr::null(), |it| it as *const KernelTimespec);
                let no_mask = ptr::null::<libc::sigset_t>();
                libc::syscall(libc::SYS_epoll_pwait2, epoll_fd, place, room, limit, no_mask, 0)
            } as libc::c_int);
            match count {
                Err(error)
                    if matches!(
                        error.raw_os_error(),
                        Some(libc::ENOSYS | libc::EPERM | libc::EACCES)
                    ) =>
                {
                    // Relaxed: each thread may find out for itself.
                    self.lacks_pwait2.store(true, Ordering::Relaxed);
                    return self.wait_raw(epoll_fd, buffer, timeout);
                }
                count => count?,
            }
        };
        // SAFETY: the kernel has written the first `count` events, at most `room`.
        unsafe { buffer.set_len(count as usize) };
        Ok(count as usize)
    }

    pub(crate) fn notify(&self) {
        trace::notify(self.epoll_fd(), self.event_fd());
        let one = 1u64.to_ne_bytes();
        // SAFETY: `one` holds the eight bytes that are written. If somebody closed the descriptor, the
        // write fails or goes to the new owner of the number, as any write would.
        let _ = unsafe { libc::write(self.event_fd(), one.as_ptr().cast(), one.len()) };
        // It fails if somebody closed the descriptor, which the next wait reports. It also fails after
        // 2^64 notifications, but each of these was an edge.
    }

    /// Closes an instance that nobody uses: another thread was faster.
    pub(crate) fn discard(self) {
        for fd in [self.event_fd(), self.epoll_fd()] {
            // SAFETY: `new` made both, and nobody else has seen this instance.
            unsafe { libc::close(fd) };
        }
    }
}

/// Has an instance report each notification.
fn add_notification(epoll_fd: RawFd, event_fd: RawFd) -> io::Result<()> {
    ctl(Op::Add, epoll_fd, event_fd, event_fd, flags::IN | flags::EDGE, NOTIFY_DATA, None)
}

/// One `epoll_ctl`. The records of it are made with nothing locked.
fn ctl(
    op: Op,
    epoll_fd: RawFd,
    event_fd: RawFd,
    fd: RawFd,
    flags: u32,
    data: u64,
    arming: Option<&Arming>,
) -> io::Result<()> {
    trace::ctl_begin(op, epoll_fd, fd, event_fd, flags, data);
    let number = match op {
        Op::Add => libc::EPOLL_CTL_ADD,
        Op::Del => libc::EPOLL_CTL_DEL,
        Op::Mod => libc::EPOLL_CTL_MOD,
    };
    let mut event = libc::epoll_event { events: flags, u64: data };
    // SAFETY: `event` lives until the call returns; bad numbers give an error.
    let mut call = || check(unsafe { libc::epoll_ctl(epoll_fd, number, fd, &mut event) }).map(drop);
    let result = match arming {
        Some(arming) => arming.call(&mut call),
        None => call(),
    };
    trace::ctl_end(op, epoll_fd, fd, event_fd, &result);
    result
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    const BOTH: Interest = Interest { readable: true, writable: true };

    /// A kernel without `epoll_pwait2` costs precision, nothing else.
    #[test]
    fn waits_without_pwait2() {
        let epoll = Epoll::new().unwrap();
        epoll.lacks_pwait2.store(true, Ordering::Relaxed);
        let (a, b) = UnixStream::pair().unwrap();
        let source = Registration::from_raw(a.as_raw_fd());
        epoll.add(&source, Key::new(7, 1), BOTH, &Arming::new()).unwrap();
        let mut events = Events::default();
        epoll.wait(&mut events, Some(Duration::from_secs(5))).unwrap();
        assert_eq!(events.list.len(), 1, "the first report: writable");
        std::io::Write::write_all(&mut &b, b"x").unwrap();
        events.list.clear();
        epoll.wait(&mut events, Some(Duration::from_secs(5))).unwrap();
        assert!(events.list[0].readable());
        assert_eq!(events.list[0].key, Key::new(7, 1));
        events.list.clear();
        epoll.wait(&mut events, Some(Duration::from_micros(10))).unwrap();
        assert!(events.list.is_empty(), "an edge is reported once");
    }

    /// 300 ready sources come out of a buffer of 64, and none twice.
    #[test]
    fn the_buffer_grows() {
        let epoll = Epoll::new().unwrap();
        let pairs: Vec<_> = (0..150).map(|_| UnixStream::pair().unwrap()).collect();
        for (index, (a, b)) in pairs.iter().enumerate() {
            for (fd, generation) in [(a.as_raw_fd(), 0), (b.as_raw_fd(), 1)] {
                let source = Registration::from_raw(fd);
                let key = Key::new(index as u32, generation);
                epoll.add(&source, key, BOTH, &Arming::new()).unwrap();
            }
        }
        let (mut events, mut seen) = (Events::default(), std::collections::HashSet::new());
        while seen.len() < 300 {
            events.list.clear();
            epoll.wait(&mut events, Some(Duration::from_secs(5))).unwrap();
            assert!(!events.list.is_empty());
            assert!(events.list.iter().all(|event| seen.insert(event.key)));
        }
        assert!(events.epoll.capacity() > EVENTS_MIN);
    }

    #[test]
    fn a_notification_ends_the_wait_each_time() {
        let epoll = Epoll::new().unwrap();
        let mut events = Events::default();
        for _ in 0..3 {
            epoll.notify();
            epoll.wait(&mut events, None).unwrap();
            assert!(events.list.is_empty());
        }
    }
}
