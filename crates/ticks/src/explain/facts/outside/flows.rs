//! What was sent from one end of a connection to the other, as a capture has it.

use std::collections::HashMap;
use std::net::SocketAddr;

use crate::packets::{Flags, Packet};

/// What one end has sent.
#[derive(Clone, Debug, Default)]
pub struct Flow {
    /// When its last bytes went by.
    pub data_ns: Option<u64>,
    /// When its end went by.
    pub fin_ns: Option<u64>,
    /// When the connection was torn down by it.
    pub rst_ns: Option<u64>,
    /// What lies beyond all that it has sent.
    next_seq: Option<u32>,
    /// Since when something that it has sent is not confirmed, and what that is.
    pub unconfirmed: Option<Unconfirmed>,
    seen_ns: u64,
}

/// What was sent and not confirmed.
#[derive(Clone, Debug)]
pub struct Unconfirmed {
    /// When it was sent first.
    pub since_ns: u64,
    /// How often it was sent.
    pub times: u64,
    /// Whether it is the attempt to connect.
    pub connects: bool,
    seq: u32,
}

/// More connections than this are not followed; those unused for longest go first.
const FLOWS_MAX: usize = 1 << 16;

/// All that was sent, by sender and receiver.
#[derive(Default)]
pub struct Flows {
    all: HashMap<(SocketAddr, SocketAddr), Flow>,
    /// When the capture ends.
    pub end_ns: u64,
}

impl Flows {
    /// What this end has sent to that one.
    pub fn of(&self, from: SocketAddr, to: SocketAddr) -> Option<&Flow> {
        self.all.get(&(plain(from), plain(to)))
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = (&(SocketAddr, SocketAddr), &Flow)> {
        self.all.iter()
    }

    /// Takes in the next packet.
    pub fn learn(&mut self, packet: &Packet, utc_ns: u64) {
        let (from, to) = (plain(packet.from), plain(packet.to));
        self.end_ns = self.end_ns.max(utc_ns);
        if let (true, Some(tcp)) = (packet.has(Flags::ACK), &packet.tcp) {
            if let Some(back) = self.all.get_mut(&(to, from)) {
                back.confirm(tcp.ack);
            }
        }
        if self.all.len() >= FLOWS_MAX && !self.all.contains_key(&(from, to)) {
            self.forget();
        }
        self.all.entry((from, to)).or_default().send(packet, utc_ns);
        if packet.has(Flags::RST) {
            if let Some(back) = self.all.get_mut(&(to, from)) {
                back.unconfirmed = None;
            }
        }
    }

    fn forget(&mut self) {
        let mut times: Vec<u64> = self.all.values().map(|flow| flow.seen_ns).collect();
        times.sort_unstable();
        let middle_ns = times[times.len() / 2];
        self.all.retain(|_, flow| flow.seen_ns > middle_ns);
    }
}

impl Flow {
    fn send(&mut self, packet: &Packet, utc_ns: u64) {
        self.seen_ns = utc_ns;
        let begins = packet.has(Flags::SYN);
        if begins
            && !packet.has(Flags::ACK)
            && self.unconfirmed.as_ref().is_none_or(|it| !it.connects)
        {
            // The same addresses may serve again.
            *self = Flow { seen_ns: utc_ns, ..Flow::default() };
        }
        if packet.bytes > 0 {
            self.data_ns = Some(utc_ns);
        }
        let ends = packet.has(Flags::FIN);
        if ends {
            self.fin_ns = self.fin_ns.or(Some(utc_ns));
        }
        if packet.has(Flags::RST) {
            (self.rst_ns, self.unconfirmed) = (Some(utc_ns), None);
            return;
        }
        let Some(tcp) = &packet.tcp else { return };
        let length = packet.bytes as u32 + u32::from(begins) + u32::from(ends);
        if length == 0 {
            return;
        }
        let end = tcp.seq.wrapping_add(length);
        let is_new = self.next_seq.is_none_or(|next| is_after(end, next));
        if is_new {
            self.next_seq = Some(end);
        }
        match &mut self.unconfirmed {
            Some(waits) if waits.seq == tcp.seq => waits.times += u64::from(!is_new),
            Some(_) => {}
            None if is_new => {
                let connects = begins && !packet.has(Flags::ACK);
                self.unconfirmed =
                    Some(Unconfirmed { since_ns: utc_ns, times: 1, connects, seq: tcp.seq });
            }
            None => {}
        }
    }

    /// The other end has all before this.
    fn confirm(&mut self, ack: u32) {
        if self.unconfirmed.as_ref().is_some_and(|waits| is_after(ack, waits.seq)) {
            self.unconfirmed = None;
        }
    }
}

/// Whether this number of TCP's is beyond that one, as they wrap around.
fn is_after(this: u32, that: u32) -> bool {
    (this.wrapping_sub(that) as i32) > 0
}

fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packets::Tcp;

    fn packet(from: u16, to: u16, seq: u32, ack: u32, bytes: u64, flags: u8) -> Packet {
        let at = |port: u16| SocketAddr::from(([10, 0, 0, 1], port));
        let tcp = Some(Tcp { seq, ack, window: 10, flags: Flags(flags) });
        Packet { utc_ns: 0, from: at(from), to: at(to), bytes, tcp }
    }

    #[test]
    fn what_is_not_confirmed() {
        let mut flows = Flows::default();
        let at = |port: u16| SocketAddr::from(([10, 0, 0, 1], port));
        flows.learn(&packet(1, 2, 100, 0, 0, 2), 10);
        assert!(flows
            .of(at(1), at(2))
            .and_then(|flow| flow.unconfirmed.as_ref())
            .is_some_and(|it| it.connects));
        flows.learn(&packet(1, 2, 100, 0, 0, 2), 1_010);
        assert_eq!(
            flows.of(at(1), at(2)).and_then(|it| it.unconfirmed.as_ref()).map(|it| it.times),
            Some(2)
        );
        flows.learn(&packet(2, 1, 500, 101, 0, 18), 1_020);
        assert!(flows.of(at(1), at(2)).is_some_and(|flow| flow.unconfirmed.is_none()));
        flows.learn(&packet(1, 2, 101, 501, 5, 24), 1_030);
        flows.learn(&packet(1, 2, 101, 501, 5, 24), 1_240);
        flows.learn(&packet(1, 2, 101, 501, 5, 24), 1_640);
        let waits =
            flows.of(at(1), at(2)).and_then(|flow| flow.unconfirmed.clone()).expect("unconfirmed");
        assert_eq!((waits.since_ns, waits.times, waits.connects), (1_030, 3, false));
        // The acknowledgement of the handshake confirms nothing of it.
        flows.learn(&packet(2, 1, 501, 101, 0, 16), 1_700);
        assert!(flows.of(at(1), at(2)).is_some_and(|flow| flow.unconfirmed.is_some()));
        flows.learn(&packet(2, 1, 501, 106, 0, 16), 1_800);
        assert!(flows.of(at(1), at(2)).is_some_and(|flow| flow.unconfirmed.is_none()));
    }
}
