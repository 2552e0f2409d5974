//! Messages that come one at a time, until their socket is watched by level.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use async_io::{block_on, Async};
use futures_lite::future::zip;

use super::records::{Field, Keeper, Line};

/// More messages, one at a time, than it mostly takes until a source is watched by level.
pub const HABITUAL: usize = 100;

/// Two connected sockets.
pub fn udp_pair() -> io::Result<(Async<UdpSocket>, Async<UdpSocket>)> {
    let bind = || Async::<UdpSocket>::bind(([127, 0, 0, 1], 0));
    let (near, far) = (bind()?, bind()?);
    near.get_ref().connect(far.get_ref().local_addr()?)?;
    far.get_ref().connect(near.get_ref().local_addr()?)?;
    Ok((near, far))
}

/// Sends messages that are waited for, one at a time.
pub async fn one_at_a_time(to: &UdpSocket, at: &Async<UdpSocket>, count: usize) -> io::Result<()> {
    let mut buf = [0; 16];
    for n in 0..count {
        let send = async { to.send(&[n as u8]) };
        // Polled in this order, so that the wait has begun when it is sent.
        let (received, sent) = zip(at.recv(&mut buf), send).await;
        assert_eq!((received?, sent?), (1, 1));
        assert_eq!(buf[0], n as u8);
    }
    Ok(())
}

static KEEPER: Keeper = Keeper::new();

/// What was recorded while `work` was done: all that this process did. One at a time.
pub fn recorded(work: impl FnOnce() -> io::Result<()>) -> io::Result<Vec<Line>> {
    let _ = log::set_logger(&KEEPER);
    log::set_max_level(log::LevelFilter::Trace);
    KEEPER.take();
    let done = work();
    log::set_max_level(log::LevelFilter::Off);
    done.map(|()| KEEPER.take())
}

pub fn is_of(line: &Line, fd: i32) -> bool {
    line.fields.get("fd") == Some(&Field::Number(fd.into()))
}

/// Whether the line tells that this descriptor comes to be watched by level.
fn begins_level(line: &Line, fd: i32) -> bool {
    is_of(line, fd) && line.text.starts_with("ctl:+ MOD") && !line.text.contains("|ET")
}

/// Does `work`, one message at a time, until the descriptor is watched by level: soon, or late where the
/// machine is so busy that the helper thread drives again and again.
pub fn until_by_level(fd: i32, mut work: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    while !recorded(&mut work)?.iter().any(|line| begins_level(line, fd)) {}
    Ok(())
}

/// Two connected sockets, the first of which is watched by level.
pub fn udp_pair_by_level() -> io::Result<(Async<UdpSocket>, Async<UdpSocket>)> {
    let (near, far) = udp_pair()?;
    let fd = near.get_ref().as_raw_fd();
    until_by_level(fd, || block_on(one_at_a_time(far.get_ref(), &near, HABITUAL)))?;
    Ok((near, far))
}
