//! The table in words.

use std::fmt;
use std::time::Duration;

use ticks_format::{Address, Direction, SourceKind};

use super::{Names, ReactorSeen, SourceSeen, Table};
use crate::driver::signal::Doing;
use crate::reactor::lock::Holder;
use crate::reactor::readiness::DirectionSeen;
use crate::reactor::timers::TimerSeen;

/// More rows than anybody reads.
const ROWS_MAX: usize = 1_000;

/// Kind and addresses.
pub(super) fn described((kind, local, peer, _): (SourceKind, Address, Address, u64)) -> String {
    let kind = kind.name();
    match (local, peer) {
        (Address::None, Address::None) => kind.to_owned(),
        (address, Address::None) | (Address::None, address) => format!("{kind} {address}"),
        (local, peer) => format!("{kind} {local} → {peer}"),
    }
}

/// A thread by its number, and by its name where the system tells.
pub(super) fn thread(number: u64) -> String {
    let name = std::fs::read_to_string(format!("/proc/self/task/{number}/comm"));
    match name.as_deref().map(str::trim_end) {
        Ok(name) if !name.is_empty() => format!("{number} ({name})"),
        _ => number.to_string(),
    }
}

/// A task's future without what the executor has put around it.
pub(super) fn task(name: &str) -> &str {
    let inner =
        name.strip_prefix("async_executor::live::Live<").and_then(|it| it.strip_suffix('>'));
    inner.and_then(|it| it.split_once(", ")).map_or(name, |(_, inner)| inner)
}

fn span(ns: u64) -> String {
    let span = Duration::from_nanos(ns);
    format!("{span:.1?}")
}

fn count(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// The rows, as many as anybody reads, and how many are left out.
fn rows<T>(
    f: &mut fmt::Formatter<'_>,
    rows: &[T],
    mut row: impl FnMut(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    rows.iter().take(ROWS_MAX).try_for_each(|it| row(f, it))?;
    match rows.len().saturating_sub(ROWS_MAX) {
        0 => Ok(()),
        more => writeln!(f, "    … and {more} more"),
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Names::new(self);
        match &self.reactor {
            None => writeln!(f, "  this process has not used the reactor yet")?,
            Some(reactor) => self.reactor(f, reactor, &names)?,
        }
        self.tasks(f)?;
        if !self.recorded.is_empty() {
            writeln!(f, "  by the recording: {}", count(self.recorded.len(), "wait"))?;
            rows(f, &self.recorded, |f, wait| writeln!(f, "    {wait}"))?;
        }
        Ok(())
    }
}

impl Table {
    fn reactor(
        &self,
        f: &mut fmt::Formatter<'_>,
        reactor: &ReactorSeen,
        names: &Names<'_>,
    ) -> fmt::Result {
        let driver = match reactor.holder {
            Holder::Nobody => "nobody holds the driver lock",
            Holder::BlockOn => "a thread in block_on holds the driver lock",
            Holder::Helper => "the helper thread async-io holds the driver lock",
        };
        writeln!(f, "  the reactor is in round {}; {driver}", reactor.tick)?;
        self.threads(f, reactor)?;
        match &reactor.sources {
            None => writeln!(f, "  the table of sources is locked by another thread")?,
            Some(sources) => {
                let (waited_for, idle): (Vec<_>, Vec<_>) =
                    sources.iter().partition(|source| source.has_waiters());
                let all = count(sources.len(), "source");
                writeln!(f, "  {all}, of which {} waited for", waited_for.len())?;
                rows(f, &waited_for, |f, source| source_row(f, source, names))?;
                rows(f, &idle, |f, source| source_row(f, source, names))?;
            }
        }
        match &reactor.timers {
            None => writeln!(f, "  the table of timers is locked by another thread"),
            Some(timers) => {
                writeln!(f, "  {}", count(timers.len(), "timer"))?;
                rows(f, timers, |f, timer| self.timer(f, timer, names))
            }
        }
    }

    fn threads(&self, f: &mut fmt::Formatter<'_>, reactor: &ReactorSeen) -> fmt::Result {
        let Some(threads) = &reactor.threads else {
            return writeln!(f, "  the list of threads is locked by another thread");
        };
        writeln!(f, "  {} in block_on", count(threads.len(), "thread"))?;
        rows(f, threads, |f, seen| {
            let doing = match seen.doing {
                Doing::Runs => "polls its future, or is blocked in it",
                Doing::IsWoken => "was woken, and polls its future or is blocked in it",
                Doing::Parks if seen.in_line => "is parked, in line for the driver lock",
                Doing::Parks => "is parked",
                Doing::Drives => "waits in the poller: it drives the reactor",
            };
            writeln!(f, "    thread {} {doing}", thread(seen.thread))
        })
    }

    fn timer(
        &self,
        f: &mut fmt::Formatter<'_>,
        timer: &TimerSeen,
        names: &Names<'_>,
    ) -> fmt::Result {
        let when = match timer.deadline_ns {
            None => "has fired, and its task is about to be woken".to_owned(),
            Some(at) if at >= self.now_ns => format!("is due in {}", span(at - self.now_ns)),
            Some(at) => format!("is overdue by {}", span(self.now_ns - at)),
        };
        writeln!(f, "    timer {} {when}; {}", timer.id, names.of(timer.waker))
    }

    fn tasks(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(list) = &self.tasks else {
            return writeln!(f, "  the list of executors is locked by another thread");
        };
        if list.tasks.is_empty() && list.remarks.is_empty() {
            return Ok(());
        }
        writeln!(f, "  {} of executors", count(list.tasks.len(), "task"))?;
        rows(f, &list.tasks, |f, listed| {
            let (address, state) = (listed.address, listed.state);
            let recorded = self.names.get(&(address as u64)).map(String::as_str);
            writeln!(f, "    {} ({address:#x}) {state}", recorded.unwrap_or(task(listed.name)))
        })?;
        list.remarks.iter().try_for_each(|remark| writeln!(f, "    {remark}"))
    }
}

fn source_row(f: &mut fmt::Formatter<'_>, source: &SourceSeen, names: &Names<'_>) -> fmt::Result {
    let (fd, what, key) = (source.fd, &source.what, source.key);
    let space = if what.is_empty() { "" } else { " " };
    write!(f, "    fd {fd}{space}{what}, key {key}")?;
    let Some(directions) = &source.directions else {
        return writeln!(f, ": who waits is locked by another thread");
    };
    if !source.has_waiters() {
        write!(f, ": nobody waits")?;
    }
    writeln!(f)?;
    directions.iter().try_for_each(|direction| direction_rows(f, direction, names))
}

fn direction_rows(
    f: &mut fmt::Formatter<'_>,
    direction: &DirectionSeen,
    names: &Names<'_>,
) -> fmt::Result {
    let to = match direction.dir {
        Direction::Read => "to read",
        Direction::Write => "to write",
    };
    let last = match direction.tick {
        0 => "no event so far".to_owned(),
        tick => format!("last event in round {tick}"),
    };
    for waiter in &direction.waiters {
        write!(f, "      {to}: waiter {}", waiter.number)?;
        if let Some(ticks) = waiter.ticks {
            write!(f, " since round {} (ticks {}, {})", ticks.a.max(ticks.b), ticks.a, ticks.b)?;
        }
        writeln!(f, ", {last}; {}", names.of(waiter.waker))?;
    }
    if direction.unclaimed && direction.waiters.is_empty() {
        writeln!(f, "      {to}: {last}, which nobody waited for; nobody has asked since")?;
    }
    if direction.hung_up {
        writeln!(f, "      {to}: the stream has ended, or there is an error or urgent data")?;
    }
    Ok(())
}
