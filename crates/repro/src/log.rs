//! A log's lines: the header that the program's logger prints, and the messages that matter here.

use std::net::SocketAddr;

use humantime::parse_rfc3339;

/// `[2022-05-03T18:37:52.139518Z TRACE async_io::reactor 475  1] message`
#[derive(Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// When it was printed, in microseconds since 1970.
    pub at_us: u64,
    /// The number of the thread that printed it.
    pub thread: u64,
    /// What follows the header.
    pub message: &'a str,
}

impl<'a> Line<'a> {
    /// None: not a line of the program's logger.
    pub fn parse(line: &'a str) -> Option<Line<'a>> {
        let (header, message) = line.strip_prefix('[')?.split_once("] ")?;
        let mut fields = header.split_whitespace();
        let time = parse_rfc3339(fields.next()?).ok()?;
        let since_1970 = time.duration_since(std::time::UNIX_EPOCH).ok()?;
        let _level = fields.next()?;
        Some(Line {
            at_us: since_1970.as_micros().try_into().ok()?,
            thread: fields.next_back()?.parse().ok()?,
            message,
        })
    }
}

/// `(a, b)`, the ticks that a waiter remembers.
pub type Ticks = (u64, u64);

/// A message that the story needs.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The server is about to call `poll_readable`.
    Asks,
    /// The reactor begins to answer a read: the direction's tick, and the waiter's ticks if it
    /// already waits.
    LookBegin {
        /// The tick of the last event.
        tick: u64,
        /// What the waiter remembers.
        ticks: Option<Ticks>,
    },
    /// The reactor's answer to a read.
    LookEnd {
        /// What the waiter remembers from now on.
        ticks: Option<Ticks>,
        /// Why this answer.
        reason: Option<&'a str>,
    },
    /// `poll_readable` has returned.
    Answer {
        /// Not Pending.
        ready: bool,
    },
    /// `accept` had nothing to accept, though `poll_readable` had said Ready.
    WouldBlock,
    /// A connection is accepted.
    Accepted {
        /// The client's address.
        peer: SocketAddr,
    },
    /// A client is about to call `connect`.
    ConnectBegin {
        /// The client's number.
        client: usize,
    },
    /// A client's `connect` has returned.
    ConnectEnd {
        /// The client's number.
        client: usize,
        /// Its address.
        local: SocketAddr,
    },
}

impl<'a> Event<'a> {
    /// None: a message that the story does not need.
    pub fn parse(message: &'a str) -> Option<Event<'a>> {
        if let Some(rest) = message.strip_prefix("poll_accept: ") {
            return Event::of_the_server(rest);
        }
        if let Some(rest) = message.strip_prefix("Source::poll_ready:") {
            return Event::of_the_reactor(rest);
        }
        if let Some(rest) = message.strip_prefix("client ") {
            return Event::of_a_client(rest);
        }
        let peer =
            message.strip_prefix("serve: accepted ").and_then(|rest| field(rest, "peer="))?;
        Some(Event::Accepted { peer: peer.parse().ok()? })
    }

    fn of_the_server(rest: &str) -> Option<Event<'a>> {
        if rest.starts_with("call poll_readable") {
            Some(Event::Asks)
        } else if let Some(answer) = rest.strip_prefix("retf poll_readable prr=") {
            Some(Event::Answer { ready: answer.starts_with("Ready") })
        } else if rest == "accept would block" {
            Some(Event::WouldBlock)
        } else {
            None
        }
    }

    fn of_the_reactor(rest: &'a str) -> Option<Event<'a>> {
        // The other direction's code is 1.
        if field(rest, "dir=")? != "0" {
            return None;
        }
        match rest.as_bytes().first()? {
            b'+' => Some(Event::LookBegin {
                tick: field(rest, "tick=")?.parse().ok()?,
                ticks: ticks(rest)?,
            }),
            b'-' => Some(Event::LookEnd { ticks: ticks(rest)?, reason: quoted(rest, "reason=\"") }),
            _ => None,
        }
    }

    fn of_a_client(rest: &str) -> Option<Event<'a>> {
        let (client, what) = rest.split_once(": ")?;
        let client = client.parse().ok()?;
        if what.starts_with("connect:+") {
            return Some(Event::ConnectBegin { client });
        }
        let local = field(what.strip_prefix("connect:-")?, "local=")?.parse().ok()?;
        Some(Event::ConnectEnd { client, local })
    }
}

/// The word after `name`, which includes the `=`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.split_whitespace().find_map(|word| word.strip_prefix(name))
}

/// The text between `name`, which ends in a quote, and the next quote.
fn quoted<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(name)?;
    rest.split_once('"').map(|(text, _)| text)
}

/// `ticks=None` or `ticks=Some((2, 0))`. The outer None: neither.
fn ticks(text: &str) -> Option<Option<Ticks>> {
    let (_, rest) = text.split_once(" ticks=")?;
    if rest.starts_with("None") {
        return Some(None);
    }
    let (pair, _) = rest.strip_prefix("Some((")?.split_once("))")?;
    let (a, b) = pair.split_once(", ")?;
    Some(Some((a.parse().ok()?, b.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_bug_report_is_read() {
        let line = "[2022-05-03T18:37:52.139518Z TRACE async_io::reactor 475  1] \
                    Source::poll_ready:+ dir=0 tick=3 ticks=Some((2, 2))";
        let line = Line::parse(line).unwrap();
        assert_eq!(line.at_us, 1_651_603_072_139_518);
        assert_eq!(line.thread, 1);
        assert_eq!(
            Event::parse(line.message),
            Some(Event::LookBegin { tick: 3, ticks: Some((2, 2)) })
        );
    }

    #[test]
    fn a_module_without_a_name_is_no_obstacle() {
        let line = Line::parse("[2022-05-03T18:37:52.139518Z INFO   0 12] a] b").unwrap();
        assert_eq!((line.thread, line.message), (12, "a] b"));
    }

    #[test]
    fn other_lines_are_refused() {
        let cut = "[2022-05-03T18:37:52.139518Z TRACE async_io::reactor 475";
        let no_thread = "[2022-05-03T18:37:52.139518Z TRACE x] message";
        for line in ["", "thread 'main' panicked", cut, no_thread, "[yesterday A b 1 1] c"] {
            assert_eq!(Line::parse(line), None, "{line:?}");
        }
    }

    #[test]
    fn the_reactors_answers_are_read() {
        let ready = "Source::poll_ready:- dir=0 tick=3 ticks=None Poll::Ready(Ok(())) key=0 fd=4 \
                     waiter=0 reason=\"later tick\"";
        let pending = "Source::poll_ready:- dir=0 Poll::Pending at bottom tick=2 \
                       ticks=Some((2, 0)) key=0 fd=4 waiter=0 reason=\"no event\" upstream=Ready";
        let end = |ticks, reason| Some(Event::LookEnd { ticks, reason });
        assert_eq!(Event::parse(ready), end(None, Some("later tick")));
        assert_eq!(Event::parse(pending), end(Some((2, 0)), Some("no event")));
    }

    #[test]
    fn what_the_story_does_not_need_is_passed_over() {
        for message in [
            "Source::poll_ready:+ dir=1 tick=0 ticks=None key=5 fd=9 waiter=12",
            "Source::poll_ready:+ dir=0 tick=x ticks=None",
            "poll_accept:+ cost_us=1000",
            "client 3: connect:- failed: Connection refused",
            "Reactor::ticker:+- val=3",
        ] {
            assert_eq!(Event::parse(message), None, "{message:?}");
        }
    }
}
