//! The head of a line: when it was logged, at which level, by whom, on which thread.
//!
//! - `[2022-05-03T18:37:52.139518Z TRACE async_io::reactor 475  1] …`, or without the line and the thread: loggers for
//!   `log`, such as `env_logger`.
//! - `2022-05-03T18:37:52.139518Z TRACE ThreadId(01) relay{peer=1}: async_io::reactor: …`, where thread and spans may
//!   be missing: `tracing-subscriber`. It writes an event's fields behind the message.
//!
//! What brought the line may have put something before it: a time, a host, the name of a container.

use std::borrow::Cow;
use std::time::UNIX_EPOCH;

use super::parse::number;

/// How far into a line its head may begin.
const BEFORE_BYTES_MAX: usize = 256;

const LEVELS: [&str; 5] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"];

/// A line that has a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// UTC, nanoseconds since 1970.
    pub utc_ns: u64,
    /// `TRACE` and so on.
    pub level: &'a str,
    /// Whose line it is.
    pub module: &'a str,
    /// The line in the module's file; 0 if it is not told.
    pub line: u64,
    /// The thread; 0 if it is not told.
    pub tid: u64,
    /// The rest.
    pub message: &'a str,
}

impl<'a> Line<'a> {
    /// `None` for a line without such a head.
    pub fn of(text: &'a str) -> Option<Line<'a>> {
        begins(text).find_map(|at| {
            let text = &text[at..];
            text.strip_prefix('[').map_or_else(|| Line::of_tracing(text), Line::of_log)
        })
    }

    /// What follows `[`.
    fn of_log(text: &'a str) -> Option<Line<'a>> {
        let (head, message) = text.split_once("] ")?;
        let mut words = head.split_ascii_whitespace();
        let utc_ns = utc_ns(words.next()?)?;
        let level = level(words.next()?)?;
        let module = words.next()?;
        let [line, tid] = [words.next(), words.next()].map(|word| word.map(str::parse::<u64>));
        let (line, tid) = match (line, tid, words.next()) {
            (None, None, None) => (0, number(message, "tid").unwrap_or(0)),
            (Some(Ok(line)), Some(Ok(tid)), None) => (line, tid),
            _ => return None,
        };
        Some(Line { utc_ns, level, module, line, tid, message: message.trim_end() })
    }

    fn of_tracing(text: &'a str) -> Option<Line<'a>> {
        let (time, rest) = text.split_once(' ')?;
        let utc_ns = utc_ns(time)?;
        let (word, rest) = rest.trim_start().split_once(' ')?;
        let level = level(word)?;
        let (tid, rest) = thread(rest.trim_start());
        let (module, message) = target(rest);
        let line = Line { utc_ns, level, module, line: 0, tid, message: message.trim_end() };
        Some(Line { message: line.without_fields(), ..line })
    }

    /// Whether it is the reactor's or the poller's, and not some other module's.
    pub fn is_of_reactor(&self) -> bool {
        is_of_reactor(self.module)
    }

    /// The message of a source, whose path may hold anything, less the fields behind it. In all others each name stands
    /// in the message first.
    fn without_fields(&self) -> &'a str {
        let message = self.message;
        if !(self.is_of_reactor() && message.starts_with("Source::")) {
            return message;
        }
        // Only as a field is the kind a text in quotes; and the key is the first field.
        let fields = message.find(" kind=\"").and_then(|at| message[..at].rfind(" key="));
        fields.map_or(message, |at| &message[..at])
    }
}

/// The line without the colours of a terminal.
pub fn plain(line: &str) -> Cow<'_, str> {
    match line.contains('\x1b') {
        true => Cow::Owned(anstream::adapter::strip_str(line).to_string()),
        false => Cow::Borrowed(line),
    }
}

/// Where a head may begin: at words that begin like a year, with or without `[`.
fn begins(text: &str) -> impl Iterator<Item = usize> + '_ {
    let bytes = text.as_bytes();
    let is_year = |at: usize| {
        bytes
            .get(at..at + 5)
            .is_some_and(|it| it[..4].iter().all(u8::is_ascii_digit) && it[4] == b'-')
    };
    (0..bytes.len().min(BEFORE_BYTES_MAX)).filter(move |at| {
        let begins_word = *at == 0 || bytes[at - 1] == b' ';
        begins_word && is_year(at + usize::from(bytes[*at] == b'['))
    })
}

fn utc_ns(word: &str) -> Option<u64> {
    let time = humantime::parse_rfc3339(word).ok()?;
    u64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_nanos()).ok()
}

fn level(word: &str) -> Option<&str> {
    LEVELS.contains(&word).then_some(word)
}

/// The number in `ThreadId(01)`, before which the thread's name may stand; and the rest.
fn thread(text: &str) -> (u64, &str) {
    let name_or_id = text.split_once("ThreadId(").filter(|(name, _)| !name.contains(": "));
    let found = name_or_id.and_then(|(_, rest)| {
        let (number, rest) = rest.split_once(") ")?;
        Some((number.parse().ok()?, rest))
    });
    found.unwrap_or((0, text))
}

/// The module and the message. Before the module may stand spans, with anything in their fields.
fn target(text: &str) -> (&str, &str) {
    let ends = || text.match_indices(": ").map(|(at, _)| at);
    let of_reactor = ends().find_map(|end| {
        let begin = text[..end].rfind(": ").map_or(0, |at| at + 2);
        is_of_reactor(&text[begin..end]).then_some((begin, end))
    });
    let of_another = || {
        let mut begin = 0;
        ends().find_map(|end| {
            let word = &text[begin..end];
            let is_span = word.contains('{');
            begin = end + 2;
            (!is_span && !word.contains([' ', '}'])).then_some((end - word.len(), end))
        })
    };
    match of_reactor.or_else(of_another) {
        Some((begin, end)) => (&text[begin..end], &text[end + 2..]),
        None => ("", text),
    }
}

fn is_of_reactor(module: &str) -> bool {
    ["async_io", "polling"].iter().any(|of| {
        module.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TIME: &str = "2022-05-03T18:39:43.243529Z";
    const UTC_NS: u64 = 1_651_603_183_243_529_000;

    /// Module, line, thread and message.
    fn parts(text: &str) -> (&str, u64, u64, &str) {
        let line = Line::of(text).unwrap_or_else(|| panic!("{text:?}"));
        assert_eq!(line.utc_ns, UTC_NS, "{text}");
        (line.module, line.line, line.tid, line.message)
    }

    #[test]
    fn heads_of_loggers_are_read() {
        let long = format!("[{TIME} TRACE polling::epoll 256  1] ctl:+ MOD");
        assert_eq!(parts(&long), ("polling::epoll", 256, 1, "ctl:+ MOD"));
        let short = format!("[{TIME} TRACE polling::epoll] ctl:+ tid=7");
        assert_eq!(parts(&short), ("polling::epoll", 0, 7, "ctl:+ tid=7"));
        for text in
            ["", "[", "[] ", "[x TRACE a] b", "Hello, world!", "[2022-05-03T18:39:43Z LOUD a] b"]
        {
            assert_eq!(Line::of(text), None, "{text}");
        }
    }

    #[test]
    fn heads_of_tracing_are_read() {
        let message = "drive:+ thread=7 thread=7";
        for (before, tid) in [
            ("", 0),
            ("ThreadId(12) ", 12),
            ("main ThreadId(01) ", 1),
            ("relay{peer=1 of=a: b}: ", 0),
            ("ThreadId(3) relay{peer=1}:serve: ", 3),
        ] {
            let text = format!("{TIME} TRACE {before}async_io::driver: {message}");
            assert_eq!(parts(&text), ("async_io::driver", 0, tid, message), "{text}");
            let text = format!("{TIME}  INFO {before}relay: accepted: one");
            assert_eq!(parts(&text), ("relay", 0, tid, "accepted: one"), "{text}");
        }
        let text = format!("{TIME}  INFO no module and no colon");
        assert_eq!(parts(&text), ("", 0, 0, "no module and no colon"));
    }

    #[test]
    fn what_stands_before_the_head_is_passed() {
        for before in [
            "Nov 29 04:27:44 host relay[4711]: ",
            "relay-1  | ",
            "2026-11-29T04:37:51.805989123Z ",
            "[pod/relay-5d4/relay] 2026-11-29T04:37:51Z stderr F ",
        ] {
            let text = format!("{before}[{TIME} TRACE polling::epoll 256  1] ctl:+ MOD");
            assert_eq!(parts(&text), ("polling::epoll", 256, 1, "ctl:+ MOD"), "{text}");
            let text = format!("{before}{TIME} TRACE polling::epoll: ctl:+ MOD");
            assert_eq!(parts(&text), ("polling::epoll", 0, 0, "ctl:+ MOD"), "{text}");
        }
    }

    #[test]
    fn fields_are_no_part_of_a_path() {
        let message = "Source::new:+- key=1 fd=7 kind=unix local=/a key=2 inode=3 peer=- inode=4";
        let fields = "key=1 fd=7 kind=\"unix\" local=/a key=2 inode=3 inode=4";
        let text = format!("{TIME} TRACE async_io::reactor: {message} {fields}");
        assert_eq!(parts(&text).3, message);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            for begin in ["", "[", TIME, "2022-05-03T18:39:43Z TRACE ", "2022-05-03T18:39:43Z INFO ThreadId("] {
                Line::of(&plain(&format!("{begin}{text}")));
            }
        }
    }
}
