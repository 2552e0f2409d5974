//! The text of a record: what the `log` sink prints and what `grep` finds.
//!
//! A message that the logs of 2022 also contain begins exactly as theirs; what we add follows.

use std::fmt::{self, Display, Formatter, Result};
use std::time::Duration;

use crate::records::*;
use crate::values::*;
use crate::waiter;

impl Display for Record {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let name = self.kind().name();
        match self {
            Record::Ticker(r) => write!(f, "{name} val={}", r.tick),
            Record::ReactBegin(r) => {
                write!(f, "{name} tick={} timeout={}", r.tick, time_or_none(r.timeout_ns))?;
                write!(f, " next_timer={}", time_or_none(r.next_timer_ns))
            }
            Record::ReactEvents(r) => write!(f, "{name} tick={} {} I/O events+", r.tick, r.events),
            Record::ReactEvent(r) => {
                event(f, r.tick, r.key, r.readable, r.writable)?;
                write!(f, " fd={} {} wakers={}", r.fd, flags(r.flags), r.wakers)
            }
            Record::ReactStale(r) => {
                event(f, r.tick, r.key, r.readable, r.writable)?;
                write!(f, " {} dropped (stale key)", flags(r.flags))
            }
            Record::ReactEnd(r) => {
                write!(f, "{name} tick={} events={} wakers={}", r.tick, r.events, r.wakers)?;
                write!(f, " duration={}", time(r.duration_ns))
            }
            Record::SourceNew(r) => {
                source(f, name, (r.key, r.fd, r.kind), (&r.local, &r.peer), r.inode)
            }
            Record::SourceDrop(r) => {
                source(f, name, (r.key, r.fd, r.kind), (&r.local, &r.peer), r.inode)
            }
            Record::PollBegin(r) => {
                write!(f, "{name} dir={} tick={}", r.dir.code(), r.tick)?;
                write!(f, " ticks={} key={} fd={}", or_none(r.ticks), r.key, r.fd)?;
                write!(f, " waiter={}", waiter::number(r.waiter))
            }
            Record::PollEnd(r) => poll_end(f, name, r),
            Record::SourceWaker(r) => {
                write!(f, "{name} {} dir={} key={}", r.change, r.dir.code(), r.key)?;
                write!(f, " fd={} waiter={}", r.fd, r.waiter)?;
                match (r.change, r.task) {
                    // It had been woken, and is not there any more.
                    (WakerChange::Dropped, 0) => Ok(()),
                    (_, task) => write!(f, " task={task:#x}"),
                }
            }
            Record::Wake(r) => wake(f, name, r),
            Record::TimerInsert(r) => {
                write!(f, "{name} id={} deadline={}", r.id, time(r.deadline_ns))?;
                write!(f, " in={}", time(r.in_ns))
            }
            Record::TimerRemove(r) => {
                write!(f, "{name} id={} deadline={}", r.id, time(r.deadline_ns))
            }
            Record::TimerFire(r) => {
                write!(f, "{name} id={} deadline={}", r.id, time(r.deadline_ns))?;
                write!(f, " late={}", time(r.late_ns))
            }
            Record::WaitBegin(r) => {
                let timeout = time_or_none(r.timeout_ns);
                write!(f, "{name} epoll_fd={}, timeout={timeout}", r.epoll_fd)
            }
            Record::WaitReturn(r) => {
                write!(f, "{name} epoll_fd={}, events.len={} events.list:", r.epoll_fd, r.count)
            }
            Record::WaitEntry(r) => {
                write!(f, "{name}[{}] {{ events: {:x} u64: {:x} }}", r.index, r.flags, r.data)?;
                write!(f, " {}", flags(r.flags))
            }
            Record::WaitEnd(r) => write!(f, "{name} epoll_fd={}, res={}", r.epoll_fd, r.res),
            Record::CtlBegin(r) => {
                write!(f, "{name} {} epoll_fd={}, fd={}", r.op, r.epoll_fd, r.fd)?;
                write!(f, " event_fd={} {{ events: {:x}", r.event_fd, r.flags)?;
                write!(f, " u64: {:x} }} {}", r.data, flags(r.flags))
            }
            Record::CtlEnd(r) => {
                write!(f, "{name} {} epoll_fd={}, fd={}", r.op, r.epoll_fd, r.fd)?;
                match r.res {
                    0 => write!(f, " event_fd={} res=Ok(0)", r.event_fd),
                    errno => write!(
                        f,
                        " event_fd={} res=Err(os error {})",
                        r.event_fd,
                        errno.wrapping_neg()
                    ),
                }
            }
            Record::Notify(r) => {
                write!(f, "{name} epoll_fd={}, event_fd={}", r.epoll_fd, r.event_fd)?;
                write!(f, " thread={}", r.thread)
            }
            Record::BlockOnBegin(BlockOnBegin { thread })
            | Record::ParkBegin(ParkBegin { thread })
            | Record::DriveBegin(DriveBegin { thread }) => write!(f, "{name} thread={thread}"),
            Record::BlockOnEnd(BlockOnEnd { thread, duration_ns })
            | Record::ParkEnd(ParkEnd { thread, duration_ns })
            | Record::DriveEnd(DriveEnd { thread, duration_ns }) => {
                write!(f, "{name} thread={thread} duration={}", time(*duration_ns))
            }
            Record::Unpark(Unpark { thread, target })
            | Record::Handover(Handover { thread, target }) => {
                write!(f, "{name} thread={thread} target={target}")
            }
            Record::TaskSpawn(r) => {
                write!(f, "{name} task={} kind={} waker={:#x}", r.task, r.kind, r.waker)?;
                write!(f, " parent={} name={} stack={}", r.parent, r.name, r.stack)
            }
            Record::TaskPollBegin(r) => write!(f, "{name} task={}", r.task),
            Record::TaskPollEnd(r) => {
                write!(f, "{name} task={} {}", r.task, r.result)?;
                write!(f, " duration={} stack={}", time(r.duration_ns), r.stack)
            }
            Record::TaskWait(TaskWait { task, stack })
            | Record::TaskForgotten(TaskForgotten { task, stack }) => {
                write!(f, "{name} task={task} stack={stack}")
            }
            Record::TaskWake(r) => {
                write!(f, "{name} task={} by={} from={}", r.task, r.by, r.from)?;
                if let Some(dir) = r.dir {
                    write!(f, " dir={}", dir.code())?;
                }
                write!(f, " first={} stack={}", r.first, r.stack)
            }
            Record::TaskDone(TaskDone { task, polls, age_ns })
            | Record::TaskCancelled(TaskCancelled { task, polls, age_ns })
            | Record::TaskPanicked(TaskPanicked { task, polls, age_ns }) => {
                write!(f, "{name} task={task} polls={polls} age={}", time(*age_ns))
            }
        }
    }
}

fn event(f: &mut Formatter<'_>, tick: u64, key: Key, readable: bool, writable: bool) -> Result {
    write!(f, "ReactorLock::react: tick={tick} ev=Event {{ key: {key}")?;
    write!(f, ", readable: {readable}, writable: {writable} }}")
}

fn source(
    f: &mut Formatter<'_>,
    name: &str,
    (key, fd, kind): (Key, i64, SourceKind),
    (local, peer): (&Address, &Address),
    inode: u64,
) -> Result {
    write!(f, "{name} key={key} fd={fd} kind={kind} local={local} peer={peer} inode={inode}")
}

/// Ready shows the direction's tick and the ticks, Pending says first that it is: both as in 2022.
fn poll_end(f: &mut Formatter<'_>, name: &str, r: &PollEnd) -> Result {
    let (dir, ticks) = (r.dir.code(), or_none(r.ticks));
    match r.result {
        Verdict::Ready => {
            write!(f, "{name} dir={dir} tick={} ticks={ticks} Poll::Ready(Ok(()))", r.tick)?;
        }
        Verdict::Failed => {
            write!(f, "{name} dir={dir} tick={} ticks={ticks} Poll::Ready(Err(_))", r.tick)?;
        }
        Verdict::Pending => {
            write!(f, "{name} dir={dir} Poll::Pending at bottom tick={} ticks={ticks}", r.tick)?;
        }
    }
    write!(f, " key={} fd={}", r.key, r.fd)?;
    write!(f, " waiter={} reason=\"{}\"", waiter::number(r.waiter), r.reason)?;
    match r.upstream {
        Some(verdict) => write!(f, " upstream={verdict}"),
        None => Ok(()),
    }
}

fn wake(f: &mut Formatter<'_>, name: &str, r: &Wake) -> Result {
    write!(f, "{name} task={:#x} by={}", r.task, r.by)?;
    if let Some(key) = r.key {
        write!(f, " key={key}")?;
    }
    if let Some(dir) = r.dir {
        write!(f, " dir={}", dir.code())?;
    }
    if let Some(tick) = r.tick {
        write!(f, " tick={tick}")?;
    }
    match r.timer {
        Some(id) => write!(f, " timer={id}"),
        None => Ok(()),
    }
}

/// `events: 4000201b (IN|PRI|ERR|HUP|RDHUP|ONESHOT)`.
fn flags(flags: u32) -> impl Display {
    struct Flags(u32);
    impl Display for Flags {
        fn fmt(&self, f: &mut Formatter<'_>) -> Result {
            write!(f, "events: {:x} ({})", self.0, flag_names(self.0))
        }
    }
    Flags(flags)
}

fn time(ns: u64) -> impl Display {
    struct Time(u64);
    impl Display for Time {
        fn fmt(&self, f: &mut Formatter<'_>) -> Result {
            fmt::Debug::fmt(&Duration::from_nanos(self.0), f)
        }
    }
    Time(ns)
}

fn time_or_none(ns: Option<u64>) -> impl Display {
    or_none(ns.map(time))
}

/// Prints as `Debug` of the option would, but with the content's own text.
fn or_none<T: Display>(value: Option<T>) -> impl Display {
    struct OrNone<T>(Option<T>);
    impl<T: Display> Display for OrNone<T> {
        fn fmt(&self, f: &mut Formatter<'_>) -> Result {
            match &self.0 {
                Some(value) => write!(f, "Some({value})"),
                None => f.write_str("None"),
            }
        }
    }
    OrNone(value)
}
