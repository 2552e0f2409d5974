//! `os::unix::reactor_fd`: the reactor in somebody else's poll loop.
#![cfg(unix)]

use std::io::{self, Read, Write};
use std::os::unix::io::{AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use async_io::os::unix::reactor_fd;
use async_io::{block_on, Async, Timer};
use futures_lite::future;
use futures_lite::AsyncReadExt;
use rustix::event::{poll, PollFd, PollFlags, Timespec};

use crate::util::{counting_waker, poll_with, watchdog};

/// What `poll(2)` says of `fd` within `timeout_ms`.
fn poll_in(fd: BorrowedFd<'_>, timeout_ms: u64) -> io::Result<PollFlags> {
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    let timeout = Timespec::try_from(Duration::from_millis(timeout_ms)).expect("a short time");
    match poll(&mut fds, Some(&timeout)) {
        Ok(_) => Ok(fds[0].revents()),
        Err(rustix::io::Errno::INTR) => Ok(PollFlags::empty()),
        Err(error) => Err(error.into()),
    }
}

#[test]
fn is_the_same_at_each_call_and_can_be_polled() -> io::Result<()> {
    let _watchdog = watchdog("is_the_same_at_each_call_and_can_be_polled");
    let fd = reactor_fd().expect("the reactor has a file descriptor");
    assert_eq!(reactor_fd().map(|fd| fd.as_raw_fd()), Some(fd.as_raw_fd()));
    let wrong = PollFlags::NVAL | PollFlags::ERR | PollFlags::HUP;
    assert!(!poll_in(fd, 0)?.intersects(wrong));
    block_on(Timer::after(Duration::from_millis(1)));
    assert!(!poll_in(fd, 0)?.intersects(wrong));
    // 'static, and so of any thread.
    let elsewhere = thread::spawn(|| reactor_fd().map(|fd| fd.as_raw_fd()))
        .join()
        .expect("the thread does not panic");
    assert_eq!(elsewhere, Some(fd.as_raw_fd()));
    Ok(())
}

/// A source's event shows on the reactor's file descriptor until some thread takes it: as threads
/// of the reactor do that too, the event must be seen in some round, not in each.
#[test]
fn is_readable_when_a_source_is_ready() -> io::Result<()> {
    let _watchdog = watchdog("is_readable_when_a_source_is_ready");
    let fd = reactor_fd().expect("the reactor has a file descriptor");
    let (near, mut far) = UnixStream::pair()?;
    let source = Async::new(near)?;
    let (waker, _) = counting_waker();
    loop {
        while source.poll_readable(&mut Context::from_waker(&waker)).is_ready() {}
        far.write_all(b"x")?;
        let seen = poll_in(fd, 0)?;
        (&mut source.get_ref()).read_exact(&mut [0])?;
        if seen.contains(PollFlags::IN) {
            return Ok(());
        }
    }
}

/// Wakes the loop that a foreign main thread sleeps in.
struct LoopWaker(UnixStream);

impl Wake for LoopWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Full means that the loop is being told already.
        let _ = (&self.0).write(&[0]);
    }
}

/// A GUI-like main loop: it sleeps in `poll(2)` over the reactor and its own wake-up pipe, lets the
/// reactor run when there is something, and polls its task when that is woken. Neither an event nor
/// a timer is lost, whoever drives the reactor.
#[test]
fn drives_a_task_from_a_foreign_loop() -> io::Result<()> {
    let _watchdog = watchdog("drives_a_task_from_a_foreign_loop");
    const MESSAGES: u8 = 100;
    let fd = reactor_fd().expect("the reactor has a file descriptor");
    let (near, mut far) = UnixStream::pair()?;
    let mut source = Async::new(near)?;
    let (wake_in, wake_out) = UnixStream::pair()?;
    wake_in.set_nonblocking(true)?;
    wake_out.set_nonblocking(true)?;
    let waker = Waker::from(Arc::new(LoopWaker(wake_in)));

    let mut task = Box::pin(async move {
        for message in 0..MESSAGES {
            let mut buf = [0];
            source.read_exact(&mut buf).await?;
            assert_eq!(buf, [message]);
            if message % 10 == 0 {
                Timer::after(Duration::from_millis(1)).await;
            }
        }
        io::Result::Ok(())
    });
    let sending = thread::spawn(move || {
        (0..MESSAGES).try_for_each(|message| {
            thread::sleep(Duration::from_micros(300));
            far.write_all(&[message])
        })
    });

    waker.wake_by_ref();
    loop {
        let mut fds =
            [PollFd::from_borrowed_fd(fd, PollFlags::IN), PollFd::new(&wake_out, PollFlags::IN)];
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if fds[0].revents().contains(PollFlags::IN) {
            block_on(future::yield_now());
        }
        if fds[1].revents().contains(PollFlags::IN) {
            while matches!((&wake_out).read(&mut [0; 64]), Ok(1..)) {}
            if let Poll::Ready(done) = poll_with(&mut task, &waker) {
                done?;
                return sending.join().expect("the sender does not panic");
            }
        }
    }
}
