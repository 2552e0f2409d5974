//! What the kernel knows of a live process's sockets: state, queues, retransmits.
//!
//! It is read from `/proc/<pid>/net`, which is of the process's own network, be that a container's. No
//! right over the process is needed.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{json, Value as Json};

use crate::units;

/// A socket at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    is_tcp: bool,
    state: u8,
    /// Bytes that were written and that the peer has not confirmed.
    unconfirmed: u64,
    /// Bytes that came and were not read; of a listener, connections that were not accepted.
    unread: u64,
    /// How often in a row the kernel has sent the same again, without an answer.
    retransmits: u64,
    /// The kernel asks the peer whether it has room by now.
    probes: bool,
}

const LISTEN: u8 = 10;

/// As the kernel numbers them, from 1 on.
const STATES: [&str; 12] = [
    "established",
    "syn-sent",
    "syn-recv",
    "fin-wait-1",
    "fin-wait-2",
    "time-wait",
    "closed",
    "close-wait",
    "last-ack",
    "listen",
    "closing",
    "syn-recv",
];

impl Socket {
    /// From a line of `/proc/net/tcp`, `udp` and their like for IPv6: the inode, and the rest.
    fn from_line(line: &str, is_tcp: bool) -> Option<(u64, Socket)> {
        // sl, local, remote, st, tx:rx, tr:when, retrnsmt, uid, timeout, inode.
        let fields: Vec<&str> = line.split_whitespace().take(10).collect();
        let hex = |text: &str| u64::from_str_radix(text, 16).ok();
        let (unconfirmed, unread) = fields.get(4)?.split_once(':')?;
        let (timer, _) = fields.get(5)?.split_once(':')?;
        let socket = Socket {
            is_tcp,
            state: u8::from_str_radix(fields.get(3)?, 16).ok()?,
            unconfirmed: hex(unconfirmed)?,
            unread: hex(unread)?,
            retransmits: hex(fields.get(6)?)?,
            probes: hex(timer)? == 4,
        };
        Some((fields.get(9)?.parse().ok()?, socket))
    }

    fn state(&self) -> Option<&'static str> {
        let name = || STATES.get(usize::from(self.state).checked_sub(1)?).copied();
        self.is_tcp.then(name).flatten()
    }

    /// Whether it is being connected, and nobody has answered yet.
    pub fn is_connecting(&self) -> bool {
        const SYN_SENT: u8 = 2;
        self.is_tcp && self.state == SYN_SENT
    }

    /// Whether the peer has closed its end, and the process has not closed its own.
    pub fn is_closed_by_peer(&self) -> bool {
        const CLOSE_WAIT: u8 = 8;
        self.is_tcp && self.state == CLOSE_WAIT
    }

    /// Whether the peer has told the kernel that it has no room for more.
    pub fn peer_has_no_room(&self) -> bool {
        self.probes
    }

    /// Whether the kernel has sent the same again, as the peer did not confirm it.
    pub fn is_sent_again(&self) -> bool {
        self.retransmits > 0 && !self.probes
    }

    /// Bytes that came and were not read.
    pub fn unread(&self) -> u64 {
        match self.is_tcp && self.state == LISTEN {
            true => 0,
            false => self.unread,
        }
    }

    /// What there is to say: `established, 12 B to read`.
    pub fn text(&self) -> String {
        let mut parts: Vec<String> = self.state().map(String::from).into_iter().collect();
        let mut count = |count: u64, what: &str| {
            if count > 0 {
                parts.push(format!("{} {what}", units::count(count)));
            }
        };
        match self.state {
            // Of a listener the other number is how many may wait.
            LISTEN if self.is_tcp => count(self.unread, "to accept"),
            _ => {
                count(self.unread, "B to read");
                count(self.unconfirmed, "B unconfirmed");
                count(self.retransmits, if self.probes { "probes" } else { "retransmits" });
            }
        }
        if self.probes {
            parts.push("the peer has no room".into());
        }
        parts.join(", ")
    }

    /// The same for programs.
    pub fn json(&self) -> Json {
        let is_listener = self.is_tcp && self.state == LISTEN;
        let unless_listener = |value: u64| (!is_listener).then_some(value);
        json!({
            "state": self.state(),
            "to_accept": is_listener.then_some(self.unread),
            "to_read_bytes": unless_listener(self.unread),
            "unconfirmed_bytes": unless_listener(self.unconfirmed),
            "retransmits": self.retransmits,
            "peer_has_no_room": self.probes,
        })
    }
}

/// The TCP and UDP sockets of the network that the process is in, by inode.
pub fn of_process(pid: u64) -> HashMap<u64, Socket> {
    let mut sockets = HashMap::new();
    for (table, is_tcp) in [("tcp", true), ("tcp6", true), ("udp", false), ("udp6", false)] {
        // There may be no IPv6.
        let text = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        let lines = text.lines().skip(1);
        sockets.extend(lines.filter_map(|line| Socket::from_line(line, is_tcp)));
    }
    // What has no inode is no process's any more.
    sockets.remove(&0);
    sockets
}

/// Sockets, by inode, whose queues somebody empties.
#[derive(Clone, Debug, Default)]
pub struct Emptied {
    /// The process reads what has come.
    pub read: HashSet<u64>,
    /// The peer confirms what was written, so it reads.
    pub confirmed: HashSet<u64>,
}

/// Watches the queues for a moment. One that is emptied and filled again at once seems to stand still at some looks, but
/// hardly at all of them.
pub fn watch(pid: u64, moment: Duration) -> Emptied {
    const LOOK_EVERY: Duration = Duration::from_millis(20);
    let (began, mut before) = (Instant::now(), of_process(pid));
    let mut emptied = Emptied::default();
    while began.elapsed() < moment {
        sleep(LOOK_EVERY);
        let now = of_process(pid);
        for (inode, socket) in &now {
            let Some(before) = before.get(inode) else { continue };
            if socket.unread() < before.unread() {
                emptied.read.insert(*inode);
            }
            if socket.unconfirmed < before.unconfirmed {
                emptied.confirmed.insert(*inode);
            }
        }
        before = now;
    }
    emptied
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_kernel() {
        let line = "   1: 0100007F:A6F1 0100007F:1F90 01 0027F000:000004D2 04:00000A2F 00000003     0        0 88001 3 0000000000000000 24 4 0 10 -1";
        let (inode, socket) = Socket::from_line(line, true).expect("a socket");
        assert_eq!(inode, 88_001);
        let expected =
            "established, 1,234 B to read, 2,617,344 B unconfirmed, 3 probes, the peer has no room";
        assert_eq!(socket.text(), expected);
        let listener = "   0: 0100007F:1F90 00000000:0000 0A 00000080:00000003 00:00000000 00000000     0        0 88000 1 0000000000000000 100 0 0 10 0";
        let (_, socket) = Socket::from_line(listener, true).expect("a socket");
        assert_eq!(socket.text(), "listen, 3 to accept");
        assert_eq!(socket.json()["unconfirmed_bytes"], Json::Null);
        let udp = " 1234: 00000000:14E9 00000000:0000 07 00000000:00000100 00:00000000 00000000     0        0 16 2 0000000000000000 0";
        assert_eq!(Socket::from_line(udp, false).expect("a socket").1.text(), "256 B to read");
        for other in
            ["", "  sl  local_address rem_address   st tx_queue", "1: x y zz 1:1 1:1 1 1 1 1"]
        {
            assert_eq!(Socket::from_line(other, true), None, "{other}");
        }
    }
}
