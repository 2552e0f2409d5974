//! A server program as a child process, for tests.

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

/// A running server program; killed when dropped.
pub struct Server {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Server {
    /// Starts the program. Its stdout is read here, its stderr is the caller's.
    ///
    /// # Errors
    ///
    /// If the program cannot be started.
    pub fn start(command: &mut Command) -> io::Result<Server> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| io::Error::new(error.kind(), format!("{command:?}: {error}")))?;
        let stdout = child.stdout.take().expect("stdout is piped");
        Ok(Server { child, lines: BufReader::new(stdout) })
    }

    /// Reads lines until one begins with `prefix`, and returns what follows it.
    ///
    /// # Errors
    ///
    /// If the program ends, or closes its stdout, without such a line.
    pub fn line_after(&mut self, prefix: &str) -> io::Result<String> {
        for line in self.lines.by_ref().lines() {
            if let Some(rest) = line?.strip_prefix(prefix) {
                return Ok(rest.trim().to_owned());
            }
        }
        let found = match self.child.try_wait()? {
            Some(status) => format!("the program ended with {status}"),
            None => "the program closed its stdout".to_owned(),
        };
        Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("expected a line that begins with {prefix:?}, but {found}"),
        ))
    }

    /// The processor time it has used, if the system tells it (Linux does).
    pub fn cpu_time(&self) -> Option<Duration> {
        // proc(5): after the name in parentheses come 11 fields, then utime and stime in ticks,
        // of which Linux shows user space 100 a second on every architecture.
        const TICKS_PER_S: f64 = 100.0;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        let (_, after_name) = stat.rsplit_once(')')?;
        let mut times = after_name.split_whitespace().skip(11);
        let user: u64 = times.next()?.parse().ok()?;
        let system: u64 = times.next()?.parse().ok()?;
        Some(Duration::from_secs_f64((user + system) as f64 / TICKS_PER_S))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing left to do then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
