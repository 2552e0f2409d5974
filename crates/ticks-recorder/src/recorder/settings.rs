//! The switches: `ASYNC_IO_TRACE`, `ASYNC_IO_TRACE_MIB` and `ASYNC_IO_TRACE_STACKS`.

use std::env;
use std::path::PathBuf;
use std::sync::OnceLock;

use ticks_format::layout::{FILE_BYTES_DEFAULT, FILE_BYTES_MAX, FILE_BYTES_MIN};

use super::system;
use crate::warn::{warn_once, Warning};

const MIB: u64 = 1 << 20;

/// What the switches ask for.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) dir: PathBuf,
    pub(super) file_bytes: u64,
    /// Whether the stacks of waits are taken, where that is possible.
    pub(super) stacks: bool,
}

/// What the switches asked for when this process, or the one it was forked from, first looked.
/// `None`: nothing is to be recorded.
pub(super) fn get() -> Option<&'static Settings> {
    static SETTINGS: OnceLock<Option<Settings>> = OnceLock::new();
    if SETTINGS.get().is_none() {
        // Made before, then set at once: if a fork came while it is being made, the child would wait
        // for ever.
        let _ = SETTINGS.set(read());
    }
    SETTINGS.get().and_then(Option::as_ref)
}

fn read() -> Option<Settings> {
    let Some(dir) = env::var_os("ASYNC_IO_TRACE") else {
        if env::var_os("ASYNC_IO_TRACE_MIB").is_some_and(|size| !size.is_empty()) {
            warn_once(
                Warning::Off,
                format_args!(
                    "ASYNC_IO_TRACE_MIB is set and ASYNC_IO_TRACE is not; expected a directory in that; \
                     nothing is recorded"
                ),
            );
        }
        return None;
    };
    if dir.is_empty() {
        warn_once(
            Warning::Off,
            format_args!(
                "ASYNC_IO_TRACE is empty; expected a directory for recordings; nothing is recorded"
            ),
        );
        return None;
    }
    if system::has_foreign_rights() {
        warn_once(
            Warning::Off,
            format_args!(
                "ASYNC_IO_TRACE is ignored in a program that runs with another user's rights; \
                 nothing is recorded"
            ),
        );
        return None;
    }
    // Forked children record there as well, wherever they are by then.
    let dir = env::current_dir().unwrap_or_default().join(dir);
    Some(Settings { dir, file_bytes: file_bytes(), stacks: stacks() })
}

fn file_bytes() -> u64 {
    let Some(value) = env::var_os("ASYNC_IO_TRACE_MIB").filter(|value| !value.is_empty()) else {
        return FILE_BYTES_DEFAULT;
    };
    let (min, max) = (FILE_BYTES_MIN / MIB, FILE_BYTES_MAX / MIB);
    let mib = value.to_str().and_then(|text| text.trim().parse::<u64>().ok());
    match mib {
        Some(mib) if (min..=max).contains(&mib) => mib * MIB,
        _ => {
            warn_once(
                Warning::Size,
                format_args!(
                    "ASYNC_IO_TRACE_MIB is {value:?}; expected a number of MiB from {min} to {max}; \
                     going on with {}",
                    FILE_BYTES_DEFAULT / MIB
                ),
            );
            FILE_BYTES_DEFAULT
        }
    }
}

fn stacks() -> bool {
    let Some(value) = env::var_os("ASYNC_IO_TRACE_STACKS") else { return true };
    match value.to_str() {
        Some("0") => false,
        Some("1" | "") => true,
        _ => {
            warn_once(
                Warning::Stacks,
                format_args!(
                    "ASYNC_IO_TRACE_STACKS is {value:?}; expected 0 or 1; going on with 1"
                ),
            );
            true
        }
    }
}
