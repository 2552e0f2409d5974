//! Loopback sockets, made the same way for every peer: non-blocking, Nagle off.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;

use anyhow::{ensure, Context, Result};
use rustix::net::sockopt::set_tcp_congestion;
use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};
use socket2::{Domain, Protocol, Socket, Type};

/// Long enough that a thousand connections at once are all queued and none is retried.
const BACKLOG: i32 = 4096;

/// A listener on a free port of the loopback interface, still blocking.
pub(crate) fn tcp_listener() -> io::Result<(TcpListener, SocketAddr)> {
    let socket = tcp_socket()?;
    let addr = listen(&socket)?;
    Ok((socket.into(), addr))
}

fn tcp_socket() -> io::Result<Socket> {
    Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))
}

/// Binds to a free port of the loopback interface.
fn listen(socket: &Socket) -> io::Result<SocketAddr> {
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.listen(BACKLOG)?;
    let addr = socket.local_addr()?;
    addr.as_socket().ok_or_else(|| io::Error::other("a TCP socket without a port"))
}

pub(crate) fn tcp_pair() -> io::Result<(TcpStream, TcpStream)> {
    pair(|_| Ok(()))
}

/// Many of them, through one listener: to find a free port takes the longer the more of them are in use.
pub(crate) fn tcp_pairs(count: usize) -> io::Result<Vec<(TcpStream, TcpStream)>> {
    let (listener, addr) = tcp_listener()?;
    (0..count).map(|_| connected(tcp_socket()?, &listener, addr)).collect()
}

/// Two connected sockets that do not pace what they send. BBR, which may be the system's default, sends
/// when a timer says so, at the rate that it believes the line to have: twice the time per byte over
/// loopback is its estimate then, not the reactor's work.
pub(crate) fn unpaced_tcp_pair() -> io::Result<(TcpStream, TcpStream)> {
    // Before they connect: a socket that was ever paced stays so. Reno is in every kernel.
    pair(|socket| {
        set_tcp_congestion(socket, "cubic").or_else(|_| set_tcp_congestion(socket, "reno"))?;
        Ok(())
    })
}

fn pair(prepare: impl Fn(&Socket) -> io::Result<()>) -> io::Result<(TcpStream, TcpStream)> {
    let [listener, client] = [tcp_socket()?, tcp_socket()?];
    for socket in [&listener, &client] {
        prepare(socket)?;
    }
    let addr = listen(&listener)?;
    connected(client, &listener.into(), addr)
}

fn connected(
    client: Socket,
    listener: &TcpListener,
    addr: SocketAddr,
) -> io::Result<(TcpStream, TcpStream)> {
    client.connect(&addr.into())?;
    let (server, _) = listener.accept()?;
    let client = TcpStream::from(client);
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
