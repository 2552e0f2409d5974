//! `ASYNC_IO_DUMP_SIGNAL`: which signals there are, by name and by number, and which of them may be used.

use std::fmt;

/// A signal that may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Signal(pub(super) libc::c_int);

/// Those that mean nothing to a program by themselves, or that programs are used to be asked by.
const ALLOWED: &[(&str, libc::c_int)] = &[
    ("USR1", libc::SIGUSR1),
    ("USR2", libc::SIGUSR2),
    ("QUIT", libc::SIGQUIT),
    ("HUP", libc::SIGHUP),
    ("WINCH", libc::SIGWINCH),
    ("URG", libc::SIGURG),
    ("IO", libc::SIGIO),
    #[cfg(any(target_os = "linux", target_os = "android"))]
    ("POLL", libc::SIGPOLL),
    #[cfg(any(target_os = "linux", target_os = "android"))]
    ("PWR", libc::SIGPWR),
    #[cfg(any(target_os = "freebsd", target_vendor = "apple"))]
    ("INFO", libc::SIGINFO),
];

/// The others, and why they may not.
const REFUSED: &[(&str, libc::c_int, &str)] = &[
    ("KILL", libc::SIGKILL, "no program can catch it"),
    ("STOP", libc::SIGSTOP, "no program can catch it"),
    ("SEGV", libc::SIGSEGV, FAULT),
    ("BUS", libc::SIGBUS, FAULT),
    ("FPE", libc::SIGFPE, FAULT),
    ("ILL", libc::SIGILL, FAULT),
    ("TRAP", libc::SIGTRAP, FAULT),
    ("SYS", libc::SIGSYS, FAULT),
    ("ABRT", libc::SIGABRT, FAULT),
    ("TERM", libc::SIGTERM, ENDS),
    ("INT", libc::SIGINT, ENDS),
    ("CHLD", libc::SIGCHLD, COMES),
    ("PIPE", libc::SIGPIPE, COMES),
    ("ALRM", libc::SIGALRM, COMES),
    ("VTALRM", libc::SIGVTALRM, COMES),
    ("PROF", libc::SIGPROF, COMES),
    ("XCPU", libc::SIGXCPU, COMES),
    ("XFSZ", libc::SIGXFSZ, COMES),
    ("TSTP", libc::SIGTSTP, JOBS),
    ("TTIN", libc::SIGTTIN, JOBS),
    ("TTOU", libc::SIGTTOU, JOBS),
    ("CONT", libc::SIGCONT, JOBS),
];

const FAULT: &str = "it tells of a fault, after which the program must not go on";
const ENDS: &str = "it is how the program is ended";
const COMES: &str = "the system sends it by itself";
const JOBS: &str = "the shell stops and continues programs by it";

/// The first and the last of the real-time signals, where there are any.
fn real_time() -> Option<(libc::c_int, libc::c_int)> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return Some((libc::SIGRTMIN(), libc::SIGRTMAX()));
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    return None;
}

/// A name with or without `SIG`, in capitals or not; `RTMIN+1`; or a number.
pub(super) fn parse(value: &str) -> Result<Signal, String> {
    let wrong = |why: &str| {
        Err(format!(
            "ASYNC_IO_DUMP_SIGNAL is {value:?}{why}; expected a signal like SIGUSR1, USR2 or a number; \
             nothing is printed on signals"
        ))
    };
    let upper = value.trim().to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let number = name.parse().ok().or_else(|| number_of_real_time(name));
    let is_it = |known: &str, signal| known == name || number == Some(signal);
    if let Some((name, _, why)) = REFUSED.iter().find(|(name, signal, _)| is_it(name, *signal)) {
        return wrong(&format!(", and SIG{name} cannot be used: {why}"));
    }
    if let Some((_, signal)) = ALLOWED.iter().find(|(name, signal)| is_it(name, *signal)) {
        return Ok(Signal(*signal));
    }
    match (number, real_time()) {
        (Some(number), Some((min, max))) if (min..=max).contains(&number) => Ok(Signal(number)),
        _ => wrong(", which is no signal that can be used"),
    }
}

fn number_of_real_time(name: &str) -> Option<libc::c_int> {
    let (min, max) = real_time()?;
    let offset = |after: &str, sign: char| match after {
        "" => Some(0),
        _ => after.strip_prefix(sign)?.parse::<u8>().ok().map(libc::c_int::from),
    };
    match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
        (Some(after), _) => Some(min + offset(after, '+')?),
        (_, Some(after)) => Some(max - offset(after, '-')?),
        _ => None,
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match ALLOWED.iter().find(|(_, signal)| *signal == self.0) {
            Some((name, _)) => write!(f, "SIG{name}"),
            None => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_has_several_spellings() {
        let number = libc::SIGUSR1.to_string();
        for text in ["SIGUSR1", "USR1", "usr1", "sigusr1", " SIGUSR1 ", &number] {
            assert_eq!(parse(text), Ok(Signal(libc::SIGUSR1)), "{text}");
        }
        assert_eq!(Signal(libc::SIGUSR2).to_string(), "SIGUSR2");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn real_time_signals_can_be_used() {
        let min = libc::SIGRTMIN();
        let texts = ["SIGRTMIN".to_owned(), "RTMIN+0".to_owned(), min.to_string()];
        for text in texts {
            assert_eq!(parse(&text), Ok(Signal(min)), "{text}");
        }
        assert_eq!(parse("RTMAX-1"), Ok(Signal(libc::SIGRTMAX() - 1)));
        // The first two are the C library's own.
        for text in ["32", "33", "65", "RTMIN+99", "RTMAX+1"] {
            parse(text).expect_err(text);
        }
    }

    #[test]
    fn what_cannot_be_used_is_named_with_the_reason() {
        for (text, why) in [
            ("SIGKILL", "no program can catch it"),
            ("9", "SIGKILL cannot be used"),
            ("STOP", "no program can catch it"),
            ("segv", "a fault"),
            ("BUS", "a fault"),
            ("SIGTERM", "how the program is ended"),
            ("CHLD", "sends it by itself"),
            ("0", "no signal"),
            ("-10", "no signal"),
            ("HELLO", "no signal"),
            ("SIG", "no signal"),
            ("99999999999", "no signal"),
        ] {
            let said = parse(text).expect_err(text);
            assert!(said.contains(&format!("{text:?}")) && said.contains(why), "{said}");
            assert!(said.contains("expected a signal like SIGUSR1"), "{said}");
        }
    }
}
