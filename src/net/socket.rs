//! What the sockets of std have in common; and making ones that do not block from their first moment on.
//!
//! # Contract
//!
//! `accept` takes a connection and `connect` begins one; both give a stream that is in non-blocking
//! mode and closed on `exec`. Where the system can do that in one call, it does.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};

use futures_lite::stream::{self, Stream};
use rustix::net::{AddressFamily, SocketType};

use crate::readable::Writable;
use crate::trace::Place;
use crate::Async;

/// Systems whose `socket` and `accept4` take the flags.
#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly",
    target_os = "illumos",
))]
mod imp {
    use super::*;
    use rustix::net::SocketFlags;

    const FLAGS: SocketFlags = SocketFlags::NONBLOCK.union(SocketFlags::CLOEXEC);

    pub(crate) fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = rustix::net::acceptfrom_with(listener, FLAGS)?;
        let peer = peer.ok_or(io::ErrorKind::ConnectionAborted)?;
        Ok((stream.into(), peer.try_into().map_err(|_| io::ErrorKind::InvalidData)?))
    }

    pub(super) fn socket(family: AddressFamily) -> io::Result<std::os::fd::OwnedFd> {
        Ok(rustix::net::socket_with(family, SocketType::STREAM, FLAGS, None)?)
    }
}

#[cfg(all(
    unix,
    not(any(
        target_os = "linux",
        target_os = "android",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "dragonfly",
        target_os = "illumos",
    ))
))]
mod imp {
    use super::*;

    pub(crate) fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = listener.accept()?;
        stream.set_nonblocking(true)?;
        Ok((stream, peer))
    }

    pub(super) fn socket(family: AddressFamily) -> io::Result<std::os::fd::OwnedFd> {
        let socket = rustix::net::socket(family, SocketType::STREAM, None)?;
        rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&socket, true)?;
        #[cfg(target_vendor = "apple")]
        rustix::net::sockopt::set_socket_nosigpipe(&socket, true)?;
        Ok(socket)
    }
}

#[cfg(windows)]
mod imp {
    use super::*;

    pub(crate) fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = listener.accept()?;
        stream.set_nonblocking(true)?;
        Ok((stream, peer))
    }

    pub(super) fn socket(family: AddressFamily) -> io::Result<std::os::windows::io::OwnedSocket> {
        static STARTED: std::sync::Once = std::sync::Once::new();
        STARTED.call_once(|| {
            // If it fails, so does `socket` below, which says why.
            let _ = rustix::net::wsa_startup();
        });
        let socket = rustix::net::socket(family, SocketType::STREAM, None)?;
        rustix::io::ioctl_fionbio(&socket, true)?;
        Ok(socket)
    }
}

pub(crate) use imp::accept;

/// Begins to connect: the attempt has ended when the stream is writable.
pub(crate) fn connect(addr: SocketAddr) -> io::Result<TcpStream> {
    use rustix::io::Errno;
    let family = match addr {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = imp::socket(family)?;
    match rustix::net::connect(&socket, &addr) {
        // Interrupted: it goes on all the same.
        Ok(()) | Err(Errno::INPROGRESS | Errno::WOULDBLOCK | Errno::INTR) => Ok(socket.into()),
        Err(error) => Err(error.into()),
    }
}

/// Whether an attempt has ended well already.
///
/// Only what is connected has a peer. Over loopback it is as soon as it has been asked to, so that this
/// one call says all.
pub(crate) fn is_connected(stream: &TcpStream) -> bool {
    stream.peer_addr().is_ok()
}

/// Waits for an attempt to end, and tells how it did.
///
/// The system says writable when it has ended, one way or the other. Before that, an error may be a
/// passing one, and asking would take it away. A socket with neither an error nor a peer means that it
/// was the wait that ended and not the attempt: the poller was lost, or the descriptor closed by
/// somebody else.
pub(crate) async fn finish<S, P>(
    stream: &Async<S>,
    place: Place,
    error: impl FnOnce(&S) -> io::Result<Option<io::Error>>,
    peer: impl FnOnce(&S) -> io::Result<P>,
) -> io::Result<()> {
    Writable::new(stream, place).await?;
    match error(stream.get_ref())? {
        Some(error) => Err(error),
        None => peer(stream.get_ref()).map(drop),
    }
}

/// The connections that `accept` gives, one after another; it never ends.
pub(crate) fn incoming<S, P, A: Future<Output = io::Result<(S, P)>>>(
    accept: impl FnMut() -> A,
) -> impl Stream<Item = io::Result<S>> {
    stream::unfold(accept, |mut accept| async move {
        let accepted = accept().await.map(|(stream, _)| stream);
        Some((accepted, accept))
    })
}

/// Makes std's sockets convertible to ours.
macro_rules! from_std {
    ($($socket:ident),* $(,)?) => {
        $(
            impl TryFrom<$socket> for Async<$socket> {
                type Error = io::Error;

                fn try_from(socket: $socket) -> io::Result<Self> {
                    Async::new(socket)
                }
            }
        )*
    };
}
pub(crate) use from_std;

/// A Unix stream socket in non-blocking mode, not yet connected.
#[cfg(unix)]
pub(crate) fn unix_stream() -> io::Result<std::os::fd::OwnedFd> {
    imp::socket(AddressFamily::UNIX)
}
