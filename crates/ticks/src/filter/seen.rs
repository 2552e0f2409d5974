//! Which of strace's and tcpdump's lines are shown: a filter applies to what it can be asked of.

use ticks_format::Direction;

use super::{is_kind, Ready};
use crate::evidence::{End, Ends, Operation, Seen, SeenWhat, Threads};
use crate::packets::Packet;
use crate::strace::{Call, Traced};

impl Ready {
    /// Whether what was seen from outside is to be shown.
    pub fn passes_seen(&self, seen: &Seen, threads: &Threads, ends: &Ends) -> bool {
        if !(self.since_ns..=self.until_ns).contains(&seen.utc_ns) || self.filter.tick.is_some() {
            return false;
        }
        match &seen.what {
            SeenWhat::Traced { traced, input, operation } => {
                self.call_passes(traced, *input, operation.as_deref(), threads, ends)
            }
            SeenWhat::Packet { packet, ends: both } => self.packet_passes(packet, both, ends),
        }
    }

    fn call_passes(
        &self,
        traced: &Traced,
        input: Option<usize>,
        operation: Option<&Operation>,
        threads: &Threads,
        ends: &Ends,
    ) -> bool {
        let filter = &self.filter;
        let call = traced.what.call();
        let name = call.map_or("", |call| &call.name);
        let kind = filter.kind.iter().any(|wanted| is_kind(wanted, "Call", name));
        if !(kind || filter.kind.is_empty()) {
            return false;
        }
        if filter.task.is_some() && operation.and_then(|it| it.task) != filter.task {
            return false;
        }
        let tid = threads.tid(traced, input);
        let thread = filter.thread.as_ref().is_none_or(|wanted| {
            let Some(tid) = tid else { return false };
            let name = input.and_then(|input| threads.name(input, tid));
            match wanted.parse::<u64>() {
                Ok(wanted) => tid == wanted,
                Err(_) => name.is_some_and(|name| name.contains(wanted.as_str())),
            }
        });
        let dir = filter.dir.is_none_or(|wanted| call.and_then(direction) == Some(wanted));
        if !thread || !dir {
            return false;
        }
        if filter.fd.is_none() && filter.peer.is_none() && self.key.is_none() {
            return true;
        }
        let fds = call.into_iter().flat_map(Call::all_fds);
        let fd_of_source = |fd: i64| {
            self.key.is_none() || ends.sources_of(input, fd).any(|key| self.is_source(key))
        };
        for found in fds {
            let is_fd = filter.fd.is_none_or(|wanted| wanted == found.fd);
            let peer = found.connects().map(|(_, peer)| peer.to_string());
            let known = ends.sources_of(input, found.fd).find_map(|key| ends.peer_of(input?, key));
            let peer = peer.or(known.map(|peer| peer.to_string())).unwrap_or_default();
            let is_peer = filter.peer.as_ref().is_none_or(|wanted| peer.contains(wanted.as_str()));
            if is_fd && is_peer && fd_of_source(found.fd) {
                return true;
            }
        }
        false
    }

    fn packet_passes(&self, packet: &Packet, both: &[Option<End>; 2], ends: &Ends) -> bool {
        let filter = &self.filter;
        if filter.task.is_some() || filter.thread.is_some() {
            return false;
        }
        let kind = filter.kind.iter().any(|wanted| is_kind(wanted, "Packet", "packet"));
        if !(kind || filter.kind.is_empty()) {
            return false;
        }
        let needs_end = filter.fd.is_some() || self.key.is_some() || filter.dir.is_some();
        if !needs_end {
            let peer = |wanted: &String| {
                let addresses = [packet.from, packet.to].map(|address| address.to_string());
                addresses.iter().any(|address| address.contains(wanted.as_str()))
            };
            return filter.peer.as_ref().is_none_or(peer);
        }
        // What is sent concerns the sender's write direction, and the receiver's read direction.
        both.iter().zip([Direction::Write, Direction::Read]).any(|(end, dir)| {
            let Some(end) = end else { return false };
            let peer =
                ends.peer_of(end.input, end.key).map(|peer| peer.to_string()).unwrap_or_default();
            filter.fd.is_none_or(|wanted| wanted == end.fd)
                && (self.key.is_none() || self.is_source(end.key))
                && filter.dir.is_none_or(|wanted| wanted == dir)
                && filter.peer.as_ref().is_none_or(|wanted| peer.contains(wanted.as_str()))
        })
    }
}

/// Which direction of its descriptor a call is about.
fn direction(call: &Call) -> Option<Direction> {
    const WRITES: [&str; 8] =
        ["write", "writev", "send", "sendto", "sendmsg", "sendmmsg", "connect", "pwrite64"];
    match &*call.name {
        _ if call.receives() => Some(Direction::Read),
        name if WRITES.contains(&name) => Some(Direction::Write),
        _ => None,
    }
}
