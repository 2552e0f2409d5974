//! What is said on standard error.

use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU8, Ordering};

/// Something that is said once a process.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Warning {
    /// Nothing is recorded.
    Off,
    /// The size that was asked for is none.
    #[allow(dead_code)] // Where there is a recorder.
    Size,
    /// Whether stacks are wanted is not said in a way that is understood.
    #[allow(dead_code)] // Where there is a recorder.
    Stacks,
    /// The file can no longer grow.
    #[allow(dead_code)] // Where there is a recorder.
    Full,
    /// A second reactor wants to record.
    #[allow(dead_code)] // Where there is a recorder.
    SecondReactor,
}

/// Says something, the first time it is called for this warning. The switches are the reactor's, and so
/// is the name that it is said in.
pub(crate) fn warn_once(warning: Warning, text: fmt::Arguments<'_>) {
    static SAID: AtomicU8 = AtomicU8::new(0);
    let bit = 1 << warning as u8;
    if SAID.fetch_or(bit, Ordering::Relaxed) & bit == 0 {
        // There is nobody to tell that standard error is closed.
        let _ = writeln!(io::stderr(), "async-io: {text}");
    }
}
