//! The descriptor of a source that is watched by level comes to stand for something else, while a duplicate
//! keeps what it stood for open: the poller goes on reporting that, and nothing can be said to it any more
//! by the number. By edge, that is an event now and then that nobody takes. By level, every wait returned
//! at once from then on, and a thread was busy for ever: 19,000 rounds in 200 ms.
#![cfg(target_os = "linux")]

#[path = "util/poller.rs"]
mod poller;
#[path = "util/records.rs"]
mod records;
#[path = "util/singles.rs"]
mod singles;
mod util;

use std::fs::File;
use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use singles::{one_at_a_time, recorded, udp_pair, until_by_level, HABITUAL};
use util::watchdog;

/// Held by whoever has this process's work recorded.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A socket that is watched by level, and its peer.
fn by_level() -> io::Result<(Async<UdpSocket>, Async<UdpSocket>)> {
    let (near, far) = udp_pair()?;
    let fd = near.get_ref().as_raw_fd();
    until_by_level(fd, || block_on(one_at_a_time(far.get_ref(), &near, HABITUAL)))?;
    Ok((near, far))
}

/// Has a number, that stays open, stand for something else.
fn replace(fd: RawFd) -> io::Result<()> {
    let nothing = File::open("/dev/null")?;
    // SAFETY: takes no pointers. What the number stood for is known not to be used by it any more.
    let replaced = unsafe { libc::dup2(nothing.as_raw_fd(), fd) };
    assert!(replaced >= 0, "{}", io::Error::last_os_error());
    Ok(())
}

/// How many rounds the reactor does while nothing happens but a datagram for nobody.
fn rounds(far: &Async<UdpSocket>) -> io::Result<usize> {
    let lines = recorded(|| {
        far.get_ref().send(b"for nobody")?;
        block_on(Timer::after(Duration::from_millis(200)));
        Ok(())
    })?;
    Ok(lines.iter().filter(|line| line.text.contains("Reactor::ticker")).count())
}

/// A hundred are many for one datagram and one timer; those of a busy loop are thousands.
const ROUNDS_MAX: usize = 100;

/// The reactor is alive.
fn serves() -> io::Result<()> {
    let (near, far) = udp_pair()?;
    block_on(one_at_a_time(far.get_ref(), &near, HABITUAL))
}

#[test]
fn a_source_that_cannot_be_unwatched_does_not_keep_the_reactor_turning() -> io::Result<()> {
    let test = "a_source_that_cannot_be_unwatched_does_not_keep_the_reactor_turning";
    let _watchdog = watchdog(test);
    let _alone = alone();
    if !poller::is_epoll(test) {
        return Ok(());
    }
    let (near, far) = by_level()?;
    let _keeps_it = near.get_ref().try_clone()?;
    replace(near.get_ref().as_raw_fd())?;
    let rounds = rounds(&far)?;
    assert!(rounds < ROUNDS_MAX, "{rounds} rounds for one event");
    serves()
}

/// The same, of a source that is gone by then.
#[test]
fn a_source_that_is_gone_does_not_keep_the_reactor_turning() -> io::Result<()> {
    let test = "a_source_that_is_gone_does_not_keep_the_reactor_turning";
    let _watchdog = watchdog(test);
    let _alone = alone();
    if !poller::is_epoll(test) {
        return Ok(());
    }
    let (near, far) = by_level()?;
    let _keeps_it = near.get_ref().try_clone()?;
    replace(near.get_ref().as_raw_fd())?;
    drop(near);
    let rounds = rounds(&far)?;
    assert!(rounds < ROUNDS_MAX, "{rounds} rounds for one event");
    serves()
}

/// A source's number is closed behind our back, and nothing is left of it: no doubt may stay behind by which
/// an unread byte of another one is reported again and again.
#[test]
fn a_doubt_about_one_source_does_not_touch_another() -> io::Result<()> {
    let test = "a_doubt_about_one_source_does_not_touch_another";
    let _watchdog = watchdog(test);
    let _alone = alone();
    if !poller::is_epoll(test) {
        return Ok(());
    }
    let (near, _far) = by_level()?;
    replace(near.get_ref().as_raw_fd())?;
    drop(near);
    let (_unread, far) = udp_pair()?;
    let rounds = rounds(&far)?;
    assert!(rounds < ROUNDS_MAX, "{rounds} rounds for one event");
    serves()
}
