//! A private `dbus-daemon`: nothing on the session's or the system's bus is touched.

use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A running `dbus-daemon` whose socket lies in a directory of its own; both go when dropped.
pub struct Daemon {
    child: Child,
    address: String,
    _socket_dir: TempDir,
}

impl Daemon {
    /// Starts the daemon and waits until it listens.
    ///
    /// # Errors
    ///
    /// If there is no `dbus-daemon` (Debian: package `dbus`), or it says no address.
    pub fn start() -> io::Result<Daemon> {
        let socket_dir = tempfile::tempdir()?;
        let mut child = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--nopidfile", "--print-address"])
            .arg(format!("--address=unix:tmpdir={}", socket_dir.path().display()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| {
                io::Error::new(
                    error.kind(),
                    format!("dbus-daemon: {error} (on Debian: apt-get install dbus)"),
                )
            })?;

        let stdout = child.stdout.take().expect("stdout is piped");
        let mut daemon = Daemon { child, address: String::new(), _socket_dir: socket_dir };
        BufReader::new(stdout).read_line(&mut daemon.address)?;
        daemon.address.truncate(daemon.address.trim_end().len());
        if daemon.address.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "dbus-daemon: expected an address on its stdout, found nothing",
            ));
        }
        Ok(daemon)
    }

    /// Where clients reach it: `unix:path=…,guid=…`.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing left to do then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
