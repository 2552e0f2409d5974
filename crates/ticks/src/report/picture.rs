//! The timeline for the page: bars on tracks, bounded in number.
//!
//! What was there at the end of a recording explains a hang, so that its last part has each bar. Before that, bars
//! that are too short to be seen when all is shown are drawn together, by track and depth.

use std::collections::{HashMap, HashSet};

use serde_json::{json, Value as Json};

use super::process;
use crate::input::Input;
use crate::timeline::{SliceId, Timeline, Track, TrackId};
use crate::units;

/// How many tracks there are at most.
const TRACKS_MAX: usize = 2_000;

/// How many bars there are in full at most: the last ones.
const WHOLE_MAX: usize = 40_000;

/// How many there are at most before these.
const SHORTENED_MAX: usize = 20_000;

/// How many arrows there are at most.
const ARROWS_MAX: usize = 40_000;

/// Into how many steps the time before is divided at first: about as many as a screen has points.
const STEPS: u64 = 2_048;

/// A bar: a slice, or several that are drawn together.
#[derive(Clone, Copy)]
struct Bar {
    track: TrackId,
    depth: usize,
    begin_ns: u64,
    end_ns: u64,
    slice: SliceId,
    /// How many slices.
    count: u64,
}

impl Bar {
    fn length_ns(&self) -> u64 {
        self.end_ns - self.begin_ns
    }
}

/// The picture as JSON.
pub fn of(timeline: &Timeline, inputs: &[Input]) -> Json {
    let mut all = bars(timeline);
    // What was read from a memory is of one moment.
    all.retain(|bar| inputs[timeline.track(bar.track).input()].snapshot.is_none());
    let total = all.len() as u64;
    let begin_ns = all.iter().map(|bar| bar.begin_ns).min().unwrap_or(0);
    let end_ns = all.iter().map(|bar| bar.end_ns).max().unwrap_or(0);
    let (tracks, tracks_left_out) = tracks(timeline, &all);
    let shown: HashSet<TrackId> = tracks.iter().map(|(id, _)| *id).collect();
    let mut kept: Vec<Bar> = all.into_iter().filter(|bar| shown.contains(&bar.track)).collect();
    let mut left_out = Vec::new();
    if tracks_left_out > 0 {
        let count = units::things(tracks_left_out as u64, "track");
        left_out.push(format!(
            "{count} of sources and tasks left out; those that went on to the end and had done so for longest are there"
        ));
    }
    if kept.len() > WHOLE_MAX {
        let (fewer, from_ns, step_ns) = shorten(kept);
        kept = fewer;
        left_out.push(format!(
            "{} bars in all: before {}, what is shorter than {} is drawn together",
            units::count(total),
            units::time(from_ns),
            units::duration(step_ns),
        ));
    }
    let mut names = Names::default();
    let (tracks, numbers) = draw(timeline, inputs, &tracks, kept, begin_ns, &mut names);
    let arrows = arrows(timeline, &numbers);
    json!({
        // Beyond what a number of JavaScript holds exactly.
        "begin_utc_us": begin_ns / 1_000,
        "begin": units::time(begin_ns),
        "span_ns": end_ns - begin_ns,
        "names": names.all,
        "tracks": tracks,
        "arrows": arrows,
        "left_out": left_out,
    })
}

/// All slices as bars, in the order in which they end.
fn bars(timeline: &Timeline) -> Vec<Bar> {
    let mut open: HashMap<TrackId, Vec<(SliceId, u64)>> = HashMap::new();
    let mut bars = Vec::new();
    let mut last_ns = 0;
    let bar = |track, depth, (slice, begin_ns): (SliceId, u64), end_ns: u64| Bar {
        track,
        depth,
        begin_ns,
        end_ns: end_ns.max(begin_ns),
        slice,
        count: 1,
    };
    for event in &timeline.events {
        last_ns = event.utc_ns;
        let open = open.entry(event.track).or_default();
        match event.begins {
            Some(slice) => open.push((slice, event.utc_ns)),
            None => {
                if let Some(begun) = open.pop() {
                    bars.push(bar(event.track, open.len(), begun, event.utc_ns));
                }
            }
        }
    }
    for (track, mut open) in open {
        while let Some(begun) = open.pop() {
            bars.push(bar(track, open.len(), begun, last_ns));
        }
    }
    bars
}

/// The tracks that are shown, in their order, and how many are not: of sources and tasks, those are shown that went on
/// to the end, and of these the ones whose last bar is the longest.
fn tracks(timeline: &Timeline, bars: &[Bar]) -> (Vec<(TrackId, Track)>, usize) {
    // When each track's last bar ends and begins.
    let mut last: HashMap<TrackId, (u64, u64)> = HashMap::new();
    for bar in bars.iter().filter(|bar| bar.depth == 0) {
        last.insert(bar.track, (bar.end_ns, bar.begin_ns));
    }
    let mut kept = timeline.tracks();
    kept.retain(|(id, _)| last.contains_key(id));
    let Some(left_out) = kept.len().checked_sub(TRACKS_MAX).filter(|more| *more > 0) else {
        return (kept, 0);
    };
    let rank = |(id, track): &(TrackId, Track)| {
        let is_of_thread = matches!(track, Track::Thread { .. } | Track::Calls { .. });
        let (end_ns, begin_ns) = last.get(id).copied().unwrap_or_default();
        (!is_of_thread, std::cmp::Reverse(end_ns), begin_ns)
    };
    kept.sort_by_key(rank);
    kept.truncate(TRACKS_MAX);
    kept.sort_by_key(|(_, track)| *track);
    (kept, left_out)
}

/// Draws together what is short and not among the last ones. Returns from when on all is in full, and what counts as
/// short before.
fn shorten(mut bars: Vec<Bar>) -> (Vec<Bar>, u64, u64) {
    bars.sort_by_key(|bar| bar.end_ns);
    let whole = bars.split_off(bars.len() - WHOLE_MAX);
    let from_ns = bars.last().map_or(0, |bar| bar.end_ns);
    let begin_ns = bars.iter().map(|bar| bar.begin_ns).min().unwrap_or(0);
    bars.sort_by_key(|bar| (bar.track, bar.depth, bar.begin_ns));
    let mut step_ns = (from_ns.saturating_sub(begin_ns) / STEPS).max(1);
    let mut fewer = together(&bars, begin_ns, step_ns);
    // Each track has a bar or two at least, which no step makes fewer: it ends there.
    while fewer.len() > SHORTENED_MAX && step_ns < from_ns.saturating_sub(begin_ns) {
        step_ns *= 2;
        fewer = together(&bars, begin_ns, step_ns);
    }
    fewer.extend(whole);
    (fewer, from_ns, step_ns)
}

/// Of neighbours that are shorter than a step and begin in the same one, one bar.
fn together(bars: &[Bar], begin_ns: u64, step_ns: u64) -> Vec<Bar> {
    let mut fewer: Vec<Bar> = Vec::new();
    let step = |bar: &Bar| (bar.begin_ns - begin_ns) / step_ns;
    for bar in bars {
        match fewer.last_mut() {
            Some(last)
                if (last.track, last.depth) == (bar.track, bar.depth)
                    && step(last) == step(bar)
                    && last.length_ns().max(bar.length_ns()) < step_ns =>
            {
                last.end_ns = last.end_ns.max(bar.end_ns);
                last.count += bar.count;
            }
            _ => fewer.push(*bar),
        }
    }
    fewer
}

/// The names of bars, each once.
#[derive(Default)]
struct Names {
    all: Vec<String>,
    numbers: HashMap<String, usize>,
}

impl Names {
    fn number(&mut self, name: String) -> usize {
        if let Some(number) = self.numbers.get(&name) {
            return *number;
        }
        self.all.push(name.clone());
        self.numbers.insert(name, self.all.len() - 1);
        self.all.len() - 1
    }
}

/// The tracks with their bars, and the number of each slice that has a bar of its own. Bars are numbered as they come.
fn draw(
    timeline: &Timeline,
    inputs: &[Input],
    tracks: &[(TrackId, Track)],
    bars: Vec<Bar>,
    begin_ns: u64,
    names: &mut Names,
) -> (Vec<Json>, HashMap<SliceId, usize>) {
    let mut by_track: HashMap<TrackId, Vec<Vec<Bar>>> = HashMap::new();
    for bar in bars {
        let lanes = by_track.entry(bar.track).or_default();
        lanes.resize_with(lanes.len().max(bar.depth + 1), Vec::new);
        lanes[bar.depth].push(bar);
    }
    let mut numbers = HashMap::new();
    let mut shown = Vec::new();
    let mut next = 0;
    for (id, track) in tracks {
        let Some(mut lanes) = by_track.remove(id) else { continue };
        let mut drawn: Vec<Vec<u64>> = Vec::new();
        for lane in &mut lanes {
            lane.sort_by_key(|bar| (bar.begin_ns, bar.end_ns));
            let mut flat = Vec::with_capacity(lane.len() * 4);
            for bar in lane {
                let (name, kind) = match bar.count {
                    1 => {
                        numbers.insert(bar.slice, next);
                        let name = timeline.name(*id, bar.slice);
                        let kind = kind(&name);
                        (name, kind)
                    }
                    count => (format!("{} short ones", units::count(count)), Kind::Several),
                };
                next += 1;
                let name = names.number(name) as u64;
                flat.extend([bar.begin_ns - begin_ns, bar.length_ns(), name, kind as u64]);
            }
            drawn.push(flat);
        }
        let mut name = timeline.track_name(*id);
        if inputs.len() > 1 {
            name = format!("{}: {name}", process::name(&inputs[track.input()]));
        }
        shown.push(json!({ "name": name, "kind": track.kind(), "lanes": drawn }));
    }
    (shown, numbers)
}

/// From which bar to which, as pairs in one list.
fn arrows(timeline: &Timeline, numbers: &HashMap<SliceId, usize>) -> Vec<usize> {
    let number = |slice| numbers.get(slice).copied();
    let pairs =
        timeline.arrows().iter().filter_map(|(from, to)| Some([number(from)?, number(to)?]));
    let pairs: Vec<_> = pairs.collect();
    // The last ones say what the hang began with.
    pairs[pairs.len().saturating_sub(ARROWS_MAX)..].concat()
}

/// What a bar is about, by which it is coloured. The page's script and style have the same order.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Other,
    Runs,
    Scheduled,
    Waits,
    Forgotten,
    Sleeps,
    Round,
    Wakes,
    Several,
}

/// The kind, by the first word of the bar's name.
fn kind(name: &str) -> Kind {
    let first = name.split([' ', ':']).next().unwrap_or_default();
    match first {
        "poll" => Kind::Runs,
        "scheduled" | "woken" => Kind::Scheduled,
        "waits" | "waited" => Kind::Waits,
        "forgotten" | "panicked" => Kind::Forgotten,
        "wait" | "park" => Kind::Sleeps,
        "round" | "block_on" | "drive" => Kind::Round,
        "wake" | "notify" | "notified" | "unpark" | "timer" | "spawn" => Kind::Wakes,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::bar_ids;

    fn bar(at: usize, begin_ns: u64, end_ns: u64) -> Bar {
        let (track, slice) = bar_ids(0, at);
        Bar { track, depth: 0, begin_ns, end_ns, slice, count: 1 }
    }

    #[test]
    fn a_long_recording_keeps_its_last_part_and_what_is_long() {
        const COUNT: usize = 500_000;
        let mut bars: Vec<_> =
            (0..COUNT).map(|at| bar(at, 100 * at as u64, 100 * at as u64 + 90)).collect();
        // A wait in the midst, which somebody would look for.
        bars[1_000].end_ns = bars[1_000].begin_ns + 1_000_000;
        bars.drain(1_001..11_010);
        let count = bars.len() as u64;
        let (fewer, from_ns, _) = shorten(bars);
        assert!(fewer.len() <= WHOLE_MAX + SHORTENED_MAX, "{}", fewer.len());
        assert_eq!(fewer.iter().map(|bar| bar.count).sum::<u64>(), count, "each is counted");
        assert!(fewer.iter().any(|bar| bar.length_ns() == 1_000_000 && bar.count == 1));
        let late = fewer.iter().filter(|bar| bar.begin_ns > from_ns);
        assert!(late.clone().all(|bar| bar.count == 1));
        assert!(late.count() >= WHOLE_MAX - 1);
        let overlap = fewer.windows(2).any(|two| two[0].end_ns > two[1].begin_ns);
        assert!(!overlap, "bars of a lane follow each other");
    }
}
