//! Builds the four programs, and the tool that compares.
//!
//! They go to a folder of their own inside cargo's target folder: the outer cargo may hold the lock of
//! its own folders while it runs us.

use std::env;
use std::fs::{self, File, TryLockError};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::thread;

use crate::case::{Build, Case, Reactor};
use crate::error::{Context, Error};

/// The folder that programs and logs go to, held against a second repro.
pub(crate) struct Workshop {
    dir: PathBuf,
    logs: PathBuf,
    /// Locked for as long as it is open.
    _lock: File,
}

impl Workshop {
    pub(crate) fn open(say: &mut dyn FnMut(&str)) -> Result<Workshop, Error> {
        let dir = target_dir()?.join("repro");
        let logs = dir.join("logs");
        fs::create_dir_all(&logs).context(|| format!("cannot make {}", logs.display()))?;
        let path = dir.join("repro.lock");
        let what = || format!("cannot lock {}", path.display());
        let lock = File::create(&path).context(what)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                say("waiting for another repro that is under way");
                lock.lock().context(what)?;
            }
            Err(TryLockError::Error(error)) => return Err(error).context(what),
        }
        Ok(Workshop { dir, logs, _lock: lock })
    }

    pub(crate) fn logs(&self) -> &Path {
        &self.logs
    }
}

/// Cargo's target folder, whatever flag, variable or file has set it: the nearest folder above this
/// executable that bears one of cargo's marks.
fn target_dir() -> Result<PathBuf, Error> {
    let exe = env::current_exe().context(|| "cannot tell this program's path".into())?;
    let marked = |dir: &&Path| {
        let has = |name| dir.join(name).is_file();
        has(".rustc_info.json") || has("CACHEDIR.TAG")
    };
    match exe.ancestors().skip(1).find(marked) {
        Some(dir) => Ok(dir.to_owned()),
        None => Err(Error::new(format!(
            "found no cargo target folder above {}: run it with `cargo test` or `cargo run`",
            exe.display()
        ))),
    }
}

/// The executables.
pub(crate) struct Programs(Vec<(Build, Reactor, PathBuf)>);

impl Programs {
    pub(crate) fn build(workshop: &Workshop, say: &mut dyn FnMut(&str)) -> Result<Self, Error> {
        let mut programs = Vec::new();
        for build in Build::ALL {
            for reactor in Reactor::ALL {
                say(&format!("building: {reactor}, {build}"));
                programs.push((build, reactor, self::build(workshop, build, reactor, say)?));
            }
        }
        Ok(Programs(programs))
    }

    pub(crate) fn of(&self, case: Case) -> &Path {
        self.0
            .iter()
            .find(|(build, reactor, _)| (*build, *reactor) == (case.build, case.reactor))
            .map(|(.., path)| path.as_path())
            .expect("every build of every reactor was built")
    }
}

/// Builds one of them, and returns its executable.
pub(crate) fn build(
    workshop: &Workshop,
    build: Build,
    reactor: Reactor,
    say: &mut dyn FnMut(&str),
) -> Result<PathBuf, Error> {
    cargo_build(workshop, "programs/Cargo.toml", &format!("accept-{reactor}"), build, say)
}

/// Builds `ticks`, and returns its executable.
pub(crate) fn tool(workshop: &Workshop, say: &mut dyn FnMut(&str)) -> Result<PathBuf, Error> {
    cargo_build(workshop, "../ticks/Cargo.toml", "ticks", Build::Debug, say)
}

/// Builds a package whose workspace or own manifest is there, seen from this crate's folder.
fn cargo_build(
    workshop: &Workshop,
    manifest: &str,
    package: &str,
    build: Build,
    say: &mut dyn FnMut(&str),
) -> Result<PathBuf, Error> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join(manifest);
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--package", package, "--manifest-path"])
        .arg(&manifest)
        .arg("--message-format=json-render-diagnostics");
    if build == Build::Release {
        cargo.arg("--release");
    }
    cargo
        .env("CARGO_TARGET_DIR", &workshop.dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let what = || format!("cannot build {package} ({build})");

    let mut child = cargo.spawn().context(what)?;
    let stdout = child.stdout.take().expect("stdout is piped");
    let stderr = child.stderr.take().expect("stderr is piped");
    // Both pipes are read at once: cargo waits when either is full.
    let messages = thread::spawn(move || read_all(stdout));
    let mut said = String::new();
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        say(&format!("    {line}"));
        said.push_str(&line);
        said.push('\n');
    }
    let status = child.wait().context(what)?;
    let messages = messages.join().unwrap_or_default();
    if !status.success() {
        return Err(Error::new(format!("{}: cargo: {status}\n{said}", what())));
    }
    executable(&messages).ok_or_else(|| {
        Error::new(format!("{}: cargo names no executable, but:\n{messages}", what()))
    })
}

fn read_all(mut pipe: ChildStdout) -> String {
    let mut bytes = Vec::new();
    // What was read before an error is what there is to report.
    let _ = pipe.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The one executable in cargo's messages.
fn executable(messages: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_found_among_cargos_messages() {
        let messages = r#"{"reason":"build-script-executed","package_id":"x"}
{"reason":"compiler-artifact","target":{"name":"log"},"executable":null}
not json
{"reason":"compiler-artifact","target":{"name":"accept_ours"},"executable":"/t/debug/accept_ours"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages), Some(PathBuf::from("/t/debug/accept_ours")));
        assert_eq!(executable(r#"{"reason":"build-finished","success":true}"#), None);
    }

    #[test]
    fn the_target_folder_holds_this_test() {
        let dir = target_dir().unwrap();
        assert!(env::current_exe().unwrap().starts_with(&dir), "{dir:?}");
    }
}
