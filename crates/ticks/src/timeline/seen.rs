//! What strace and tcpdump saw: a track of the system calls of each thread, one of the packets of each connection, and
//! an arrow from a packet to the event that it caused.

use std::collections::HashMap;
use std::net::SocketAddr;

use ticks_format::{Direction, Record, What as RecordWhat};

use super::builder::Builder;
use super::{Label, Slice, SliceId, Track, TrackId};
use crate::evidence::{packet_kind, Cause, Seen, SeenWhat, Threads};
use crate::merge::Moment;
use crate::packets::Packet;
use crate::strace::{Call, Traced, What};

/// What was seen so far.
#[derive(Default)]
pub struct SeenSoFar {
    /// By track of calls: when the last call ended, and whether one is open.
    calls: HashMap<TrackId, (u64, bool)>,
    /// The last packet that went this way.
    packets: HashMap<(SocketAddr, SocketAddr), (u64, SliceId)>,
}

const SEEN: Slice = Slice { label: Label::Seen, begin: None, end: None, task: None };

impl Builder {
    /// Takes in the next thing that was seen from outside, in the order of time.
    pub fn seen(&mut self, seen: &Seen, threads: &Threads) {
        match &seen.what {
            SeenWhat::Traced { traced, input: Some(input), .. } => {
                if let Some(tid) = threads.tid(traced, Some(*input)) {
                    let track = Track::Calls { input: *input, tid };
                    if let Some(name) = threads.name(*input, tid) {
                        let name = || format!("system calls of {name}");
                        self.timeline.names.entry(track).or_insert_with(name);
                    }
                    self.traced(track, traced, seen.utc_ns);
                }
            }
            SeenWhat::Traced { .. } => {}
            SeenWhat::Packet { packet, ends } => {
                for (end, way) in ends.iter().zip(["sent", "received"]) {
                    let Some(end) = end else { continue };
                    let track = Track::Packets { input: end.input, key: end.key };
                    let slice = self.packet(track, packet, way, seen.utc_ns);
                    if way == "received" {
                        self.outside.packets.insert((packet.from, packet.to), (seen.utc_ns, slice));
                    }
                }
            }
        }
    }

    fn traced(&mut self, track: Track, traced: &Traced, at: u64) {
        let track = self.timeline.id(track);
        let (last_ns, is_open) = self.outside.calls.get(&track).copied().unwrap_or_default();
        // The next begins when the one before has ended, whatever the microseconds say.
        let at = at.max(last_ns);
        let mut end_ns = at;
        match &traced.what {
            What::Ends(call) if is_open => {
                self.timeline.end(track, at);
                self.outside.calls.insert(track, (at, false));
                // What came of it is known only now.
                self.call(track, call, at);
                self.timeline.end(track, at);
                return;
            }
            What::Call(call) | What::Ends(call) => {
                self.call(track, call, at);
                end_ns += call.duration_ns.unwrap_or(0);
            }
            What::Begins(call) => {
                if is_open {
                    self.timeline.end(track, at);
                }
                self.call(track, call, at);
                self.outside.calls.insert(track, (at, true));
                return;
            }
            What::Signal(text) | What::Exit(text) => {
                let slice = self.timeline.begin(track, at, SEEN);
                self.timeline.texts.insert(slice, text.chars().take(60).collect());
            }
        }
        self.timeline.end(track, end_ns);
        self.outside.calls.insert(track, (end_ns, is_open));
    }

    fn call(&mut self, track: TrackId, call: &Call, at: u64) {
        let slice = self.timeline.begin(track, at, SEEN);
        let text = match call.error() {
            Some(error) => format!("{} {error}", call.name),
            None => call.name.clone(),
        };
        self.timeline.texts.insert(slice, text);
        let notes = [("args", call.args.clone()), ("result", call.outcome.text().to_owned())];
        self.timeline.notes.insert(slice, notes.into());
    }

    fn packet(&mut self, track: Track, packet: &Packet, way: &str, at: u64) -> SliceId {
        let track = self.timeline.id(track);
        let slice = self.timeline.begin(track, at, SEEN);
        self.timeline.end(track, at);
        self.timeline.texts.insert(slice, format!("{way} {}", packet_kind(packet)));
        let notes = [("from", packet.from.to_string()), ("to", packet.to.to_string())];
        self.timeline.notes.insert(slice, notes.into());
        slice
    }

    /// The event that was added last has this cause.
    pub fn caused(&mut self, moment: &Moment, cause: &Cause) {
        let RecordWhat::Record(Record::ReactEvent(event)) = &moment.stamped.what else { return };
        let packet = self.outside.packets.get(&(cause.packet.from, cause.packet.to));
        let Some((_, packet)) = packet.filter(|(at, _)| *at == cause.utc_ns).copied() else {
            return;
        };
        for dir in Direction::ALL {
            let told = self.events.get(&(moment.input, event.key, *dir));
            if let Some((_, told)) = told.filter(|(tick, _)| *tick == event.tick) {
                let told = *told;
                self.timeline.arrow(packet, told);
            }
        }
    }

    /// Ends calls whose ends were not seen.
    pub(super) fn finish_seen(&mut self, ends_ns: &[u64]) {
        for (track, (last_ns, is_open)) in std::mem::take(&mut self.outside.calls) {
            if is_open {
                let end_ns = ends_ns[self.timeline.track(track).input()];
                self.timeline.end(track, end_ns.max(last_ns));
            }
        }
    }
}
