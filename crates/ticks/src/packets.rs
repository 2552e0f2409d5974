//! Packets of a capture, as tcpdump and Wireshark write it: pcap and pcapng, read in a stream.
//!
//! Of each packet the headers of IP and TCP or UDP are looked at, and none of its bytes. So a capture that keeps only
//! the first bytes of each packet (`tcpdump -s 96`) serves as well.

mod headers;
mod reader;

use std::fmt;
use std::net::SocketAddr;

pub use reader::Capture;

/// A TCP segment or a UDP datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// When it was captured, UTC, nanoseconds since 1970.
    pub utc_ns: u64,
    /// Who sent it.
    pub from: SocketAddr,
    /// To whom.
    pub to: SocketAddr,
    /// How many bytes of the program's it carries.
    pub bytes: u64,
    /// What TCP says in it; absent: it is UDP.
    pub tcp: Option<Tcp>,
}

/// What a segment's header says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tcp {
    /// The number of its first byte.
    pub seq: u32,
    /// The number of the byte that is expected next from the other side.
    pub ack: u32,
    /// How many bytes the sender has room for, in units that were agreed upon; 0: none.
    pub window: u16,
    /// The flags.
    pub flags: Flags,
}

/// The flags of a segment, as bits of the header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    /// No more bytes will come.
    pub const FIN: Flags = Flags(1);
    /// A connection begins.
    pub const SYN: Flags = Flags(2);
    /// The connection is no more.
    pub const RST: Flags = Flags(4);
    /// The segment acknowledges.
    pub const ACK: Flags = Flags(16);

    /// Whether all of these are set.
    pub fn has(self, flags: Flags) -> bool {
        self.0 & flags.0 == flags.0
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = ["FIN", "SYN", "RST", "PSH", "ACK", "URG"];
        let set = (0..).zip(names).filter(|(bit, _)| self.0 & (1 << bit) != 0);
        let set: Vec<&str> = set.map(|(_, name)| name).collect();
        f.write_str(&set.join(" "))
    }
}

impl Packet {
    /// Whether these flags are set.
    pub fn has(&self, flags: Flags) -> bool {
        self.tcp.is_some_and(|tcp| tcp.flags.has(flags))
    }

    /// Whether it gives its receiver something to do: bytes, a connection, an end.
    pub fn says_something(&self) -> bool {
        let signals = [Flags::SYN, Flags::FIN, Flags::RST];
        self.bytes > 0 || self.tcp.is_none() || signals.iter().any(|flags| self.has(*flags))
    }
}
