//! One line of a listing: who, when, and what is left to be understood.

use super::call::Call;

/// A line, understood.
#[derive(Debug, PartialEq)]
pub struct Line {
    /// The thread, if the line names it.
    pub tid: Option<u64>,
    /// When, UTC, nanoseconds since 1970.
    pub utc_ns: Option<u64>,
    /// What.
    pub said: Said,
}

/// What a line says.
#[derive(Debug, PartialEq)]
pub enum Said {
    /// A whole call.
    Whole(Box<Call>),
    /// `name(args <unfinished ...>`: the text as far as it goes.
    Unfinished(String),
    /// `<... name resumed>rest`.
    Resumed {
        /// The call's name.
        name: String,
        /// What goes behind the text of its beginning.
        rest: String,
    },
    /// `--- … ---`.
    Signal(String),
    /// `+++ … +++`.
    Exit(String),
}

impl Line {
    /// Understands a line, without its end.
    pub fn parse(text: &str) -> Option<Line> {
        let (tid, text) = tid(text);
        let (utc_ns, text) = time(text);
        let said = said(text)?;
        Some(Line { tid, utc_ns, said })
    }
}

fn said(text: &str) -> Option<Said> {
    let text = text.trim();
    if let Some(inner) = between(text, "--- ", " ---") {
        return Some(Said::Signal(inner.to_owned()));
    }
    if let Some(inner) = between(text, "+++ ", " +++") {
        return Some(Said::Exit(inner.to_owned()));
    }
    if let Some(text) = text.strip_prefix("<... ") {
        let (name, rest) = text.split_once(" resumed>")?;
        is_name(name).then_some(())?;
        return Some(Said::Resumed { name: name.to_owned(), rest: rest.to_owned() });
    }
    let (name, _) = text.split_once('(')?;
    is_name(name).then_some(())?;
    if let Some(begin) = text.strip_suffix("<unfinished ...>") {
        return Some(Said::Unfinished(begin.trim_end().to_owned()));
    }
    Call::parse(text).map(|call| Said::Whole(Box::new(call)))
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.strip_prefix(before)?.strip_suffix(after)
}

/// Whether this can be a system call's name, which `syscall_0x1a3` is as well.
pub fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// `[pid  4711] ` of a terminal, or `4711  ` of a file.
fn tid(text: &str) -> (Option<u64>, &str) {
    if let Some((number, rest)) = text.strip_prefix("[pid").and_then(|text| text.split_once(']')) {
        if let Ok(tid) = number.trim().parse() {
            return (Some(tid), rest.trim_start());
        }
    }
    let trimmed = text.trim_start();
    match trimmed.split_once(' ') {
        // A time has a point or colons.
        Some((number, rest)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
            match number.parse() {
                Ok(tid) => (Some(tid), rest.trim_start()),
                Err(_) => (None, trimmed),
            }
        }
        _ => (None, trimmed),
    }
}

/// A time, which is passed over unless it says of which day it is: `-ttt` does, `-t`, `-tt` and `-r` do not.
fn time(text: &str) -> (Option<u64>, &str) {
    let Some((word, rest)) = text.split_once(' ') else {
        return (None, text);
    };
    let is_time = word.starts_with(|c: char| c.is_ascii_digit())
        && word.contains(['.', ':'])
        && word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b':'));
    if !is_time {
        return (None, text);
    }
    /// Less counts from the call before.
    const EPOCH_NS_MIN: u64 = 100_000_000 * 1_000_000_000;
    let utc_ns = seconds_ns(word).filter(|utc_ns| *utc_ns >= EPOCH_NS_MIN);
    // With -r behind -ttt there are two.
    let (_, rest) = time_once(rest.trim_start());
    (utc_ns, rest)
}

/// Passes over `(+ 0.000123)`, which strace writes for two kinds of times at once.
fn time_once(text: &str) -> ((), &str) {
    let inner = text.strip_prefix("(+").and_then(|text| text.split_once(')'));
    ((), inner.map_or(text, |(_, rest)| rest.trim_start()))
}

/// `1795884188.005905` in nanoseconds, exactly.
pub fn seconds_ns(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (!whole.is_empty() && digits(whole) && digits(fraction)).then_some(())?;
    let fraction: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let whole: u64 = whole.parse().ok()?;
    whole.checked_mul(1_000_000_000)?.checked_add(fraction.parse().ok()?)
}

/// Whether a line is strace's own, a call's stack (`-k`), or empty: nothing that a thread did.
pub fn is_noise(text: &str) -> bool {
    let text = text.trim_start();
    let own = ["strace: ", "Process ", "> ", "% time", "------"];
    text.is_empty() || own.iter().any(|begin| text.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Line {
        Line::parse(text).unwrap_or_else(|| panic!("{text:?} is a line"))
    }

    /// The same call as each way of calling strace writes it.
    #[test]
    fn who_and_when() {
        let call = "close(15)                               = 0";
        let at = Some(1_795_884_188_005_905_000);
        for (before, tid, utc_ns) in [
            ("", None, None),
            ("4711  ", Some(4711), None),
            ("[pid  4711] ", Some(4711), None),
            ("1795884188.005905 ", None, at),
            ("4711 1795884188.005905 ", Some(4711), at),
            ("[pid 4711] 1795884188.005905123 ", Some(4711), at.map(|at| at + 123)),
            // Of which day is not said.
            ("4711  16:43:08 ", Some(4711), None),
            ("4711  16:43:08.015731 ", Some(4711), None),
            // Since the call before.
            ("     0.000123 ", None, None),
            ("4711 1795884188.005905 (+     0.000012) ", Some(4711), at),
        ] {
            let line = parsed(&format!("{before}{call}"));
            assert_eq!((line.tid, line.utc_ns), (tid, utc_ns), "{before:?}");
            assert!(matches!(&line.said, Said::Whole(call) if call.name == "close"), "{line:?}");
        }
    }

    #[test]
    fn signals_and_ends() {
        let said = |text: &str| parsed(text).said;
        let signal = "SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED}";
        assert_eq!(said(&format!("12 --- {signal} ---")), Said::Signal(signal.into()));
        assert_eq!(
            said("12 1795884188.0 +++ exited with 0 +++"),
            Said::Exit("exited with 0".into())
        );
        assert_eq!(said("+++ killed by SIGKILL +++"), Said::Exit("killed by SIGKILL".into()));
    }

    #[test]
    fn what_is_no_line() {
        for text in [
            "...",
            "accept4",
            "(1) = 2",
            "accept4(15",
            "4711",
            "[pid x] y",
            "<... resumed>",
            "é(1) = 0",
        ] {
            assert_eq!(Line::parse(text), None, "{text:?}");
        }
        for text in [
            "strace: Process 4712 attached",
            "Process 4712 attached",
            " > /lib/libc.so.6(read+0x12)",
            "",
        ] {
            assert!(is_noise(text), "{text:?}");
        }
        assert!(!is_noise("..."));
    }
}
