//! `ticks stat`: rounds, events, wakes and waits in numbers.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use hdrhistogram::Histogram;
use ticks_format::layout::counter;
use ticks_format::records::{PollEnd, Wake};
use ticks_format::{Key, Record, Ticks, Verdict, WaiterId, WakeCause, WakerChange, What};

use crate::input::{addresses, Input};
use crate::merge::{Merge, Moment};
use crate::outcome::Outcome;
use crate::process::State;
use crate::progress::Progress;
use crate::{table, units};

/// Sum up per thread, source and timer
#[derive(Debug, clap::Args)]
#[command(after_help = EXPLANATION)]
pub struct Args {
    /// The recording, or the number of a process that records
    #[arg(value_name = "FILE|PID")]
    file: PathBuf,
}

const EXPLANATION: &str = "\
A wait lasts from the first poll that is Pending to the one that is Ready, or until its waiter goes after
a wake, as with smol's streams, which try to read before they ask. Waits that go on are not counted:
`ticks who` has them. A wake is spurious if the poll that follows it is Pending. A source with events and
without polls has something that nobody asks for. LAST, unless the program
ended in order, is how long ago by now, or by the recording's end, a thread made its last record: one that
computes or is blocked makes none. Percentiles are right to 1 %. UP≠ counts the polls
that async-io 2.6.0 would have answered otherwise; ≥ and ?: of some polls, or of all, that is not known,
because records from before them were overwritten.

Example:
  ticks stat 4711.ticks";

/// Sums up.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let inputs = Input::find(&args.file)?;
    let mut out = BufWriter::new(anstream::stdout().lock());
    let mut damaged = false;
    for (index, input) in inputs.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        damaged |= sum_up(&mut out, input)?;
    }
    out.flush()?;
    Ok(if damaged { Outcome::Partly } else { Outcome::Done })
}

/// Sums up a recording. Returns whether it is damaged.
fn sum_up(out: &mut dyn Write, input: &Input) -> anyhow::Result<bool> {
    let mut merge = Merge::new(std::slice::from_ref(input))?;
    let mut sums = Sums::default();
    for source in input.sources()?.into_values() {
        let what = format!("{} {}", source.kind, addresses(&source.local, &source.peer));
        sums.descriptions.insert(source.key, (source.fd, what));
        sums.sources.entry(source.key).or_default();
    }
    let mut progress = Progress::new(merge.slots(), "reading");
    while let Some(moment) = merge.advance()? {
        sums.add(&moment);
        progress.step();
    }
    drop(progress);
    sums.write(out, input)?;
    write_rings(out, &merge)?;
    let missed = input.recording.counter(counter::UNRECORDED)?;
    if missed > 0 {
        writeln!(out, "{} records found no ring", units::count(missed))?;
    }
    out.flush()?;
    let damaged = merge.report_damage();
    Ok(input.report_problems() || damaged)
}

/// Durations, of which percentiles are asked.
struct Durations {
    /// Of two digits: enough to compare by, and small, since there is one a source.
    histogram: Histogram<u32>,
    max_ns: u64,
}

impl Default for Durations {
    fn default() -> Durations {
        let histogram = Histogram::new(2).expect("two digits are allowed");
        Durations { histogram, max_ns: 0 }
    }
}

impl Durations {
    fn add(&mut self, ns: u64) {
        // It grows as needed, and fails only beyond what 64 bits hold.
        self.histogram.record(ns).unwrap_or_default();
        self.max_ns = self.max_ns.max(ns);
    }

    /// Median, 99th percentile, most.
    fn texts(&self) -> [String; 3] {
        if self.histogram.is_empty() {
            return ["-", "-", "-"].map(String::from);
        }
        let at = |quantile| self.histogram.value_at_quantile(quantile).min(self.max_ns);
        [at(0.5), at(0.99), self.max_ns].map(units::duration)
    }
}

#[derive(Default)]
struct ThreadSums {
    name: String,
    /// When its last record was made.
    last_ns: u64,
    records: u64,
    rounds: u64,
    events: u64,
    wakes: u64,
    parks: u64,
}

#[derive(Default)]
struct SourceSums {
    events: u64,
    wakes: u64,
    spurious: u64,
    polls: u64,
    /// Polls of which it is known what 2.6.0 would have answered.
    judged: u64,
    /// Those that it would have answered otherwise.
    differ: u64,
    waits: Durations,
}

impl SourceSums {
    fn has_any(&self) -> bool {
        self.events + self.wakes + self.polls > 0
    }

    /// How many polls 2.6.0 would have answered otherwise, as far as that is known.
    fn upstream(&self) -> String {
        match self.judged {
            judged if judged == self.polls => units::count(self.differ),
            0 => "?".into(),
            _ => format!("≥ {}", units::count(self.differ)),
        }
    }
}

#[derive(Default)]
struct TimerSums {
    inserted: u64,
    removed: u64,
    fired: u64,
    late: Durations,
}

/// A waiter between its first Pending and its Ready.
struct Waiting {
    since_ns: u64,
    /// What it remembers. One that remembers something else is the next one of the same number: this one
    /// was given up.
    ticks: Option<Ticks>,
    woken: bool,
}

#[derive(Default)]
struct Sums {
    threads: BTreeMap<u64, ThreadSums>,
    sources: BTreeMap<Key, SourceSums>,
    timers: TimerSums,
    descriptions: HashMap<Key, (i64, String)>,
    waiting: HashMap<WaiterId, Waiting>,
    span_ns: Option<(u64, u64)>,
}

impl Sums {
    fn add(&mut self, moment: &Moment) {
        let (begin, end) = self.span_ns.unwrap_or((moment.utc_ns, moment.utc_ns));
        self.span_ns = Some((begin.min(moment.utc_ns), end.max(moment.utc_ns)));
        let thread = moment.stamped.thread.as_ref();
        let sums = self.threads.entry(thread.map_or(0, |thread| thread.tid)).or_default();
        if let Some(thread) = thread.filter(|_| sums.name.is_empty()) {
            sums.name = thread.name.to_string();
        }
        let What::Record(record) = &moment.stamped.what else {
            return;
        };
        sums.records += 1;
        sums.last_ns = sums.last_ns.max(moment.utc_ns);
        match record {
            Record::ReactEnd(end) => {
                sums.rounds += 1;
                sums.events = sums.events.saturating_add(end.events);
            }
            Record::ParkBegin(_) => sums.parks += 1,
            Record::Wake(wake) => {
                sums.wakes += 1;
                self.wake(wake);
            }
            Record::SourceNew(new) => {
                let what = format!("{} {}", new.kind, addresses(&new.local, &new.peer));
                self.descriptions.insert(new.key, (new.fd, what));
                self.sources.entry(new.key).or_default();
            }
            Record::SourceDrop(gone) => {
                self.waiting.retain(|waiter, _| waiter.key != gone.key);
                // One that came and went with nothing in between has nothing to tell.
                if self.sources.get(&gone.key).is_some_and(|sums| !sums.has_any()) {
                    self.sources.remove(&gone.key);
                }
            }
            Record::ReactEvent(event) => self.sources.entry(event.key).or_default().events += 1,
            Record::PollEnd(poll) => self.poll(poll, moment),
            Record::SourceWaker(waker) if waker.change == WakerChange::Dropped => {
                self.end_wait(waker.waiter_id(), moment.utc_ns, |waiting| waiting.woken);
            }
            Record::TimerInsert(_) => self.timers.inserted += 1,
            Record::TimerRemove(_) => self.timers.removed += 1,
            Record::TimerFire(fire) => {
                self.timers.fired += 1;
                self.timers.late.add(fire.late_ns);
            }
            _ => {}
        }
    }

    /// All waiters of the direction that wait were woken, as an event wakes them all.
    fn wake(&mut self, wake: &Wake) {
        let (WakeCause::Source, Some(key), Some(dir)) = (wake.by, wake.key, wake.dir) else {
            return;
        };
        self.sources.entry(key).or_default().wakes += 1;
        for (waiter, waiting) in &mut self.waiting {
            waiting.woken |= waiter.direction() == (key, dir);
        }
    }

    fn poll(&mut self, poll: &PollEnd, moment: &Moment) {
        let (id, utc_ns) = (poll.waiter_id(), moment.utc_ns);
        let sums = self.sources.entry(poll.key).or_default();
        self.descriptions.entry(poll.key).or_insert_with(|| (poll.fd, String::new()));
        sums.polls += 1;
        sums.judged += u64::from(moment.upstream.is_some());
        sums.differ += u64::from(poll.upstream.is_some());
        if poll.result == Verdict::Pending {
            let new = || Waiting { since_ns: utc_ns, ticks: poll.ticks, woken: false };
            let waiting = self.waiting.entry(id).or_insert_with(new);
            if waiting.ticks != poll.ticks {
                *waiting = new();
            }
            sums.spurious += u64::from(std::mem::take(&mut waiting.woken));
        } else {
            self.end_wait(id, utc_ns, |_| true);
        }
    }

    /// A wait that does not count was given up.
    fn end_wait(&mut self, id: WaiterId, utc_ns: u64, counts: fn(&Waiting) -> bool) {
        if let Some(waiting) = self.waiting.remove(&id).filter(counts) {
            let waits = &mut self.sources.entry(id.key).or_default().waits;
            waits.add(utc_ns.saturating_sub(waiting.since_ns));
        }
    }

    fn write(&self, out: &mut dyn Write, input: &Input) -> anyhow::Result<()> {
        let (begin, end) = self.span_ns.unwrap_or_default();
        let span = units::duration(end - begin);
        let (name, begin) = (input.process_name(), units::time(begin));
        let state = input.state();
        write!(out, "{name}, which {state}: {span} from {begin}")?;
        let mut now_ns = end;
        if state == State::Runs {
            now_ns = units::now_ns().max(end);
            write!(out, "; the last record is {} old", units::duration(now_ns - end))?;
        }
        writeln!(out, "\n")?;
        self.write_threads(out, (state != State::Ended).then_some(now_ns))?;
        let columns = [
            "FD",
            "SOURCE",
            "WHAT",
            "#EVENTS",
            "#WAKES",
            "#SPURIOUS",
            "#POLLS",
            "#POLLS/WAKE",
            "#UP≠",
            "#WAIT P50",
            "#P99",
            "#MAX",
        ];
        let mut rows = table::new(&columns);
        for (key, sums) in &self.sources {
            table::add(&mut rows, self.source_row(*key, sums));
        }
        writeln!(out, "{}", table::text(&rows))?;
        let timers = &self.timers;
        let [p50, p99, max] = timers.late.texts();
        writeln!(
            out,
            "timers: {} armed, {} disarmed, {} fired; late by p50 {p50}, p99 {p99}, max {max}\n",
            units::count(timers.inserted),
            units::count(timers.removed),
            units::count(timers.fired)
        )?;
        Ok(())
    }

    /// `now_ns`: by when to tell how long ago each made its last record. In one that ended in order, that
    /// means nothing.
    fn write_threads(&self, out: &mut dyn Write, now_ns: Option<u64>) -> anyhow::Result<()> {
        let columns = ["THREAD", "NAME", "#RECORDS", "#ROUNDS", "#EVENTS", "#WAKES", "#PARKS"];
        let mut rows = table::new(&[&columns[..], &["#LAST"][..now_ns.iter().len()]].concat());
        for (tid, sums) in &self.threads {
            let counts = [sums.records, sums.rounds, sums.events, sums.wakes, sums.parks];
            let begin = [tid.to_string(), sums.name.clone()];
            let last = now_ns.map(|now_ns| match sums.records {
                0 => "-".into(),
                _ => format!("{} ago", units::duration(now_ns.saturating_sub(sums.last_ns))),
            });
            let row = begin.into_iter().chain(counts.map(units::count)).chain(last);
            table::add(&mut rows, row);
        }
        writeln!(out, "{}", table::text(&rows))?;
        Ok(())
    }

    fn source_row(&self, key: Key, sums: &SourceSums) -> Vec<String> {
        let (fd, what) = match self.descriptions.get(&key) {
            Some((fd, what)) => (fd.to_string(), what.trim().to_owned()),
            None => Default::default(),
        };
        let per_wake = match sums.wakes {
            0 => "-".into(),
            wakes => format!("{:.2}", sums.polls as f64 / wakes as f64),
        };
        let counts = [sums.events, sums.wakes, sums.spurious, sums.polls].map(units::count);
        let mut row = vec![fd, key.to_string(), what];
        row.extend(counts);
        row.extend([per_wake, sums.upstream()]);
        row.extend(sums.waits.texts());
        row
    }
}

/// How much of each ring was kept.
fn write_rings(out: &mut dyn Write, merge: &Merge<'_>) -> anyhow::Result<()> {
    let columns = ["RING", "LAST OWNER", "#WRITTEN", "#KEPT", "#OVERWRITTEN", "#UNREADABLE"];
    let mut rows = table::new(&columns);
    for (_, ring, loss) in merge.losses() {
        let lost = loss.overwritten.saturating_add(loss.unreadable);
        let kept = ring.head.saturating_sub(lost);
        let begin = [ring.index.to_string(), format!("{} {}", ring.owner.tid, ring.owner.name)];
        let counts = [ring.head, kept, loss.overwritten, loss.unreadable].map(units::count);
        table::add(&mut rows, begin.into_iter().chain(counts));
    }
    writeln!(out, "slots of {} bytes, one a record or more:", ticks_format::slot::SLOT_BYTES)?;
    writeln!(out, "{}", table::text(&rows))?;
    Ok(())
}
