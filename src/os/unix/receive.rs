//! Reading a Unix stream so that one knows why a read was short.
//!
//! This file may contain `unsafe`: a system call that takes pointers.

#![allow(unsafe_code)]

use std::os::fd::AsRawFd;
use std::{io, mem};

use crate::poller::registration::Registration;

/// Reads from a Unix stream as `read(2)` does. Returns how many bytes, and whether only the lack of more
/// can have made the read a short one.
///
/// A read ends early where descriptors or credentials were sent along, though more may be queued;
/// without room for them the system reports `MSG_CTRUNC` (`recvmsg(2)`, `unix(7)`).
///
/// By hand: `rustix` asks for the sender's address too, which a tenth of the call goes into.
pub(crate) fn receive(source: &Registration, buf: &mut [u8]) -> io::Result<(usize, bool)> {
    let fd = source.descriptor().ok_or(io::ErrorKind::InvalidInput)?.as_raw_fd();
    let mut part = libc::iovec { iov_base: buf.as_mut_ptr().cast(), iov_len: buf.len() };
    // SAFETY: integers and pointers, of which zero is a value.
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_iov = &mut part;
    header.msg_iovlen = 1;
    // SAFETY: `header` names one part, `buf`, which is ours to write to until the call returns, and
    // no room for an address or anything sent along.
    let length = unsafe { libc::recvmsg(fd, &mut header, 0) };
    let Ok(len) = usize::try_from(length) else { return Err(io::Error::last_os_error()) };
    Ok((len, header.msg_flags & libc::MSG_CTRUNC == 0))
}
