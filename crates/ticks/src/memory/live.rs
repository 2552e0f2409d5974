//! A live process's memory, by `/proc/<pid>/mem` (`proc_pid_mem(5)`). Nothing runs in the process, and nothing
//! stops it.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

use anyhow::{anyhow, bail};
use ticks_format::ReadAt;

use super::{Mapping, Memory, Unreadable};

/// See the [module](self).
pub struct Live {
    file: File,
    mappings: Vec<Mapping>,
}

impl Live {
    /// Opens the memory of process `pid`.
    pub fn open(pid: u32) -> anyhow::Result<Live> {
        let path = format!("/proc/{pid}/maps");
        let maps = fs::read(&path).map_err(|error| denied(pid, &path, error))?;
        if maps.is_empty() {
            bail!("it has no memory: it is a thread of the kernel's, or it is ending");
        }
        let maps = String::from_utf8_lossy(&maps);
        let mappings: Vec<_> = maps.lines().filter_map(mapping_of_line).collect();
        let path = format!("/proc/{pid}/mem");
        let file = File::open(&path).map_err(|error| denied(pid, &path, error))?;
        Ok(Live { file, mappings })
    }
}

impl Memory for Live {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        match self.file.read_up_to(address, into) {
            Ok(got) if got == into.len() => Ok(()),
            Ok(_) | Err(_) => Err(Unreadable(address)),
        }
    }

    fn mappings(&self) -> &[Mapping] {
        &self.mappings
    }
}

/// From a line of `/proc/<pid>/maps` (`proc_pid_maps(5)`).
fn mapping_of_line(line: &str) -> Option<Mapping> {
    let mut fields = line.splitn(6, ' ');
    let (begin, end) = fields.next()?.split_once('-')?;
    let rights = fields.next()?;
    let hex = |text: &str| u64::from_str_radix(text, 16).ok();
    let offset = hex(fields.next()?)?;
    let path = fields.nth(2).map(str::trim).filter(|path| path.starts_with('/'));
    let path = path.map(|path| path.strip_suffix(" (deleted)").unwrap_or(path));
    Some(Mapping {
        begin: hex(begin)?,
        end: hex(end)?,
        writable: rights.contains('w'),
        executable: rights.contains('x'),
        path: path.map(|path| PathBuf::from(path.replace("\\012", "\n"))),
        offset,
    })
}

/// Why a process's memory may not be read, and what helps.
fn denied(pid: u32, path: &str, error: io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::NotFound => anyhow!("there is no such process"),
        io::ErrorKind::PermissionDenied => {
            let error = anyhow!(error).context(path.to_owned());
            error.context(Right::missing(pid).text(pid))
        }
        _ => anyhow!(error).context(path.to_owned()),
    }
}

/// What a reader of another process's memory must have (`ptrace(2)`, access mode checking).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Right {
    /// Root is not what it is outside of a container.
    Capability,
    /// The process is another user's.
    User,
    /// Yama lets only a parent look: `ptrace_scope` has this value.
    Scope(u32),
    /// The process has more rights than the user, or has asked not to be looked at.
    Dumpable,
}

impl Right {
    fn missing(pid: u32) -> Right {
        let uid = |pid: &str| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
            line.split_whitespace().next()?.parse::<u32>().ok()
        };
        let (own, its) = (uid("self"), uid(&pid.to_string()));
        let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").ok();
        let scope = scope.and_then(|scope| scope.trim().parse().ok()).unwrap_or(0);
        match (own, its) {
            (Some(0), _) => Right::Capability,
            (own, its) if own != its => Right::User,
            _ if scope > 0 => Right::Scope(scope),
            _ => Right::Dumpable,
        }
    }

    fn text(self, pid: u32) -> String {
        match self {
            Right::Capability => "root may not read its memory here, as in a container without \
                                  CAP_SYS_PTRACE; give it that (docker run --cap-add=SYS_PTRACE), or look from the host"
                .into(),
            Right::User => format!("it is another user's; try: sudo ticks who {pid}"),
            Right::Scope(3) => "kernel.yama.ptrace_scope is 3: nobody may read another process's memory until the \
                                system is started anew; record it instead, with ASYNC_IO_TRACE=DIR in its environment"
                .into(),
            Right::Scope(scope) => format!(
                "kernel.yama.ptrace_scope is {scope}: only root may read its memory; try: sudo ticks who \
                 {pid}, or: sudo sysctl kernel.yama.ptrace_scope=0"
            ),
            Right::Dumpable => format!(
                "it has more rights than you, or has asked not to be looked at (PR_SET_DUMPABLE); try: sudo \
                 ticks who {pid}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_maps() {
        let line = "55d0c8a00000-55d0c8a21000 rw-p 0001f000 fe:00 1835025                    /usr/bin/a b (deleted)";
        let mapping = mapping_of_line(line).expect("a mapping");
        assert_eq!((mapping.begin, mapping.end), (0x55d0_c8a0_0000, 0x55d0_c8a2_1000));
        assert_eq!((mapping.writable, mapping.executable, mapping.offset), (true, false, 0x1f000));
        assert_eq!(mapping.path, Some("/usr/bin/a b".into()));
        let heap =
            mapping_of_line("55d0-55d1 rw-p 00000000 00:00 0                          [heap]");
        assert_eq!(heap.expect("a mapping").path, None);
        let anonymous = mapping_of_line("55d0-55d1 r-xp 00000000 00:00 0 ").expect("a mapping");
        assert_eq!((anonymous.path, anonymous.executable), (None, true));
        assert_eq!(mapping_of_line("nonsense"), None);
    }

    #[test]
    fn each_missing_right_has_its_own_advice() {
        assert!(Right::User.text(7).contains("sudo ticks who 7"));
        assert!(Right::Scope(1).text(7).contains("kernel.yama.ptrace_scope=0"));
        assert!(!Right::Scope(3).text(7).contains("sudo"));
        assert!(Right::Capability.text(7).contains("CAP_SYS_PTRACE"));
        assert!(Right::Dumpable.text(7).contains("PR_SET_DUMPABLE"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn its_own_memory() {
        let marker: Box<u64> = Box::new(0x1234_5678_9abc_def0);
        let memory = Live::open(std::process::id()).expect("our own");
        let address = &raw const *marker as u64;
        assert_eq!(memory.u64(address), Ok(*marker));
        assert!(memory.mapping(address).expect("on the heap").writable);
        assert_eq!(memory.u8(8), Err(Unreadable(8)));
    }
}
