//! The records of several rings and files in the order of time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::fs::File;

use anyhow::Context;
use ticks_format::{Loss, Records, Ring, Stamped, Verdict};

use crate::input::Input;
use crate::plain::say;
use crate::units;
use crate::upstream::Upstream;

/// A record at its time.
#[derive(Debug)]
pub struct Moment {
    /// UTC, nanoseconds since 1970.
    pub utc_ns: u64,
    /// Which of the files it is from.
    pub input: usize,
    /// The record. A poll's end has what 2.6.0 would have answered, where that differs.
    pub stamped: Stamped,
    /// What 2.6.0 would have answered to the poll that ends, where that is known.
    pub upstream: Option<Verdict>,
}

struct Stream<'a> {
    input: usize,
    ring: Ring,
    records: Records<'a, File>,
    /// What was lost when the last record was read.
    loss: Loss,
    next: Option<Moment>,
}

/// All records, oldest first. Memory is bounded by the number of rings, not of records.
pub struct Merge<'a> {
    inputs: &'a [Input],
    streams: Vec<Stream<'a>>,
    /// The time of each stream's next record, and the stream.
    heap: BinaryHeap<Reverse<(u64, usize)>>,
    /// Of each file.
    upstream: Vec<Upstream>,
    unreadable_rings: Vec<String>,
}

/// How far files were read: what to go on from later.
pub struct Place(Vec<FilePlace>);

/// How far one file was read.
struct FilePlace {
    /// By ring.
    positions: HashMap<u64, u64>,
    upstream: Upstream,
}

impl Place {
    /// The beginning of so many files.
    pub fn begin(files: usize) -> Place {
        let begin = || FilePlace { positions: HashMap::new(), upstream: Upstream::new() };
        Place((0..files).map(|_| begin()).collect())
    }
}

impl<'a> Merge<'a> {
    /// All that the files hold now.
    pub fn new(inputs: &'a [Input]) -> anyhow::Result<Merge<'a>> {
        Merge::from(inputs, Place::begin(inputs.len()))
    }

    /// What the files hold now beyond `place`.
    pub fn from(inputs: &'a [Input], place: Place) -> anyhow::Result<Merge<'a>> {
        let mut merge = Merge {
            inputs,
            streams: Vec::new(),
            heap: BinaryHeap::new(),
            upstream: Vec::new(),
            unreadable_rings: Vec::new(),
        };
        for ((input, file), FilePlace { positions, mut upstream }) in
            inputs.iter().enumerate().zip(place.0)
        {
            let context = || file.place();
            upstream.check(file).with_context(context)?;
            for ring in file.recording.rings().with_context(context)? {
                let position = positions.get(&ring.index).copied().unwrap_or(0);
                match file.recording.records_from(&ring, position) {
                    Ok(records) => {
                        let loss = Loss::default();
                        merge.streams.push(Stream { input, ring, records, loss, next: None });
                    }
                    Err(error) => {
                        let text = format!("{}: {error}", file.path.display());
                        merge.unreadable_rings.push(text);
                        upstream.lost_until(u64::MAX);
                    }
                }
            }
            merge.upstream.push(upstream);
        }
        for stream in 0..merge.streams.len() {
            merge.refill(stream)?;
        }
        Ok(merge)
    }

    fn refill(&mut self, index: usize) -> anyhow::Result<()> {
        let stream = &mut self.streams[index];
        let file = &self.inputs[stream.input];
        let record = stream.records.next().transpose();
        let record = record.with_context(|| file.place())?;
        stream.next = record.map(|stamped| Moment {
            utc_ns: file.utc_ns(stamped.time),
            input: stream.input,
            stamped,
            upstream: None,
        });
        // What is missing was recorded before the next record. What comes until then is not to be judged
        // by what was known before.
        let loss = stream.records.loss();
        if std::mem::replace(&mut stream.loss, loss) != loss {
            let until_ns = stream.next.as_ref().map_or(u64::MAX, |moment| moment.utc_ns);
            self.upstream[stream.input].lost_until(until_ns);
        }
        if let Some(moment) = &stream.next {
            self.heap.push(Reverse((moment.utc_ns, index)));
        }
        Ok(())
    }

    /// When the next record was made.
    pub fn next_ns(&self) -> Option<u64> {
        self.heap.peek().map(|Reverse((utc_ns, _))| *utc_ns)
    }

    /// The next record.
    pub fn advance(&mut self) -> anyhow::Result<Option<Moment>> {
        let Some(Reverse((_, index))) = self.heap.pop() else {
            return Ok(None);
        };
        let mut moment = self.streams[index].next.take();
        if let Some(moment) = &mut moment {
            let upstream = &mut self.upstream[moment.input];
            moment.upstream = upstream.judge(moment.utc_ns, &mut moment.stamped.what);
        }
        self.refill(index)?;
        Ok(moment)
    }

    /// How many slots there are to be read at most, for those who show progress.
    pub fn slots(&self) -> u64 {
        let kept = |stream: &Stream| stream.ring.head.min(stream.ring.slots);
        self.streams.iter().map(kept).fold(0, u64::saturating_add)
    }

    /// How far the files were read.
    pub fn into_place(self) -> Place {
        let file = |upstream| FilePlace { positions: HashMap::new(), upstream };
        let mut place = Place(self.upstream.into_iter().map(file).collect());
        for stream in &self.streams {
            let positions = &mut place.0[stream.input].positions;
            positions.insert(stream.ring.index, stream.records.position());
        }
        place
    }

    /// What each ring has lost.
    pub fn losses(&self) -> impl Iterator<Item = (usize, &Ring, Loss)> {
        let streams = self.streams.iter();
        streams.map(|stream| (stream.input, &stream.ring, stream.records.loss()))
    }

    /// Says on stderr what could not be read, and whether there was anything. What was overwritten
    /// is said too, but is as it should be.
    pub fn report_losses(&self) -> bool {
        for (input, file) in self.inputs.iter().enumerate() {
            let lossy = self.losses().filter(|(of, _, loss)| *of == input && loss.overwritten > 0);
            let lossy: Vec<(&Ring, u64)> =
                lossy.map(|(_, ring, loss)| (ring, loss.overwritten)).collect();
            let total = lossy.iter().fold(0, |total: u64, (_, count)| total.saturating_add(*count));
            let place = match lossy[..] {
                [] => continue,
                [(ring, _)] => self.place(input, ring),
                // There may be hundreds.
                _ => format!("{}: {} rings", file.path.display(), lossy.len()),
            };
            say!("{place}: {} older slots were overwritten", units::count(total));
        }
        self.report_damage()
    }

    /// Says on stderr what could not be read, and whether there was anything.
    pub fn report_damage(&self) -> bool {
        let mut damaged = !self.unreadable_rings.is_empty();
        for text in &self.unreadable_rings {
            say!("{text}");
        }
        for (input, ring, loss) in self.losses() {
            for (count, what) in [
                (loss.unreadable, "slots cannot be read"),
                (loss.unknown, "records are of kinds that the file does not describe"),
            ] {
                if count > 0 {
                    let (place, count) = (self.place(input, ring), units::count(count));
                    say!("{place}: {count} {what}");
                }
            }
            damaged |= loss.unreadable > 0 || loss.unknown > 0;
        }
        damaged
    }

    fn place(&self, input: usize, ring: &Ring) -> String {
        let path = self.inputs[input].path.display();
        format!("{path}: thread {} {}", ring.owner.tid, ring.owner.name)
    }
}
