//! Whoever hunts a hang in a program has that program, not this crate: its reactor came with smol or
//! zbus, its lock file names async-io 2.6.0 from crates.io, and nobody wants to change its code to look
//! at it. Two lines in its manifest must be all: had this crate another version, another name or a
//! feature less, cargo would leave the patch unused with no more than a warning, or ask for an update of
//! the lock file first.
//! Here is such a program, tests/patched, with its lock file. It is copied, gets the two lines, and runs.

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

mod util;
use util::watchdog_for;

/// The program is built from scratch once, with smol.
const LIMIT_S: u64 = 900;

const FILES: [&str; 3] = ["Cargo.toml", "Cargo.lock", "src/main.rs"];

#[test]
fn two_lines_and_no_other_command() -> io::Result<()> {
    let _watchdog = watchdog_for("two_lines_and_no_other_command", LIMIT_S);
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = tempfile::tempdir()?;
    fs::create_dir(dir.path().join("src"))?;
    for file in FILES {
        fs::copy(repository.join("tests/patched").join(file), dir.path().join(file))?;
    }
    let lock = dir.path().join("Cargo.lock");
    let upstream = "name = \"async-io\"\nversion = \"2.6.0\"\nsource = \"registry+";
    assert!(fs::read_to_string(&lock)?.contains(upstream), "the program is not as it should be");

    let mut manifest = fs::OpenOptions::new().append(true).open(dir.path().join("Cargo.toml"))?;
    write!(manifest, "\n[patch.crates-io]\nasync-io = {{ path = {repository:?} }}\n")?;
    drop(manifest);

    let Some(run) = run(dir.path())? else {
        let _ = writeln!(io::stderr(), "two_lines_and_no_other_command: left out: offline");
        return Ok(());
    };
    let (stdout, stderr) = texts(&run);
    assert!(run.status.success(), "{}: {stderr}", run.status);
    assert_eq!(stdout, "echo: hello over there\nserved: 16 bytes\n", "the program's own output");
    let mut warnings = stderr.lines().filter(|line| line.starts_with("warning"));
    let warns = warnings.any(|line| !line.contains("spurious network error"));
    assert!(!warns, "cargo or the compiler warns: {stderr}");
    for record in [
        "TRACE async_io::reactor] Source::new:+- ",
        "TRACE async_io::reactor] Source::poll_ready:+ dir=0 tick=",
        "TRACE async_io::reactor] Reactor::ticker:+- val=",
        "TRACE async_io::driver] block_on:+ ",
    ] {
        assert!(stderr.contains(record), "no record {record:?}: {stderr}");
    }

    only_ours(dir.path(), repository)?;
    let lock = fs::read_to_string(&lock)?;
    assert!(!lock.contains(upstream), "upstream's is still in the lock file");
    Ok(())
}

/// `cargo run`, and nothing else. `None`: what it takes cannot be had, and nobody insists.
fn run(dir: &Path) -> io::Result<Option<Output>> {
    let mut run = cargo(dir);
    let run = run.arg("run").env("RUST_LOG", "async_io=trace");
    let online = run.output()?;
    if online.status.success() || !lacks_network(&online) {
        return Ok(Some(online));
    }
    // All may be in cargo's cache.
    let offline = run.env("CARGO_NET_OFFLINE", "true").output()?;
    if offline.status.success() {
        return Ok(Some(offline));
    }
    let ci = env::var_os("CI").is_some_and(|ci| ci == "true");
    Ok(ci.then_some(online))
}

fn cargo(dir: &Path) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(dir)
        .stdin(Stdio::null())
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("patched"))
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_TERM_COLOR", "never");
    // What this test is built and run with is not what the program is.
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_NET_OFFLINE"]
    {
        cargo.env_remove(name);
    }
    cargo
}

fn lacks_network(output: &Output) -> bool {
    let (_, stderr) = texts(output);
    ["spurious network error", "Could not resolve host", "download of config.json failed"]
        .iter()
        .any(|sign| stderr.contains(sign))
}

/// Asks cargo who uses async-io: of two packages of that name it would ask back which one is meant.
fn only_ours(dir: &Path, repository: &Path) -> io::Result<()> {
    let tree = cargo(dir).args(["tree", "--offline", "--invert", "async-io"]).output()?;
    let (stdout, stderr) = texts(&tree);
    assert!(tree.status.success(), "{stderr}");
    let mut named = stdout.lines().filter(|line| line.contains("async-io v"));
    let ours = format!("async-io v2.6.0 ({})", repository.display());
    assert_eq!(named.next(), Some(ours.as_str()), "{stdout}");
    assert_eq!(named.next(), None, "{stdout}");
    assert!(stdout.contains("smol v2"), "smol does not use it: {stdout}");
    Ok(())
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}
