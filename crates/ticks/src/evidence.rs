//! What strace and tcpdump saw, in the order of time with the records of recordings.
//!
//! System calls are joined to a recording by their thread, packets by the addresses of a connection's two ends.

mod ends;
mod line;
mod threads;

use std::path::PathBuf;

use serde_json::Value as Json;
use ticks_format::{Record, What};

use crate::hosts::Clocks;
use crate::input::Input;
use crate::merge::Moment;
use crate::packets::{Capture, Packet};
use crate::plain::say;
use crate::strace::{self, Listing, Traced};
use crate::units;

pub use ends::{Cause, End, Ends};
pub use line::{packet_kind, write_json, write_text};
pub use threads::{Operation, Threads};

/// Other evidence on the same clock.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Other evidence")]
#[group(skip)]
pub struct Args {
    /// What `strace -f -ttt -T -yy -o FILE` wrote; may be repeated
    #[arg(long, value_name = "FILE")]
    pub strace: Vec<PathBuf>,
    /// What `tcpdump -w FILE` or Wireshark captured, as pcap or pcapng; may be repeated
    #[arg(long, value_name = "FILE")]
    pub pcap: Vec<PathBuf>,
}

/// Something seen from outside of a program.
#[derive(Debug)]
pub struct Seen {
    /// UTC by the clock of the first recording, nanoseconds since 1970.
    pub utc_ns: u64,
    /// What.
    pub what: SeenWhat,
}

/// What was seen.
#[derive(Debug)]
pub enum SeenWhat {
    /// What a thread did.
    Traced {
        /// What strace says.
        traced: Traced,
        /// The recording of its process.
        input: Option<usize>,
        /// In the midst of what its thread was.
        operation: Option<Box<Operation>>,
    },
    /// A packet.
    Packet {
        /// What the capture says.
        packet: Packet,
        /// The descriptors at its two ends: the sender's and the receiver's.
        ends: [Option<End>; 2],
    },
}

/// A listing or a capture, and what comes next in it.
struct Stream {
    source: Source,
    next: Option<(u64, Next)>,
    /// What is added to its times.
    shift_ns: i64,
}

enum Source {
    Listing(Listing),
    Capture(Capture),
}

enum Next {
    Traced(Traced),
    Packet(Packet),
}

/// Listings and captures as they are read, with what is known of threads and connections at that time.
pub struct Evidence {
    streams: Vec<Stream>,
    /// Threads and what they are in the midst of.
    pub threads: Threads,
    /// Who is at the ends of connections.
    pub ends: Ends,
    /// What is added to the times of each recording's host.
    shifts_ns: Vec<i64>,
    /// Things without a time, which are on no timeline.
    timeless: u64,
    /// Things of threads whose process has no recording.
    strangers: u64,
}

/// Strace cuts its times to microseconds, so what is of the same one came before.
const STRACE_CUT_NS: u64 = 999;

impl Evidence {
    /// Opens all that is meant. A listing's times are by the clock of the recording of its process.
    pub fn open(args: &Args, inputs: &[Input], clocks: &Clocks) -> anyhow::Result<Evidence> {
        let mut streams = Vec::new();
        for path in &args.strace {
            streams.push(Stream {
                source: Source::Listing(Listing::open(path)?),
                next: None,
                shift_ns: 0,
            });
        }
        for (path, shift_ns) in args.pcap.iter().zip(&clocks.captures_ns) {
            let source = Source::Capture(Capture::open(path)?);
            streams.push(Stream { source, next: None, shift_ns: *shift_ns });
        }
        let (threads, ends) = (Threads::of(inputs)?, Ends::of(inputs)?);
        let shifts_ns = inputs.iter().map(|input| input.shift_ns).collect();
        let mut evidence =
            Evidence { streams, threads, ends, shifts_ns, timeless: 0, strangers: 0 };
        for index in 0..evidence.streams.len() {
            evidence.refill(index)?;
        }
        Ok(evidence)
    }

    fn refill(&mut self, index: usize) -> anyhow::Result<()> {
        let (threads, shifts_ns) = (&self.threads, &self.shifts_ns);
        let stream = &mut self.streams[index];
        stream.next = match &mut stream.source {
            Source::Capture(capture) => {
                let packet = capture.advance()?;
                packet.map(|packet| {
                    (packet.utc_ns.saturating_add_signed(stream.shift_ns), Next::Packet(packet))
                })
            }
            Source::Listing(listing) => loop {
                let Some(traced) = listing.advance()? else { break None };
                match traced.utc_ns {
                    Some(utc_ns) => {
                        // Of an unknown thread: as the one before.
                        let of_host = threads.input(traced.tid).map(|input| shifts_ns[input]);
                        stream.shift_ns = of_host.unwrap_or(stream.shift_ns);
                        let at = utc_ns.saturating_add(STRACE_CUT_NS);
                        let at = at.saturating_add_signed(stream.shift_ns);
                        break Some((at, Next::Traced(traced)));
                    }
                    None => self.timeless += 1,
                }
            },
        };
        Ok(())
    }

    /// The next thing that was seen until then.
    pub fn until(&mut self, until_ns: u64) -> anyhow::Result<Option<Seen>> {
        loop {
            let nexts = self.streams.iter().enumerate();
            let times = nexts.filter_map(|(index, stream)| Some((stream.next.as_ref()?.0, index)));
            let Some((at, index)) = times.min().filter(|(at, _)| *at <= until_ns) else {
                return Ok(None);
            };
            let next = self.streams[index].next.take();
            self.refill(index)?;
            let what = match next {
                Some((_, Next::Traced(traced))) => self.traced(traced),
                Some((_, Next::Packet(packet))) => Some(self.packet(packet, at)),
                None => None,
            };
            if let Some(what) = what {
                // The clock's own time, not that by which it was put in order.
                let utc_ns = match &what {
                    SeenWhat::Traced { .. } => at - STRACE_CUT_NS.min(at),
                    SeenWhat::Packet { .. } => at,
                };
                return Ok(Some(Seen { utc_ns, what }));
            }
        }
    }

    fn traced(&mut self, traced: Traced) -> Option<SeenWhat> {
        let input = self.threads.input(traced.tid);
        self.threads.learn_call(&traced, input);
        if input.is_none() && self.threads.has_inputs() {
            self.strangers += 1;
            return None;
        }
        let tid = self.threads.tid(&traced, input);
        let operation = input.zip(tid).and_then(|place| self.threads.operation(place));
        let operation = operation.cloned().map(Box::new);
        Some(SeenWhat::Traced { traced, input, operation })
    }

    fn packet(&mut self, packet: Packet, at: u64) -> SeenWhat {
        self.ends.learn_packet(&packet, at);
        let ends = [self.ends.end(packet.from, packet.to), self.ends.end(packet.to, packet.from)];
        SeenWhat::Packet { packet, ends }
    }

    /// Takes in the next record. Returns the packet that caused it, if it is an event and that was seen.
    pub fn learn(&mut self, moment: &Moment) -> Option<Cause> {
        if self.streams.is_empty() {
            return None;
        }
        self.threads.learn(moment);
        self.ends.learn(moment);
        match &moment.stamped.what {
            What::Record(Record::ReactEvent(event)) => self.ends.cause(moment.input, event),
            _ => None,
        }
    }

    /// How much there is to be read, in steps as long as a record's.
    pub fn steps(&self) -> u64 {
        self.sum(|source| match source {
            Source::Listing(listing) => listing.bytes(),
            Source::Capture(capture) => capture.bytes(),
        })
    }

    /// How much of it was read.
    pub fn steps_done(&self) -> u64 {
        self.sum(|source| match source {
            Source::Listing(listing) => listing.read_bytes(),
            Source::Capture(capture) => capture.read_bytes(),
        })
    }

    fn sum(&self, bytes: impl Fn(&Source) -> u64) -> u64 {
        const STEP_BYTES: u64 = 64;
        self.streams.iter().map(|stream| bytes(&stream.source)).fold(0, u64::saturating_add)
            / STEP_BYTES
    }

    /// Says on stderr what was found wrong or left out, and whether anything was wrong.
    pub fn report(&self) -> bool {
        let mut damaged = false;
        for stream in &self.streams {
            let problems = match &stream.source {
                Source::Listing(listing) => listing.problem().into_iter().collect(),
                Source::Capture(capture) => capture.problems(),
            };
            damaged |= !problems.is_empty();
            problems.iter().for_each(|problem| say!("{problem}"));
        }
        if self.timeless > 0 {
            let lines = units::things(self.timeless, "line");
            say!("left out, as on no timeline: {lines} of strace without a time; strace -ttt has times");
        }
        if self.strangers > 0 {
            let lines = units::things(self.strangers, "line");
            say!("left out: {lines} of strace, whose processes are in none of the recordings");
        }
        damaged
    }
}

/// The beginnings and ends of a part of a call are told apart for scripts.
fn part(what: &strace::What) -> Json {
    match what {
        strace::What::Call(_) => "whole",
        strace::What::Begins(_) => "begin",
        strace::What::Ends(_) => "end",
        strace::What::Signal(_) => "signal",
        strace::What::Exit(_) => "exit",
    }
    .into()
}
