//! Who is at the ends of connections, and which packet caused an event.

use std::collections::HashMap;
use std::net::SocketAddr;

use anyhow::Context;
use ticks_format::records::ReactEvent;
use ticks_format::{Address, Key, Record, SourceKind, What};

use crate::input::Input;
use crate::merge::Moment;
use crate::packets::{Flags, Packet};

/// A descriptor at the end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The recording of its process.
    pub input: usize,
    /// The source.
    pub key: Key,
    /// Its descriptor.
    pub fd: i64,
}

/// What caused an event: the last packet before it that its receiver had not been told of.
#[derive(Clone, Debug)]
pub struct Cause {
    /// The packet.
    pub packet: Packet,
    /// When it was seen.
    pub utc_ns: u64,
    /// How many packets with bytes came since the event before.
    pub packets: u64,
    /// How many bytes they carry.
    pub bytes: u64,
}

/// A source's two addresses; a listener has one.
struct Addresses {
    fd: i64,
    local: SocketAddr,
    peer: Option<SocketAddr>,
}

/// What came to one end of a connection since it was last told so.
#[derive(Default)]
struct Arrived {
    last: Option<(Packet, u64)>,
    packets: u64,
    bytes: u64,
    seen_ns: u64,
}

/// How many connections are kept on which packets arrived. The longest unused go first.
const CONNECTIONS_MAX: usize = 1 << 16;

/// The ends of connections, by what is known at what was last learnt from.
pub struct Ends {
    sources: HashMap<(usize, Key), Addresses>,
    /// Which source has these addresses: its own and its peer's.
    connections: HashMap<(SocketAddr, SocketAddr), End>,
    listeners: HashMap<SocketAddr, End>,
    /// By whom it came to and whom it is from.
    arrived: HashMap<(SocketAddr, SocketAddr), Arrived>,
    /// Of listeners, by their own address: the segments that begin connections.
    called: HashMap<SocketAddr, Arrived>,
}

impl Ends {
    /// Those that the recordings' tables have.
    pub fn of(inputs: &[Input]) -> anyhow::Result<Ends> {
        let mut ends = Ends {
            sources: HashMap::new(),
            connections: HashMap::new(),
            listeners: HashMap::new(),
            arrived: HashMap::new(),
            called: HashMap::new(),
        };
        for (index, input) in inputs.iter().enumerate() {
            for (key, source) in input.sources().with_context(|| input.place())? {
                let fd = source.fd;
                ends.insert(
                    End { input: index, key, fd },
                    source.kind,
                    &source.local,
                    &source.peer,
                );
            }
        }
        Ok(ends)
    }

    fn insert(&mut self, end: End, kind: SourceKind, local: &Address, peer: &Address) {
        let ip = |address: &Address| match address {
            Address::Ip(address) => Some(plain(*address)),
            _ => None,
        };
        let Some(local) = ip(local) else { return };
        let peer = ip(peer);
        match peer {
            Some(peer) => {
                self.connections.insert((local, peer), end);
            }
            None if kind == SourceKind::TcpListener => {
                self.listeners.insert(local, end);
            }
            None => {}
        }
        self.sources.insert((end.input, end.key), Addresses { fd: end.fd, local, peer });
    }

    /// Takes in the next record.
    pub fn learn(&mut self, moment: &Moment) {
        let input = moment.input;
        match &moment.stamped.what {
            What::Record(Record::SourceNew(new)) => {
                let known = self.sources.get(&(input, new.key));
                // While it connects, its peer is not known yet; the table has it.
                if known.is_none_or(|known| known.peer.is_none()) {
                    let end = End { input, key: new.key, fd: new.fd };
                    self.insert(end, new.kind, &new.local, &new.peer);
                }
            }
            What::Record(Record::SourceDrop(gone)) => {
                if let Some(known) = self.sources.remove(&(input, gone.key)) {
                    if let Some(peer) = known.peer {
                        self.connections.remove(&(known.local, peer));
                    }
                }
            }
            _ => {}
        }
    }

    /// Takes in the next packet.
    pub fn learn_packet(&mut self, packet: &Packet, utc_ns: u64) {
        let (from, to) = (plain(packet.from), plain(packet.to));
        let calls = packet.has(Flags::SYN) && !packet.has(Flags::ACK);
        if calls {
            let arrived = self.called.entry(to).or_default();
            arrived.add(packet, utc_ns);
        }
        let arrived = self.arrived.entry((to, from)).or_default();
        arrived.add(packet, utc_ns);
        if self.arrived.len() > CONNECTIONS_MAX {
            self.forget();
        }
        if self.called.len() > CONNECTIONS_MAX {
            self.called.clear();
        }
    }

    /// Forgets the half of the connections that was not used for longest.
    fn forget(&mut self) {
        let mut times: Vec<u64> = self.arrived.values().map(|arrived| arrived.seen_ns).collect();
        times.sort_unstable();
        let middle_ns = times[times.len() / 2];
        self.arrived.retain(|_, arrived| arrived.seen_ns > middle_ns);
    }

    /// Who is at this end of a connection: whose own address is this, and whose peer's is that.
    pub fn end(&self, own: SocketAddr, peer: SocketAddr) -> Option<End> {
        self.connections.get(&(plain(own), plain(peer))).copied()
    }

    /// The sources that have this descriptor now, in the recording or in any.
    pub fn sources_of(&self, input: Option<usize>, fd: i64) -> impl Iterator<Item = Key> + '_ {
        let of = self.sources.iter().filter(move |((of, _), known)| {
            known.fd == fd && input.is_none_or(|input| input == *of)
        });
        of.map(|((_, key), _)| *key)
    }

    /// The source's peer.
    pub fn peer_of(&self, input: usize, key: Key) -> Option<SocketAddr> {
        self.sources.get(&(input, key))?.peer
    }

    /// What caused the event, which its source has been told of then.
    pub fn cause(&mut self, input: usize, event: &ReactEvent) -> Option<Cause> {
        let known = self.sources.get(&(input, event.key))?;
        let arrived = match known.peer {
            Some(peer) => self.arrived.get_mut(&(known.local, peer))?,
            None => self.called.get_mut(&known.local)?,
        };
        let (packet, utc_ns) = arrived.last.take()?;
        let cause = Cause { packet, utc_ns, packets: arrived.packets, bytes: arrived.bytes };
        (arrived.packets, arrived.bytes) = (0, 0);
        Some(cause)
    }
}

impl Arrived {
    fn add(&mut self, packet: &Packet, utc_ns: u64) {
        self.seen_ns = utc_ns;
        // An acknowledgement makes room to write, unless bytes come with it or before it.
        if packet.says_something() || self.last.is_none() {
            self.last = Some((packet.clone(), utc_ns));
        }
        self.packets += u64::from(packet.bytes > 0);
        self.bytes += packet.bytes;
    }
}

/// An IPv4 address in an IPv6 one is the same as itself.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
