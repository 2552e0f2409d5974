//! Names and arguments of slices and tracks.

use serde_json::Value as Json;
use ticks_format::records::TaskWake;
use ticks_format::{flag_names, Direction, FieldValue, Key, Record, WakeCause, WokenBy};

use super::{Asked, Label, SliceId, TaskId, Timeline, Track, TrackId};

/// `A` to `Z`, then `AA`: letters, because the viewers leave digits out of the names that they make
/// colours of.
pub fn letters(task: TaskId) -> String {
    let mut rest = task.0;
    let mut text = Vec::new();
    loop {
        text.push(b'A' + (rest % 26) as u8);
        if rest < 26 {
            break;
        }
        rest = rest / 26 - 1;
    }
    text.iter().rev().map(|letter| char::from(*letter)).collect()
}

/// A set of directions as the flags' names, or as numbers where there is none.
fn flags(flags: u32) -> String {
    match flags {
        0 => "no flags".into(),
        flags => flag_names(flags).to_string(),
    }
}

impl Timeline {
    /// `task A`, or `task A shop::serve` of one that is recorded.
    pub fn task_name(&self, task: TaskId) -> String {
        match self.known.get(&task).filter(|known| !known.name.is_empty()) {
            Some(known) => format!("task {} {}", letters(task), known.name),
            None => format!("task {}", letters(task)),
        }
    }

    /// The track's name: its thread's, its source's with addresses, its task's with the number that
    /// the log has.
    pub fn track_name(&self, id: TrackId) -> String {
        let track = self.track(id);
        match (self.names.get(&track), track) {
            (Some(name), _) => name.clone(),
            (None, Track::Thread { tid, .. }) => format!("thread {tid}"),
            (None, Track::Source { input, key, dir }) => {
                format!("{} {dir}", self.source(input, key))
            }
            (None, Track::Calls { tid, .. }) => format!("system calls of thread {tid}"),
            (None, Track::Packets { input, key }) => format!("{} packets", self.source(input, key)),
            (None, Track::Task { task, .. }) if self.known.contains_key(&task) => {
                format!("{} ({})", self.task_name(task), self.known[&task].id)
            }
            (None, Track::Task { task, .. }) => {
                let number = self.tasks.get(task.0 as usize).copied().unwrap_or_default();
                format!("{} {number:#x}", self.task_name(task))
            }
        }
    }

    fn source(&self, input: usize, key: Key) -> String {
        match self.fds.get(&(input, key)) {
            Some(fd) => format!("fd {fd}"),
            None => format!("source {key}"),
        }
    }

    /// The slice's name.
    pub fn name(&self, track: TrackId, slice: SliceId) -> String {
        let seen = self.texts.get(&slice);
        let slice = &self.slices[slice.0 as usize];
        let begin = self.record(slice.begin);
        let task = || slice.task.map_or_else(|| "a task".into(), |task| self.task_name(task));
        let input = self.track(track).input();
        match (slice.label, begin) {
            (Label::Seen, _) => seen.cloned().unwrap_or_default(),
            (Label::WaitedFor, _) => format!("waited for by {}", task()),
            (Label::WaitsFor { fd, dir, more: 0 }, _) => format!("waits for fd {fd} {dir}"),
            (Label::WaitsFor { fd, dir, more }, _) => {
                format!("waits for fd {fd} {dir} and {more} more")
            }
            (Label::Woken, Some(wake)) => format!("woken by {}", self.cause(input, wake)),
            (Label::TaskPoll, _) | (Label::Record, Some(Record::TaskPollBegin(_))) => {
                format!("poll {}", task().trim_start_matches("task "))
            }
            (Label::Scheduled, Some(wake @ (Record::Wake(_) | Record::TaskWake(_)))) => {
                format!("scheduled by {}", self.cause(input, wake))
            }
            (Label::Scheduled, _) => "scheduled".into(),
            (Label::TaskWaits { stack, source, more }, _) => self.waits(input, stack, source, more),
            (Label::Forgotten, _) => "forgotten: nothing can wake it".into(),
            (Label::Record, Some(Record::TaskSpawn(_))) => format!("spawn {}", task()),
            (Label::Record, Some(Record::TaskDone(_))) => "done".into(),
            (Label::Record, Some(Record::TaskCancelled(_))) => "dropped before its end".into(),
            (Label::Record, Some(Record::TaskPanicked(_))) => "panicked".into(),
            (Label::Record, Some(Record::TaskWake(_))) => {
                let cause = begin.map_or_else(String::new, |wake| self.cause(input, wake));
                format!("wake {}: {cause}", task())
            }
            (Label::Record, Some(Record::Wake(_))) => {
                let cause = begin.map_or_else(String::new, |wake| self.cause(input, wake));
                format!("wake {}: {cause}", task())
            }
            (Label::Record, Some(record)) => plain(record, self.record(slice.end)),
            (_, None) => "nothing recorded".into(),
        }
    }

    /// What a recorded task waits for.
    fn waits(&self, input: usize, stack: u64, source: Option<Asked>, more: u32) -> String {
        let place = self.places.get(&(input, stack));
        let what = place.and_then(|place| place.what.as_deref());
        // The last stack may be that of another wait than the last one of the reactor's; one that a table knows
        // says more.
        let is_vague = place.is_none_or(|place| place.is_executor)
            || what.is_none_or(|what| !what.contains('('));
        let mut text = match (what, source.filter(|_| is_vague)) {
            (_, Some(Asked::Source(fd, dir))) => format!("waits for fd {fd} {dir}"),
            (_, Some(Asked::Timer(timer))) => format!("waits for timer {timer}"),
            (Some(what), _) => format!("waits for {what}"),
            (None, _) => "waits".to_owned(),
        };
        if let Some(own) = place.and_then(|place| place.own_text()) {
            text += &format!(" in {own}");
        }
        match more {
            0 => text,
            more => format!("{text}, and {more} more"),
        }
    }

    /// What woke.
    fn cause(&self, input: usize, wake: &Record) -> String {
        let wake = match wake {
            Record::Wake(wake) => wake,
            Record::TaskWake(wake) => return self.task_cause(input, wake),
            _ => return String::new(),
        };
        match (wake.by, wake.key, wake.timer) {
            (WakeCause::Source, Some(key), _) => {
                let dir = wake.dir.map_or("", Direction::name);
                let round = wake.tick.map(|tick| format!(", round {tick}")).unwrap_or_default();
                format!("{} {dir}{round}", self.source(input, key))
            }
            (WakeCause::Timer, _, Some(timer)) => format!("timer {timer}"),
            (cause, ..) => cause.to_string(),
        }
    }

    fn task_cause(&self, input: usize, wake: &TaskWake) -> String {
        let who = match wake.by {
            WokenBy::Source => {
                let dir = wake.dir.map_or("", Direction::name);
                format!("{} {dir}", self.source(input, Key(wake.from))).trim_end().to_owned()
            }
            WokenBy::Timer => format!("timer {}", wake.from),
            WokenBy::Task => match self.by_number.get(&(input, wake.from)) {
                Some(task) => self.task_name(*task),
                None => format!("task {}", wake.from),
            },
            WokenBy::Thread => format!("thread {}", wake.from),
            WokenBy::Itself => "itself".into(),
            WokenBy::Reactor => "the reactor".into(),
        };
        let place = self.places.get(&(input, wake.stack)).and_then(|place| place.own_text());
        place.map_or(who.clone(), |place| format!("{who} in {place}"))
    }

    /// What else is known of the slice: the fields of the record that begins it, then those of the
    /// record that ends it, as `…_after` where both have them and they differ.
    pub fn args(&self, track: TrackId, slice: SliceId) -> Vec<(String, Json)> {
        let input = self.track(track).input();
        let mut args: Vec<(String, Json)> = Vec::new();
        let about = &self.slices[slice.0 as usize];
        if let Some(task) = about.task {
            args.push(("task_name".into(), self.task_name(task).into()));
            args.push(("task".into(), format!("{:#x}", self.tasks[task.0 as usize]).into()));
            if let Some(known) = self.known.get(&task) {
                args.push(("task_id".into(), known.id.into()));
            }
        }
        let mut stacks = Vec::new();
        for record in [about.begin, about.end].into_iter().flatten() {
            let before = args.len();
            let record_of = &self.records[record.0 as usize];
            // Whoever wakes or spawns waits for nothing.
            let asks = !matches!(record_of, Record::TaskSpawn(_) | Record::TaskWake(_));
            record_of.visit(&mut |name, value| {
                if let ("stack", FieldValue::Unsigned(stack)) = (name, value) {
                    stacks.push((stack, asks));
                    return;
                }
                // A place in the strings says nothing to anybody; it is the task's name.
                if name == "name" && about.task.is_some() {
                    return;
                }
                let value = shown(name, value);
                match args[..before].iter().find(|(other, _)| other == name) {
                    // The task's number is there, as the log writes it.
                    Some(_) if name == "task" => {}
                    Some((_, same)) if *same == value => {}
                    Some(_) => args.push((format!("{name}_after"), value)),
                    None => args.push((name.into(), value)),
                }
            });
        }
        for (stack, asks) in stacks {
            let Some(place) = self.places.get(&(input, stack)) else { continue };
            let what = place.what.clone().filter(|_| asks);
            for (name, text) in [("for", what), ("in", place.own_text())] {
                if let Some(text) = text.filter(|_| args.iter().all(|(other, _)| other != name)) {
                    args.push((name.into(), text.into()));
                }
            }
        }
        for (name, text) in self.notes.get(&slice).into_iter().flatten() {
            args.push(((*name).into(), text.as_str().into()));
        }
        args
    }
}

/// A field for a person to read: flags and directions by their names.
fn shown(name: &str, value: FieldValue<'_>) -> Json {
    match (name, value) {
        ("flags", FieldValue::Unsigned(bits)) => flags(bits as u32).into(),
        ("dir", FieldValue::Unsigned(dir)) => match Direction::from_code(dir as u8) {
            Some(dir) => dir.name().into(),
            None => dir.into(),
        },
        ("key", FieldValue::Unsigned(key)) => Key(key).to_string().into(),
        (_, FieldValue::Unsigned(value)) => value.into(),
        (_, FieldValue::Signed(value)) => value.into(),
        (_, FieldValue::Bool(value)) => value.into(),
        (_, FieldValue::Name(value)) => value.into(),
        (_, FieldValue::Text(value)) => value.to_string().into(),
    }
}

/// The name of a slice that needs nothing but its records.
fn plain(begin: &Record, end: Option<&Record>) -> String {
    match (begin, end) {
        (Record::ReactBegin(_), Some(Record::ReactEnd(end))) => format!("round {}", end.tick),
        // The wait goes on, or the end was overwritten: the wait's return counts one up.
        (Record::ReactBegin(begin), _) => format!("round {}", begin.tick.saturating_add(1)),
        (Record::PollBegin(poll), Some(Record::PollEnd(end))) => {
            format!("poll fd {} {}: {}", poll.fd, poll.dir, end.result)
        }
        (Record::PollBegin(poll), _) => format!("poll fd {} {}", poll.fd, poll.dir),
        (Record::PollEnd(end), _) => format!("poll fd {} {}: {}", end.fd, end.dir, end.result),
        (Record::ReactEvent(event), _) => {
            format!("round {}: {}", event.tick, flags(event.flags))
        }
        (Record::ReactStale(event), _) => {
            format!("dropped: {}, source {} is gone", flags(event.flags), event.key)
        }
        (Record::CtlBegin(ctl), _) => format!("epoll_ctl {} fd {}", ctl.op, ctl.fd),
        (Record::TimerFire(timer), _) => format!("timer {} fires", timer.id),
        (Record::Unpark(unpark), _) => format!("unpark thread {}", unpark.target),
        (Record::Handover(offer), _) => format!("hand over to thread {}", offer.target),
        (Record::WaitEntry(_), _) => "notified".into(),
        (Record::Notify(_), _) => "notify".into(),
        (Record::WaitBegin(_), _) => "wait".into(),
        (Record::BlockOnBegin(_), _) => "block_on".into(),
        (Record::ParkBegin(_), _) => "park".into(),
        (Record::DriveBegin(_), _) => "drive".into(),
        (other, _) => other.kind().name().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_have_letters() {
        let texts = [0, 25, 26, 51, 52, 701, 702].map(|task| letters(TaskId(task)));
        assert_eq!(texts, ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]);
    }
}
