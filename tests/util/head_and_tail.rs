//! Bytes that a Unix stream's reader gets in two reads, however large its buffer: the kernel ends one after
//! bytes that a descriptor was sent with, though more bytes are there.

use std::io::{self, IoSlice, Write};
use std::mem::MaybeUninit;
use std::os::unix::io::AsFd;
use std::os::unix::net::UnixStream;

use async_io::Async;
use futures_lite::AsyncReadExt;
use rustix::net::{sendmsg, SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

/// Sends `head` with a descriptor, and `tail` without.
pub fn send(to: &Async<UnixStream>) -> io::Result<()> {
    let fds = [to.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(&fds)));
    let head = [IoSlice::new(b"head")];
    assert_eq!(sendmsg(to, &head, &mut ancillary, SendFlags::empty())?, 4);
    to.get_ref().write_all(b"tail")
}

/// Reads both.
pub async fn receive(from: &mut Async<UnixStream>) -> io::Result<()> {
    let mut buf = [0; 64];
    let mut got: Vec<u8> = Vec::new();
    while got.len() < 8 {
        let count = from.read(&mut buf).await?;
        got.extend(&buf[..count]);
    }
    assert_eq!(got, b"headtail");
    Ok(())
}
