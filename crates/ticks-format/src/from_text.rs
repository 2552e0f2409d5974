//! A line of the log read again: the kinds by which one can tell what 2.6.0 would have answered.

use crate::records::*;
use crate::values::*;
use crate::waiter::WaiterId;

impl Record {
    /// The record that prints as `text`. `None` for text that is no record's, and for kinds other than
    /// those that [`Shadow`](crate::Shadow) goes by: [`Ticker`], [`ReactBegin`], [`ReactEnd`],
    /// [`WaitBegin`], [`SourceNew`], [`SourceDrop`], [`PollBegin`], [`PollEnd`] and [`SourceWaker`].
    pub fn from_text(text: &str) -> Option<Record> {
        const READ: [Kind; 9] = [
            Kind::Ticker,
            Kind::ReactBegin,
            Kind::ReactEnd,
            Kind::WaitBegin,
            Kind::SourceNew,
            Kind::SourceDrop,
            Kind::PollBegin,
            Kind::PollEnd,
            Kind::SourceWaker,
        ];
        let (kind, rest) =
            READ.iter().find_map(|kind| Some((kind, text.strip_prefix(kind.name())?)))?;
        let line = Line(rest.strip_prefix(' ')?);
        Some(match kind {
            Kind::Ticker => Ticker { tick: line.number("val")? }.into(),
            Kind::ReactBegin => ReactBegin {
                tick: line.number("tick")?,
                timeout_ns: line.time_or_none("timeout")?,
                next_timer_ns: line.time_or_none("next_timer")?,
            }
            .into(),
            Kind::ReactEnd => ReactEnd {
                tick: line.number("tick")?,
                events: line.number("events")?,
                wakers: line.number("wakers")?,
                duration_ns: duration_from_text(line.word("duration")?)?,
            }
            .into(),
            Kind::WaitBegin => WaitBegin {
                epoll_fd: line.signed("epoll_fd")?,
                timeout_ns: line.time_or_none("timeout")?,
            }
            .into(),
            Kind::SourceNew => {
                let (key, fd, kind, local, peer, inode) = line.source()?;
                SourceNew { key, fd, kind, local, peer, inode }.into()
            }
            Kind::SourceDrop => {
                let (key, fd, kind, local, peer, inode) = line.source()?;
                SourceDrop { key, fd, kind, local, peer, inode }.into()
            }
            Kind::PollBegin => PollBegin {
                dir: line.dir()?,
                tick: line.number("tick")?,
                ticks: line.ticks()?,
                key: line.key()?,
                fd: line.signed("fd")?,
                waiter: line.waiter()?,
            }
            .into(),
            Kind::PollEnd => line.poll_end()?.into(),
            Kind::SourceWaker => SourceWaker {
                change: by_name(WakerChange::ALL, WakerChange::name, line.0.split(' ').next()?)?,
                dir: line.dir()?,
                key: line.key()?,
                fd: line.signed("fd")?,
                waiter: line.waiter()?,
                task: line.task()?,
            }
            .into(),
            _ => return None,
        })
    }
}

/// What follows a record's name.
struct Line<'a>(&'a str);

impl<'a> Line<'a> {
    /// What stands behind `name=`, up to a blank or a comma.
    fn word(&self, name: &str) -> Option<&'a str> {
        let mut words = self.0.split([' ', ',']);
        words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.word(name)?.parse().ok()
    }

    fn signed(&self, name: &str) -> Option<i64> {
        self.word(name)?.parse().ok()
    }

    /// What stands between the two, neither of which is the text's own.
    fn between(&self, begin: &str, end: &str) -> Option<&'a str> {
        let (_, rest) = self.0.split_once(begin)?;
        rest.split_once(end).map(|(text, _)| text)
    }

    fn time_or_none(&self, name: &str) -> Option<Option<u64>> {
        match self.word(name)? {
            "None" => Some(None),
            some => {
                some.strip_prefix("Some(")?.strip_suffix(')').and_then(duration_from_text).map(Some)
            }
        }
    }

    fn dir(&self) -> Option<Direction> {
        Direction::from_code(self.word("dir")?.parse().ok()?)
    }

    fn key(&self) -> Option<Key> {
        let text = self.word("key")?;
        let (index, generation) = text.split_once('#').unwrap_or((text, "0"));
        Some(Key::new(index.parse().ok()?, generation.parse().ok()?))
    }

    fn waiter(&self) -> Option<u64> {
        match self.word("waiter")? {
            "new" => Some(WaiterId::NEW),
            number => number.parse().ok(),
        }
    }

    /// The outer `None`: neither `None` nor ticks.
    fn ticks(&self) -> Option<Option<Ticks>> {
        if self.word("ticks")? == "None" {
            return Some(None);
        }
        let (a, b) = self.between("ticks=Some((", "))")?.split_once(", ")?;
        Some(Some(Ticks { a: a.parse().ok()?, b: b.parse().ok()? }))
    }

    /// That of a waker which is gone is not printed.
    fn task(&self) -> Option<u64> {
        match self.word("task") {
            Some(task) => u64::from_str_radix(task.strip_prefix("0x")?, 16).ok(),
            None => Some(0),
        }
    }

    #[allow(clippy::type_complexity)] // The fields of two kinds, in their order.
    fn source(&self) -> Option<(Key, i64, SourceKind, Address, Address, u64)> {
        let kind = by_name(SourceKind::ALL, SourceKind::name, self.word("kind")?)?;
        // A Unix socket's path may hold anything.
        let (_, addresses) = self.0.split_once(" local=")?;
        let (addresses, inode) = addresses.rsplit_once(" inode=")?;
        let (local, peer) = addresses.rsplit_once(" peer=")?;
        let (local, peer) = (address(local), address(peer));
        Some((self.key()?, self.signed("fd")?, kind, local, peer, inode.parse().ok()?))
    }

    fn poll_end(&self) -> Option<PollEnd> {
        let result = if self.0.contains(" Poll::Pending at bottom ") {
            Verdict::Pending
        } else if self.0.contains(" Poll::Ready(Ok(())) ") {
            Verdict::Ready
        } else if self.0.contains(" Poll::Ready(Err(_)) ") {
            Verdict::Failed
        } else {
            return None;
        };
        let verdict = |name| by_name(Verdict::ALL, Verdict::name, name);
        Some(PollEnd {
            dir: self.dir()?,
            tick: self.number("tick")?,
            ticks: self.ticks()?,
            result,
            key: self.key()?,
            fd: self.signed("fd")?,
            waiter: self.waiter()?,
            reason: by_name(Reason::ALL, Reason::name, self.between("reason=\"", "\"")?)?,
            upstream: self.word("upstream").and_then(verdict),
        })
    }
}

fn by_name<T: Copy>(all: &[T], name: fn(T) -> &'static str, wanted: &str) -> Option<T> {
    all.iter().copied().find(|value| name(*value) == wanted)
}

/// `-`, an internet address, or a path.
fn address(text: &str) -> Address {
    match (text, text.parse()) {
        ("-", _) => Address::None,
        (_, Ok(address)) => Address::Ip(address),
        (path, Err(_)) => Address::Unix(path.into()),
    }
}

/// `1.5ms` and the like, as [`Duration`](std::time::Duration) prints them; in nanoseconds.
pub fn duration_from_text(text: &str) -> Option<u64> {
    let units = [("ns", 0), ("µs", 3), ("ms", 6), ("s", 9)];
    let (value, digits) =
        units.iter().find_map(|(unit, digits)| Some((text.strip_suffix(unit)?, *digits)))?;
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(fraction) || fraction.len() > digits {
        return None;
    }
    format!("{whole}{fraction:0<digits$}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_printed() {
        for ns in [0, 1, 999, 1_000, 12_345, 1_500_000, 999_999_999, 1_000_000_000, u64::MAX] {
            let text = format!("{:?}", std::time::Duration::from_nanos(ns));
            assert_eq!(duration_from_text(&text), Some(ns), "{text}");
        }
        for text in ["", "s", "1", "1.5", "1.5ns", "-1s", "1.2.3s", "1 s"] {
            assert_eq!(duration_from_text(text), None, "{text}");
        }
    }

    #[test]
    fn other_text_is_no_record() {
        for text in [
            "",
            "Reactor::ticker:+-",
            "Reactor::ticker:+- val=x",
            "Source::poll_ready:+ dir=2 tick=0 ticks=None key=0 fd=4 waiter=0",
            "Source::poll_ready:+ dir=0 tick=0 ticks=Some((1)) key=0 fd=4 waiter=0",
            // Of 2022, which has no source.
            "Source::poll_ready:+ dir=0 tick=3 ticks=Some((2, 2))",
            "Waker::wake:+- task=0x10 by=timer timer=42",
        ] {
            assert_eq!(Record::from_text(text), None, "{text}");
        }
    }
}
