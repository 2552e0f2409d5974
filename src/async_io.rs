//! [`Async`]: a pollable thing, made asynchronous.
//!
//! This file may say `unsafe`, but only to declare functions whose callers must keep a promise.

#![allow(unsafe_code)]

use std::any::TypeId;
use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};
use ticks_format::Direction;

use crate::captures::Captures;
use crate::io_safe::IoSafe;
use crate::os::nonblocking;
use crate::reactor::readiness::WaiterId;
use crate::reactor::registration::Registration;
use crate::reactor::source::{Nature, Rest, Source};
use crate::readable::{Readable, ReadableOwned, Writable, WritableOwned};
use crate::trace::{self, Place};

/// Makes a socket, a pipe or anything else that the system can poll asynchronous.
///
/// The inner value is put into non-blocking mode and registered with the process's reactor until the
/// `Async` is dropped or taken apart. Operations are then futures that wait instead of blocking:
///
/// - sockets of std have their own ([`accept`](Async::accept), [`recv`](Async::recv), …);
/// - [`AsyncRead`] and [`AsyncWrite`] are there for what is [`Read`] and [`Write`];
/// - [`read_with`](Self::read_with) and [`write_with`](Self::write_with) make one of any closure;
/// - [`readable`](Self::readable) and [`writable`](Self::writable) only wait.
///
/// Any number of tasks may wait for the same `Async` in both directions. The poll functions
/// ([`poll_readable`](Self::poll_readable), [`poll_writable`](Self::poll_writable), `AsyncRead`,
/// `AsyncWrite`) remember the tasks that called them in each direction; 64 different ones at once,
/// after which all of them are woken to ask again.
///
/// # What can be polled
///
/// On Linux everything that epoll takes: sockets, pipes, terminals, timer, event and inotify
/// descriptors, not regular files. On Windows sockets.
///
/// # Caveats
///
/// The inner value must not be read or written by other means in a way that blocks, and its
/// descriptor must stay open and the same: hence [`IoSafe`], and hence
/// [`get_mut`](Self::get_mut) is unsafe. Non-blocking mode belongs to the open file, so it shows in
/// clones of the descriptor too.
///
/// # Examples
///
/// ```
/// use async_io::Async;
/// use futures_lite::future::block_on;
/// use std::net::UdpSocket;
///
/// # fn main() -> std::io::Result<()> {
/// block_on(async {
///     let a = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
///     let b = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
///     a.send_to(b"tick", b.get_ref().local_addr()?).await?;
///     let mut bytes = [0; 8];
///     let (n, from) = b.recv_from(&mut bytes).await?;
///     assert_eq!((&bytes[..n], from), (&b"tick"[..], a.get_ref().local_addr()?));
///     Ok(())
/// })
/// # }
/// ```
#[derive(Debug)]
pub struct Async<T> {
    /// Who is told about readiness.
    pub(crate) source: Arc<Source>,
    /// `None` only between `into_inner` or `drop` and the end of the value.
    io: Option<T>,
}

impl<T> Unpin for Async<T> {}

impl<T: nonblocking::Pollable> Async<T> {
    /// Puts `io` into non-blocking mode and registers it.
    ///
    /// # Errors
    ///
    /// If it cannot be registered, because it is of a kind that cannot be polled (a regular file), is
    /// registered already, or the reactor cannot be made because the process is out of descriptors.
    /// `io` is then dropped, with its blocking mode as it was.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::net::TcpListener;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let listener = Async::new(listener)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(io: T) -> io::Result<Async<T>> {
        // In this order: what cannot be registered keeps its mode.
        let this = Async::new_nonblocking(io)?;
        nonblocking::set(this.get_ref())?;
        Ok(this)
    }

    /// Registers `io`, which is in non-blocking mode already.
    ///
    /// An operation on something that is not would block the thread, and with it the executor.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::net::TcpListener;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// listener.set_nonblocking(true)?;
    /// let listener = Async::new_nonblocking(listener)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn new_nonblocking(io: T) -> io::Result<Async<T>> {
        let source = Source::new(Registration::from_raw(nonblocking::raw(&io)))
            .map_err(nonblocking::explain)?;
        Ok(Async { source, io: Some(io) })
    }
}

impl<T> Async<T> {
    /// The inner value.
    pub fn get_ref(&self) -> &T {
        self.io.as_ref().expect("only a value that is being dropped is without")
    }

    /// The inner value, to change.
    ///
    /// # Safety
    ///
    /// The caller must not put another value in its place, drop it, or make it stand for another
    /// descriptor: the reactor would go on watching the old one.
    pub unsafe fn get_mut(&mut self) -> &mut T {
        self.io_mut()
    }

    fn io_mut(&mut self) -> &mut T {
        self.parts_mut().1
    }

    /// Who is told about readiness, and the inner value, borrowed apart.
    fn parts_mut(&mut self) -> (&Arc<Source>, &mut T) {
        let Async { source, io } = self;
        (source, io.as_mut().expect("only a value that is being dropped is without"))
    }

    /// Deregisters the inner value and returns it, still in non-blocking mode.
    ///
    /// # Errors
    ///
    /// None any more: that the system has nothing to deregister does not matter to the owner of the
    /// value. The signature is that of async-io 2.6.0.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::net::TcpListener;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    /// let listener = listener.into_inner()?;
    /// listener.set_nonblocking(false)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_inner(mut self) -> io::Result<T> {
        let io = self.io.take().expect("only a value that is being dropped is without");
        self.source.remove();
        Ok(io)
    }

    /// Waits until reading does not block: there is data, a connection to accept, the end of the
    /// stream or an error.
    ///
    /// # Cancel safety
    ///
    /// The future can be dropped at any time. An event that was delivered to it and not seen is left
    /// for the next one who waits.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # futures_lite::future::block_on(async {
    /// use async_io::Async;
    /// use std::net::TcpListener;
    ///
    /// let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    /// listener.readable().await?;
    /// let (stream, peer) = listener.get_ref().accept()?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn readable(&self) -> Readable<'_, T> {
        Readable::new(self, Place::here())
    }

    /// As [`readable`](Self::readable), as a future that owns its `Async`.
    #[track_caller]
    pub fn readable_owned(self: Arc<Self>) -> ReadableOwned<T> {
        ReadableOwned::new(self, Place::here())
    }

    /// Waits until writing does not block: there is room, the connection is made, or writing gives
    /// an error.
    ///
    /// # Cancel safety
    ///
    /// As [`readable`](Self::readable).
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// use async_io::Async;
    /// use std::net::UdpSocket;
    ///
    /// let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    /// socket.writable().await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn writable(&self) -> Writable<'_, T> {
        Writable::new(self, Place::here())
    }

    /// As [`writable`](Self::writable), as a future that owns its `Async`.
    #[track_caller]
    pub fn writable_owned(self: Arc<Self>) -> WritableOwned<T> {
        WritableOwned::new(self, Place::here())
    }

    /// Asks whether reading does not block, and registers the task to be woken when it does not.
    ///
    /// Tasks that call this share one wait: it begins with the first `Pending`, and goes on, however
    /// often and however slowly they poll, until one of them gets `Ready`.
    ///
    /// # Errors
    ///
    /// If the source cannot be waited for.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_io::Async;
    /// use futures_lite::future;
    /// use std::net::TcpListener;
    ///
    /// # futures_lite::future::block_on(async {
    /// let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    /// future::poll_fn(|cx| listener.poll_readable(cx)).await?;
    /// let (stream, peer) = listener.get_ref().accept()?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        trace::place_here();
        self.poll_ready(Direction::Read, &mut WaiterId::SHARED.clone(), cx)
    }

    /// Asks whether writing does not block, and registers the task to be woken when it does not.
    ///
    /// The twin of [`poll_readable`](Self::poll_readable).
    ///
    /// # Errors
    ///
    /// If the source cannot be waited for.
    #[track_caller]
    pub fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        trace::place_here();
        self.poll_ready(Direction::Write, &mut WaiterId::SHARED.clone(), cx)
    }

    pub(crate) fn poll_ready(
        &self,
        dir: Direction,
        waiter: &mut WaiterId,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        self.source.poll_ready(dir, waiter, nature_of::<T>(), cx)
    }

    /// Calls `op` until it gives something other than `WouldBlock`, waiting for readability between
    /// the calls.
    ///
    /// `op` is called at once, before any wait. If it says `WouldBlock` while the system says that
    /// there is something to read, the task gets another turn, after all others.
    ///
    /// # Errors
    ///
    /// Those of `op`, and as [`readable`](Self::readable).
    ///
    /// # Cancel safety
    ///
    /// As safe as `op`: nothing happens between its calls.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # futures_lite::future::block_on(async {
    /// use async_io::Async;
    /// use std::net::TcpListener;
    ///
    /// let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    /// let (stream, peer) = listener.read_with(|listener| listener.accept()).await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn read_with<R>(
        &self,
        op: impl FnMut(&T) -> io::Result<R>,
    ) -> impl Future<Output = io::Result<R>> + Captures<&'_ ()> {
        let place = Place::here();
        async move { self.operation(place, Direction::Read, Nature::Unknown, op).await }
    }

    /// As [`read_with`](Self::read_with), with the inner value to change.
    ///
    /// # Safety
    ///
    /// `op` must not do with the inner value what [`get_mut`](Self::get_mut) forbids.
    #[track_caller]
    pub unsafe fn read_with_mut<R>(
        &mut self,
        op: impl FnMut(&mut T) -> io::Result<R>,
    ) -> impl Future<Output = io::Result<R>> + Captures<&'_ ()> {
        let place = Place::here();
        async move { self.operation_mut(place, Direction::Read, op).await }
    }

    /// Calls `op` until it gives something other than `WouldBlock`, waiting for writability between
    /// the calls.
    ///
    /// The twin of [`read_with`](Self::read_with).
    ///
    /// # Errors
    ///
    /// Those of `op`, and as [`writable`](Self::writable).
    ///
    /// # Cancel safety
    ///
    /// As safe as `op`: nothing happens between its calls.
    #[track_caller]
    pub fn write_with<R>(
        &self,
        op: impl FnMut(&T) -> io::Result<R>,
    ) -> impl Future<Output = io::Result<R>> + Captures<&'_ ()> {
        let place = Place::here();
        async move { self.operation(place, Direction::Write, Nature::Unknown, op).await }
    }

    /// As [`write_with`](Self::write_with), with the inner value to change.
    ///
    /// # Safety
    ///
    /// `op` must not do with the inner value what [`get_mut`](Self::get_mut) forbids.
    #[track_caller]
    pub unsafe fn write_with_mut<R>(
        &mut self,
        op: impl FnMut(&mut T) -> io::Result<R>,
    ) -> impl Future<Output = io::Result<R>> + Captures<&'_ ()> {
        let place = Place::here();
        async move { self.operation_mut(place, Direction::Write, op).await }
    }

    /// The future of an operation on a shared value that was asked for at `place`. `Nature::Plain`
    /// promises that `op` is one non-blocking system call.
    pub(crate) fn operation<'a, R: 'a>(
        &'a self,
        place: Place,
        dir: Direction,
        nature: Nature,
        mut op: impl FnMut(&'a T) -> io::Result<R> + 'a,
    ) -> Operation<'a, impl FnMut() -> io::Result<R> + 'a> {
        let io = self.get_ref();
        let (source, waiter, rest) = (&self.source, WaiterId::NONE, Rest::Untold);
        Operation { source, place, dir, waiter, nature, rest, op: move || op(io) }
    }

    /// The future of a plain operation that takes one message or connection out of the queue.
    pub(crate) fn taking<'a, R: 'a>(
        &'a self,
        place: Place,
        op: impl FnMut(&'a T) -> io::Result<R> + 'a,
    ) -> Operation<'a, impl FnMut() -> io::Result<R> + 'a> {
        let mut operation = self.operation(place, Direction::Read, Nature::Plain, op);
        operation.rest = Rest::PerhapsEmpty;
        operation
    }

    fn operation_mut<'a, R: 'a>(
        &'a mut self,
        place: Place,
        dir: Direction,
        mut op: impl FnMut(&mut T) -> io::Result<R> + 'a,
    ) -> Operation<'a, impl FnMut() -> io::Result<R> + 'a> {
        let io = self.io.as_mut().expect("only a value that is being dropped is without");
        let (source, waiter, nature) = (&self.source, WaiterId::NONE, Nature::Unknown);
        Operation { source, place, dir, waiter, nature, rest: Rest::Untold, op: move || op(io) }
    }
}

impl<T> Drop for Async<T> {
    fn drop(&mut self) {
        if self.io.is_some() {
            // While the descriptor is still open, and before its number can come again.
            self.source.remove();
        }
    }
}

impl<T> AsRef<T> for Async<T> {
    fn as_ref(&self) -> &T {
        self.get_ref()
    }
}

/// An operation under way: a waiter of its own between its tries.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub(crate) struct Operation<'a, F> {
    source: &'a Arc<Source>,
    place: Place,
    dir: Direction,
    waiter: WaiterId,
    nature: Nature,
    /// What a success says.
    rest: Rest,
    op: F,
}

impl<F> Unpin for Operation<'_, F> {}

impl<R, F: FnMut() -> io::Result<R>> Future for Operation<'_, F> {
    type Output = io::Result<R>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        let Operation { source, place, dir, waiter, nature, rest, op } = &mut *self;
        trace::place_at(*place);
        source.poll_operation(*dir, waiter, *nature, cx, op, |_| *rest)
    }
}

impl<F> Drop for Operation<'_, F> {
    fn drop(&mut self) {
        if self.waiter != WaiterId::NONE {
            self.source.cancel(self.dir, self.waiter);
        }
    }
}

/// What is known of a type. Sockets and pipes of std are known; everything else may buffer.
pub(crate) fn nature_of<T>() -> Nature {
    let id = typeid::of::<T>();
    if id == TypeId::of::<TcpStream>() || crate::os::is_unix_stream(id) {
        Nature::Stream
    } else if id == TypeId::of::<UdpSocket>()
        || id == TypeId::of::<TcpListener>()
        || crate::os::is_plain(id)
    {
        Nature::Plain
    } else {
        Nature::Unknown
    }
}

/// One operation through the poll functions: the shared waiter.
#[track_caller]
fn poll_shared<T, R>(
    source: &Arc<Source>,
    dir: Direction,
    cx: &mut Context<'_>,
    op: impl FnMut() -> io::Result<R>,
    rest: impl FnOnce(&R) -> Rest,
) -> Poll<io::Result<R>> {
    trace::place_here();
    source.poll_operation(dir, &mut WaiterId::SHARED.clone(), nature_of::<T>(), cx, op, rest)
}

/// A read through the poll functions. One into no room is not held up by what is known of the direction.
#[track_caller]
fn poll_read<T>(
    source: &Arc<Source>,
    cx: &mut Context<'_>,
    buf: &mut [u8],
    mut read: impl FnMut(&mut [u8]) -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    let len = buf.len();
    if len == 0 {
        return poll_untried(source, Direction::Read, cx, || read(buf));
    }
    if crate::os::is_unix_stream(typeid::of::<T>()) {
        let op = || match source.is_by_level() {
            true => read(buf).map(|len| (len, Rest::PerhapsEmpty)),
            false => crate::os::receive(source.registration(), buf),
        };
        let rest = |&(n, rest): &(usize, Rest)| if is_short(n, len) { rest } else { Rest::Untold };
        return poll_shared::<T, _>(source, Direction::Read, cx, op, rest).map_ok(|(n, _)| n);
    }
    poll_shared::<T, _>(source, Direction::Read, cx, || read(buf), |&n| rest_of::<T>(n, len))
}

/// The same into several buffers.
#[track_caller]
fn poll_read_vectored<T>(
    source: &Arc<Source>,
    cx: &mut Context<'_>,
    bufs: &mut [IoSliceMut<'_>],
    mut read: impl FnMut(&mut [IoSliceMut<'_>]) -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    if bufs.iter().all(|buf| buf.is_empty()) {
        return poll_untried(source, Direction::Read, cx, || read(bufs));
    }
    let len = total::<T>(bufs);
    poll_shared::<T, _>(source, Direction::Read, cx, || read(bufs), |&n| rest_of::<T>(n, len))
}

/// A write of `len` bytes through the poll functions. One of none says so at once, even while another
/// one waits for room.
#[track_caller]
fn poll_write<T>(
    source: &Arc<Source>,
    cx: &mut Context<'_>,
    len: usize,
    write: impl FnMut() -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    if len == 0 {
        return poll_untried(source, Direction::Write, cx, write);
    }
    poll_shared::<T, _>(source, Direction::Write, cx, write, |_| Rest::Untold)
}

/// A flush through the poll functions. It needs no room, so that a write that was given up while it
/// waited does not hold it up.
#[track_caller]
fn poll_flush(
    source: &Arc<Source>,
    cx: &mut Context<'_>,
    flush: impl FnMut() -> io::Result<()>,
) -> Poll<io::Result<()>> {
    poll_untried(source, Direction::Write, cx, flush)
}

/// An operation that is tried whatever is known of the direction.
#[track_caller]
fn poll_untried<R>(
    source: &Arc<Source>,
    dir: Direction,
    cx: &mut Context<'_>,
    op: impl FnMut() -> io::Result<R>,
) -> Poll<io::Result<R>> {
    trace::place_here();
    let waiter = &mut WaiterId::SHARED.clone();
    source.poll_operation(dir, waiter, Nature::Unknown, cx, op, |_| Rest::Untold)
}

/// A read of so many bytes says nothing about what is left, however short: its own acknowledgement
/// lets a busy peer's next bytes in before it returns. Who waited for their event instead would keep
/// TCP's receive window small: the kernel sizes it by how fast the queue is read.
const LONG_READ: usize = 32 * 1024;

/// Whether a read into `len` bytes was a short one. No bytes is the end of the stream, which the next read
/// must see again.
fn is_short(read: usize, len: usize) -> bool {
    0 < read && read < len.min(LONG_READ)
}

/// What a read says of what is left.
fn rest_of<T>(read: usize, len: usize) -> Rest {
    match nature_of::<T>() {
        Nature::Stream if is_short(read, len) => Rest::Empty,
        Nature::Plain if is_short(read, len) => Rest::PerhapsEmpty,
        _ => Rest::Untold,
    }
}

/// How long a vectored read must be to be no short one; 0 where a short one proves nothing.
fn total<T>(bufs: &[IoSliceMut<'_>]) -> usize {
    match crate::os::is_unix_stream(typeid::of::<T>()) {
        true => 0,
        false => bufs.iter().map(|buf| buf.len()).sum(),
    }
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
        poll_read::<T>(&self.source, cx, buf, |buf| self.get_ref().read(buf))
    }

    #[track_caller]
    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        poll_read_vectored::<T>(&self.source, cx, bufs, |bufs| self.get_ref().read_vectored(bufs))
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
        poll_write::<T>(&self.source, cx, buf.len(), || self.get_ref().write(buf))
    }

    #[track_caller]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let len = bufs.iter().map(|buf| buf.len()).sum();
        poll_write::<T>(&self.source, cx, len, || self.get_ref().write_vectored(bufs))
    }

    #[track_caller]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll_flush(&self.source, cx, || self.get_ref().flush())
    }

    #[track_caller]
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}
