//! What each clock saw of the connections.

use std::collections::HashMap;
use std::net::SocketAddr;

use anyhow::Context;
use ticks_format::records::{ReactEvent, SourceNew};
use ticks_format::{Address, Key, Kind, Record, SourceKind, What};

use crate::input::Input;
use crate::merge::{Merge, Moment};
use crate::packets::{Capture, Flags, Packet};

/// The steps of a connection that are looked at. Each comes after the one before, wherever it is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The client is about to connect.
    Begins,
    /// Its first segment is on its way.
    Called,
    /// The server has accepted.
    Accepted,
    /// The server's first bytes, or its end, are on their way.
    Answered,
    /// The client has been told of them.
    Told,
}

/// How many steps there are.
pub const STEPS: usize = 5;

/// When the steps of a connection came, by one clock.
#[derive(Clone, Debug, Default)]
pub struct Sight(pub [Option<u64>; STEPS]);

impl Sight {
    /// The first time that a step was seen is the one that counts: segments may be sent again.
    pub fn see(&mut self, step: Step, utc_ns: Option<u64>) {
        let seen = &mut self.0[step as usize];
        *seen = seen.or(utc_ns);
    }
}

/// A connection, as several clocks saw it.
#[derive(Debug)]
pub struct Meeting {
    /// The clock, and what was seen by it.
    pub sights: Vec<(usize, Sight)>,
}

/// The client's address, and the server's.
type Pair = (SocketAddr, SocketAddr);

/// Enough to know the clocks by. Beyond, none are added.
const CONNECTIONS_MAX: usize = 1 << 14;

/// Of a longer capture the beginning is enough.
const PACKETS_MAX: u64 = 1 << 21;

/// The connections that were seen.
pub struct Meetings {
    by_pair: HashMap<Pair, Vec<(usize, Sight)>>,
}

impl Meetings {
    /// Those of the recordings, each by its host's clock.
    pub fn of(inputs: &[Input], hosts: &[usize]) -> anyhow::Result<Meetings> {
        let mut reader = Reader::new(inputs)?;
        let mut merge = Merge::new(inputs)?;
        while let Some(moment) = merge.advance()? {
            reader.learn(&moment);
        }
        let mut meetings = Meetings { by_pair: HashMap::new() };
        for ((input, _), end) in reader.ends {
            let Some((pair, sight)) = end.sight(&reader.listening[input]) else { continue };
            meetings.add(pair, hosts[input], sight);
        }
        Ok(meetings)
    }

    fn add(&mut self, pair: Pair, clock: usize, sight: Sight) {
        if self.by_pair.len() < CONNECTIONS_MAX || self.by_pair.contains_key(&pair) {
            self.by_pair.entry(pair).or_default().push((clock, sight));
        }
    }

    /// What a capture saw of the same connections.
    pub fn capture(&mut self, capture: &mut Capture, clock: usize) -> anyhow::Result<()> {
        let mut seen: HashMap<Pair, Sight> = HashMap::new();
        let mut packets = 0;
        while let Some(packet) = capture.advance()? {
            packets += 1;
            if packets > PACKETS_MAX {
                break;
            }
            self.learn_packet(&packet, &mut seen);
        }
        for (pair, sight) in seen {
            self.add(pair, clock, sight);
        }
        Ok(())
    }

    fn learn_packet(&self, packet: &Packet, seen: &mut HashMap<Pair, Sight>) {
        let there = (packet.from, packet.to);
        let back = (packet.to, packet.from);
        let begins = packet.has(Flags::SYN) && !packet.has(Flags::ACK);
        let at = Some(packet.utc_ns);
        if begins && self.by_pair.contains_key(&there) {
            seen.entry(there).or_default().see(Step::Called, at);
        } else if packet.bytes > 0 || packet.has(Flags::FIN) {
            if let Some(sight) = seen.get_mut(&back) {
                sight.see(Step::Answered, at);
            }
        }
    }

    /// The connections that more than one clock saw.
    pub fn all(self) -> Vec<Meeting> {
        let all = self.by_pair.into_values().map(|sights| Meeting { sights });
        all.filter(|meeting| meeting.sights.len() > 1).collect()
    }
}

/// One end of a connection in a recording.
struct ConnectionEnd {
    local: SocketAddr,
    peer: Option<SocketAddr>,
    /// The last record of its thread before it was registered: it was connected or accepted later than that.
    before_ns: Option<u64>,
    /// When it was registered.
    new_ns: u64,
    /// When its first bytes or its end had come.
    readable_ns: Option<u64>,
}

impl ConnectionEnd {
    fn sight(self, listening: &[SocketAddr]) -> Option<(Pair, Sight)> {
        let peer = self.peer?;
        let accepted = listening.iter().any(|listens| {
            listens.port() == self.local.port()
                && (listens.ip().is_unspecified() || listens.ip() == self.local.ip())
        });
        let mut sight = Sight::default();
        if accepted {
            sight.see(Step::Accepted, Some(self.new_ns));
            return Some(((peer, self.local), sight));
        }
        sight.see(Step::Begins, self.before_ns);
        sight.see(Step::Told, self.readable_ns);
        Some(((self.local, peer), sight))
    }
}

/// Walks the records of all recordings.
struct Reader {
    /// The peers of the sources that the tables have: while it connects, a socket has none yet.
    peers: Vec<HashMap<Key, SocketAddr>>,
    listening: Vec<Vec<SocketAddr>>,
    /// When each thread made its last record that does not belong to a registration.
    last_ns: HashMap<(usize, u64), u64>,
    ends: HashMap<(usize, Key), ConnectionEnd>,
}

impl Reader {
    fn new(inputs: &[Input]) -> anyhow::Result<Reader> {
        let (mut peers, mut listening) = (Vec::new(), Vec::new());
        for input in inputs {
            let (mut known, mut listens) = (HashMap::new(), Vec::new());
            for (key, source) in input.sources().with_context(|| input.place())? {
                match (&source.local, &source.peer) {
                    (_, Address::Ip(peer)) => {
                        known.insert(key, *peer);
                    }
                    (Address::Ip(local), _) if source.kind == SourceKind::TcpListener => {
                        listens.push(*local)
                    }
                    _ => {}
                }
            }
            peers.push(known);
            listening.push(listens);
        }
        Ok(Reader { peers, listening, last_ns: HashMap::new(), ends: HashMap::new() })
    }

    fn learn(&mut self, moment: &Moment) {
        let What::Record(record) = &moment.stamped.what else { return };
        let tid = moment.stamped.thread.as_ref().map_or(0, |thread| thread.tid);
        match record {
            Record::SourceNew(new) => self.begins(moment, tid, new),
            Record::ReactEvent(event) => self.event(moment, event),
            _ => {}
        }
        // What the poller is told comes with a registration, which is after the connect.
        if record.kind().target() != Kind::CtlBegin.target() {
            self.last_ns.insert((moment.input, tid), moment.utc_ns);
        }
    }

    fn begins(&mut self, moment: &Moment, tid: u64, new: &SourceNew) {
        let input = moment.input;
        let Address::Ip(local) = new.local else { return };
        match new.kind {
            SourceKind::TcpListener if !self.listening[input].contains(&local) => {
                self.listening[input].push(local);
            }
            SourceKind::Tcp if self.ends.len() < CONNECTIONS_MAX => {
                let peer = match new.peer {
                    Address::Ip(peer) => Some(peer),
                    _ => self.peers[input].get(&new.key).copied(),
                };
                let before_ns = self.last_ns.get(&(input, tid)).copied();
                let end = ConnectionEnd {
                    local,
                    peer,
                    before_ns,
                    new_ns: moment.utc_ns,
                    readable_ns: None,
                };
                self.ends.insert((input, new.key), end);
            }
            _ => {}
        }
    }

    fn event(&mut self, moment: &Moment, event: &ReactEvent) {
        /// `EPOLLERR`: the connection came to nothing.
        const ERROR: u32 = 8;
        if !event.readable || event.flags & ERROR != 0 {
            return;
        }
        if let Some(end) = self.ends.get_mut(&(moment.input, event.key)) {
            end.readable_ns = end.readable_ns.or(Some(moment.utc_ns));
        }
    }
}
