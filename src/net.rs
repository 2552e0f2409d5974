//! Internet sockets: TCP listeners and streams, UDP sockets.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};

use futures_lite::stream::Stream;
use ticks_format::Direction::{Read, Write};

use crate::captures::Captures;
use crate::trace::{self, Place};
use crate::Async;

pub(crate) mod socket;

impl Async<TcpListener> {
    /// Listens on an address. Port 0 has the system choose one.
    ///
    /// # Errors
    ///
    /// If the address cannot be bound, and as [`Async::new`].
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::net::TcpListener;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    /// println!("listening on {}", listener.get_ref().local_addr()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn bind<A: Into<SocketAddr>>(addr: A) -> io::Result<Async<TcpListener>> {
        Async::new(TcpListener::bind(addr.into())?)
    }

    /// Waits for a connection and takes it.
    ///
    /// An event wakes every task that waits here, and all but one find nothing: let one task accept
    /// and hand the streams out.
    ///
    /// # Errors
    ///
    /// Those of `accept(2)`; with `EMFILE` the connection stays in the backlog.
    ///
    /// # Cancel safety
    ///
    /// A connection is taken only when the future completes.
    #[track_caller]
    pub fn accept(
        &self,
    ) -> impl Future<Output = io::Result<(Async<TcpStream>, SocketAddr)>> + Captures<&'_ ()> {
        self.accept_at(Place::here())
    }

    async fn accept_at(&self, place: Place) -> io::Result<(Async<TcpStream>, SocketAddr)> {
        let (stream, peer) = self.call(place, Read, socket::accept).await?;
        Ok((Async::new_nonblocking(stream)?, peer))
    }

    /// The connections, one after another; it never ends.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use async_io::Async;
    /// use futures_lite::StreamExt;
    /// use std::net::TcpListener;
    ///
    /// # futures_lite::future::block_on(async {
    /// let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    /// let mut incoming = std::pin::pin!(listener.incoming());
    /// while let Some(stream) = incoming.next().await {
    ///     let stream = stream?;
    /// }
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn incoming(&self) -> impl Stream<Item = io::Result<Async<TcpStream>>> + Send + '_ {
        let place = Place::here();
        socket::incoming(move || self.accept_at(place))
    }
}

impl Async<TcpStream> {
    /// Connects to an address.
    ///
    /// # Errors
    ///
    /// The socket's: refused, unreachable, timed out by the system; and as [`Async::new`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the socket.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::net::{TcpListener, TcpStream};
    ///
    /// # futures_lite::future::block_on(async {
    /// let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    /// let stream = Async::<TcpStream>::connect(listener.get_ref().local_addr()?).await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn connect<A: Into<SocketAddr>>(
        addr: A,
    ) -> impl Future<Output = io::Result<Async<TcpStream>>> {
        Self::connect_at(addr, Place::here())
    }

    async fn connect_at<A: Into<SocketAddr>>(
        addr: A,
        place: Place,
    ) -> io::Result<Async<TcpStream>> {
        let stream = Async::new_nonblocking(socket::connect(addr.into())?)?;
        if !socket::is_connected(stream.get_ref()) {
            socket::finish(&stream, place, TcpStream::take_error, TcpStream::peer_addr).await?;
        }
        let source = stream.source();
        trace::source_connected(source.key(), source.number(), source.registration().descriptor());
        Ok(stream)
    }

    /// Reads without taking what is read out of the queue. Returns how many bytes; 0 at the end of
    /// the stream.
    ///
    /// # Errors
    ///
    /// Those of `recv(2)`.
    ///
    /// # Cancel safety
    ///
    /// Nothing happens before the future completes.
    #[track_caller]
    pub fn peek<'a, 'b>(
        &'a self,
        buf: &'b mut [u8],
    ) -> impl Future<Output = io::Result<usize>> + Captures<(&'a (), &'b ())> {
        let place = Place::here();
        async move { self.call(place, Read, |stream| stream.peek(buf)).await }
    }
}

impl Async<UdpSocket> {
    /// Binds a socket to an address. Port 0 has the system choose one.
    ///
    /// # Errors
    ///
    /// If the address cannot be bound, and as [`Async::new`].
    pub fn bind<A: Into<SocketAddr>>(addr: A) -> io::Result<Async<UdpSocket>> {
        Async::new(UdpSocket::bind(addr.into())?)
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

    /// As [`recv_from`](Self::recv_from), and leaves the datagram in the queue.
    ///
    /// # Errors
    ///
    /// Those of `recvfrom(2)`.
    ///
    /// # Cancel safety
    ///
    /// Nothing happens before the future completes.
    #[track_caller]
    pub fn peek_from<'a, 'b>(
        &'a self,
        buf: &'b mut [u8],
    ) -> impl Future<Output = io::Result<(usize, SocketAddr)>> + Captures<(&'a (), &'b ())> {
        let place = Place::here();
        async move { self.call(place, Read, |socket| socket.peek_from(buf)).await }
    }

    /// Sends a datagram to an address. Returns how many bytes.
    ///
    /// # Errors
    ///
    /// Those of `sendto(2)`.
    ///
    /// # Cancel safety
    ///
    /// The datagram is sent only when the future completes.
    #[track_caller]
    pub fn send_to<'a, 'b, A: Into<SocketAddr>>(
        &'a self,
        buf: &'b [u8],
        addr: A,
    ) -> impl Future<Output = io::Result<usize>> + Captures<(&'a (), &'b ())> {
        let place = Place::here();
        async move {
            let addr = addr.into();
            self.call(place, Write, move |socket| socket.send_to(buf, addr)).await
        }
    }

    /// Receives a datagram from the connected peer. Returns how many bytes.
    ///
    /// # Errors
    ///
    /// Those of `recv(2)`, among them that an earlier datagram was refused.
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

    /// As [`recv`](Self::recv), and leaves the datagram in the queue.
    ///
    /// # Errors
    ///
    /// Those of `recv(2)`.
    ///
    /// # Cancel safety
    ///
    /// Nothing happens before the future completes.
    #[track_caller]
    pub fn peek<'a, 'b>(
        &'a self,
        buf: &'b mut [u8],
    ) -> impl Future<Output = io::Result<usize>> + Captures<(&'a (), &'b ())> {
        let place = Place::here();
        async move { self.call(place, Read, |socket| socket.peek(buf)).await }
    }

    /// Sends a datagram to the connected peer. Returns how many bytes.
    ///
    /// # Errors
    ///
    /// Those of `send(2)`, among them that an earlier datagram was refused.
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
        async move { self.call(place, Write, |socket| socket.send(buf)).await }
    }
}

socket::from_std!(TcpListener, TcpStream, UdpSocket);
