//! What the kernel knows of a live process: why it does not run, what its descriptors are.

use std::collections::HashSet;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Whether a descriptor still is the socket with this inode.
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
    match fs::read_link(format!("/proc/{pid}/fd/{fd}")) {
        Ok(target) => {
            let target = target.to_string_lossy().into_owned();
            match target.contains(&format!("[{inode}]")) {
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
            61 => "wait4",
            202 => "futex",
            230 => "clock_nanosleep",
            232 | 281 => "epoll_wait",
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
            260 => "wait4",
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

/// The cgroup's files of the process, in the unified hierarchy or in that of a controller.
fn cgroup(pid: u64, controller: &str, file: &str) -> Option<String> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    groups.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        let root = match controllers {
            "" => "/sys/fs/cgroup".to_owned(),
            _ if controllers.split(',').any(|name| name == controller) => {
                format!("/sys/fs/cgroup/{controller}")
            }
            _ => return None,
        };
        fs::read_to_string(format!("{root}{path}/{file}")).ok()
    })
}

/// Whether its cgroup is frozen.
pub fn is_frozen(pid: u64) -> bool {
    let events = cgroup(pid, "freezer", "cgroup.events").unwrap_or_default();
    let state = cgroup(pid, "freezer", "freezer.state").unwrap_or_default();
    events.lines().any(|line| line == "frozen 1") || state.trim() == "FROZEN"
}

/// How a process's threads got on during a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// How long the moment was.
    pub elapsed_ns: u64,
    /// How long a processor had its threads run, in all.
    pub ran_ns: u64,
    /// How long its threads were ready to run and did not, the longest of them.
    pub queued_ns: u64,
    /// How long its cgroup kept it from running.
    pub throttled_ns: u64,
}

impl Share {
    /// Whether somebody else had the processors nearly all the time.
    pub fn is_starved(&self) -> bool {
        self.queued_ns > self.elapsed_ns / 50 * 49 && self.ran_ns < self.elapsed_ns / 50
    }

    /// Whether the limit of its cgroup kept it from running for most of the time.
    pub fn is_throttled(&self) -> bool {
        self.throttled_ns > self.elapsed_ns / 2
    }
}

/// Watches the process for a moment.
pub fn share(pid: u64, moment: Duration) -> Share {
    let (began, before, throttled) = (Instant::now(), schedules(pid), throttled_ns(pid));
    sleep(moment);
    let after = schedules(pid);
    let mut share = Share {
        elapsed_ns: u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX),
        throttled_ns: throttled_ns(pid).saturating_sub(throttled),
        ..Share::default()
    };
    for (tid, ran_ns, queued_ns) in after {
        let then = before.iter().find(|(then, ..)| *then == tid);
        let (_, ran_before, queued_before) = then.copied().unwrap_or_default();
        share.ran_ns += ran_ns.saturating_sub(ran_before);
        share.queued_ns = share.queued_ns.max(queued_ns.saturating_sub(queued_before));
    }
    share
}

/// Of each thread: how long it ran, and how long it was ready and did not run.
fn schedules(pid: u64) -> Vec<(u64, u64, u64)> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let schedule = |entry: fs::DirEntry| {
        let tid = entry.file_name().to_str()?.parse().ok()?;
        let text = fs::read_to_string(entry.path().join("schedstat")).ok()?;
        let mut fields = text.split_whitespace().map(str::parse);
        Some((tid, fields.next()?.ok()?, fields.next()?.ok()?))
    };
    threads.filter_map(schedule).collect()
}

fn throttled_ns(pid: u64) -> u64 {
    let text = cgroup(pid, "cpu", "cpu.stat").unwrap_or_default();
    let value = |name: &str| -> Option<u64> {
        let line = text.lines().find(|line| line.split(' ').next() == Some(name))?;
        line.split(' ').nth(1)?.parse().ok()
    };
    let us = value("throttled_usec").map(|us| us.saturating_mul(1_000));
    us.or(value("throttled_time")).unwrap_or(0)
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

    #[test]
    fn a_busy_machine_starves_nobody() {
        let second = 1_000_000_000;
        let share = |ran_ns, queued_ns, throttled_ns| Share {
            elapsed_ns: second,
            ran_ns,
            queued_ns,
            throttled_ns,
        };
        // Eight programs on two processors.
        assert!(!share(second / 4, second / 4 * 3, 0).is_starved());
        assert!(share(second / 100, second / 100 * 99, 0).is_starved());
        assert!(!share(second / 2, 0, second / 3).is_throttled());
        assert!(share(second / 10, 0, second / 10 * 8).is_throttled());
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
