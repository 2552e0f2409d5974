//! A system call: its name, its arguments, its descriptors and what came of it.

use super::descriptor::{annotation, Descriptor};
use super::line::{is_name, seconds_ns};

/// A system call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Its name.
    pub name: String,
    /// Its arguments, as strace has them.
    pub args: String,
    /// The descriptors among the arguments.
    pub fds: Vec<Descriptor>,
    /// What came of it.
    pub outcome: Outcome,
    /// How long it took (`-T`), nanoseconds.
    pub duration_ns: Option<u64>,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It has not returned as far as the listing goes, or strace does not know.
    Unknown,
    /// It returned a number.
    Value {
        /// The number, if it is one.
        number: Option<i64>,
        /// As strace has it, with what it says beside.
        text: String,
        /// The number as a descriptor, if strace says that it is one.
        fd: Option<Descriptor>,
    },
    /// It failed.
    Error {
        /// The error's name: `EAGAIN`.
        name: String,
        /// As strace has it.
        text: String,
    },
}

impl Outcome {
    /// As strace has it.
    pub fn text(&self) -> &str {
        match self {
            Outcome::Unknown => "?",
            Outcome::Value { text, .. } | Outcome::Error { text, .. } => text,
        }
    }
}

/// More of the arguments than this is not kept.
const ARGS_BYTES_MAX: usize = 512;

/// Calls whose first argument is a descriptor also where strace does not say so.
const TAKES_FD: [&str; 37] = [
    "accept",
    "accept4",
    "bind",
    "close",
    "connect",
    "dup",
    "dup2",
    "dup3",
    "epoll_ctl",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_wait",
    "fcntl",
    "fstat",
    "getpeername",
    "getsockname",
    "getsockopt",
    "ioctl",
    "listen",
    "pread64",
    "pwrite64",
    "read",
    "readv",
    "recv",
    "recvfrom",
    "recvmmsg",
    "recvmsg",
    "send",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "setsockopt",
    "shutdown",
    "splice",
    "timerfd_settime",
    "write",
    "writev",
];

impl Call {
    /// The call that the text is: `name(args) = result <duration>`.
    pub fn parse(text: &str) -> Option<Call> {
        let (name, rest) = text.split_once('(')?;
        is_name(name).then_some(())?;
        let end = end_of_args(rest).or_else(|| last_end(rest))?;
        let (args, behind) = (&rest[..end], rest[end + 1..].trim_start());
        // Of a thread that was killed in the midst of it.
        let args = args.trim_end().strip_suffix("<unfinished ...>").unwrap_or(args);
        let result = behind.strip_prefix('=')?.trim();
        let (result, duration_ns) = duration(result);
        let mut call = Call::begun(name, args);
        call.outcome = outcome(result);
        call.duration_ns = duration_ns;
        Some(call)
    }

    /// A call that has not returned yet: `name(args`.
    pub fn parse_begin(text: &str) -> Option<Call> {
        let (name, args) = text.split_once('(')?;
        is_name(name).then(|| Call::begun(name, args))
    }

    fn begun(name: &str, args: &str) -> Call {
        let fds = descriptors(name, args);
        Call {
            name: name.to_owned(),
            args: cut(args.trim_end(), ARGS_BYTES_MAX),
            fds,
            outcome: Outcome::Unknown,
            duration_ns: None,
        }
    }

    /// The name of its error, if it failed.
    pub fn error(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Error { name, .. } => Some(name),
            _ => None,
        }
    }

    /// What it returned, if that is a number that is no error.
    pub fn returned(&self) -> Option<i64> {
        match &self.outcome {
            Outcome::Value { number, .. } => *number,
            _ => None,
        }
    }

    /// Whether it takes bytes or connections out of a descriptor.
    pub fn receives(&self) -> bool {
        let names = [
            "read", "readv", "recv", "recvfrom", "recvmsg", "recvmmsg", "accept", "accept4",
            "splice", "pread64",
        ];
        names.contains(&&*self.name)
    }

    /// The descriptors that it names, the one that it returns among them.
    pub fn all_fds(&self) -> impl Iterator<Item = &Descriptor> {
        let returned = match &self.outcome {
            Outcome::Value { fd, .. } => fd.as_ref(),
            _ => None,
        };
        self.fds.iter().chain(returned)
    }
}

/// The beginning of a text, with a mark where it was cut.
fn cut(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let end = (0..=bytes_max).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", &text[..end])
}

/// Where the parenthesis is that closes the arguments. Strings, and what is said of descriptors, may hold any.
fn end_of_args(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0_u32, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = end_of_string(bytes, at)?,
            b'<' if at > 0 && is_fd_before(text, at) => {
                let (inner, _) = annotation(&text[at..])?;
                at += inner.len() + 1;
            }
            b'(' => depth += 1,
            b')' if depth == 0 => {
                let behind = text[at + 1..].trim_start();
                return behind.starts_with('=').then_some(at);
            }
            b')' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    None
}

/// Where a string ends that begins at the quote there.
fn end_of_string(bytes: &[u8], begin: usize) -> Option<usize> {
    let mut at = begin + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'"' => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

fn is_fd_before(text: &str, at: usize) -> bool {
    text.as_bytes()[at - 1].is_ascii_digit() || text[..at].ends_with("AT_FDCWD")
}

/// Where the arguments end if they cannot be followed: at the last parenthesis before a result.
fn last_end(text: &str) -> Option<usize> {
    let ends = text.rmatch_indices(')').map(|(at, _)| at);
    ends.into_iter().find(|at| text[at + 1..].trim_start().starts_with("= "))
}

/// A result without the duration at its end.
fn duration(text: &str) -> (&str, Option<u64>) {
    let found = text.strip_suffix('>').and_then(|text| text.rsplit_once('<'));
    match found.and_then(|(result, seconds)| Some((result, seconds_ns(seconds)?))) {
        Some((result, duration_ns)) => (result.trim_end(), Some(duration_ns)),
        None => (text, None),
    }
}

fn outcome(text: &str) -> Outcome {
    let mut words = text.split(' ');
    let first = words.next().unwrap_or_default();
    let second = words.next().unwrap_or_default();
    let is_errno = second.starts_with('E') && is_name(second);
    match first {
        "-1" | "?" if is_errno => Outcome::Error { name: second.to_owned(), text: text.to_owned() },
        "?" | "" => Outcome::Unknown,
        _ => {
            let fd = Descriptor::parse(text).map(|(fd, _)| fd).filter(|fd| fd.described.is_some());
            let number = match (&fd, first.strip_prefix("0x")) {
                (Some(fd), _) => Some(fd.fd),
                (None, Some(hex)) => i64::from_str_radix(hex, 16).ok(),
                (None, None) => first.parse().ok(),
            };
            Outcome::Value { number, text: cut(text, ARGS_BYTES_MAX), fd }
        }
    }
}

/// The descriptors of the arguments: those of which strace says so, and those that are by the call's nature.
fn descriptors(name: &str, args: &str) -> Vec<Descriptor> {
    let mut found: Vec<Descriptor> = Vec::new();
    for (place, arg) in top_level(args).into_iter().enumerate() {
        let Some((fd, _)) = Descriptor::parse(arg) else { continue };
        let by_nature = place == 0 && TAKES_FD.contains(&name) || place == 2 && name == "epoll_ctl";
        if by_nature || fd.described.is_some() {
            found.push(fd);
        }
    }
    found
}

/// The arguments, at most the first eight.
fn top_level(args: &str) -> Vec<&str> {
    const ARGS_MAX: usize = 8;
    let bytes = args.as_bytes();
    let (mut all, mut begin, mut depth, mut at) = (Vec::new(), 0, 0_i32, 0);
    while at < bytes.len() && all.len() < ARGS_MAX {
        match bytes[at] {
            b'"' => match end_of_string(bytes, at) {
                Some(end) => at = end,
                None => break,
            },
            b'<' if at > 0 && is_fd_before(args, at) => match annotation(&args[at..]) {
                Some((inner, _)) => at += inner.len() + 1,
                None => break,
            },
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            b',' if depth == 0 => {
                all.push(args[begin..at].trim());
                begin = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    if all.len() < ARGS_MAX {
        all.push(args[begin..].trim());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Call {
        Call::parse(text).unwrap_or_else(|| panic!("{text:?} is a call"))
    }

    #[test]
    fn results() {
        let call = parsed(
            "accept4(-1, 0x7ffe3e4855b0, [16], SOCK_CLOEXEC) = -1 EBADF (Bad file descriptor)",
        );
        assert_eq!((call.name.as_str(), call.error()), ("accept4", Some("EBADF")));
        assert_eq!(call.fds.iter().map(|fd| fd.fd).collect::<Vec<_>>(), [-1]);
        assert_eq!(call.args, "-1, 0x7ffe3e4855b0, [16], SOCK_CLOEXEC");
        let call = parsed("accept4(3<TCP:[127.0.0.1:80]>, NULL, NULL, 0) = 8<TCP:[127.0.0.1:80->127.0.0.1:5]> <0.000012>");
        assert_eq!((call.returned(), call.duration_ns), (Some(8), Some(12_000)));
        assert_eq!(call.all_fds().map(|fd| fd.fd).collect::<Vec<_>>(), [3, 8]);
        assert_eq!(parsed("mmap(NULL, 16384) = 0x7f3652da7000").returned(), Some(0x7f36_52da_7000));
        assert_eq!(parsed("poll([{fd=3}], 1, 0) = 0 (Timeout)").returned(), Some(0));
        assert_eq!(parsed("exit_group(0) = ?").outcome, Outcome::Unknown);
        let restarted = parsed("futex(0x1) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)");
        assert_eq!(restarted.error(), Some("ERESTARTSYS"));
        let killed = parsed("futex(0x1, FUTEX_WAIT, 2, NULL <unfinished ...>) = ?");
        assert_eq!(
            (killed.outcome, killed.args.as_str()),
            (Outcome::Unknown, "0x1, FUTEX_WAIT, 2, NULL")
        );
    }

    /// What is sent looks like anything, and so does the name of a file.
    #[test]
    fn strings_hide_what_they_hold() {
        let call = parsed(r#"sendto(14, "a) = 3 <0.1>, \"b\\", 62, 0, NULL, 0) = 62"#);
        assert_eq!((call.returned(), call.duration_ns), (Some(62), None));
        let call = parsed(r#"read(4</tmp/a) = 5>, "x"..., 16) = 16 <0.000001>"#);
        assert_eq!((call.returned(), call.fds[0].fd), (Some(16), 4));
        let call = parsed("epoll_ctl(11, EPOLL_CTL_ADD, 15, {EPOLLIN, {u32=15, u64=15}}) = 0");
        assert_eq!(call.fds.iter().map(|fd| fd.fd).collect::<Vec<_>>(), [11, 15]);
        // Numbers that are no descriptors.
        assert_eq!(parsed("setsockopt(16, SOL_TCP, TCP_QUICKACK, [1], 4) = 0").fds.len(), 1);
        assert_eq!(parsed("madvise(0x7f, 12, 3) = 0").fds, []);
    }
}
