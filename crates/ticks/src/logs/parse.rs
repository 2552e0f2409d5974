//! What the message of a line says.
//!
//! Messages are ours, or those of the forks that the logs of 2022 were made with: these have no key, other names for the
//! same, and misprints.

use ticks_format::records::*;
use ticks_format::{Direction, Key, Op, Record, Ticks, Verdict};

use super::ours;

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// All of a record.
    Record(Record),
    /// A poll begins. Of which source is not told.
    PollBegin { dir: Direction, tick: u64, ticks: Option<Ticks> },
    /// In a poll, the waiter has remembered these ticks.
    Remembers { dir: Direction, tick: u64, ticks: Ticks },
    /// A poll ends.
    PollEnd { dir: Direction, result: Verdict },
    /// The poller is asked to change what it watches; of which descriptor may be missing.
    CtlBegin {
        op: Option<Op>,
        epoll_fd: i64,
        fd: Option<i64>,
        event_fd: i64,
        flags: u32,
        data: u64,
    },
    /// The answer.
    CtlEnd { op: Option<Op>, epoll_fd: i64, fd: Option<i64>, event_fd: i64, res: i64 },
    /// What a `ctl` that follows is about.
    Modify { fd: i64 },
    /// Something else.
    Other,
}

impl Message {
    /// Of a reactor's or a poller's message.
    pub fn of(text: &str) -> Message {
        if let Some(record) = Record::from_text(text).or_else(|| ours::record(text)) {
            return Message::Record(record);
        }
        known(text).unwrap_or(Message::Other)
    }
}

fn known(text: &str) -> Option<Message> {
    let record = |record: Record| Some(Message::Record(record));
    if let Some(rest) = text.strip_prefix("Reactor::ticker:+-") {
        return record(Ticker { tick: number(rest, "val")? }.into());
    }
    if let Some(rest) = text.strip_prefix("Source::poll_ready:") {
        return poll(rest);
    }
    if let Some(rest) = text.strip_prefix("ReactorLock::react: tick=") {
        let tick = rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
        return record(match rest.contains("ev=Event") {
            false => {
                let (events, _) = rest.split_once(" I/O events")?;
                let events = events.rsplit(' ').next()?.parse().ok()?;
                ReactEvents { tick, events }.into()
            }
            true => event(rest, tick)?,
        });
    }
    if let Some(rest) = text.strip_prefix("wait:") {
        return wait(rest).map(Message::Record);
    }
    if let Some(rest) = text.strip_prefix("ctl:+ ") {
        let (epoll_fd, event_fd) = (signed(rest, "epoll_fd")?, signed(rest, "event_fd")?);
        let (flags, data) = kernel_event(rest)?;
        let (op, fd) = (op(rest), signed(rest, "fd"));
        return Some(Message::CtlBegin { op, epoll_fd, fd, event_fd, flags, data });
    }
    if let Some(rest) = text.strip_prefix("ctl:- ") {
        let (epoll_fd, event_fd) = (signed(rest, "epoll_fd")?, signed(rest, "event_fd")?);
        let result = value(rest, "res").or_else(|| value(rest, "result"))?;
        let errno = || signed(rest, "code").or_else(|| errno_of(rest));
        let res = if result.starts_with("Ok(") { 0 } else { errno()?.checked_neg()? };
        return Some(Message::CtlEnd {
            op: op(rest),
            epoll_fd,
            fd: signed(rest, "fd"),
            event_fd,
            res,
        });
    }
    let rest = text.strip_prefix("modify:+ ")?;
    Some(Message::Modify { fd: signed(rest, "fd")? })
}

fn poll(rest: &str) -> Option<Message> {
    let dir = Direction::from_code(number(rest, "dir")?.try_into().ok()?)?;
    if rest.starts_with('-') {
        let result = match rest {
            rest if rest.contains("Poll::Pending") => Verdict::Pending,
            rest if rest.contains("Poll::Ready(Err") => Verdict::Failed,
            rest if rest.contains("Poll::Ready") => Verdict::Ready,
            _ => return None,
        };
        return Some(Message::PollEnd { dir, result });
    }
    let (tick, ticks) = (number(rest, "tick")?, ticks(rest));
    match rest.starts_with('+') {
        true => Some(Message::PollBegin { dir, tick, ticks }),
        false => Some(Message::Remembers { dir, tick, ticks: ticks? }),
    }
}

fn event(rest: &str, tick: u64) -> Option<Record> {
    let key = key(value(rest, "key")?)?;
    let [readable, writable] = ["readable", "writable"].map(|name| value(rest, name));
    let (readable, writable) = (readable? == "true", writable? == "true");
    let flags = value(rest, "events").and_then(|text| u32::from_str_radix(text, 16).ok());
    let flags = flags.unwrap_or(0);
    if rest.contains("stale") {
        return Some(ReactStale { tick, key, readable, writable, flags }.into());
    }
    let fd = signed(rest, "fd").unwrap_or(-1);
    let wakers = number(rest, "wakers").unwrap_or(0);
    Some(ReactEvent { tick, key, readable, writable, fd, flags, wakers }.into())
}

fn wait(rest: &str) -> Option<Record> {
    let epoll_fd = || signed(rest, "epoll_fd");
    if let Some(rest) = rest.strip_prefix(" list[") {
        let index = rest.split(']').next()?.parse().ok()?;
        let (flags, data) = kernel_event(rest)?;
        return Some(WaitEntry { index, flags, data }.into());
    }
    if rest.starts_with(" running ") {
        let count = number(rest, "events.len")?;
        return Some(WaitReturn { epoll_fd: epoll_fd()?, count }.into());
    }
    rest.strip_prefix("- ")?;
    Some(WaitEnd { epoll_fd: epoll_fd()?, res: signed(rest, "res")? }.into())
}

/// `{ events: 4000201b u64: ffffffffffffffff }`, in hexadecimal; the other fork's `libc::epoll_event` has `u64` in
/// decimal.
fn kernel_event(text: &str) -> Option<(u32, u64)> {
    let flags = u32::from_str_radix(value(text, "events")?, 16).ok()?;
    let data = value(text, "u64")?;
    let is_decimal = text.contains("libc::epoll_event");
    let data = if is_decimal { data.parse() } else { u64::from_str_radix(data, 16) };
    Some((flags, data.ok()?))
}

fn op(text: &str) -> Option<Op> {
    let word = text.split(' ').next()?;
    Op::ALL.iter().copied().find(|op| op.name() == word)
}

/// `Err(os error 2)`.
fn errno_of(text: &str) -> Option<i64> {
    let (_, rest) = text.split_once("os error ")?;
    rest.split(')').next()?.parse().ok()
}

/// `3`, `3#2`, or the notification's.
pub(super) fn key(text: &str) -> Option<Key> {
    if text == "notify" {
        return Some(Key(u64::MAX));
    }
    match text.split_once('#') {
        Some((index, generation)) => Some(Key::new(index.parse().ok()?, generation.parse().ok()?)),
        None => Some(Key(text.parse().ok()?)),
    }
}

fn ticks(text: &str) -> Option<Ticks> {
    let (_, rest) = text.split_once("ticks=Some((")?;
    let (a, b) = rest.split_once("))")?.0.split_once(", ")?;
    Some(Ticks { a: a.parse().ok()?, b: b.parse().ok()? })
}

pub(super) fn number(text: &str, name: &str) -> Option<u64> {
    value(text, name)?.parse().ok()
}

pub(super) fn signed(text: &str, name: &str) -> Option<i64> {
    value(text, name)?.parse().ok()
}

/// What stands behind `name=` or `name: `, up to what ends a word.
pub(super) fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.match_indices(name).find_map(|(at, _)| {
        let before = text[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '.') {
            return None;
        }
        let rest = &text[at + name.len()..];
        let rest = rest.strip_prefix('=').or_else(|| rest.strip_prefix(": "))?;
        rest.split([' ', ',', '}']).next()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::head::Line;
    use super::*;

    const LONG: &str =
        "[2022-05-03T18:39:43.243529Z TRACE polling::epoll 256  1] ctl:+ MOD epoll_fd=5, fd=4 \
                        event_fd=6 { events: 4000201b u64: 0 }";
    const SHORT: &str =
        "[2022-04-21T22:35:27.437802Z TRACE polling::epoll] ctl:+ tid=7 epoll_fd=4, event_fd=5 \
                         libc::epoll_event { events=4000201b u64=18446744073709551615 }";

    #[test]
    fn both_forks_write_the_same_flags() {
        let of = |text: &str| Message::of(Line::of(text).expect("a line").message);
        let Message::CtlBegin { flags, data, fd, .. } = of(LONG) else { panic!("{:?}", of(LONG)) };
        assert_eq!((flags, data, fd), (0x4000_201b, 0, Some(4)));
        let Message::CtlBegin { flags, data, fd, .. } = of(SHORT) else {
            panic!("{:?}", of(SHORT))
        };
        assert_eq!((flags, data, fd), (0x4000_201b, u64::MAX, None));
    }

    #[test]
    fn misprints_are_read() {
        let end = Message::of("Source::poll_ready:- dir=0 tick=3 ticks=None Poll::Ready(OK(())");
        assert_eq!(end, Message::PollEnd { dir: Direction::Read, result: Verdict::Ready });
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*", at in 0..LONG.len(), end in 0..SHORT.len()) {
            for line in [text.clone(), format!("{}{text}", &LONG[..at]), format!("{}{text}", &SHORT[..end])] {
                if let Some(line) = Line::of(&line) {
                    Message::of(line.message);
                }
            }
            for begin in ["Source::poll_ready:", "ReactorLock::react: tick=", "wait:", "wait: list[", "ctl:+ ", "ctl:- ", "Waker::wake:+- ", "Timer::fire:+- "] {
                Message::of(&format!("{begin}{text}"));
            }
        }
    }
}
