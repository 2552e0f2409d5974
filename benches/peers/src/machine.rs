//! Where and with what a run was made.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use rustix::system::{sysinfo, uname};

/// Packages whose versions a result depends on.
const PACKAGES: [&str; 4] = ["tokio", "mio", "futures-util", "async-executor"];

/// The facts that belong beside every figure.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    pub(crate) rustc: String,
    /// Package and version.
    pub(crate) packages: Vec<(String, String)>,
    /// Processes that ran or wanted to, over the last minute.
    pub(crate) load: f64,
}

impl Machine {
    pub(crate) fn here() -> Machine {
        let uname = uname();
        Machine {
            processor: processor().unwrap_or_else(|| "unknown processor".into()),
            cores: thread::available_parallelism().map_or(1, usize::from),
            kernel: format!(
                "{} {}",
                uname.sysname().to_string_lossy(),
                uname.release().to_string_lossy()
            ),
            rustc: rustc().unwrap_or_else(|| "unknown rustc".into()),
            packages: packages().unwrap_or_default(),
            load: load(),
        }
    }

    pub(crate) fn lines(&self) -> String {
        let packages: Vec<_> =
            self.packages.iter().map(|(name, version)| format!("{name} {version}")).collect();
        format!(
            "{}, {} cores, {}, {}\nours and upstream: async-io 2.6.0; {}; load {:.2} at the start",
            self.processor,
            self.cores,
            self.kernel,
            self.rustc,
            packages.join(", "),
            self.load,
        )
    }
}

/// The load average of the last minute.
pub(crate) fn load() -> f64 {
    // The kernel counts in 1/65,536.
    sysinfo().loads[0] as f64 / 65_536.0
}

fn processor() -> Option<String> {
    let cpus = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = cpus.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn rustc() -> Option<String> {
    let output = Command::new("rustc").arg("--version").output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    // "rustc 1.95.0 (hash date)"
    let mut words = version.split_whitespace();
    Some(format!("{} {}", words.next()?, words.next()?))
}

/// The versions in the lock file of the workspace that this package was built in.
fn packages() -> Option<Vec<(String, String)>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let lock = here.ancestors().map(|dir| dir.join("Cargo.lock"));
    let lock = fs::read_to_string(lock.into_iter().find(|path| path.exists())?).ok()?;
    let mut found = Vec::new();
    let mut name = None;
    for line in lock.lines() {
        match line.split_once(" = ") {
            Some(("name", value)) => name = Some(value.trim_matches('"')),
            Some(("version", value)) => {
                if let Some(name) = name.take().filter(|name| PACKAGES.contains(name)) {
                    found.push((name.to_owned(), value.trim_matches('"').to_owned()));
                }
            }
            _ => {}
        }
    }
    Some(found)
}
