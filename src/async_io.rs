//! [`Async`]: a pollable thing, made asynchronous.
//!
//! This file may say `unsafe`, but only to declare functions whose callers must keep a promise.

#![allow(unsafe_code)]

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use ticks_format::Direction;

use crate::captures::Captures;
use crate::os::nonblocking;
use crate::poller::registration::Registration;
use crate::reactor::attempt::{Attempt, Call, Foreign, IoKind, Question};
use crate::reactor::source::Source;
use crate::readable::{Readable, ReadableOwned, Writable, WritableOwned};
use crate::registered::Registered;
use crate::trace::Place;
use crate::waiting::{poll_shared, HasSource, Operation};

/// Makes a socket, a pipe or anything else that the system can poll asynchronous.
///
/// The inner value is put into non-blocking mode and registered with the process's reactor until the
/// `Async` is dropped or taken apart. Operations are then futures that wait instead of blocking:
///
/// - sockets of std have their own ([`accept`](Async::accept), [`recv`](Async::recv), …);
/// - [`AsyncRead`] and [`AsyncWrite`] are there for what is [`Read`](io::Read) and [`Write`](io::Write);
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
/// descriptor must stay open and the same: hence [`IoSafe`](crate::IoSafe), and hence
/// [`get_mut`](Self::get_mut) is unsafe. Non-blocking mode belongs to the open file, so it shows in
/// clones of the descriptor too.
///
/// [`AsyncRead`]: futures_io::AsyncRead
/// [`AsyncWrite`]: futures_io::AsyncWrite
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
    inner: Registered<T>,
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
        let registration = Registration::from_raw(nonblocking::raw(&io));
        let inner = Registered::new(io, registration).map_err(nonblocking::explain)?;
        Ok(Async { inner })
    }
}

impl<T> Async<T> {
    /// The inner value.
    pub fn get_ref(&self) -> &T {
        self.inner.get_ref()
    }

    /// The inner value, to change.
    ///
    /// # Safety
    ///
    /// The caller must not put another value in its place, drop it, or make it stand for another
    /// descriptor: the reactor would go on watching the old one.
    pub unsafe fn get_mut(&mut self) -> &mut T {
        self.inner.parts_mut().1
    }

    /// The source, which knows who waits.
    #[inline]
    pub(crate) fn source(&self) -> &Arc<Source> {
        self.inner.source()
    }

    /// The same, and the inner value, borrowed apart.
    #[inline]
    pub(crate) fn parts_mut(&mut self) -> (&Arc<Source>, &mut T) {
        self.inner.parts_mut()
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
    pub fn into_inner(self) -> io::Result<T> {
        Ok(self.inner.into_inner())
    }

    /// Waits until reading does not block: there is data, a connection to accept, the end of the
    /// stream or an error.
    ///
    /// # Cancel safety
    ///
    /// The future can be dropped at any time. An event that was delivered to it and not seen is left
    /// for the next task that waits.
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
        poll_shared(self.source(), Direction::Read, cx, Question(IoKind::of::<T>()))
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
        poll_shared(self.source(), Direction::Write, cx, Question(IoKind::of::<T>()))
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
        async move { self.foreign(place, Direction::Read, op).await }
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
        async move { self.foreign_mut(place, Direction::Read, op).await }
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
        async move { self.foreign(place, Direction::Write, op).await }
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
        async move { self.foreign_mut(place, Direction::Write, op).await }
    }

    /// The future of an operation on a shared value that was asked for at `place`, where `op` is one
    /// non-blocking system call.
    pub(crate) fn call<'a, R: 'a>(
        &'a self,
        place: Place,
        dir: Direction,
        mut op: impl FnMut(&'a T) -> io::Result<R> + 'a,
    ) -> Operation<'a, impl Attempt<Output = R> + 'a> {
        let io = self.get_ref();
        Operation::new(self.source(), place, dir, Call(move || op(io)))
    }

    /// The same where `op` is somebody else's code.
    pub(crate) fn foreign<'a, R: 'a>(
        &'a self,
        place: Place,
        dir: Direction,
        mut op: impl FnMut(&'a T) -> io::Result<R> + 'a,
    ) -> Operation<'a, impl Attempt<Output = R> + 'a> {
        let io = self.get_ref();
        Operation::new(self.source(), place, dir, Foreign(move || op(io)))
    }

    fn foreign_mut<'a, R: 'a>(
        &'a mut self,
        place: Place,
        dir: Direction,
        mut op: impl FnMut(&mut T) -> io::Result<R> + 'a,
    ) -> Operation<'a, impl Attempt<Output = R> + 'a> {
        let (source, io) = self.parts_mut();
        Operation::new(source, place, dir, Foreign(move || op(io)))
    }
}

impl<T> HasSource for &Async<T> {
    fn source(&self) -> &Arc<Source> {
        Async::source(self)
    }
}

impl<T> HasSource for Arc<Async<T>> {
    fn source(&self) -> &Arc<Source> {
        Async::source(self)
    }
}

impl<T> AsRef<T> for Async<T> {
    fn as_ref(&self) -> &T {
        self.get_ref()
    }
}
