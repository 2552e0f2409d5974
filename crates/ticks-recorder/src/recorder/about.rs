//! What the file says about the process.

use std::env;

use super::system;

/// Lines of `name=value`.
pub(super) fn text(recorded_by: &str, stacks: bool) -> String {
    let program = env::current_exe().map(|path| path.to_string_lossy().into_owned());
    let pairs = [
        ("program", program.unwrap_or_default()),
        ("host", system::host()),
        ("boot_id", system::boot_id()),
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
