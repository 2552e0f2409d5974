//! An end for whatever hangs.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

/// Ends the process with status 124 unless dropped in time.
///
/// It has a thread of its own and uses nothing of the reactor, so that a reactor that stands still
/// cannot stop it.
#[must_use = "a watchdog that is dropped at once watches nothing"]
pub struct Watchdog {
    _alive: Sender<()>,
}

impl Watchdog {
    /// Gives `what` so many seconds.
    pub fn new(what: &str, limit_s: u64) -> Watchdog {
        let (alive, gone) = mpsc::channel();
        let what = what.to_owned();
        thread::spawn(move || {
            if gone.recv_timeout(Duration::from_secs(limit_s)) == Err(RecvTimeoutError::Timeout) {
                eprintln!("{what}: no end after {limit_s} s");
                std::process::exit(124);
            }
        });
        Watchdog { _alive: alive }
    }
}
