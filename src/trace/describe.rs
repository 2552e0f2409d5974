//! What a source is and between whom: asked of the system when somebody listens.

use ticks_format::{Address, SourceKind};

/// What a source is asked for; `None`: it has no descriptor.
#[cfg(unix)]
pub(crate) type Descriptor<'a> = Option<std::os::fd::BorrowedFd<'a>>;
/// What a source is asked for; `None`: it is not a socket.
#[cfg(windows)]
pub(crate) type Descriptor<'a> = Option<std::os::windows::io::BorrowedSocket<'a>>;

/// Kind, own address, peer's address and inode of a source; what cannot be read is left blank.
pub(crate) fn source(descriptor: Descriptor<'_>) -> (SourceKind, Address, Address, u64) {
    imp::source(descriptor)
}

#[cfg(unix)]
mod imp {
    use std::os::fd::BorrowedFd;

    use rustix::fs::FileType;
    use rustix::net::{sockopt, AddressFamily, SocketAddrAny, SocketAddrUnix, SocketType};

    use super::*;

    pub(super) fn source(descriptor: Descriptor<'_>) -> (SourceKind, Address, Address, u64) {
        let Some(fd) = descriptor else {
            return (SourceKind::Other, Address::None, Address::None, 0);
        };
        let Ok(stat) = rustix::fs::fstat(fd) else {
            return (SourceKind::Other, Address::None, Address::None, 0);
        };
        // Narrower on some systems.
        #[allow(clippy::unnecessary_cast)]
        let inode = stat.st_ino as u64;
        match FileType::from_raw_mode(stat.st_mode as _) {
            FileType::Socket => {
                let local = rustix::net::getsockname(fd).map_or(Address::None, address);
                let peer = peer(fd);
                (socket_kind(fd, &local), local, peer, inode)
            }
            FileType::Fifo => (SourceKind::Pipe, Address::None, Address::None, inode),
            _ => (SourceKind::Other, Address::None, Address::None, inode),
        }
    }

    fn peer(fd: BorrowedFd<'_>) -> Address {
        match rustix::net::getpeername(fd) {
            Ok(Some(found)) => address(found),
            Ok(None) | Err(_) => Address::None,
        }
    }

    fn socket_kind(fd: BorrowedFd<'_>, local: &Address) -> SourceKind {
        // macOS does not tell.
        #[cfg(target_vendor = "apple")]
        let listens = false;
        #[cfg(not(target_vendor = "apple"))]
        let listens = sockopt::socket_acceptconn(fd).unwrap_or(false);
        let internet = matches!(local, Address::Ip(_));
        match sockopt::socket_type(fd) {
            Ok(SocketType::STREAM) if internet && listens => SourceKind::TcpListener,
            Ok(SocketType::STREAM) if internet => SourceKind::Tcp,
            Ok(SocketType::DGRAM) if internet => SourceKind::Udp,
            Ok(_) if is_unix(fd) && listens => SourceKind::UnixListener,
            Ok(_) if is_unix(fd) => SourceKind::Unix,
            _ => SourceKind::Other,
        }
    }

    fn is_unix(fd: BorrowedFd<'_>) -> bool {
        let name = rustix::net::getsockname(fd);
        name.is_ok_and(|name| name.address_family() == AddressFamily::UNIX)
    }

    fn address(any: SocketAddrAny) -> Address {
        if let Ok(address) = std::net::SocketAddr::try_from(any.clone()) {
            return Address::Ip(address);
        }
        match SocketAddrUnix::try_from(any) {
            Ok(unix) => unix_address(&unix),
            Err(_) => Address::None,
        }
    }

    fn unix_address(unix: &SocketAddrUnix) -> Address {
        if let Some(path) = unix.path_bytes() {
            return Address::Unix(String::from_utf8_lossy(path).into());
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(name) = unix.abstract_name() {
            return Address::Unix(format!("@{}", String::from_utf8_lossy(name)).into());
        }
        Address::None
    }
}

#[cfg(windows)]
mod imp {
    use std::net::SocketAddr;
    use std::os::windows::io::BorrowedSocket;

    use rustix::net::{sockopt, SocketAddrAny, SocketType};

    use super::*;

    pub(super) fn source(descriptor: Descriptor<'_>) -> (SourceKind, Address, Address, u64) {
        let Some(socket) = descriptor else {
            return (SourceKind::Other, Address::None, Address::None, 0);
        };
        let local = rustix::net::getsockname(socket).map_or(Address::None, address);
        let peer = rustix::net::getpeername(socket);
        let peer = peer.ok().flatten().map_or(Address::None, address);
        (kind(socket, &local), local, peer, 0)
    }

    fn kind(socket: BorrowedSocket<'_>, local: &Address) -> SourceKind {
        if !matches!(local, Address::Ip(_)) {
            return SourceKind::Other;
        }
        match sockopt::socket_type(socket) {
            Ok(SocketType::STREAM) if sockopt::socket_acceptconn(socket).unwrap_or(false) => {
                SourceKind::TcpListener
            }
            Ok(SocketType::STREAM) => SourceKind::Tcp,
            Ok(SocketType::DGRAM) => SourceKind::Udp,
            _ => SourceKind::Other,
        }
    }

    fn address(any: SocketAddrAny) -> Address {
        SocketAddr::try_from(any).map_or(Address::None, Address::Ip)
    }
}
