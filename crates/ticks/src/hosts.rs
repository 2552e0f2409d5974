//! Recordings of several hosts on one clock: how far their clocks are apart, by the connections that both saw.
//!
//! A connection bounds it from both sides, as NTP does. The server has accepted after the client began to connect. The
//! client has its first bytes after the server had accepted. So the offset of the clocks is known but for the time
//! from the connect to the first answer, and each further connection can only narrow it. A capture is one more clock,
//! which saw the segments in between.

mod bounds;
mod observe;

use crate::evidence;
use crate::input::Input;
use crate::packets::Capture;
use crate::units;

use bounds::{apart, Bounds};
use observe::{Meeting, Meetings};

/// What is to be added to the times of each recording and capture, and what is to be said of it.
#[derive(Debug, Default)]
pub struct Clocks {
    /// Of each capture.
    pub captures_ns: Vec<i64>,
    /// A sentence each.
    pub notes: Vec<String>,
}

/// Puts all times on the clock of the first recording's host. With one host and no capture nothing is read.
pub fn align(inputs: &mut [Input], args: &evidence::Args) -> anyhow::Result<Clocks> {
    let hosts = Hosts::of(inputs);
    let mut clocks = Clocks { captures_ns: vec![0; args.pcap.len()], notes: Vec::new() };
    if inputs.is_empty() || hosts.count == 1 && args.pcap.is_empty() {
        return Ok(clocks);
    }
    let mut meetings = Meetings::of(inputs, &hosts.of_input)?;
    for (index, path) in args.pcap.iter().enumerate() {
        meetings.capture(&mut Capture::open(path)?, hosts.count + index)?;
    }
    let shifts = clocks.solve(inputs, &hosts, args, &meetings.all());
    for (input, host) in inputs.iter_mut().zip(&hosts.of_input) {
        input.shift_ns = -shifts[*host];
    }
    for (index, shift_ns) in clocks.captures_ns.iter_mut().enumerate() {
        *shift_ns = -shifts[hosts.count + index];
    }
    Ok(clocks)
}

/// A capture whose clock is no farther away than this is taken to be made on that very host: a socket that was
/// connected before the reactor knew it looks a little late.
const SAME_CLOCK_NS: i128 = 1_000_000;

/// Which host each recording is of. Those of one boot of a machine have one clock.
struct Hosts {
    of_input: Vec<usize>,
    /// The first recording of each host.
    first: Vec<usize>,
    count: usize,
}

impl Hosts {
    fn of(inputs: &[Input]) -> Hosts {
        let mut boots: Vec<Option<&str>> = Vec::new();
        let (mut of_input, mut first) = (Vec::new(), Vec::new());
        for (index, input) in inputs.iter().enumerate() {
            let boot = input.about("boot_id").or_else(|| input.about("host"));
            // One that does not say where it was made is taken to be of the first.
            let host = match (boot, boots.iter().position(|known| *known == boot)) {
                (None, _) if !boots.is_empty() => 0,
                (_, Some(known)) => known,
                _ => {
                    boots.push(boot);
                    first.push(index);
                    boots.len() - 1
                }
            };
            of_input.push(host);
        }
        let count = first.len();
        Hosts { of_input, first, count }
    }
}

impl Clocks {
    /// How far each clock, hosts first, is ahead of the first host's.
    fn solve(
        &mut self,
        inputs: &[Input],
        hosts: &Hosts,
        args: &evidence::Args,
        meetings: &[Meeting],
    ) -> Vec<i64> {
        let count = hosts.count + args.pcap.len();
        let name = |clock: usize| match clock.checked_sub(hosts.count) {
            Some(capture) => args.pcap[capture].display().to_string(),
            None => {
                let input = &inputs[hosts.first[clock]];
                let host = input.about("host").map(|host| format!(" (host {host})"));
                format!("{}{}", input.path.display(), host.unwrap_or_default())
            }
        };
        let mut ahead_ns: Vec<Option<i128>> = vec![None; count];
        let mut unsure_ns: Vec<i128> = vec![0; count];
        ahead_ns[0] = Some(0);
        // The pair that is known best is the next.
        while let Some((known, next, bounds)) = best(&ahead_ns, meetings) {
            let captured = next >= hosts.count;
            let (mut offset_ns, mut half_ns) = bounds.middle();
            if captured && bounds.allows_none(SAME_CLOCK_NS) {
                // A capture made on that very host has its clock.
                (offset_ns, half_ns) = (0, 0);
            }
            let sum_ns = ahead_ns[known].unwrap_or(0) + offset_ns;
            ahead_ns[next] = Some(sum_ns);
            unsure_ns[next] = unsure_ns[known] + half_ns;
            if offset_ns != 0 || !captured {
                self.notes.push(sentence(&name(next), &name(0), sum_ns, unsure_ns[next], &bounds));
            }
        }
        for clock in (0..count).filter(|clock| ahead_ns[*clock].is_none()) {
            if clock < hosts.count {
                self.notes.push(format!(
                    "how far the clock of {} is from that of {} is not known: no connection is in both; \
                     its times are shown as they are",
                    name(clock),
                    name(0)
                ));
            }
        }
        let saturated = |ns: i128| i64::try_from(ns).unwrap_or(0);
        ahead_ns.into_iter().map(|ahead_ns| ahead_ns.map_or(0, saturated)).collect()
    }
}

/// Of the pairs of a clock that is placed and one that is not, the one with the narrowest bounds.
fn best(placed: &[Option<i128>], meetings: &[Meeting]) -> Option<(usize, usize, Bounds)> {
    let mut found: Option<(usize, usize, Bounds)> = None;
    for known in (0..placed.len()).filter(|clock| placed[*clock].is_some()) {
        for next in (0..placed.len()).filter(|clock| placed[*clock].is_none()) {
            let bounds = apart(known, next, meetings);
            let is_better = match (&found, bounds.width_ns()) {
                (_, None) if bounds.connections == 0 => false,
                (None, _) => true,
                (Some((.., other)), None) => other.connections == 0,
                (Some((.., other)), Some(width_ns)) => {
                    other.width_ns().is_none_or(|other_ns| width_ns < other_ns)
                }
            };
            if is_better {
                found = Some((known, next, bounds));
            }
        }
    }
    found
}

fn sentence(clock: &str, first: &str, ahead_ns: i128, unsure_ns: i128, bounds: &Bounds) -> String {
    let text = |ns: i128| units::duration(u64::try_from(ns.unsigned_abs()).unwrap_or(u64::MAX));
    let which = if ahead_ns < 0 { "behind" } else { "ahead of" };
    let connections = match bounds.connections {
        1 => "a connection".to_owned(),
        count => format!("{} connections", units::count(count)),
    };
    let drift = match bounds.agree() {
        true => "",
        false => "; they do not agree, so the clocks ran apart or were set meanwhile",
    };
    // Where no answer was waited for, one side is open. The other is as far away as a segment took.
    let unsure = match (bounds.least_ns, bounds.most_ns, ahead_ns < 0) {
        (None, _, false) | (_, None, true) => "or less".to_owned(),
        (None, _, true) | (_, None, false) => "or more".to_owned(),
        _ => format!("± {}", text(unsure_ns)),
    };
    format!(
        "the clock of {clock} is {} {which} that of {first}, {unsure}, by {connections}{drift}; its times are \
         shown by the latter",
        text(ahead_ns)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client that found its answer there already was told of nothing: one bound is all there is.
    #[test]
    fn one_bound_is_said_to_be_one() {
        let said = |least_ns, most_ns, ahead_ns| {
            let bounds = Bounds { least_ns, most_ns, connections: 1 };
            sentence("b", "a", ahead_ns, 2_000, &bounds)
        };
        assert!(said(Some(0), Some(4_000), 2_000)
            .contains("2.00 µs ahead of that of a, ± 2.00 µs, by a connection"));
        assert!(said(None, Some(4_000), 4_000).contains("4.00 µs ahead of that of a, or less"));
        assert!(said(None, Some(-4_000), -4_000).contains("4.00 µs behind that of a, or more"));
        assert!(said(Some(-4_000), None, -4_000).contains("4.00 µs behind that of a, or less"));
    }
}
