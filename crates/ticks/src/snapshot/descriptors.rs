//! What a process's descriptors are: kind, addresses and inode, by what the kernel tells under `/proc`.

use ticks_format::{Address, Source, SourceKind};

use super::reactor::Reactor;
use super::Origin;

/// The reactor's sources. Of a core dump nothing is known but their descriptors' numbers.
pub fn sources(reactor: &Reactor, origin: &Origin) -> Vec<Source> {
    let mut sources: Vec<Source> = reactor
        .sources
        .iter()
        .map(|source| Source {
            key: source.key,
            registered: true,
            fd: source.fd,
            kind: SourceKind::Other,
            local: Address::None,
            peer: Address::None,
            inode: 0,
            since: 0,
        })
        .collect();
    if let Origin::Process(pid) = origin {
        imp::describe(*pid, &mut sources);
    }
    sources
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use super::*;

    pub fn describe(_: u32, _: &mut [Source]) {}
}

#[cfg(target_os = "linux")]
mod imp {
    use std::collections::HashMap;
    use std::fs;
    use std::net::SocketAddr;

    use procfs::net::{TcpState, UnixState};
    use procfs::process::Process;

    use super::*;

    type Sockets = HashMap<u64, (SourceKind, Address, Address)>;

    /// How often the kernel's lists are read at most.
    const TRIES: usize = 4;

    pub fn describe(pid: u32, sources: &mut [Source]) {
        let mut unknown: Vec<&mut Source> = Vec::new();
        for source in sources {
            let link = fs::read_link(format!("/proc/{pid}/fd/{}", source.fd));
            let Ok(link) = link else { continue };
            let link = link.to_string_lossy();
            let Some((what, inode)) = link.split_once(":[") else { continue };
            let Ok(inode) = inode.trim_end_matches(']').parse() else { continue };
            source.inode = inode;
            match what {
                "pipe" => source.kind = SourceKind::Pipe,
                "socket" => unknown.push(source),
                _ => {}
            }
        }
        // While others come and go, the kernel leaves some out of its lists.
        for _ in 0..TRIES {
            if unknown.is_empty() {
                break;
            }
            let sockets = all_sockets(pid);
            unknown.retain_mut(|source| {
                let Some((kind, local, peer)) = sockets.get(&source.inode) else { return true };
                source.kind = *kind;
                (source.local, source.peer) = (local.clone(), peer.clone());
                false
            });
        }
    }

    /// Those of the network that the process is in.
    fn all_sockets(pid: u32) -> Sockets {
        let mut sockets = Sockets::new();
        let Ok(process) =
            i32::try_from(pid).map_err(|_| ()).and_then(|pid| Process::new(pid).map_err(|_| ()))
        else {
            return sockets;
        };
        for socket in [process.tcp(), process.tcp6()].into_iter().flatten().flatten() {
            let kind = match socket.state {
                TcpState::Listen => SourceKind::TcpListener,
                _ => SourceKind::Tcp,
            };
            let peer = address(socket.remote_address);
            sockets.insert(socket.inode, (kind, Address::Ip(socket.local_address), peer));
        }
        for socket in [process.udp(), process.udp6()].into_iter().flatten().flatten() {
            let peer = address(socket.remote_address);
            let local = Address::Ip(socket.local_address);
            sockets.insert(socket.inode, (SourceKind::Udp, local, peer));
        }
        for socket in process.unix().into_iter().flatten() {
            const STREAM: u16 = 1;
            let listens = socket.state == UnixState::UNCONNECTED
                && socket.socket_type == STREAM
                && socket.path.is_some();
            let kind = if listens { SourceKind::UnixListener } else { SourceKind::Unix };
            let path = socket.path.map(|path| Address::Unix(path.to_string_lossy().into()));
            sockets.insert(socket.inode, (kind, path.unwrap_or_default(), Address::None));
        }
        sockets
    }

    /// A socket without a peer has one of zeros.
    fn address(address: SocketAddr) -> Address {
        match address.ip().is_unspecified() && address.port() == 0 {
            true => Address::None,
            false => Address::Ip(address),
        }
    }
}
