//! What a log's lines tell: which polls led to which accept, and how long each client waited.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, BufRead};
use std::net::SocketAddr;

use ticks_format::{Record, Shadow};

use crate::log::{Event, Line, Ticks};

/// One run's story.
#[derive(Debug)]
pub struct Story {
    clients: usize,
    accepts: Vec<Accept>,
    /// The polls after the last accept.
    open: Vec<Poll>,
    connects: Vec<Connect>,
    false_alarms: usize,
    otherwise: Otherwise,
    end_us: u64,
}

/// What 2.6.0 would have made of the polls of all sources, by the log's records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Otherwise {
    /// Polls of which it is known what it would have answered.
    pub polls: usize,
    /// Those among them that it would have answered otherwise.
    pub differ: usize,
}

/// One accept, with the polls since the one before.
#[derive(Debug)]
struct Accept {
    peer: SocketAddr,
    at_us: u64,
    polls: Vec<Poll>,
}

#[derive(Debug)]
struct Connect {
    began_us: u64,
    local: Option<SocketAddr>,
}

/// One call of `poll_readable`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    /// The answer was Ready.
    pub ready: bool,
    /// What the reactor looked at; none where its log does not tell.
    pub look: Option<Look>,
}

/// What the reactor looked at when it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The tick of the last event.
    pub tick: u64,
    /// What the waiter remembered; none when it did not wait.
    pub ticks: Option<Ticks>,
    /// What it remembered afterwards.
    pub ticks_after: Option<Ticks>,
    /// Why the answer was what it was.
    pub reason: Option<String>,
}

/// What was decided and on what grounds, without the numbers that differ from run to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// For a waiter: whether the tick was its `a`, and whether it was its `b`.
    pub met: Option<(bool, bool)>,
    /// The answer.
    pub ready: bool,
}

/// A number, or a bound below it where the log ends before the number is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figure {
    /// The number or bound.
    pub value: u64,
    /// It is a bound.
    pub at_least: bool,
}

/// Of several figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// The upper median: of two, the larger.
    pub median: Figure,
    /// The largest.
    pub max: Figure,
}

impl Story {
    /// Reads a log of a run with so many clients.
    ///
    /// # Errors
    /// When reading fails, and when none of the lines is one of the program's.
    pub fn read(mut log: impl BufRead, clients: usize) -> io::Result<Story> {
        let mut reader = Reader::new(clients);
        let mut bytes = Vec::new();
        // Not `lines()`: whatever else writes to stderr need not be UTF-8.
        while log.read_until(b'\n', &mut bytes)? > 0 {
            let text = String::from_utf8_lossy(&bytes);
            if let Some(line) = Line::parse(text.trim_end_matches(['\r', '\n'])) {
                reader.line(&line);
            }
            bytes.clear();
        }
        reader.finish()
    }

    /// Connections accepted.
    pub fn accepted(&self) -> usize {
        self.accepts.len()
    }

    /// Connections that were to be accepted.
    pub fn clients(&self) -> usize {
        self.clients
    }

    /// Clients that were not accepted within a second of their `connect`.
    pub fn late(&self) -> usize {
        let latencies = self.latencies_us();
        let done = latencies.iter().filter(|l| !l.at_least && l.value < 1_000_000);
        self.clients - done.count().min(self.clients)
    }

    /// All calls of `poll_readable`.
    pub fn polls(&self) -> impl Iterator<Item = &Poll> {
        self.accepts.iter().flat_map(|accept| &accept.polls).chain(&self.open)
    }

    /// The polls that led to the first accept; if there was none, all of them.
    pub fn first_accept(&self) -> &[Poll] {
        self.accepts.first().map_or(&self.open, |accept| &accept.polls)
    }

    /// Calls of `poll_readable` per accept. The polls after the last accept count too, as a bound, if
    /// a client still waited for the next one.
    pub fn polls_per_accept(&self) -> Option<Spread> {
        let mut polls: Vec<_> =
            self.accepts.iter().map(|accept| Figure::exact(accept.polls.len())).collect();
        if self.accepted() < self.connects.len() {
            polls.push(Figure::bound(self.open.len()));
        }
        Spread::of(polls)
    }

    /// From a client's call of `connect` to its accept, in microseconds.
    pub fn latency_us(&self) -> Option<Spread> {
        Spread::of(self.latencies_us())
    }

    /// The most polls that a wait took: from the first Pending to Ready, both counted.
    pub fn polls_per_wait_max(&self) -> usize {
        let (mut polls, mut max) = (0, 0);
        for poll in self.polls() {
            polls += 1;
            max = max.max(polls);
            if poll.ready {
                polls = 0;
            }
        }
        max
    }

    /// How often `accept` had nothing to accept after `poll_readable` had said Ready.
    pub fn false_alarms(&self) -> usize {
        self.false_alarms
    }

    /// What 2.6.0 would have answered to the polls of this reactor. None at all in a log of 2.6.0's own.
    pub fn otherwise(&self) -> Otherwise {
        self.otherwise
    }

    /// The looks of a waiter whose answer is not the rule's: Ready if and only if the tick is
    /// neither of its ticks.
    pub fn rule_breaks(&self) -> impl Iterator<Item = &Poll> {
        self.polls().filter(|poll| !poll.keeps_the_rule())
    }

    fn latencies_us(&self) -> Vec<Figure> {
        let accepted: HashMap<_, _> =
            self.accepts.iter().map(|accept| (accept.peer, accept.at_us)).collect();
        let latency = |connect: &Connect| {
            let at_us = connect.local.and_then(|local| accepted.get(&local));
            Figure {
                value: at_us.unwrap_or(&self.end_us).saturating_sub(connect.began_us),
                at_least: at_us.is_none(),
            }
        };
        self.connects.iter().map(latency).collect()
    }
}

impl Poll {
    /// What was decided; none where the log does not tell on what grounds.
    pub fn decision(&self) -> Option<Decision> {
        let look = self.look.as_ref()?;
        Some(Decision {
            met: look.ticks.map(|(a, b)| (look.tick == a, look.tick == b)),
            ready: self.ready,
        })
    }

    /// A poll that is no waiter's is not the rule's to decide.
    fn keeps_the_rule(&self) -> bool {
        match self.decision().and_then(|decision| decision.met) {
            Some(met) => self.ready == (met == (false, false)),
            None => true,
        }
    }
}

impl Figure {
    fn exact(value: usize) -> Figure {
        Figure { value: value as u64, at_least: false }
    }

    fn bound(value: usize) -> Figure {
        Figure { value: value as u64, at_least: true }
    }
}

impl Spread {
    fn of(mut figures: Vec<Figure>) -> Option<Spread> {
        figures.sort_by_key(|figure| figure.value);
        let last = figures.len().checked_sub(1)?;
        // A bound may turn out to belong further up, and what follows it one place further down.
        let up_to = |last: usize| Figure {
            value: figures[last].value,
            at_least: figures[..=last].iter().any(|figure| figure.at_least),
        };
        Some(Spread { median: up_to(figures.len() / 2), max: up_to(last) })
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let polls = self.polls().count();
        write!(f, "{} of {} accepted, ", self.accepted(), self.clients)?;
        write!(f, "{} not done after 1 s, {polls} polls", self.late())?;
        match self.otherwise {
            Otherwise { polls: 0, .. } => Ok(()),
            Otherwise { differ, .. } => write!(f, ", {differ} answers not those of 2.6.0"),
        }
    }
}

/// Puts the story together, line by line.
struct Reader {
    story: Story,
    /// The thread that is inside `poll_readable`, and what the reactor looked at so far.
    asking: Option<(u64, Option<Look>)>,
    shadow: Shadow,
    /// Where a client's `connect` is in the story.
    connects: HashMap<usize, usize>,
    lines: usize,
}

impl Reader {
    fn new(clients: usize) -> Reader {
        Reader {
            story: Story {
                clients,
                accepts: Vec::new(),
                open: Vec::new(),
                connects: Vec::new(),
                false_alarms: 0,
                otherwise: Otherwise::default(),
                end_us: 0,
            },
            asking: None,
            shadow: Shadow::new(),
            connects: HashMap::new(),
            lines: 0,
        }
    }

    fn line(&mut self, line: &Line<'_>) {
        self.lines += 1;
        self.story.end_us = self.story.end_us.max(line.at_us);
        if let Some(record) = Record::from_text(line.message) {
            self.judge(&record);
        }
        match Event::parse(line.message) {
            Some(event @ (Event::LookBegin { .. } | Event::LookEnd { .. })) => {
                self.look(line.thread, event);
            }
            Some(Event::Asks) => self.asking = Some((line.thread, None)),
            Some(Event::Answer { ready }) => {
                let look = self.asking.take().and_then(|(_, look)| look);
                self.story.open.push(Poll { ready, look });
            }
            Some(Event::WouldBlock) => self.story.false_alarms += 1,
            Some(Event::Accepted { peer }) => self.story.accepts.push(Accept {
                peer,
                at_us: line.at_us,
                polls: std::mem::take(&mut self.story.open),
            }),
            Some(Event::ConnectBegin { client }) => {
                self.connects.insert(client, self.story.connects.len());
                self.story.connects.push(Connect { began_us: line.at_us, local: None });
            }
            Some(Event::ConnectEnd { client, local }) => {
                if let Some(&n) = self.connects.get(&client) {
                    self.story.connects[n].local = Some(local);
                }
            }
            None => {}
        }
    }

    /// Has the shadow of 2.6.0 follow.
    fn judge(&mut self, record: &Record) {
        let upstream = self.shadow.observe(record);
        if let (Record::PollEnd(end), Some(upstream)) = (record, upstream) {
            self.story.otherwise.polls += 1;
            self.story.otherwise.differ += usize::from(end.result != upstream);
        }
    }

    /// The reactor's lines count if the server's `poll_readable` printed them: same thread, between
    /// call and return. `accept` and other sources print the same ones.
    fn look(&mut self, thread: u64, event: Event<'_>) {
        let Some((_, look)) = self.asking.as_mut().filter(|(asker, _)| *asker == thread) else {
            return;
        };
        match (event, look) {
            (Event::LookBegin { tick, ticks }, look) => {
                *look = Some(Look { tick, ticks, ticks_after: None, reason: None });
            }
            (Event::LookEnd { ticks, reason }, Some(look)) => {
                look.ticks_after = ticks;
                look.reason = reason.map(str::to_owned);
            }
            _ => {}
        }
    }

    fn finish(self) -> io::Result<Story> {
        match self.lines {
            0 => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "found no line of the program's logger, \
                 expected `[<time> <level> <module> <line> <thread>] <message>`",
            )),
            _ => Ok(self.story),
        }
    }
}
