//! Messages of ours that the format's own reader of text leaves out: wakes, timers, and what drives the reactor.

use ticks_format::records::*;
use ticks_format::{duration_from_text, Direction, Record, WakeCause};

use super::parse::{key, number, signed, value};

/// The record that prints as `text`.
pub fn record(text: &str) -> Option<Record> {
    const READ: [Kind; 13] = [
        Kind::Wake,
        Kind::TimerInsert,
        Kind::TimerRemove,
        Kind::TimerFire,
        Kind::Notify,
        Kind::BlockOnBegin,
        Kind::BlockOnEnd,
        Kind::ParkBegin,
        Kind::ParkEnd,
        Kind::DriveBegin,
        Kind::DriveEnd,
        Kind::Unpark,
        Kind::Handover,
    ];
    let (kind, rest) =
        READ.iter().find_map(|kind| Some((kind, text.strip_prefix(kind.name())?)))?;
    let rest = rest.strip_prefix(' ')?;
    let id = || number(rest, "id");
    let thread = || number(rest, "thread");
    let target = || number(rest, "target");
    let time = |name| duration_from_text(value(rest, name)?);
    Some(match kind {
        Kind::Wake => wake(rest)?.into(),
        Kind::TimerInsert => {
            TimerInsert { id: id()?, deadline_ns: time("deadline")?, in_ns: time("in")? }.into()
        }
        Kind::TimerRemove => TimerRemove { id: id()?, deadline_ns: time("deadline")? }.into(),
        Kind::TimerFire => {
            TimerFire { id: id()?, deadline_ns: time("deadline")?, late_ns: time("late")? }.into()
        }
        Kind::Notify => {
            let (epoll_fd, event_fd) = (signed(rest, "epoll_fd")?, signed(rest, "event_fd")?);
            Notify { epoll_fd, event_fd, thread: thread()? }.into()
        }
        Kind::BlockOnBegin => BlockOnBegin { thread: thread()? }.into(),
        Kind::BlockOnEnd => BlockOnEnd { thread: thread()?, duration_ns: time("duration")? }.into(),
        Kind::ParkBegin => ParkBegin { thread: thread()? }.into(),
        Kind::ParkEnd => ParkEnd { thread: thread()?, duration_ns: time("duration")? }.into(),
        Kind::DriveBegin => DriveBegin { thread: thread()? }.into(),
        Kind::DriveEnd => DriveEnd { thread: thread()?, duration_ns: time("duration")? }.into(),
        Kind::Unpark => Unpark { thread: thread()?, target: target()? }.into(),
        Kind::Handover => Handover { thread: thread()?, target: target()? }.into(),
        _ => return None,
    })
}

fn wake(rest: &str) -> Option<Wake> {
    let task = u64::from_str_radix(value(rest, "task")?.strip_prefix("0x")?, 16).ok()?;
    let by = value(rest, "by")?;
    let by = WakeCause::ALL.iter().copied().find(|cause| cause.name() == by)?;
    let dir = number(rest, "dir").and_then(|code| Direction::from_code(code.try_into().ok()?));
    let (tick, timer) = (number(rest, "tick"), number(rest, "timer"));
    Some(Wake { task, by, key: value(rest, "key").and_then(key), dir, tick, timer })
}
