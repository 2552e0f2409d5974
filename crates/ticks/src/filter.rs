//! Which records are shown.

mod seen;

use std::collections::HashMap;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{bail, Context};
use serde_json::Value as Json;
use ticks_format::{
    Address, Direction, Entry, Key, Kind, Record, Schema, Verdict, WaiterId, WakerChange, What,
    WokenBy,
};

use crate::around::Around;
use crate::input::Input;
use crate::line;
use crate::merge::Moment;
use crate::sources::Sources;
use crate::units;

/// A record is shown if it passes every filter that is given.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Filters (a record must pass each)")]
pub struct Filter {
    /// Of this source: its key, `3` in any generation or `3#2`, or as the JSON has it
    #[arg(long, value_name = "KEY")]
    source: Option<String>,
    /// Of this file descriptor, and of the source that has it
    #[arg(long, value_parser = descriptor)]
    fd: Option<i64>,
    /// Of sources whose peer's address contains this text
    #[arg(long, value_name = "TEXT")]
    peer: Option<String>,
    /// Of this direction: read or write
    #[arg(long, value_name = "read|write", value_parser = direction)]
    dir: Option<Direction>,
    /// Of this task: its number, as `ticks who` shows it, or its waker's, which `task=` shows as `0x…`; its polls of
    /// sources too, while its waker is stored, and the wakes that it causes
    #[arg(long, value_parser = number)]
    task: Option<u64>,
    /// Of this thread: its number, or a part of its name
    #[arg(long, value_name = "TID|NAME")]
    thread: Option<String>,
    /// With this tick, or ticks that contain it
    #[arg(long, value_parser = number)]
    tick: Option<u64>,
    /// Of this kind: its name, as --json gives it, or a part of how its line begins; `Call` and `Packet` of strace and
    /// tcpdump, or a system call's name; may be repeated
    #[arg(long)]
    kind: Vec<String>,
    /// Not before this time: `2022-05-03T18:37:52.139518Z`; `18:37:52` of today, or of the recording's last
    /// day if the program has ended, in UTC as all times; or `1.5s` after the recording's start
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Not after this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    #[command(flatten)]
    around: Around,
}

fn direction(text: &str) -> Result<Direction, String> {
    let mut all = Direction::ALL.iter();
    let found = all.find(|dir| dir.name() == text || dir.code().to_string() == text);
    found.copied().ok_or_else(|| format!("expected read or write, found {text:?}"))
}

fn descriptor(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| format!("expected a descriptor's number as 9, found {text:?}"))
}

fn number(text: &str) -> Result<u64, String> {
    let number = match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    number.map_err(|_| format!("expected a number as 4711 or 0x55bf232f6f70, found {text:?}"))
}

/// A filter with all texts understood.
pub struct Ready {
    filter: Filter,
    key: Option<(u32, Option<u32>)>,
    since_ns: u64,
    until_ns: u64,
    /// The sources of each file.
    sources: Vec<Sources>,
    /// Whose wakers are stored: polls name their waiter, and no task.
    waiters: HashMap<(usize, WaiterId), u64>,
    /// The waker's data pointer of the wanted task in each file, and from when on it is that: another task may
    /// have had it before.
    wakers: Vec<Option<(u64, u64)>>,
}

impl Filter {
    /// Understands the texts; times by the start of the first file.
    pub fn ready(&self, inputs: &[Input], has_strace: bool) -> anyhow::Result<Ready> {
        // A system call may have any name.
        if !has_strace {
            self.check_kinds(inputs)?;
        }
        let begins = inputs.iter().filter_map(|input| input.recording.clock().anchors().first());
        let begin_ns = begins.map(|anchor| anchor.utc_ns).min().unwrap_or(0);
        let time = |option: &str, text: &Option<String>, otherwise: u64| match text {
            Some(text) => point(text, begin_ns, inputs).with_context(|| option.to_owned()),
            None => Ok(otherwise),
        };
        let mut since_ns = time("--since", &self.since, 0)?;
        let mut until_ns = time("--until", &self.until, u64::MAX)?;
        if let Some(window) = self.around.window(inputs)? {
            (since_ns, until_ns) = (since_ns.max(window.from_ns), until_ns.min(window.to_ns));
        }
        if since_ns > until_ns {
            let [since, until] = [since_ns, until_ns].map(units::time);
            bail!("--since: expected a time that is not after --until's, {until}, found {since}");
        }
        let (mut sources, mut wakers) = (Vec::new(), Vec::new());
        for input in inputs {
            wakers.push(match self.task {
                Some(task) => waker(input, task).with_context(|| input.place())?,
                None => None,
            });
            sources.push(match self.fd.is_some() || self.peer.is_some() {
                true => Sources::of(input)?,
                false => Sources::default(),
            });
        }
        Ok(Ready {
            filter: self.clone(),
            key: self.source.as_deref().map(source).transpose()?,
            since_ns,
            until_ns,
            sources,
            waiters: HashMap::new(),
            wakers,
        })
    }

    /// Whether a task is asked for.
    pub fn has_task(&self) -> bool {
        self.task.is_some()
    }

    /// A kind with a slip in it would show nothing, as if nothing of the kind had happened.
    fn check_kinds(&self, inputs: &[Input]) -> anyhow::Result<()> {
        // An older file does not describe the kinds that came later, which it may be asked for all the same.
        let own = Schema::own();
        let schemas = inputs.iter().map(|input| input.recording.schema()).chain([&own]);
        let kinds: Vec<(&str, &str)> = schemas.flat_map(Schema::kinds).collect();
        let kinds_of = kinds.iter().copied().chain([("Call", ""), ("Packet", "packet")]);
        let is_any =
            |wanted: &&String| kinds_of.clone().any(|(kind, name)| is_kind(wanted, kind, name));
        let Some(found) = self.kind.iter().find(|wanted| !is_any(wanted)) else {
            return Ok(());
        };
        let mut names: Vec<&str> = Vec::new();
        for (kind, _) in &kinds {
            if !names.contains(kind) {
                names.push(kind);
            }
        }
        bail!(
            "--kind: expected a part of how a line begins, as poll_ready:-, or one of {}; found {found:?}",
            names.join(", ")
        )
    }
}

/// Whether the kind of this name, whose records' text begins with that, is meant.
fn is_kind(wanted: &str, kind: &str, name: &str) -> bool {
    kind.eq_ignore_ascii_case(wanted) || name.contains(wanted)
}

/// The waker's data pointer of the task of this number, and when it was begun, if it is in the table.
fn waker(input: &Input, task: u64) -> anyhow::Result<Option<(u64, u64)>> {
    for entry in input.recording.tasks() {
        if let Entry::Whole(found) = entry? {
            if found.id == task {
                let begun_ns = input.utc_ns(found.begun);
                return Ok(Some((found.waker, begun_ns)));
            }
        }
    }
    Ok(None)
}

/// What a time means to these files; `option` is whose it is.
pub fn moment(text: &str, inputs: &[Input], option: &str) -> anyhow::Result<u64> {
    let begins = inputs.iter().filter_map(|input| input.recording.clock().anchors().first());
    let begin_ns = begins.map(|anchor| anchor.utc_ns).min().unwrap_or(0);
    point(text, begin_ns, inputs).with_context(|| option.to_owned())
}

fn source(text: &str) -> anyhow::Result<(u32, Option<u32>)> {
    let understood = || match text.split_once('#') {
        Some((index, generation)) => Some((index.parse().ok()?, Some(generation.parse().ok()?))),
        // JSON has the whole key as one number.
        None => match text.parse().ok().map(Key)? {
            key if key.generation() == 0 => Some((key.index(), None)),
            key => Some((key.index(), Some(key.generation()))),
        },
    };
    understood().with_context(|| format!("--source: expected a key as 3 or 3#2, found {text:?}"))
}

fn point(text: &str, begin_ns: u64, inputs: &[Input]) -> anyhow::Result<u64> {
    let date_and_time = match time_of_day(text) {
        Some(time) => format!("{}T{time}", &units::time(day_ns(inputs)?)[..10]),
        None => text.to_owned(),
    };
    if let Ok(time) = humantime::parse_rfc3339_weak(&date_and_time) {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        return Ok(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
    }
    let seconds = text.strip_suffix('s').and_then(|text| text.parse::<f64>().ok());
    let offset = match seconds.map(Duration::try_from_secs_f64) {
        Some(Ok(offset)) => offset,
        _ => match humantime::parse_duration(text) {
            Ok(offset) => offset,
            Err(_) => bail!(
                "expected a time as 2022-05-03T18:37:52Z, as 18:37:52, or 1.5s after the start, found \
                 {text:?}"
            ),
        },
    };
    Ok(begin_ns.saturating_add(u64::try_from(offset.as_nanos()).unwrap_or(u64::MAX)))
}

/// The text with its seconds, if it is a time without a date.
fn time_of_day(text: &str) -> Option<String> {
    let is_of_day = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b':' | b'.' | b'Z'));
    match text.matches(':').count() {
        1 if is_of_day => Some(format!("{}:00", text.trim_end_matches('Z'))),
        2 if is_of_day => Some(text.to_owned()),
        _ => None,
    }
}

/// A moment of the day that a time without a date is of.
fn day_ns(inputs: &[Input]) -> anyhow::Result<u64> {
    if inputs.iter().any(Input::is_live) {
        return Ok(units::now_ns());
    }
    let mut last = None;
    for input in inputs {
        last = last.max(input.last_record_ns().with_context(|| input.place())?);
    }
    Ok(last.unwrap_or_else(units::now_ns))
}

impl Ready {
    /// The last time that passes.
    pub fn until_ns(&self) -> u64 {
        self.until_ns
    }

    /// Whether the record is to be shown. Each record must be asked about, in order.
    pub fn passes(&mut self, moment: &Moment) -> bool {
        if self.filter.fd.is_some() || self.filter.peer.is_some() {
            self.sources[moment.input].learn(&moment.stamped.what);
        }
        if self.filter.task.is_some() {
            self.learn_waker(moment);
        }
        let passes = (self.since_ns..=self.until_ns).contains(&moment.utc_ns)
            && self.kind_passes(&moment.stamped.what)
            && self.thread_passes(moment)
            && self.fields_pass(moment);
        if self.filter.task.is_some() {
            self.learn_waiter(moment);
            self.learn_end(moment);
        }
        passes
    }

    /// Learns from a record whose task a waiter's polls are.
    fn learn_waiter(&mut self, moment: &Moment) {
        let What::Record(record) = &moment.stamped.what else { return };
        let Some(waiter) = record.waiter_id() else { return };
        let waiter = (moment.input, waiter);
        match record {
            Record::SourceWaker(waker) if waker.change == WakerChange::Stored => {
                self.waiters.insert(waiter, waker.task);
            }
            Record::SourceWaker(waker) if waker.change == WakerChange::Dropped => {
                self.waiters.remove(&waiter);
            }
            Record::PollEnd(poll) if poll.result != Verdict::Pending => {
                self.waiters.remove(&waiter);
            }
            _ => {}
        }
    }

    /// Learns which waker the wanted task has.
    fn learn_waker(&mut self, moment: &Moment) {
        if let What::Record(Record::TaskSpawn(spawn)) = &moment.stamped.what {
            if Some(spawn.task) == self.filter.task {
                self.wakers[moment.input] = Some((spawn.waker, moment.utc_ns));
            }
        }
    }

    /// Learns that the wanted task has come to its end: another one may have its waker next.
    fn learn_end(&mut self, moment: &Moment) {
        let What::Record(record) = &moment.stamped.what else { return };
        let ended = match record {
            Record::TaskDone(end) => end.task,
            Record::TaskCancelled(end) => end.task,
            Record::TaskPanicked(end) => end.task,
            _ => return,
        };
        if Some(ended) == self.filter.task {
            self.wakers[moment.input] = None;
        }
    }

    /// Whether a record that names no task is about a waiter of the wanted one's, or of a wake by it.
    fn is_of_task(&self, moment: &Moment) -> bool {
        let What::Record(record) = &moment.stamped.what else { return false };
        if let Record::TaskWake(wake) = record {
            if wake.by == WokenBy::Task && Some(wake.from) == self.filter.task {
                return true;
            }
        }
        let waiter = record.waiter_id();
        let waker = waiter.and_then(|waiter| self.waiters.get(&(moment.input, waiter)).copied());
        waker.is_some_and(|waker| self.is_waker(moment, waker))
    }

    /// Whether this is the waker of the wanted task.
    fn is_waker(&self, moment: &Moment, waker: u64) -> bool {
        let known = self.wakers[moment.input].filter(|(_, since_ns)| *since_ns <= moment.utc_ns);
        Some(waker) == self.filter.task || known.is_some_and(|(known, _)| known == waker)
    }

    /// Whether what a record has as its task, the number or the waker, is the wanted one.
    fn is_task(&self, moment: &Moment, task: u64) -> bool {
        match &moment.stamped.what {
            What::Record(record) if record.kind() >= Kind::TaskSpawn => {
                Some(task) == self.filter.task
            }
            _ => self.is_waker(moment, task),
        }
    }

    fn kind_passes(&self, what: &What) -> bool {
        let (kind, name) = (line::kind(what), line::name(what));
        let wanted = &self.filter.kind;
        wanted.is_empty() || wanted.iter().any(|wanted| is_kind(wanted, &kind, name))
    }

    fn thread_passes(&self, moment: &Moment) -> bool {
        let Some(wanted) = &self.filter.thread else {
            return true;
        };
        let thread = moment.stamped.thread.as_ref();
        thread.is_some_and(|thread| match wanted.parse::<u64>() {
            Ok(tid) => thread.tid == tid,
            Err(_) => thread.name.contains(wanted),
        })
    }

    fn fields_pass(&self, moment: &Moment) -> bool {
        let filter = &self.filter;
        let mut key = filter.source.is_none();
        let mut fd = filter.fd.is_none();
        let mut peer = filter.peer.is_none();
        let mut dir = filter.dir.is_none();
        let mut task = filter.task.is_none() || self.is_of_task(moment);
        let mut tick = filter.tick.is_none();
        if key && fd && peer && dir && task && tick {
            return true;
        }
        line::fields(&moment.stamped.what, &mut |name, value| match name {
            "key" => {
                let value = Key(value.as_u64().unwrap_or(0));
                let sources = &self.sources[moment.input];
                key |= self.is_source(value);
                fd |= filter.fd.is_some() && sources.fd(value) == filter.fd;
                peer |= sources.peer(value).is_some_and(|peer| self.is_peer(peer));
            }
            "fd" => fd |= value.as_i64() == filter.fd,
            "dir" => dir |= filter.dir.is_some_and(|dir| is_dir(&value, dir)),
            "task" => task |= value.as_u64().is_some_and(|value| self.is_task(moment, value)),
            "tick" | "ticks_a" | "ticks_b" => tick |= value.as_u64() == filter.tick,
            _ => {}
        });
        key && fd && peer && dir && task && tick
    }

    fn is_source(&self, key: Key) -> bool {
        self.key.is_some_and(|(index, generation)| {
            key.index() == index && generation.is_none_or(|wanted| wanted == key.generation())
        })
    }

    fn is_peer(&self, peer: &Address) -> bool {
        let wanted = self.filter.peer.as_deref().unwrap_or("");
        peer.to_string().contains(wanted)
    }
}

fn is_dir(value: &Json, dir: Direction) -> bool {
    value.as_u64() == Some(dir.code().into()) || value.as_str() == Some(dir.name())
}
