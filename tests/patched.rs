//! Whoever hunts a hang in a program has that program, not this crate: its reactor came with smol or
//! zbus, its lock file names async-io 2.6.0 and async-executor 1.14.1 from crates.io, and nobody wants to change
//! its code to look at it. A patch in its manifest must be all: had a crate here another version, another name or a
//! feature less, cargo would leave the patch unused with no more than a warning, or ask for an update of
//! the lock file first.
//! Here is such a program, tests/patched, with its lock file. It is copied, gets the patch, and runs; and its
//! recording has its tasks.

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

mod util;
use ticks_format::{Record, TaskKind, What};
use util::{recording, watchdog_for};

/// The program is built from scratch once, with smol.
const LIMIT_S: u64 = 900;

const FILES: [&str; 3] = ["Cargo.toml", "Cargo.lock", "src/main.rs"];

#[test]
fn a_patch_and_no_other_command() -> io::Result<()> {
    let _watchdog = watchdog_for("a_patch_and_no_other_command", LIMIT_S);
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = tempfile::tempdir()?;
    fs::create_dir(dir.path().join("src"))?;
    for file in FILES {
        fs::copy(repository.join("tests/patched").join(file), dir.path().join(file))?;
    }
    let lock = dir.path().join("Cargo.lock");
    let of_crates_io =
        |name, version| format!("name = \"{name}\"\nversion = \"{version}\"\nsource = \"registry+");
    let upstream = [of_crates_io("async-io", "2.6.0"), of_crates_io("async-executor", "1.14.1")];
    let before = fs::read_to_string(&lock)?;
    assert!(upstream.iter().all(|entry| before.contains(entry)), "it is not as it should be");

    let mut manifest = fs::OpenOptions::new().append(true).open(dir.path().join("Cargo.toml"))?;
    let executor = repository.join("crates/async-executor");
    writeln!(manifest, "\n[patch.crates-io]\nasync-io = {{ path = {repository:?} }}")?;
    writeln!(manifest, "async-executor = {{ path = {executor:?} }}")?;
    drop(manifest);

    let Some(run) = run(dir.path())? else {
        let _ = writeln!(io::stderr(), "a_patch_and_no_other_command: left out: offline");
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

    only_ours(dir.path(), "async-io v2.6.0", repository)?;
    only_ours(dir.path(), "async-executor v1.14.1", &executor)?;
    let lock = fs::read_to_string(&lock)?;
    for entry in upstream {
        assert!(!lock.contains(&entry), "it is still in the lock file: {entry}");
    }
    has_its_tasks(dir.path())
}

/// Runs the program once more, recorded: there are the future of `block_on`, and the server that it spawns.
fn has_its_tasks(dir: &Path) -> io::Result<()> {
    let records = dir.join("records");
    let run = cargo(dir).args(["run", "--offline"]).env("ASYNC_IO_TRACE", &records).output()?;
    assert!(run.status.success(), "{}: {}", run.status, texts(&run).1);
    if !cfg!(any(target_os = "linux", target_os = "macos", target_os = "freebsd")) {
        return Ok(());
    }
    let file = fs::read_dir(&records)?.next().expect("a recording")?.path();
    let recording = recording::open(&file);
    let mut spawned = Vec::new();
    for ring in recording::rings(&recording) {
        for stamped in ring.records {
            if let What::Record(Record::TaskSpawn(task)) = stamped.what {
                spawned.push((task.kind, recording.place(task.name).expect("readable")));
            }
        }
    }
    let has = |kind, name: &str| {
        let mut named = spawned.iter().filter(|(other, _)| *other == kind);
        named.any(|(_, other)| other.as_deref().is_some_and(|other| other.contains(name)))
    };
    assert!(has(TaskKind::BlockOn, "echo::main"), "{spawned:?}");
    assert!(has(TaskKind::Spawned, "echo::serve_one"), "{spawned:?}");
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

/// Asks cargo who uses the package: of two of its name it would ask back which one is meant.
fn only_ours(dir: &Path, package: &str, path: &Path) -> io::Result<()> {
    let (name, _) = package.split_once(' ').expect("a name and a version");
    let tree = cargo(dir).args(["tree", "--offline", "--invert", name]).output()?;
    let (stdout, stderr) = texts(&tree);
    assert!(tree.status.success(), "{stderr}");
    let mut named = stdout.lines().filter(|line| line.contains(&format!("{name} v")));
    let ours = format!("{package} ({})", path.display());
    assert_eq!(named.next(), Some(ours.as_str()), "{stdout}");
    assert_eq!(named.next(), None, "{stdout}");
    assert!(stdout.contains("smol v2"), "smol does not use it: {stdout}");
    Ok(())
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}
