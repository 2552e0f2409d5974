//! Unix domain sockets: listeners, streams and datagrams.

use std::future::Future;
use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use futures_lite::stream::Stream;
use rustix::io::Errno;
use rustix::net::SocketAddrUnix;
use ticks_format::Direction::{Read, Write};

use crate::captures::Captures;
use crate::net::socket;
use crate::trace::Place;
use crate::{Async, Timer};

/// How long a connect to a full backlog waits before it tries again, at first and at the most. The
/// system reports nothing when there is room.
const BACKLOG_WAIT_MIN: Duration = Duration::from_millis(1);
const BACKLOG_WAIT_MAX: Duration = Duration::from_millis(50);

impl Async<UnixListener> {
    /// Listens on a path, at which the socket is made.
    ///
    /// # Errors
    ///
    /// If the path cannot be bound, because it exists for example, and as [`Async::new`].
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<Async<UnixListener>> {
        Async::new(UnixListener::bind(path)?)
    }

    /// Waits for a connection and takes it.
    ///
    /// # Errors
    ///
    /// Those of `accept(2)`.
    ///
    /// # Cancel safety
    ///
    /// A connection is taken only when the future completes.
    #[track_caller]
    pub fn accept(
        &self,
    ) -> impl Future<Output = io::Result<(Async<UnixStream>, SocketAddr)>> + Captures<&'_ ()> {
        self.accept_at(Place::here())
    }

    async fn accept_at(&self, place: Place) -> io::Result<(Async<UnixStream>, SocketAddr)> {
        let (stream, peer) = self.call(place, Read, UnixListener::accept).await?;
        Ok((Async::new(stream)?, peer))
    }

    /// The connections, one after another; it never ends.
    #[track_caller]
    pub fn incoming(&self) -> impl Stream<Item = io::Result<Async<UnixStream>>> + Send + '_ {
        let place = Place::here();
        socket::incoming(move || self.accept_at(place))
    }
}

/// The address of a path; on Linux one that begins with a NUL is an abstract name.
fn address(path: &Path) -> io::Result<SocketAddrUnix> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let [0, name @ ..] = std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()) {
        return Ok(SocketAddrUnix::new_abstract_name(name)?);
    }
    Ok(SocketAddrUnix::new(path)?)
}

impl Async<UnixStream> {
    /// Connects to a path. Waits while the listener's backlog is full, as a blocking connect does
    /// (`unix(7)`: `EAGAIN` means that nothing was started).
    ///
    /// # Errors
    ///
    /// Those of `connect(2)`, and as [`Async::new`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the socket.
    #[track_caller]
    pub fn connect<P: AsRef<Path>>(path: P) -> impl Future<Output = io::Result<Async<UnixStream>>> {
        Self::connect_at(path, Place::here())
    }

    async fn connect_at<P: AsRef<Path>>(path: P, place: Place) -> io::Result<Async<UnixStream>> {
        let address = address(path.as_ref())?;
        let socket = socket::unix_stream()?;
        let mut wait = BACKLOG_WAIT_MIN;
        loop {
            match rustix::net::connect(&socket, &address) {
                Ok(()) => break,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    Timer::after_at(wait, place).await;
                    wait = (wait * 2).min(BACKLOG_WAIT_MAX);
                }
                // Some systems make it in the background.
                Err(Errno::INPROGRESS) => {
                    let stream = Async::new_nonblocking(UnixStream::from(socket))?;
                    let (error, peer) = (UnixStream::take_error, UnixStream::peer_addr);
                    socket::finish(&stream, place, error, peer).await?;
                    return Ok(stream);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Async::new_nonblocking(socket.into())
    }

    /// Two streams that are connected with each other.
    ///
    /// # Errors
    ///
    /// Those of `socketpair(2)`, and as [`Async::new`].
    pub fn pair() -> io::Result<(Async<UnixStream>, Async<UnixStream>)> {
        let (a, b) = UnixStream::pair()?;
        Ok((Async::new(a)?, Async::new(b)?))
    }
}

impl Async<UnixDatagram> {
    /// Binds a socket to a path, at which it is made.
    ///
    /// # Errors
    ///
    /// If the path cannot be bound, because it exists for example, and as [`Async::new`].
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<Async<UnixDatagram>> {
        Async::new(UnixDatagram::bind(path)?)
    }

    /// A socket without an address.
    ///
    /// # Errors
    ///
    /// Those of `socket(2)`, and as [`Async::new`].
    pub fn unbound() -> io::Result<Async<UnixDatagram>> {
        Async::new(UnixDatagram::unbound()?)
    }

    /// Two sockets that are connected with each other.
    ///
    /// # Errors
    ///
    /// Those of `socketpair(2)`, and as [`Async::new`].
    pub fn pair() -> io::Result<(Async<UnixDatagram>, Async<UnixDatagram>)> {
        let (a, b) = UnixDatagram::pair()?;
        Ok((Async::new(a)?, Async::new(b)?))
    }

    /// Receives a datagram. Returns how many bytes, and from whom; what does not fit is lost.
    ///
    /// # Errors
    ///
    /// Those of `recvfrom(2)`.
    ///
    /// # Cancel safety
    ///
    /// A datagram is taken only when the future completes.
    #[track_caller]
    pub fn recv_from<'a, 'b>(
        &'a self,
        buf: &'b mut [u8],
    ) -> impl Future<Output = io::Result<(usize, SocketAddr)>> + Captures<(&'a (), &'b ())> {
        let place = Place::here();
        async move { self.call(place, Read, |socket| socket.recv_from(buf)).await }
    }

    /// Sends a datagram to a path. Returns how many bytes.
    ///
    /// While the receiver's queue is full, the task is polled again and again: the system does not
    /// report when another socket's queue has room.
    ///
    /// # Errors
    ///
    /// Those of `sendto(2)`.
    ///
    /// # Cancel safety
    ///
    /// The datagram is sent only when the future completes.
    #[track_caller]
    pub fn send_to<'a, 'b, P: AsRef<Path>>(
        &'a self,
        buf: &'b [u8],
        path: P,
    ) -> impl Future<Output = io::Result<usize>> + Captures<(&'a (), &'b ())> {
        let place = Place::here();
        async move { self.foreign(place, Write, |socket| socket.send_to(buf, &path)).await }
    }

    /// Receives a datagram from the connected peer. Returns how many bytes.
    ///
    /// # Errors
    ///
    /// Those of `recv(2)`.
    ///
    /// # Cancel safety
    ///
    /// A datagram is taken only when the future completes.
    #[track_caller]
    pub fn recv<'a, 'b>(
        &'a self,
        buf: &'b mut [u8],
    ) -> impl Future<Output = io::Result<usize>> + Captures<(&'a (), &'b ())> {
        let place = Place::here();
        async move { self.call(place, Read, |socket| socket.recv(buf)).await }
    }

    /// Sends a datagram to the connected peer. Returns how many bytes.
    ///
    /// # Errors
    ///
    /// Those of `send(2)`.
    ///
    /// # Cancel safety
    ///
    /// The datagram is sent only when the future completes.
    #[track_caller]
    pub fn send<'a, 'b>(
        &'a self,
        buf: &'b [u8],
    ) -> impl Future<Output = io::Result<usize>> + Captures<(&'a (), &'b ())> {
        let place = Place::here();
        async move { self.foreign(place, Write, |socket| socket.send(buf)).await }
    }
}

socket::from_std!(UnixDatagram, UnixListener, UnixStream);
