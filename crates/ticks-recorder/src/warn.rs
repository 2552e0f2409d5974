//! What is said on standard error.

use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU8, Ordering};

/// Something that is said once a process.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Warning {
    /// Nothing is recorded.
    Off,
    /// The size that was asked for is not a size.
    #[allow(dead_code)] // Where there is a recorder.
    Size,
    /// The switch for stacks has a value that is not understood.
    #[allow(dead_code)] // Where there is a recorder.
    Stacks,
    /// The file can no longer grow.
    #[allow(dead_code)] // Where there is a recorder.
    Full,
    /// A second reactor wants to record.
    #[allow(dead_code)] // Where there is a recorder.
    SecondReactor,
}

/// Writes a line to standard error, the first time it is called for this warning. The line begins with
/// the reactor's name, because the switches are the reactor's. Call it with nothing locked: the write
/// may block.
pub(crate) fn warn_once(warning: Warning, text: fmt::Arguments<'_>) {
    static SAID: AtomicU8 = AtomicU8::new(0);
    let bit = 1 << warning as u8;
    if SAID.fetch_or(bit, Ordering::Relaxed) & bit == 0 {
        // If standard error is closed, nobody can be told.
        let _ = writeln!(io::stderr(), "async-io: {text}");
    }
}
