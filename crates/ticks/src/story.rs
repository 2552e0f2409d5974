//! What becomes of a task, in words.

use std::collections::HashMap;

use ticks_format::records::{TaskPollEnd, TaskSpawn, TaskWake};
use ticks_format::{Record, TaskKind, Verdict, What, WokenBy};

use crate::input::Input;
use crate::merge::Moment;
use crate::sources::Sources;
use crate::symbols::{Book, Options};
use crate::task_names::TaskNames;
use crate::units;

/// What is known of one file.
struct File {
    names: TaskNames,
    sources: Sources,
    book: Book,
    /// When each task was begun or woken, and how that is said, if it has not been polled since.
    scheduled: HashMap<u64, (u64, &'static str)>,
}

/// Tells records of tasks in words. It must be told of all records, in the order of time.
pub struct Story(Vec<File>);

impl Story {
    /// Nothing has happened yet.
    pub fn new(inputs: &[Input], options: &Options) -> anyhow::Result<Story> {
        let mut files = Vec::new();
        for input in inputs {
            files.push(File {
                names: TaskNames::of(input)?,
                sources: Sources::of(input)?,
                book: Book::new(options),
                scheduled: HashMap::new(),
            });
        }
        Ok(Story(files))
    }

    /// Takes in the next record.
    pub fn learn(&mut self, inputs: &[Input], moment: &Moment) -> anyhow::Result<()> {
        let (file, input) = (&mut self.0[moment.input], &inputs[moment.input]);
        file.sources.learn(&moment.stamped.what);
        if let What::Record(Record::TaskSpawn(spawn)) = &moment.stamped.what {
            file.names.learn(input, spawn)?;
            file.scheduled.insert(spawn.task, (moment.utc_ns, "it began"));
        }
        Ok(())
    }

    /// The record in words, if it is one of a task's life.
    pub fn words(&mut self, inputs: &[Input], moment: &Moment) -> anyhow::Result<Option<String>> {
        let What::Record(record) = &moment.stamped.what else { return Ok(None) };
        let file = &mut self.0[moment.input];
        file.words(&inputs[moment.input], record, moment.utc_ns)
    }

    /// What was missing to name calls, a sentence each.
    pub fn notes(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|file| file.book.notes())
    }
}

impl File {
    fn words(
        &mut self,
        input: &Input,
        record: &Record,
        utc_ns: u64,
    ) -> anyhow::Result<Option<String>> {
        let end = |id, how: &str, polls, age_ns| {
            let polls = units::count(polls);
            format!("task {id} {how} after {} and {polls} polls", units::duration(age_ns))
        };
        Ok(Some(match record {
            Record::TaskSpawn(spawn) => self.spawn(input, spawn)?,
            Record::TaskPollBegin(poll) => match self.scheduled.remove(&poll.task) {
                Some((since_ns, how)) => {
                    let since = units::duration(utc_ns.saturating_sub(since_ns));
                    format!("task {}: a poll begins, {since} after {how}", poll.task)
                }
                None => format!("task {}: a poll begins", poll.task),
            },
            Record::TaskPollEnd(poll) => self.poll_end(input, poll)?,
            Record::TaskWait(wait) => {
                format!("task {}: it waits for {}", wait.task, self.asked(input, wait.stack)?)
            }
            Record::TaskWake(wake) => self.wake(input, wake, utc_ns)?,
            Record::TaskForgotten(forgotten) => {
                let asked = match forgotten.stack {
                    0 => "it never asked to be woken".into(),
                    stack => format!("it asked last for {}", self.asked(input, stack)?),
                };
                format!(
                    "task {}: it is forgotten: its last waker was dropped, and nothing can wake it; {asked}",
                    forgotten.task
                )
            }
            Record::TaskDone(done) => end(done.task, "is done", done.polls, done.age_ns),
            Record::TaskCancelled(gone) => {
                end(gone.task, "is dropped before its end,", gone.polls, gone.age_ns)
            }
            Record::TaskPanicked(gone) => end(gone.task, "panics", gone.polls, gone.age_ns),
            _ => return Ok(None),
        }))
    }

    fn spawn(&mut self, input: &Input, spawn: &TaskSpawn) -> anyhow::Result<String> {
        let verb = match spawn.kind {
            TaskKind::Spawned => "spawned",
            TaskKind::BlockOn => "given to block_on",
            TaskKind::Named => "named",
            TaskKind::Run => "given to an executor's run",
        };
        let parent = match spawn.parent {
            0 => String::new(),
            parent => format!(" by {}", self.names.task(parent)),
        };
        let place = self.place(input, spawn.stack)?;
        Ok(format!("{} begins, {verb}{parent}{place}", self.names.task(spawn.task)))
    }

    fn poll_end(&mut self, input: &Input, poll: &TaskPollEnd) -> anyhow::Result<String> {
        let begin = format!("task {}: the poll ends", poll.task);
        let took = units::duration(poll.duration_ns);
        Ok(match (poll.result, poll.stack) {
            (Verdict::Pending, 0) => format!("{begin} after {took}, Pending"),
            (Verdict::Pending, stack) => {
                let place = self.place(input, stack)?;
                let asked = if place.is_empty() { "" } else { "; it asked last" };
                format!("{begin} after {took}, Pending{asked}{place}")
            }
            (Verdict::Ready, _) => format!("{begin} after {took}, Ready"),
            (Verdict::Failed, _) => format!("{begin} after {took} with a panic"),
        })
    }

    fn wake(&mut self, input: &Input, wake: &TaskWake, utc_ns: u64) -> anyhow::Result<String> {
        if wake.first {
            self.scheduled.insert(wake.task, (utc_ns, "it was woken"));
        }
        let sources = &self.sources;
        let fd = |key| sources.fd(key);
        let mut who = self.names.waker((wake.by, wake.from), wake.dir, fd);
        let source = ticks_format::Key(wake.from);
        if let Some(peer) = sources.peer(source).filter(|_| wake.by == WokenBy::Source) {
            who += &format!(" (peer {peer})");
        }
        let again = if wake.first { "" } else { ", which changes nothing: it was woken before" };
        let place = self.place(input, wake.stack)?;
        Ok(format!("{} is woken by {who}{place}{again}", self.names.task(wake.task)))
    }

    /// What was asked for, and where.
    fn asked(&mut self, input: &Input, stack: u64) -> anyhow::Result<String> {
        let place = self.book.place(input, stack)?;
        let what = place.as_ref().and_then(|place| place.what.clone());
        let what = what.unwrap_or_else(|| "something that is not known".into());
        Ok(what + &self.place(input, stack)?)
    }

    /// Where in the program, if that is known.
    fn place(&mut self, input: &Input, stack: u64) -> anyhow::Result<String> {
        let place = self.book.place(input, stack)?.and_then(|place| place.own_text());
        Ok(place.map_or_else(String::new, |place| format!(" in {place}")))
    }
}
