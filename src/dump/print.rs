//! Standard error, without std's lock: a thread of the program may hold that for ever.

use std::fmt;
use std::fmt::Write as _;

use super::table::Table;
use super::Why;

/// Prints one line.
pub(super) fn say(text: fmt::Arguments<'_>) {
    write(format!("async-io: {text}\n").as_bytes());
}

/// Prints a table, in one piece if the system takes it so.
pub(super) fn table(why: &Why, table: &Table) {
    let mut text = String::new();
    let pid = std::process::id();
    let program = std::env::current_exe().ok();
    let program = program.as_deref().and_then(|path| path.file_name()).unwrap_or_default();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "async-io: who waits in process {pid} ({}), asked by {why}\n{table}async-io: end of the table",
        program.to_string_lossy()
    );
    write(text.as_bytes());
}

/// If standard error is closed, nobody can be told. If it is a pipe that nobody empties, some of it is lost.
#[cfg(unix)]
fn write(mut bytes: &[u8]) {
    use std::os::fd::AsFd;
    use std::time::Duration;

    /// How often a write is tried again that finds no room, a millisecond apart.
    const TRIES: u32 = 1_000;

    let stderr = std::io::stderr();
    let mut tries = TRIES;
    while !bytes.is_empty() {
        match rustix::io::write(stderr.as_fd(), bytes) {
            Ok(count) if count > 0 => bytes = &bytes[count..],
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) if tries > 0 => {
                tries -= 1;
                std::thread::sleep(Duration::from_millis(1));
            }
            _ => return,
        }
    }
}

#[cfg(not(unix))]
fn write(bytes: &[u8]) {
    use std::io::Write;

    let _ = std::io::stderr().write_all(bytes);
}
