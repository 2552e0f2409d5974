//! Reading and writing: `AsyncRead` and `AsyncWrite` for [`Async`].
//!
//! All tasks that use these share one waiter a direction. A short read of a stream socket has emptied
//! it: the task's next read begins to wait without a system call.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};
use ticks_format::Direction;

use crate::poller::registration::is_unix_stream;
use crate::reactor::attempt::{Call, Foreign, IoKind, Stage, StreamRead};
use crate::reactor::source::Source;
use crate::waiting::poll_shared;
use crate::{Async, IoSafe};

/// A read of this many bytes or more proves nothing about what is left, even if it was short: the
/// kernel acknowledges the bytes, and a busy peer's next bytes arrive before the read returns. A task
/// that waited for their event would keep TCP's receive window small, because the kernel sizes the
/// window by how fast the queue is read.
const LONG_READ: usize = 32 * 1024;

/// Whether a read into `len` bytes was a short one. No bytes is the end of the stream, which the next read
/// must see again.
fn is_short(read: usize, len: usize) -> bool {
    0 < read && read < len.min(LONG_READ)
}

/// An operation that needs neither data nor room, so that it is done at once. If it blocks all the same,
/// it waits as an operation of foreign code does.
#[track_caller]
fn poll_needless<R>(
    source: &Arc<Source>,
    dir: Direction,
    cx: &mut Context<'_>,
    mut op: impl FnMut() -> io::Result<R>,
) -> Poll<io::Result<R>> {
    match op() {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            poll_shared(source, dir, cx, Foreign(op))
        }
        result => Poll::Ready(result),
    }
}

/// A read.
#[track_caller]
fn poll_read<T>(
    source: &Arc<Source>,
    cx: &mut Context<'_>,
    buf: &mut [u8],
    mut read: impl FnMut(&mut [u8]) -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    let (dir, len) = (Direction::Read, buf.len());
    if len == 0 {
        return poll_needless(source, dir, cx, || read(buf));
    }
    if is_unix_stream(typeid::of::<T>()) {
        let receive = |stage| {
            // Only after an event is a short read likely to have emptied the stream. If another read came before,
            // there is a queue: reading on is faster, and ends with `WouldBlock`.
            if stage != Stage::AfterEvent {
                return Ok((read(buf)?, false));
            }
            let (n, is_whole) = crate::os::receive(source.registration(), buf)?;
            Ok((n, is_whole && is_short(n, len)))
        };
        return poll_shared(source, dir, cx, StreamRead(receive));
    }
    poll_read_all_kinds::<T>(source, cx, len, || read(buf))
}

/// A read into several buffers.
#[track_caller]
fn poll_read_vectored<T>(
    source: &Arc<Source>,
    cx: &mut Context<'_>,
    bufs: &mut [IoSliceMut<'_>],
    mut read: impl FnMut(&mut [IoSliceMut<'_>]) -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    let len = bufs.iter().map(|buf| buf.len()).sum();
    if len == 0 {
        return poll_needless(source, Direction::Read, cx, || read(bufs));
    }
    if is_unix_stream(typeid::of::<T>()) {
        // The call does not say why it was short.
        return poll_shared(source, Direction::Read, cx, Call(|| read(bufs)));
    }
    poll_read_all_kinds::<T>(source, cx, len, || read(bufs))
}

/// A read into `len` bytes, of any `T`.
#[inline]
#[track_caller]
fn poll_read_all_kinds<T>(
    source: &Arc<Source>,
    cx: &mut Context<'_>,
    len: usize,
    mut read: impl FnMut() -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    let dir = Direction::Read;
    match IoKind::of::<T>() {
        IoKind::Stream => {
            let read = |_| read().map(|n| (n, is_short(n, len)));
            poll_shared(source, dir, cx, StreamRead(read))
        }
        IoKind::Plain => poll_shared(source, dir, cx, Call(read)),
        IoKind::Unknown => poll_shared(source, dir, cx, Foreign(read)),
    }
}

/// A write of `len` bytes. A write of no bytes returns at once, even while another one waits for room.
#[track_caller]
fn poll_write<T>(
    source: &Arc<Source>,
    cx: &mut Context<'_>,
    len: usize,
    write: impl FnMut() -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    let dir = Direction::Write;
    match IoKind::of::<T>() {
        _ if len == 0 => poll_needless(source, dir, cx, write),
        IoKind::Unknown => poll_shared(source, dir, cx, Foreign(write)),
        _ => poll_shared(source, dir, cx, Call(write)),
    }
}

/// A flush. It needs no room, so it does not wait behind a write that was cancelled.
#[track_caller]
fn poll_flush(
    source: &Arc<Source>,
    cx: &mut Context<'_>,
    flush: impl FnMut() -> io::Result<()>,
) -> Poll<io::Result<()>> {
    poll_needless(source, Direction::Write, cx, flush)
}

impl<T: IoSafe + Read> AsyncRead for Async<T> {
    #[track_caller]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let (source, io) = self.get_mut().parts_mut();
        poll_read::<T>(source, cx, buf, |buf| io.read(buf))
    }

    #[track_caller]
    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let (source, io) = self.get_mut().parts_mut();
        poll_read_vectored::<T>(source, cx, bufs, |bufs| io.read_vectored(bufs))
    }
}

impl<T> AsyncRead for &Async<T>
where
    for<'a> &'a T: Read,
{
    #[track_caller]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        poll_read::<T>(self.source(), cx, buf, |buf| self.get_ref().read(buf))
    }

    #[track_caller]
    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        poll_read_vectored::<T>(self.source(), cx, bufs, |bufs| self.get_ref().read_vectored(bufs))
    }
}

impl<T: IoSafe + Write> AsyncWrite for Async<T> {
    #[track_caller]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let (source, io) = self.get_mut().parts_mut();
        poll_write::<T>(source, cx, buf.len(), || io.write(buf))
    }

    #[track_caller]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let (source, io) = self.get_mut().parts_mut();
        let len = bufs.iter().map(|buf| buf.len()).sum();
        poll_write::<T>(source, cx, len, || io.write_vectored(bufs))
    }

    #[track_caller]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (source, io) = self.get_mut().parts_mut();
        poll_flush(source, cx, || io.flush())
    }

    #[track_caller]
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl<T> AsyncWrite for &Async<T>
where
    for<'a> &'a T: Write,
{
    #[track_caller]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        poll_write::<T>(self.source(), cx, buf.len(), || self.get_ref().write(buf))
    }

    #[track_caller]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let len = bufs.iter().map(|buf| buf.len()).sum();
        poll_write::<T>(self.source(), cx, len, || self.get_ref().write_vectored(bufs))
    }

    #[track_caller]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll_flush(self.source(), cx, || self.get_ref().flush())
    }

    #[track_caller]
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}
