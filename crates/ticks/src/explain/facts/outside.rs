//! What strace and tcpdump saw of the programs. Each listing and capture is read once, in a stream.

mod flows;
mod refusals;

use std::collections::HashMap;

use crate::evidence::{Args, Threads};
use crate::hosts::Clocks;
use crate::input::Input;
use crate::packets::Capture;
use crate::plain::say;
use crate::strace::{Listing, Traced};

pub use flows::Flows;
pub use refusals::{Refusals, Run};

/// What was seen from outside.
#[derive(Default)]
pub struct Outside {
    /// Whether there was a listing of strace.
    pub has_strace: bool,
    /// Whether there was a capture.
    pub has_pcap: bool,
    /// Calls that fail again and again.
    pub refusals: Refusals,
    /// What was sent from one end of a connection to the other.
    pub flows: Flows,
    /// When a process had the end of what its peer sends, by recording and descriptor.
    pub ends_read: HashMap<(usize, i64), u64>,
}

/// How many descriptors of which the end was read are kept.
const ENDS_MAX: usize = 1 << 16;

impl Outside {
    /// Reads all.
    pub fn of(args: &Args, inputs: &[Input], clocks: &Clocks) -> anyhow::Result<Outside> {
        let (has_strace, has_pcap) = (!args.strace.is_empty(), !args.pcap.is_empty());
        let mut outside = Outside { has_strace, has_pcap, ..Outside::default() };
        let mut threads = Threads::of(inputs)?;
        for path in &args.strace {
            let mut listing = Listing::open(path)?;
            while let Some(traced) = listing.advance()? {
                let input = threads.input(traced.tid);
                threads.learn_call(&traced, input);
                // With recordings, what other processes did is not asked for.
                if input.is_some() || !threads.has_inputs() {
                    outside.learn_call(&traced, input, inputs, path);
                }
            }
            outside.refusals.end();
            listing.problem().iter().for_each(|problem| say!("{problem}"));
        }
        for (path, shift_ns) in args.pcap.iter().zip(&clocks.captures_ns) {
            let mut capture = Capture::open(path)?;
            while let Some(packet) = capture.advance()? {
                outside.flows.learn(&packet, packet.utc_ns.saturating_add_signed(*shift_ns));
            }
            capture.problems().iter().for_each(|problem| say!("{problem}"));
        }
        Ok(outside)
    }

    fn learn_call(
        &mut self,
        traced: &Traced,
        input: Option<usize>,
        inputs: &[Input],
        path: &std::path::Path,
    ) {
        self.refusals.learn(traced, input, path);
        let (Some(call), Some(input), Some(utc_ns)) = (traced.what.call(), input, traced.utc_ns)
        else {
            return;
        };
        let fd = call.fds.first().map(|fd| fd.fd);
        if let (true, Some(0), Some(fd)) = (call.receives(), call.returned(), fd) {
            if self.ends_read.len() < ENDS_MAX {
                let utc_ns = utc_ns.saturating_add_signed(inputs[input].shift_ns);
                self.ends_read.insert((input, fd), utc_ns);
            }
        }
    }
}
