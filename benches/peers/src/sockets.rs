//! Loopback sockets, made the same way for every peer: non-blocking, Nagle off.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;

use anyhow::{ensure, Context, Result};
use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};
use socket2::{Domain, Protocol, Socket, Type};

/// Long enough that a thousand connections at once are all queued and none is retried.
const BACKLOG: i32 = 4096;

/// A listener on a free port of the loopback interface, still blocking.
pub(crate) fn tcp_listener() -> io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.listen(BACKLOG)?;
    let listener = TcpListener::from(socket);
    let addr = listener.local_addr()?;
    Ok((listener, addr))
}

pub(crate) fn tcp_pair() -> io::Result<(TcpStream, TcpStream)> {
    let (listener, addr) = tcp_listener()?;
    let client = TcpStream::connect(addr)?;
    let (server, _) = listener.accept()?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
    }
    Ok((client, server))
}

pub(crate) fn unix_pair() -> io::Result<(UnixStream, UnixStream)> {
    let (a, b) = UnixStream::pair()?;
    a.set_nonblocking(true)?;
    b.set_nonblocking(true)?;
    Ok((a, b))
}

/// Two UDP sockets connected to each other.
pub(crate) fn udp_pair() -> io::Result<(UdpSocket, UdpSocket)> {
    let a = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let b = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    a.connect(b.local_addr()?)?;
    b.connect(a.local_addr()?)?;
    a.set_nonblocking(true)?;
    b.set_nonblocking(true)?;
    Ok((a, b))
}

/// Raises the soft limit of file descriptors to `count`, or says why it cannot.
pub(crate) fn allow_fds(count: u64) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= count) {
        return Ok(());
    }
    let hard = limit.maximum.unwrap_or(u64::MAX);
    ensure!(
        hard >= count,
        "this row needs {count} file descriptors, the hard limit is {hard}: raise it (ulimit -Hn)"
    );
    let raised = Rlimit { current: Some(count), maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised)
        .with_context(|| format!("raising the limit of file descriptors to {count}"))
}
