//! What a poll attempts: an operation of one of three kinds, or the question whether a direction is ready.

use std::any::TypeId;
use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};

use ticks_format::{Direction, Reason, Ticks};

use super::readiness::{delivered_alone, Begun};
use super::source::Source;
use super::Reactor;
use crate::poller::Level;

/// What is known of the operations of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IoKind {
    /// A socket or pipe of std: each operation is one system call, so `WouldBlock` is the kernel's own
    /// word, and reading is what consumes readiness.
    Plain,
    /// Plain, and a stream socket: a short read has emptied it.
    Stream,
    /// Anything else: it may buffer, and its readiness may be consumed by asking.
    Unknown,
}

impl IoKind {
    /// Of a type, by its name alone.
    pub(crate) fn of<T: ?Sized>() -> IoKind {
        let id = typeid::of::<T>();
        if id == TypeId::of::<TcpStream>() || crate::poller::registration::is_unix_stream(id) {
            IoKind::Stream
        } else if id == TypeId::of::<UdpSocket>()
            || id == TypeId::of::<TcpListener>()
            || crate::poller::registration::is_plain(id)
        {
            IoKind::Plain
        } else {
            IoKind::Unknown
        }
    }
}

/// Whether the poll is the one that begins a wait, or a later one, or ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Begins,
    GoesOn,
    /// An event has ended the wait: what it told of is to be taken.
    AfterEvent,
}

/// What came of an attempt.
pub(crate) enum Outcome<R> {
    /// There is an answer.
    Done {
        result: io::Result<R>,
        reason: Reason,
        /// It was a short read: a stream has nothing more.
        drained: bool,
    },
    /// There is nothing. A wait that begins now remembers these ticks.
    Nothing(Begun),
    /// Foreign code says `WouldBlock`, but the kernel says that the direction is ready.
    Disputed,
}

impl<R> Outcome<R> {
    fn done(result: io::Result<R>) -> Outcome<R> {
        Outcome::Done { result, reason: Reason::ReadyWhenAsked, drained: false }
    }

    /// The kernel could not be asked.
    fn failed(error: io::Error) -> Outcome<R> {
        Outcome::Done { result: Err(error), reason: Reason::Error, drained: false }
    }

    fn nothing(ticks: Ticks) -> Outcome<R> {
        Outcome::Nothing(Begun { ticks, drained: false })
    }
}

/// What a poll attempts.
pub(crate) trait Attempt {
    type Output;

    /// Whether it is only a question, whose answer is worth a record of its own.
    const IS_QUESTION: bool = false;

    /// Whether it reads a stream, which a short read has emptied.
    const READS_STREAM: bool = false;

    /// The answer when the wait is over, where an event is one.
    fn answer_of_event(&mut self) -> Option<Self::Output> {
        None
    }

    /// Makes the attempt. `ticks` were read just before.
    fn make(&mut self, on: On<'_>, stage: Stage, ticks: Ticks) -> Outcome<Self::Output>;
}

/// One direction of a source.
#[derive(Clone, Copy)]
pub(crate) struct On<'a> {
    pub(crate) reactor: &'a Reactor,
    pub(crate) source: &'a Source,
    pub(crate) dir: Direction,
}

impl On<'_> {
    /// Asks the kernel.
    fn level(self) -> io::Result<Level> {
        self.reactor.poller()?.level(self.source.registration(), self.dir)
    }
}

/// Whether the direction is ready.
pub(crate) struct Question(pub(crate) IoKind);

impl Question {
    /// Why the direction is ready, if it is, by the kernel's answer.
    ///
    /// An event that came while nobody waited counts once, where the kernel does not report it again:
    /// for a readiness that asking has consumed, and for an error.
    fn why_ready(&self, on: On<'_>, level: Level) -> Option<Reason> {
        if self.0 != IoKind::Unknown && level != Level::ErrorAlone {
            return (level == Level::Ready).then_some(Reason::ReadyWhenAsked);
        }
        let unclaimed = on.source.readiness().take_unclaimed(on.dir);
        match level {
            Level::Ready => Some(Reason::ReadyWhenAsked),
            Level::ErrorAlone => unclaimed.then_some(Reason::Unclaimed),
            Level::Idle => {
                (unclaimed && on.source.is_consumed_by_asking()).then_some(Reason::Unclaimed)
            }
        }
    }

    /// What a wait remembers. The kernel's answer covers every event that was harvested before it.
    /// There are two exceptions: a readiness that asking has consumed, and an error, because the answer
    /// does not say whether it is a new one.
    fn begun(&self, on: On<'_>, level: Level, ticks: Ticks) -> Ticks {
        let covers_all = match level {
            Level::ErrorAlone => false,
            _ => self.0 != IoKind::Unknown || !on.source.is_consumed_by_asking(),
        };
        if covers_all {
            ticks
        } else {
            delivered_alone(ticks)
        }
    }
}

impl Attempt for Question {
    type Output = ();
    const IS_QUESTION: bool = true;

    fn answer_of_event(&mut self) -> Option<()> {
        Some(())
    }

    fn make(&mut self, on: On<'_>, stage: Stage, ticks: Ticks) -> Outcome<()> {
        let level = match on.level() {
            Ok(level) => level,
            // A wait that has begun goes on without an answer: an event ends it.
            Err(_) if stage == Stage::GoesOn => Level::Idle,
            Err(error) => return Outcome::failed(error),
        };
        match self.why_ready(on, level) {
            Some(reason) => Outcome::Done { result: Ok(()), reason, drained: false },
            None => Outcome::nothing(self.begun(on, level, ticks)),
        }
    }
}

/// An operation that is one system call.
pub(crate) struct Call<F>(pub(crate) F);

impl<R, F: FnMut() -> io::Result<R>> Attempt for Call<F> {
    type Output = R;

    #[inline]
    fn make(&mut self, _: On<'_>, _: Stage, ticks: Ticks) -> Outcome<R> {
        match (self.0)() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Outcome::nothing(ticks),
            result => Outcome::done(result),
        }
    }
}

/// A read of a stream socket by one system call, which also tells whether it was a short one. It is given
/// the stage: in a wait that goes on there is usually nothing to read, and then a call that does not tell
/// may be cheaper.
pub(crate) struct StreamRead<F>(pub(crate) F);

impl<F: FnMut(Stage) -> io::Result<(usize, bool)>> Attempt for StreamRead<F> {
    type Output = usize;
    const READS_STREAM: bool = true;

    #[inline]
    fn make(&mut self, _: On<'_>, stage: Stage, ticks: Ticks) -> Outcome<usize> {
        match (self.0)(stage) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Outcome::nothing(ticks),
            Err(error) => Outcome::done(Err(error)),
            Ok((len, drained)) => {
                Outcome::Done { result: Ok(len), reason: Reason::ReadyWhenAsked, drained }
            }
        }
    }
}

/// An operation of foreign code. It may say `WouldBlock` and leave data in the kernel.
pub(crate) struct Foreign<F>(pub(crate) F);

impl<R, F: FnMut() -> io::Result<R>> Attempt for Foreign<F> {
    type Output = R;

    fn make(&mut self, on: On<'_>, stage: Stage, ticks: Ticks) -> Outcome<R> {
        match (self.0)() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return Outcome::done(result),
        }
        // In a wait that goes on, both agreed when it began. Whatever came since is reported by an
        // event.
        if stage == Stage::GoesOn {
            return Outcome::nothing(ticks);
        }
        match on.level() {
            Ok(Level::Ready) => Outcome::Disputed,
            Ok(_) => Outcome::nothing(ticks),
            Err(error) => Outcome::failed(error),
        }
    }
}
