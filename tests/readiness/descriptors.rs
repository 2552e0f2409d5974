//! File descriptors that are no sockets: whatever `poll` can wait for, by `readable` and by
//! operations of the caller's own.
#![cfg(target_os = "linux")]

use std::io::{self, ErrorKind};
use std::os::unix::io::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::process::{Command, Stdio};
use std::task::Context;
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::future::{self, poll_once};
use futures_lite::pin;
use rustix::event::{epoll, eventfd, EventfdFlags};
use rustix::fs::inotify;

use crate::util::{counting_waker, eventually, waits, watchdog};

fn read_u64(fd: &OwnedFd) -> io::Result<u64> {
    let mut buf = [0; 8];
    match rustix::io::read(fd, &mut buf)? {
        8 => Ok(u64::from_ne_bytes(buf)),
        _ => Err(ErrorKind::UnexpectedEof.into()),
    }
}

fn add(fd: impl AsFd, count: u64) -> io::Result<()> {
    assert_eq!(rustix::io::write(fd, &count.to_ne_bytes())?, 8);
    Ok(())
}

fn new_eventfd() -> io::Result<Async<OwnedFd>> {
    Async::new(eventfd(0, EventfdFlags::CLOEXEC)?)
}

#[test]
fn an_eventfd() -> io::Result<()> {
    let _watchdog = watchdog("an_eventfd");
    let source = new_eventfd()?;
    block_on(async {
        for round in 1..50 {
            assert!(waits(|| source.readable()).await);
            let receive = source.read_with(read_u64);
            pin!(receive);
            assert!(poll_once(receive.as_mut()).await.is_none());
            add(&source, round)?;
            add(&source, 1)?;
            assert_eq!(receive.await?, round + 1);
            source.writable().await?;
        }
        // Nearly full: there is no room for two more.
        add(&source, u64::MAX - 2)?;
        let send = source.write_with(|fd| Ok(rustix::io::write(fd, &2_u64.to_ne_bytes())?));
        pin!(send);
        assert!(poll_once(send.as_mut()).await.is_none());
        assert_eq!(read_u64(source.get_ref())?, u64::MAX - 2);
        assert_eq!(send.await?, 8);
        assert_eq!(source.read_with(read_u64).await?, 2);
        Ok(())
    })
}

#[test]
fn a_timerfd() -> io::Result<()> {
    let _watchdog = watchdog("a_timerfd");
    let flags = libc::TFD_NONBLOCK | libc::TFD_CLOEXEC;
    // SAFETY: takes no pointers.
    let raw = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, flags) };
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just made, and nobody else's.
    let source = Async::new_nonblocking(unsafe { OwnedFd::from_raw_fd(raw) })?;
    let every_ms = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
    let spec = libc::itimerspec { it_interval: every_ms, it_value: every_ms };
    // SAFETY: `spec` lives through the call, and no old value is asked for.
    let set = unsafe { libc::timerfd_settime(raw, 0, &spec, std::ptr::null_mut()) };
    if set < 0 {
        return Err(io::Error::last_os_error());
    }
    block_on(async {
        for _ in 0..10 {
            source.readable().await?;
            // Ready is ready: the operation does not block. But for one event that was about to be
            // delivered when the last round read: see `waits`.
            let count = match read_u64(source.get_ref()) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    source.readable().await?;
                    read_u64(source.get_ref())
                }
                result => result,
            };
            assert!(count? > 0);
            assert!(source.read_with(read_u64).await? > 0);
        }
        Ok(())
    })
}

#[test]
fn an_inotify_watch() -> io::Result<()> {
    let _watchdog = watchdog("an_inotify_watch");
    let dir = tempfile::tempdir()?;
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC)?;
    inotify::add_watch(&watch, dir.path(), inotify::WatchFlags::CREATE)?;
    let source = Async::new(watch)?;
    block_on(async {
        for name in ["one", "two", "three"] {
            let changed = source.readable();
            let (changed, made) = future::zip(changed, async {
                future::yield_now().await;
                std::fs::write(dir.path().join(name), name)
            })
            .await;
            made?;
            changed?;
            let mut buf = [0; 4096];
            let count = source.read_with(|fd| Ok(rustix::io::read(fd, &mut buf)?)).await?;
            let said = String::from_utf8_lossy(&buf[..count]).into_owned();
            assert!(said.contains(name), "{said:?}");
        }
        Ok(())
    })
}

/// A process handle never stops being readable once the process is over, also for those who begin
/// to wait later; and nothing is ever read from it.
#[test]
fn a_pidfd() -> io::Result<()> {
    let _watchdog = watchdog("a_pidfd");
    let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    // SAFETY: takes no pointers; the child is not reaped yet, so that the number is its own.
    let raw = unsafe { libc::syscall(libc::SYS_pidfd_open, child.id(), 0) };
    if raw < 0 {
        let error = io::Error::last_os_error();
        drop(child.stdin.take());
        child.wait()?;
        // Linux before 5.3, or a sandbox that hides it.
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
        return Ok(());
    }
    // SAFETY: just made, and nobody else's.
    let source = Async::new_nonblocking(unsafe { OwnedFd::from_raw_fd(raw as i32) })?;
    block_on(async {
        let ended = source.readable();
        pin!(ended);
        assert!(poll_once(ended.as_mut()).await.is_none());
        drop(child.stdin.take());
        ended.await?;
        // In `waitid`'s way: the status is there now, and stays with the caller.
        source
            .read_with(|_| child.try_wait()?.ok_or(ErrorKind::WouldBlock.into()))
            .await
            .map(|status| assert!(status.success()))?;
        source.readable().await
    })
}

/// An event loop in the event loop: an epoll of the caller's own as a source.
#[test]
fn a_nested_epoll() -> io::Result<()> {
    let _watchdog = watchdog("a_nested_epoll");
    let inner = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let events = [new_eventfd()?.into_inner()?, new_eventfd()?.into_inner()?];
    for (n, event) in (0..).zip(&events) {
        epoll::add(&inner, event, epoll::EventData::new_u64(n), epoll::EventFlags::IN)?;
    }
    let source = Async::new_nonblocking(inner)?;
    block_on(async {
        for round in 0..50 {
            let n = round % 2;
            let ready = source.readable();
            pin!(ready);
            assert!(poll_once(ready.as_mut()).await.is_none());
            add(&events[n], 1)?;
            ready.await?;
            let mut list = Vec::with_capacity(4);
            let spare = rustix::buffer::spare_capacity(&mut list);
            epoll::wait(source.get_ref(), spare, Some(&Default::default()))?;
            assert_eq!(list.len(), 1);
            let data = list[0].data;
            assert_eq!(data.u64(), n as u64);
            read_u64(&events[n])?;
        }
        Ok(())
    })
}

/// Two descriptors of one open file are two sources: each gets the events of both.
#[test]
fn duplicates_of_one_file() -> io::Result<()> {
    let _watchdog = watchdog("duplicates_of_one_file");
    let one = new_eventfd()?;
    let other = Async::new(one.get_ref().try_clone()?)?;
    assert_ne!(one.as_raw_fd(), other.as_raw_fd());
    block_on(async {
        for _ in 0..20 {
            let (first, second) = (one.readable(), other.readable());
            let both = future::zip(first, second);
            pin!(both);
            assert!(poll_once(both.as_mut()).await.is_none());
            add(&one, 1)?;
            let (first, second) = both.await;
            first.and(second)?;
            assert_eq!(read_u64(one.get_ref())?, 1);
        }
        // One of them gone, the other goes on.
        drop(one);
        let (ready, added) = future::zip(other.readable(), async {
            Timer::after(Duration::from_millis(1)).await;
            add(&other, 1)
        })
        .await;
        ready.and(added)
    })
}

/// The eventfd's source waits, and is told of what is added then.
fn hears_of_an_event(source: &Async<BorrowedFd<'_>>, fd: &OwnedFd) -> io::Result<()> {
    block_on(async {
        let readable = source.readable();
        pin!(readable);
        assert!(poll_once(readable.as_mut()).await.is_none());
        add(fd, 1)?;
        readable.await
    })?;
    assert_eq!(read_u64(fd)?, 1);
    Ok(())
}

/// A registration that is refused changes nothing for the source that has the descriptor, neither its
/// events nor its end.
#[test]
fn a_second_source_of_a_descriptor_is_refused() -> io::Result<()> {
    let _watchdog = watchdog("a_second_source_of_a_descriptor_is_refused");
    let fd = eventfd(0, EventfdFlags::CLOEXEC)?;
    for _ in 0..3 {
        let first = Async::new(fd.as_fd())?;
        let refused = Async::new(fd.as_fd()).expect_err("it has a source");
        assert_eq!(refused.kind(), ErrorKind::AlreadyExists, "{refused:?}");
        hears_of_an_event(&first, &fd)?;
    }
    Ok(())
}

/// Nor does it leave anything behind: not for the source that is made next, nor for the next one of
/// the same number.
#[test]
fn a_number_that_was_refused_is_as_good_as_new() -> io::Result<()> {
    let _watchdog = watchdog("a_number_that_was_refused_is_as_good_as_new");
    let mut fd = OwnedFd::from(std::fs::File::open("/proc/self/exe")?);
    Async::new(fd.as_fd()).expect_err("a regular file cannot be polled");
    let next = new_eventfd()?;
    let (waker, wakes) = counting_waker();
    assert!(next.poll_readable(&mut Context::from_waker(&waker)).is_pending());
    rustix::io::dup2(eventfd(0, EventfdFlags::CLOEXEC)?, &mut fd)?;
    for _ in 0..3 {
        let source = Async::new(fd.as_fd())?;
        assert_eq!(wakes.get(), 0, "nothing has happened to the other source");
        hears_of_an_event(&source, &fd)?;
    }
    add(&next, 1)?;
    eventually(|| wakes.get() == 1);
    Ok(())
}
