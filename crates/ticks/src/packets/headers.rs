//! From a frame to what its IP and TCP or UDP headers say.

use std::net::SocketAddr;

use etherparse::{EtherType, IpNumber, LaxNetSlice, LaxSlicedPacket};
use pcap_parser::Linktype;

use super::{Flags, Packet, Tcp};

/// What a frame of this link carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Ethernet: `tcpdump -i eth0`, and `-i lo` on Linux.
    Ethernet,
    /// Linux's "any" device, in its first form.
    Cooked,
    /// The same in its second form.
    Cooked2,
    /// An IP packet and nothing before.
    Ip,
    /// The loopback of BSD and macOS: an address family before the IP packet.
    Loopback,
}

impl Link {
    /// The link with this number of tcpdump.org's list, if it is one that is understood.
    pub fn of(number: Linktype) -> Option<Link> {
        Some(match number.0 {
            1 => Link::Ethernet,
            113 => Link::Cooked,
            276 => Link::Cooked2,
            // Raw IP has several numbers.
            12 | 14 | 101 | 228 | 229 => Link::Ip,
            0 | 108 => Link::Loopback,
            _ => return None,
        })
    }

    fn slice(self, frame: &[u8]) -> Option<LaxSlicedPacket<'_>> {
        let typed = |at: usize, header_bytes: usize| {
            let number = u16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]);
            let payload = frame.get(header_bytes..)?;
            Some(LaxSlicedPacket::from_ether_type(EtherType(number), payload))
        };
        match self {
            Link::Ethernet => LaxSlicedPacket::from_ethernet(frame).ok(),
            Link::Cooked => typed(14, 16),
            Link::Cooked2 => typed(0, 20),
            Link::Ip => LaxSlicedPacket::from_ip(frame).ok(),
            Link::Loopback => LaxSlicedPacket::from_ip(frame.get(4..)?).ok(),
        }
    }
}

/// The packet in a frame of which `frame` is what was kept, if it is one of TCP or UDP.
pub fn packet(link: Link, frame: &[u8], utc_ns: u64) -> Option<Packet> {
    let sliced = link.slice(frame)?;
    let (from, to, protocol, payload, total) = match sliced.net.as_ref()? {
        LaxNetSlice::Ipv4(ip) => {
            let header = ip.header();
            // The rest of a fragmented datagram has no ports.
            (header.fragments_offset().value() == 0).then_some(())?;
            let headers = header.slice().len() as u64;
            let total = match header.total_len() {
                // The card cuts it into packets later; the length is not known yet.
                0 => None,
                total => u64::from(total).checked_sub(headers),
            };
            let payload = ip.payload();
            (
                header.source_addr().into(),
                header.destination_addr().into(),
                payload.ip_number,
                payload.payload,
                total,
            )
        }
        LaxNetSlice::Ipv6(ip) => {
            let (header, payload) = (ip.header(), ip.payload());
            let extensions = ip.extensions().slice().len() as u64;
            let total = match header.payload_length() {
                0 => None,
                total => u64::from(total).checked_sub(extensions),
            };
            (
                header.source_addr().into(),
                header.destination_addr().into(),
                payload.ip_number,
                payload.payload,
                total,
            )
        }
        LaxNetSlice::Arp(_) => return None,
    };
    let port = |at: usize| Some(u16::from_be_bytes([*payload.get(at)?, *payload.get(at + 1)?]));
    let number = |at: usize| Some(u32::from(port(at)?) << 16 | u32::from(port(at + 2)?));
    let (from, to) = (SocketAddr::new(from, port(0)?), SocketAddr::new(to, port(2)?));
    // What was kept may end in the midst of the header; its first fourteen bytes are enough.
    let total = total.unwrap_or(payload.len() as u64);
    let (header_bytes, tcp) = match protocol {
        IpNumber::TCP => {
            let tcp = Tcp {
                seq: number(4)?,
                ack: number(8)?,
                flags: Flags(*payload.get(13)? & 0x3f),
                window: port(14).unwrap_or(1),
            };
            (4 * u64::from(payload.get(12)? >> 4), Some(tcp))
        }
        IpNumber::UDP => (8, None),
        _ => return None,
    };
    Some(Packet { utc_ns, from, to, bytes: total.saturating_sub(header_bytes), tcp })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A segment of five bytes, as each link carries it.
    #[test]
    fn the_same_in_all_links() {
        let build = |builder: etherparse::PacketBuilderStep<etherparse::TcpHeader>| {
            let mut bytes = Vec::new();
            builder.write(&mut bytes, b"hello").expect("written");
            bytes
        };
        let ip = build(
            etherparse::PacketBuilder::ipv4([127, 0, 0, 1], [127, 0, 0, 2], 64)
                .tcp(4001, 5001, 7, 1024)
                .ack(9)
                .psh(),
        );
        let with = |before: &[u8]| [before, &ip].concat();
        let ethernet = [&[0; 12][..], &[8, 0]].concat();
        let cooked = [&[0; 14][..], &[8, 0]].concat();
        let cooked2 = [&[8, 0][..], &[0; 18]].concat();
        for (link, frame) in [
            (Link::Ethernet, with(&ethernet)),
            (Link::Cooked, with(&cooked)),
            (Link::Cooked2, with(&cooked2)),
            (Link::Ip, ip.clone()),
            (Link::Loopback, with(&[2, 0, 0, 0])),
        ] {
            let found = packet(link, &frame, 3).unwrap_or_else(|| panic!("{link:?}"));
            let flags = Flags(8 | 16);
            let expected = Packet {
                utc_ns: 3,
                from: "127.0.0.1:4001".parse().expect("an address"),
                to: "127.0.0.2:5001".parse().expect("an address"),
                bytes: 5,
                tcp: Some(Tcp { seq: 7, ack: 9, window: 1024, flags }),
            };
            assert_eq!(found, expected, "{link:?}");
            // Cut off at any byte it is the same packet, or none.
            for length in 0..frame.len() {
                let cut = packet(link, &frame[..length], 3);
                let same = cut.is_none_or(|cut| {
                    (cut.from, cut.to, cut.bytes) == (expected.from, expected.to, 5)
                });
                assert!(same, "{link:?} {length}");
            }
        }
    }

    #[test]
    fn ipv6_and_udp() {
        let mut bytes = Vec::new();
        let builder = etherparse::PacketBuilder::ipv6([1; 16], [2; 16], 64).udp(53, 5353);
        builder.write(&mut bytes, b"abc").expect("written");
        let found = packet(Link::Ip, &bytes, 0).expect("a packet");
        assert_eq!((found.bytes, found.tcp), (3, None));
        assert_eq!((found.from.port(), found.to.port()), (53, 5353));
    }
}
