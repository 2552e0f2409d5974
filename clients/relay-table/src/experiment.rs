//! One relay, looked up many times.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use support::Server;

use crate::accept;

/// What is done with one relay.
pub struct Experiment<'a> {
    /// The relay program.
    pub relay: &'a Path,
    /// The lookup program.
    pub lookup: &'a Path,
    /// The relay's RUST_LOG.
    pub log: &'a str,
    /// Keep the relay to one processor.
    pub one_cpu: bool,
    /// Start a relay for each lookup.
    pub fresh_relay: bool,
    /// How many lookups.
    pub lookups: usize,
    /// Time before each.
    pub pause: Duration,
}

/// One lookup: how long the whole process took, and whether it came back with an answer.
pub struct Outcome {
    /// Wall time of the lookup's process.
    pub took: Duration,
    /// Its exit status was success.
    pub succeeded: bool,
}

/// What the lookups of one relay gave.
pub struct Outcomes {
    /// In the order of the lookups.
    pub lookups: Vec<Outcome>,
    /// How often the relay asked before it accepted the first of them.
    pub first_polls: usize,
    /// Processor time of the relays over all of them, where the system tells it.
    pub relay_cpu: Option<Duration>,
}

impl Experiment<'_> {
    /// Runs it. Of the first lookup two files are kept in `directory`: what the relay logged
    /// meanwhile, and its recording as it was then, if it makes one.
    pub fn run(&self, directory: &Path) -> io::Result<Outcomes> {
        let (log_path, recordings) = (directory.join("log"), directory.join("recordings"));
        let log = File::options().create(true).append(true).open(&log_path)?;
        let mut outcomes =
            Outcomes { lookups: Vec::new(), first_polls: 0, relay_cpu: Some(Duration::ZERO) };
        while outcomes.lookups.len() < self.lookups {
            // Those of an earlier relay go.
            remove_all(&recordings)?;
            fs::create_dir(&recordings)?;
            let mut relay = self.start_relay(log.try_clone()?, &recordings)?;
            // The first address need not be loopback's, but all have the port.
            let port = port(&relay.line_after("Listening on ")?)?;
            let address = format!("/ip4/127.0.0.1/tcp/{port}");
            let count = if self.fresh_relay { 1 } else { self.lookups };
            for _ in 0..count {
                thread::sleep(self.pause);
                // A relay that spins writes megabytes a second: only one lookup's lines are held.
                log.set_len(0)?;
                outcomes.lookups.push(self.look_up(&address)?);
                if outcomes.lookups.len() == 1 {
                    let text = String::from_utf8_lossy(&fs::read(&log_path)?).into_owned();
                    outcomes.first_polls = accept::polls(&text);
                    fs::write(directory.join("first-lookup.log"), shorten(&text))?;
                    keep_recording(&recordings, &directory.join("first-lookup.ticks"))?;
                }
            }
            outcomes.relay_cpu = outcomes.relay_cpu.zip(relay.cpu_time()).map(|(a, b)| a + b);
        }
        fs::remove_file(&log_path)?;
        remove_all(&recordings)?;
        Ok(outcomes)
    }

    fn start_relay(&self, log: File, recordings: &Path) -> io::Result<Server> {
        let mut command = if self.one_cpu {
            let mut pinned = Command::new("taskset");
            pinned.args(["--cpu-list", "0"]).arg(self.relay);
            pinned
        } else {
            Command::new(self.relay)
        };
        command
            .args(["--port", "0", "--secret-key-seed", "0"])
            .env("RUST_LOG", self.log)
            .env("ASYNC_IO_TRACE", recordings)
            .env("ASYNC_IO_TRACE_MIB", "16")
            .stderr(log);
        Server::start(&mut command)
    }

    fn look_up(&self, address: &str) -> io::Result<Outcome> {
        let started = Instant::now();
        let status = Command::new(self.lookup)
            .args(["direct", "--address", address])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", self.lookup.display()))
            })?;
        Ok(Outcome { took: started.elapsed(), succeeded: status.success() })
    }
}

/// The port in `/ip4/127.0.0.1/tcp/4001`.
fn port(address: &str) -> io::Result<u16> {
    address.rsplit_once("/tcp/").and_then(|(_, port)| port.parse().ok()).ok_or_else(|| {
        io::Error::other(format!("expected an address with a port, found {address:?}"))
    })
}

fn remove_all(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Copies the one recording that is there, if there is one: a relay on upstream's reactor makes none.
fn keep_recording(recordings: &Path, kept: &Path) -> io::Result<()> {
    if let Some(entry) = fs::read_dir(recordings)?.next() {
        fs::copy(entry?.path(), kept)?;
    }
    Ok(())
}

/// The log's beginning and its end.
fn shorten(text: &str) -> String {
    const LINES_MAX: usize = 20_000;
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    if lines.len() <= LINES_MAX {
        return text.to_owned();
    }
    let (begin, end) = (LINES_MAX / 2, lines.len() - LINES_MAX / 2);
    let note = format!("... {} lines left out ...\n", end - begin);
    [&lines[..begin].concat(), &note, &lines[end..].concat()].map(String::as_str).concat()
}
