//! What the kernel knows of a live process: why it does not run, what its descriptors are.

use std::collections::HashSet;
use std::fs;
use std::thread::sleep;
use std::time::Duration;

use crate::process::{self, thread_states};

/// Whether a descriptor still is what has this inode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Descriptor {
    /// It is.
    Same,
    /// Nothing is open under its number.
    Closed,
    /// Something else is.
    Replaced(String),
    /// That cannot be read.
    Unknown,
}

/// What is open under the number in that process.
pub fn descriptor(pid: u64, fd: i64, inode: u64) -> Descriptor {
    let link = format!("/proc/{pid}/fd/{fd}");
    match fs::read_link(&link) {
        Ok(target) => {
            let target = target.to_string_lossy().into_owned();
            // The names of sockets and pipes have it. Those of a pidfd, an eventfd or a device do not.
            let is_same = target.contains(&format!("[{inode}]"))
                || fs::metadata(&link)
                    .ok()
                    .and_then(|it| process::inode(&it))
                    .is_none_or(|now| now == inode);
            match is_same {
                true => Descriptor::Same,
                false => Descriptor::Replaced(target),
            }
        }
        // Who may not look sees no list, and of a process that is ending an empty one.
        Err(_) if !has_descriptors(pid) => Descriptor::Unknown,
        Err(_) => Descriptor::Closed,
    }
}

fn has_descriptors(pid: u64) -> bool {
    fs::read_dir(format!("/proc/{pid}/fd")).is_ok_and(|mut all| all.next().is_some())
}

/// The ports on which somebody listens in the process's network.
pub fn listening_ports(pid: u64) -> HashSet<u16> {
    let mut ports = HashSet::new();
    for table in ["tcp", "tcp6"] {
        let text = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        ports.extend(text.lines().skip(1).filter_map(listening_port));
    }
    ports
}

fn listening_port(line: &str) -> Option<u16> {
    const LISTEN: &str = "0A";
    let mut fields = line.split_whitespace().skip(1);
    let local = fields.next()?;
    let is_listener = fields.nth(1)? == LISTEN;
    is_listener.then(|| u16::from_str_radix(local.rsplit_once(':')?.1, 16).ok()).flatten()
}

/// Who debugs the process, if somebody does.
pub fn tracer(pid: u64) -> Option<(u64, String)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("TracerPid:"))?;
    let tracer = line.trim().parse().ok().filter(|tracer| *tracer != 0)?;
    let name = fs::read_to_string(format!("/proc/{tracer}/comm")).unwrap_or_default();
    Some((tracer, name.trim().to_owned()))
}

/// In which function of the kernel a thread waits, and in which call of the system.
pub fn kernel_wait(pid: u64, tid: u64) -> Option<String> {
    let wchan = fs::read_to_string(format!("/proc/{pid}/task/{tid}/wchan")).ok()?;
    let known = wchan.trim() != "0" && !wchan.trim().is_empty();
    known.then(|| wchan.trim().to_owned())
}

/// A thread that goes on by itself.
pub struct AtWork {
    tid: u64,
    /// Which it is, and what it does.
    pub text: String,
    /// It waits for what comes from outside: a line, a caller, a signal, a child's end.
    pub is_for_input: bool,
}

/// Threads of the process that go on by themselves: they run, sleep for a time, or wait for a file or from outside. Not
/// those that wait in the poller, or for other threads. None: that cannot be seen.
pub fn threads_at_work(pid: u64) -> Option<Vec<AtWork>> {
    const MOMENT: Duration = Duration::from_millis(50);
    /// A thread that begins to run, or ends, while it is looked at shows nothing.
    const TRIES: u32 = 4;
    let look = || {
        let mut tries = (0..TRIES).map(|number| {
            sleep(MOMENT * number);
            at_work(pid)
        });
        tries.find_map(|all| all)
    };
    let before = look()?;
    if before.is_empty() {
        return Some(Vec::new());
    }
    // Any thread may do something for a moment.
    sleep(MOMENT);
    let after = look()?.into_iter();
    Some(after.filter(|now| before.iter().any(|before| before.tid == now.tid)).collect())
}

fn at_work(pid: u64) -> Option<Vec<AtWork>> {
    let mut all = Vec::new();
    for (tid, state) in thread_states(pid) {
        let name = fs::read_to_string(format!("/proc/{pid}/task/{tid}/comm")).unwrap_or_default();
        let name = name.trim();
        // It waits for a signal, to print who waits.
        if matches!(state, 'Z' | 'X') || name == "async-io-dump" {
            continue;
        }
        let (what, is_for_input) = match (kernel_wait(pid, tid), state) {
            (_, 'R') => ("it runs".to_owned(), false),
            (Some(place), _) if is_for_others(&place) => continue,
            (Some(place), _) => (format!("it waits in the kernel's {place}"), is_for_input(&place)),
            (None, _) => return None,
        };
        all.push(AtWork { tid, text: format!("thread {tid} ({name}): {what}"), is_for_input });
    }
    Some(all)
}

/// Whether that is where the kernel keeps a thread that waits in the poller, or for other threads.
fn is_for_others(place: &str) -> bool {
    ["futex", "ep_poll", "epoll_wait"].iter().any(|part| place.contains(part))
}

/// Whether it keeps there one that waits for what comes from outside.
fn is_for_input(place: &str) -> bool {
    const PARTS: [&str; 8] =
        ["pipe", "tty", "accept", "recv", "stream_read", "poll", "sigtimedwait", "do_wait"];
    PARTS.iter().any(|part| place.contains(part))
}

/// Whether a thread runs, and what it does: in which state it is, in which call of the system and in which function
/// of the kernel it waits.
pub fn thread(pid: u64, tid: u64) -> Option<(bool, String)> {
    let dir = format!("/proc/{pid}/task/{tid}");
    let state = || {
        let stat = fs::read_to_string(format!("{dir}/stat")).ok()?;
        // Counted behind the name, which may hold anything.
        stat.rsplit_once(')')?.1.trim_start().chars().next()
    };
    let first = state()?;
    // One that computes may be found at rest for a moment, and one that is blocked may just look.
    sleep(Duration::from_millis(20));
    let runs = first == 'R' || state()? == 'R';
    if runs {
        return Some((true, "it runs (state R): it computes".into()));
    }
    let call = fs::read_to_string(format!("{dir}/syscall")).unwrap_or_default();
    let number = call.split_whitespace().next().and_then(|number| number.parse::<u64>().ok());
    let call = number.map(|number| format!(", in system call {}", call_name(number)));
    let place = kernel_wait(pid, tid).map(|place| format!(", in the kernel's {place}"));
    let text = format!("it sleeps (state {first})");
    Some((false, text + &call.unwrap_or_default() + &place.unwrap_or_default()))
}

/// The name of a system call that blocks, as far as it is one that is often met.
fn call_name(number: u64) -> String {
    let name = if cfg!(target_arch = "x86_64") {
        match number {
            0 => "read",
            1 => "write",
            7 => "poll",
            23 => "select",
            35 => "nanosleep",
            42 => "connect",
            43 => "accept",
            44 => "sendto",
            45 => "recvfrom",
            56 => "clone",
            58 => "vfork",
            61 => "wait4",
            202 => "futex",
            230 => "clock_nanosleep",
            232 | 281 => "epoll_wait",
            435 => "clone3",
            _ => "",
        }
    } else if cfg!(target_arch = "aarch64") {
        match number {
            22 => "epoll_pwait",
            63 => "read",
            64 => "write",
            73 => "ppoll",
            98 => "futex",
            101 => "nanosleep",
            115 => "clock_nanosleep",
            202 => "accept",
            203 => "connect",
            206 => "sendto",
            207 => "recvfrom",
            220 => "clone",
            260 => "wait4",
            435 => "clone3",
            _ => "",
        }
    } else {
        ""
    };
    match name {
        "" => format!("number {number}"),
        "futex" => "futex: a lock, a channel or a condition of threads".into(),
        name => name.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_told_from_a_connection() {
        let listener = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000003 00:00000000 00000000     0        0 88000 1";
        assert_eq!(listening_port(listener), Some(8_080));
        let connection = "   1: 0100007F:A6F1 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 88001 1";
        assert_eq!(listening_port(connection), None);
        assert_eq!(listening_port("  sl  local_address rem_address   st tx_queue"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_own_descriptor_is_the_same_until_it_is_closed() {
        use std::net::UdpSocket;
        use std::os::fd::AsRawFd;
        use std::os::unix::fs::MetadataExt;

        let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("a socket");
        let (pid, fd) = (u64::from(std::process::id()), socket.as_raw_fd().into());
        let inode = fs::metadata(format!("/proc/self/fd/{fd}")).expect("its file").ino();
        assert_eq!(descriptor(pid, fd, inode), Descriptor::Same);
        assert_eq!(
            descriptor(pid, fd, inode + 1),
            Descriptor::Replaced(format!("socket:[{inode}]"))
        );
        assert_eq!(descriptor(pid, 1_000_000, inode), Descriptor::Closed);
    }
}
