//! The descriptor of a source that is watched by level comes to stand for something else, while a duplicate
//! keeps what it stood for open: the poller goes on reporting that, and nothing can be said to it any more
//! by the number. By edge, that is an event now and then that nobody takes. By level, every wait returned
//! at once from then on, and a thread was busy for ever: 19,000 rounds in 200 ms.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use async_io::{block_on, Async, Timer};

mod util;
use util::singles::{one_at_a_time, recorded, udp_pair, udp_pair_by_level, HABITUAL};
use util::{alone, poller, watchdog};

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

/// Replaces what a source that is watched by level stands for, has `keep` say what of it stays open, and counts
/// the rounds that one more event of it takes.
fn is_quiet<T>(test: &str, keep: impl FnOnce(Async<UdpSocket>, UdpSocket) -> T) -> io::Result<()> {
    let _watchdog = watchdog(test);
    let _alone = alone();
    if !poller::is_epoll(test) {
        return Ok(());
    }
    let (near, far) = udp_pair_by_level()?;
    let duplicate = near.get_ref().try_clone()?;
    replace(near.get_ref().as_raw_fd())?;
    let _kept = keep(near, duplicate);
    let rounds = rounds(&far)?;
    assert!(rounds < ROUNDS_MAX, "{rounds} rounds for one event");
    serves()
}

#[test]
fn a_source_that_cannot_be_unwatched_does_not_keep_the_reactor_turning() -> io::Result<()> {
    let test = "a_source_that_cannot_be_unwatched_does_not_keep_the_reactor_turning";
    is_quiet(test, |near, duplicate| (near, duplicate))
}

/// The same, of a source that is gone by then.
#[test]
fn a_source_that_is_gone_does_not_keep_the_reactor_turning() -> io::Result<()> {
    is_quiet("a_source_that_is_gone_does_not_keep_the_reactor_turning", |_, duplicate| duplicate)
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
    let (near, _far) = udp_pair_by_level()?;
    replace(near.get_ref().as_raw_fd())?;
    drop(near);
    let (_unread, far) = udp_pair()?;
    let rounds = rounds(&far)?;
    assert!(rounds < ROUNDS_MAX, "{rounds} rounds for one event");
    serves()
}
