//! What the file says about the process, and how a process is told from a later one of its number.

use std::env;
use std::fs;

/// Lines of `name=value`.
pub(super) fn text(recorded_by: &str, stacks: bool) -> String {
    let program = env::current_exe().map(|path| path.to_string_lossy().into_owned());
    let pairs = [
        ("program", program.unwrap_or_default()),
        ("host", rustix::system::uname().nodename().to_string_lossy().into_owned()),
        ("boot_id", read("/proc/sys/kernel/random/boot_id")),
        ("os", env::consts::OS.to_owned()),
        ("arch", env::consts::ARCH.to_owned()),
        ("version", recorded_by.to_owned()),
        ("stacks", if stacks { String::new() } else { "off".to_owned() }),
    ];
    // A path may contain what ends a line.
    let line = |(name, value): (&str, String)| {
        let value = value.replace(|c: char| c.is_control(), "?");
        format!("{name}={value}\n")
    };
    pairs.into_iter().filter(|(_, value)| !value.is_empty()).map(line).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).map_or_else(|_| String::new(), |text| text.trim().to_owned())
}

/// When this process began: field 22 of `/proc/self/stat`; 0 where there is none.
pub(super) fn process_start() -> u64 {
    let stat = read("/proc/self/stat");
    // The second field is the program's name in brackets, and may contain anything.
    let Some((_, fields)) = stat.rsplit_once(") ") else { return 0 };
    fields.split(' ').nth(19).and_then(|field| field.parse().ok()).unwrap_or(0)
}
